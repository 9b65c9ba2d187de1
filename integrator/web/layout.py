"""What every page has around it: navigation with counts of what needs somebody, theme, person, and what was just done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Flask, g, request

from integrator.access import PUBLIC
from integrator.store.listing_home import Needs, needs
from integrator.web import assets, fields, lists, moments, states
from integrator.web.browsers import FORM_FIELD, FORM_HEADER, page_proof
from integrator.web.current import installation, person, reading_pages
from integrator.web.entering import take_toast
from integrator.web.forms.words import icon_of

THEME_COOKIE: Final = "theme"
THEMES: Final = ("light", "dark")


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the navigation. `count` names what of `Needs` is counted beside it."""

    view: str
    label: str
    icon: str
    count: str = ""
    is_apart: bool = False

    @property
    def is_here(self) -> bool:
        """Whether the page that is shown belongs to it; what a search has found belongs to none."""
        return (
            request.endpoint != "home.searched"
            and (request.endpoint or "").partition(".")[0] == self.view.partition(".")[0]
        )


PLACES: Final = (
    Place("home.shown", "Home", "house"),
    Place("flows.listed", "Flows", "arrow-left-right"),
    Place("runs.listed", "Runs", "clock-history", "runs"),
    Place("connections.listed", "Connections", "plug", "connections"),
    Place("iclients.listed", "iClients", "key"),
    Place("notices.listed", "Notices", "bell", "notices", is_apart=True),
    Place("audit.listed", "Audit", "journal-text"),
    Place("health.shown", "Health", "heart-pulse"),
)


def add_layout(app: Flask) -> None:
    """Give templates what they are drawn with. Functions, so that a macro has them too."""
    drawn_with: dict[str, Callable[..., Any] | Any] = {
        "asset": assets.asset,
        "icon_address": assets.icon_address,
        "icon_of": icon_of,
        "chip_of": states.chip_of,
        "told": moments.told,
        "day": moments.day,
        "days_until": moments.days_until,
        "lasting": moments.lasting,
        "list_url": lists.list_url,
        "sort_url": lists.sort_url,
        "shown_filters": lists.shown_filters,
        "page_proof": page_proof,
        "person": person,
        "places": lambda: PLACES,
        "needs": needs_now,
        "theme": theme,
        "take_toast": take_toast,
        "this_page": this_page,
        "Column": lists.Column,
        "FORM_FIELD": FORM_FIELD,
        "FORM_HEADER": FORM_HEADER,
        "KINDS": fields,
    }
    app.jinja_env.globals.update(drawn_with)
    app.jinja_env.filters.update(as_choices=_as_choices, host=_host, sentence=_sentence)


def theme() -> str:
    """Light or dark, where somebody has chosen; empty: as the system is."""
    told = request.cookies.get(THEME_COOKIE, "")
    return told if told in THEMES else ""


def this_page() -> str:
    """The path of the page that is shown, to come back to it; the first page where that may hold a link or a code."""
    view = request.endpoint
    is_a_page = request.method == "GET" and view is not None and view not in PUBLIC
    return request.full_path.rstrip("?") if is_a_page else "/"


def needs_now() -> Needs:
    """What waits for somebody; asked for once a page."""
    if "needs" not in g:
        with reading_pages() as db:
            g.needs = needs(db, installation().clock.now())
    found: Needs = g.needs
    return found


def _as_choices(values: Iterable[str]) -> list[fields.Choice]:
    """Each value with its word, where it is a state, as a choice of a filter."""
    return [fields.Choice(str(value), states.word_of(str(value))) for value in values]


def _host(place: str) -> str:
    """The host of an address; a folder stays as it is."""
    return urlsplit(place).netloc or place


def _sentence(text: str) -> str:
    """The text with a capital letter in front; the names of iClients keep theirs."""
    return text if text.startswith("iClient") else text[:1].upper() + text[1:]
