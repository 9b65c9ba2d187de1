"""Inviting somebody else to consent for a connection: a link that serves once, taken back, and the consent given back."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, make_response, render_template, request, url_for

from connectors.errors import SettingsError
from iclients.errors import RemoteError
from integrator.consenting import Consenting
from integrator.errors import UserError
from integrator.linking import make_link, revoke_links
from integrator.web.current import installation
from integrator.web.entering import toast
from integrator.web.fields import SELECT, Choice, Field, filled, missing, with_errors
from integrator.web.redirects import see_other

views: Final = Blueprint("inviting", __name__)

HOURS: Final = {"24": "1 day", "72": "3 days", "168": "7 days"}
_FIELDS: Final = (
    Field(
        "for",
        "For whom",
        required=True,
        placeholder="grace@contoso.test",
        help="Whoever opens the link sees this name; the audit keeps it.",
    ),
    Field("hours", "Valid for", SELECT, "72", choices=[Choice(hours, words) for hours, words in HOURS.items()]),
)


@views.get("/connections/<name>/link")
def form(name: str) -> str:
    """The form of a link."""
    return _page(name, list(_FIELDS))


@views.post("/connections/<name>/link")
def made(name: str) -> Response:
    """Make the link; it is shown on this page alone."""
    fields = filled(_FIELDS, request.form)
    errors = missing(fields, request.form)
    hours = request.form.get("hours", "")
    if hours not in HOURS:
        errors["hours"] = "Valid for is none of these: choose one."
    if errors:
        return make_response(_page(name, with_errors(fields, errors)), 422)
    made_for = request.form["for"].strip()[:200]
    try:
        address = make_link(installation(), name, made_for, int(hours) * 3600.0)
    except (RemoteError, SettingsError, UserError) as error:
        return make_response(_page(name, fields, sentence=str(error)), 409)
    return make_response(_page(name, list(_FIELDS), address=address, made_for=made_for, lasting=HOURS[hours]))


@views.post("/connections/<name>/link/take-back")
def taken_back(name: str) -> Response:
    """No link of this connection that is out serves any more."""
    many = revoke_links(installation(), name)
    toast(f"{many} link{'' if many == 1 else 's'} of {name} taken back." if many else f"No link of {name} was out.")
    return _back("connections.inviting.form", name)


@views.post("/connections/<name>/consent/give-back")
def given_back(name: str) -> Response:
    """Give the consent back to the provider, and forget its tokens."""
    try:
        was_told = Consenting(installation()).revoke(name)
    except (RemoteError, SettingsError, UserError) as error:
        return make_response(_page(name, list(_FIELDS), sentence=str(error)), 409)
    more = "" if was_told else " The provider has no way to be told: remove the app there, too."
    toast(f"The consent of {name} is given back.{more}")
    return _back("connections.shown", name)


def _page(
    name: str, fields: list[Field], *, sentence: str = "", address: str = "", made_for: str = "", lasting: str = ""
) -> str:
    with installation().store.reading() as stored:
        stored.connections.id_of(name)
        kept = stored.consents.find(name)
    return render_template(
        "inviting.html",
        name=name,
        fields=fields,
        sentence=sentence,
        address=address,
        made_for=made_for,
        lasting=lasting,
        consent=kept.consent if kept else None,
    )


def _back(view: str, name: str) -> Response:
    return see_other(url_for(view, name=name))
