"""iClients: the list, one of them, its end. A credential is shown as set or not set, and until when; never itself."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for

from iclients import registry as providers
from integrator.errors import InUse
from integrator.preflight import redirect_uri_of
from integrator.store.listing_connections import connections_page
from integrator.store.listing_iclients import iclients_page
from integrator.store.pages import Asked
from integrator.web.current import installation, reading_pages
from integrator.web.entering import toast
from integrator.web.lists import asked
from integrator.web.scope_words import in_words

views: Final = Blueprint("iclients", __name__)

FEW: Final = 8


@views.get("/iclients")
def listed() -> str:
    """Every iClient, page by page."""
    wanted = asked("provider")
    with reading_pages() as db:
        found = iclients_page(db, wanted)
    return render_template("iclients.html", page=found, providers=providers.names())


@views.get("/iclients/<name>")
def shown(name: str) -> str:
    """One iClient: its registration, its two credentials, who uses it."""
    with installation().store.reading() as stored:
        stored.iclients.id_of(name)
        iclient, slots = stored.iclients.find(name), stored.iclients.slots(name)
    with reading_pages() as db:
        users = connections_page(db, Asked(filters={"iclient": name}, rows=FEW))
    scopes = in_words(iclient.provider, iclient.scopes) if iclient else []
    return render_template(
        "iclient.html",
        iclient=iclient,
        slots=slots,
        users=users,
        scopes=scopes,
        redirect_uri=redirect_uri_of(installation()),
        public_url=installation().config.public_url,
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
    answer: Response = redirect(url_for("iclients.listed"), 303)  # type: ignore[assignment]
    return answer


def _deletion(name: str, users: list[str], error: str = "") -> str:
    return render_template(
        "delete.html",
        noun="iClient",
        name=name,
        users=users,
        user_view="connections.shown",
        user_noun="connection",
        gone="its registration and both of its credentials",
        error=error,
    )
