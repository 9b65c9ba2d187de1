"""Every page at three widths, light and dark: nothing fails, nothing scrolls sideways, axe finds nothing grave."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_house import House
from looking import check, picture, sideways
from page_list import NO_PAGES, PAGES, Shown
from playwright.sync_api import Browser, Page
from watched_browser import HEIGHT, MEDIUM, NARROW, WIDE, Visits
from watching import watching

from integrator.bootstrap import Installation
from integrator.config import Config
from integrator.web.app import create_app

pytestmark = pytest.mark.browser

WIDTHS = (WIDE, MEDIUM, NARROW)
JUDGED = ((WIDE, "light"), (WIDE, "dark"), (NARROW, "light"))
"""Where axe looks: colours change with the scheme, and what is shown with the width."""


@pytest.fixture
def shown_house(request: pytest.FixtureRequest, shown: Shown) -> House:
    found: House = request.getfixturevalue("empty" if shown.is_empty else "house")
    return found


@pytest.fixture
def looked_at(browser: Browser, shown_house: House, shown: Shown) -> Iterator[Page]:
    """A browser for this page, in which ada is signed in unless the page is for everybody."""
    watch = watching(shown_house)
    if shown.status >= 400:
        watch.allow(shown.status)
    visits = Visits(browser, shown_house.url, watch)
    yield visits.page(None if shown.is_public else shown_house.signed_in["ada"], color_scheme="light")
    visits.close()
    watch.judge()


@pytest.mark.parametrize("shown", PAGES, ids=str)
def test_a_page_is_whole_at_every_width_in_light_and_dark(looked_at: Page, shown: Shown, shown_house: House) -> None:
    page, found = looked_at, []
    address = shown.path if isinstance(shown.path, str) else shown.path(shown_house)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        answer = page.goto(address)
        assert answer
        if shown.prepare:
            shown.prepare(page)
        else:
            assert answer.status == shown.status
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            keep(page, shown, width, scheme)
            if more := sideways(page):
                found.append(f"{width} px: {more} px too wide")
            if (width, scheme) in JUDGED:
                found += [f"{width} px, {scheme}: {one}" for one in check(page)]
        page.emulate_media(color_scheme="light")
    assert found == [], "\n".join(found)


def keep(page: Page, shown: Shown, width: int, scheme: str) -> None:
    """The picture of every page in the light, wide; of the telling ones in the dark and narrow too."""
    if (width, scheme) == (WIDE, "light"):
        picture(page, shown.name)
    elif shown.is_telling and (width, scheme) == (WIDE, "dark"):
        picture(page, f"{shown.name}-dark")
    elif shown.is_telling and (width, scheme) == (NARROW, "light"):
        picture(page, f"{shown.name}-400")


def test_every_page_that_the_application_answers_is_in_the_list(tmp_path: Path) -> None:
    with Installation(Config.from_environment({"INTEGRATOR_HOME": str(tmp_path / "home")})) as installation:
        rules = [*create_app(installation).url_map.iter_rules()]
    answering = {str(rule.endpoint) for rule in rules if "GET" in (rule.methods or ())}
    known = {shown.view for shown in PAGES} | set(NO_PAGES)
    assert answering - known == set(), "add them to PAGES in page_list.py"
