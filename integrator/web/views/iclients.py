"""iClients: the list, one of them, its end. A credential is shown as set or not set, and until when; never itself."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, make_response, render_template, request, url_for

from iclients import registry as providers
from iclients.model import IClient
from integrator.errors import InUse
from integrator.preflight import redirect_uri_of
from integrator.store.listing_connections import connections_page
from integrator.store.listing_iclients import IClientRow, iclients_page, providers_in_use, slots_set_at
from integrator.store.pages import Asked
from integrator.web.current import installation, reading_pages
from integrator.web.deletion import Deletion
from integrator.web.entering import toast
from integrator.web.fields import Choice
from integrator.web.forms.provider_cards import title_of
from integrator.web.forms.vault_address import short_title_of
from integrator.web.forms.words import spelled
from integrator.web.lists import asked
from integrator.web.redirects import see_other
from integrator.web.scope_words import in_words

views: Final = Blueprint("iclients", __name__)

FEW: Final = 8

_DELETION: Final = Deletion(
    "iClient", "connection", "connections.shown", "its registration and both of its credentials"
)


@views.get("/iclients")
def listed() -> str:
    """Every iClient, page by page."""
    wanted = asked("provider")
    with reading_pages() as db:
        found = iclients_page(db, wanted)
        used = providers_in_use(db)
    choices = sorted((Choice(name, title_of(name)) for name in used), key=lambda one: one.label.lower())
    return render_template("iclients.html", page=found, choices=choices, title_of=title_of, cloud_of=_cloud_of)


@views.get("/iclients/<name>")
def shown(name: str) -> str:
    """One iClient: its registration, its two credentials, who uses it."""
    with installation().store.reading() as stored:
        stored.iclients.id_of(name)
        iclient, slots = stored.iclients.find(name), stored.iclients.slots(name)
    with reading_pages() as db:
        users = connections_page(db, Asked(filters={"iclient": name}, rows=FEW))
        set_at = slots_set_at(db, name)
    scopes = in_words(iclient.provider, iclient.scopes) if iclient else []
    return render_template(
        "iclient.html",
        iclient=iclient,
        slots=slots,
        set_at=set_at,
        title=title_of(iclient.provider) if iclient else "",
        cloud=_cloud_of(iclient) if iclient else "",
        spelled=spelled,
        users=users,
        scopes=scopes,
        redirect_uri=redirect_uri_of(installation()),
    )


@views.get("/iclients/<name>/delete")
def asked_to_delete(name: str) -> str:
    """What would be gone."""
    with installation().store.reading() as stored:
        stored.iclients.id_of(name)
        users = stored.iclients.used_by(name)
    return _deletion(name, users)


@views.post("/iclients/<name>/delete")
def deleted(name: str) -> Response:
    """Delete it, where its name was typed and nothing uses it."""
    if request.form.get("name", "") != name:
        return make_response(_deletion(name, [], "This is another name: type the name of the iClient."), 422)
    try:
        with installation().store.writing() as stored:
            stored.iclients.delete(name)
    except InUse:
        return make_response(asked_to_delete(name), 409)
    toast(f"iClient {name} is deleted.")
    return see_other(url_for("iclients.listed"))


def _cloud_of(one: IClient | IClientRow) -> str:
    """The cloud it is registered in; empty for providers that have none."""
    has_clouds = one.provider in providers.names() and providers.provider(one.provider).uses_clouds
    return short_title_of(one.cloud) if has_clouds else ""


def _deletion(name: str, users: list[str], error: str = "") -> str:
    return _DELETION.page(name, users, url_for("connections.listed", iclient=name), error)
