"""Connections: the list, one of them, its test, its consent, its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flask import Blueprint, Response, make_response, render_template, request, url_for

from connectors import registry as connectors
from connectors.checks import checks_of
from connectors.errors import SettingsError
from connectors.model import Check, Connection
from iclients import registry as providers
from iclients.errors import RemoteError
from integrator.admission import CONSENTED
from integrator.consenting import Consenting
from integrator.errors import InUse, UserError
from integrator.global_iclients import with_iclient
from integrator.pinging import tested
from integrator.preflight import redirect_uri_of, refuse_hopeless
from integrator.store.listing_connections import ConnectionRow, connections_page, flows_using, last_used
from integrator.web.browsers import browser_secret, new_browser, remember
from integrator.web.current import installation, reading_pages
from integrator.web.deletion import Deletion
from integrator.web.entering import toast
from integrator.web.fields import Choice
from integrator.web.forms.vault_address import short_title_of
from integrator.web.lists import asked
from integrator.web.messages import Message, page
from integrator.web.protection import let_forms_lead_to
from integrator.web.redirects import see_other
from integrator.web.scope_words import in_words

views: Final = Blueprint("connections", __name__)

_DELETION: Final = Deletion("connection", "flow", "flows.shown", "its settings, its consent and its state")


@views.get("/connections")
def listed() -> str:
    """Every connection, page by page."""
    wanted = asked("state", "connector", "iclient")
    with reading_pages() as db:
        found = connections_page(db, wanted)
    titles = _titles()
    choices = [Choice(name, title) for name, title in titles.items()]
    return render_template("connections.html", page=found, titles=titles, choices=choices, cloud_of=_cloud_of)


@views.get("/connections/<name>")
def shown(name: str) -> Response:
    """One connection: how it stands, what it is made of, what uses it."""
    with installation().store.reading() as stored:
        connection = with_iclient(stored, stored.connections.get(name))
        state, kept = stored.connections.state(name), stored.consents.find(name)
    with reading_pages() as db:
        flows = flows_using(db, name)
        used_at = last_used(db, flows, state.at)
    let_forms_lead_to(["https:"])  # the consent goes on at the provider
    return make_response(
        render_template(
            "connection.html",
            connection=connection,
            descriptor=connectors.descriptor_of(connection.connector),
            has_actions=_has_actions(connection),
            needs_consent=connection.auth in CONSENTED,
            state=state,
            flows=flows,
            used_at=used_at,
            consent=kept.consent if kept else None,
            allowed=_allowed(connection.iclient, kept.consent.scopes) if kept else [],
        )
    )


@views.post("/connections/<name>/test")
def tested_now(name: str) -> Response:
    """Reach the system as this connection; what that taught stands on its page."""
    try:
        return shown_tested(name)
    except (RemoteError, SettingsError, UserError) as error:
        return _cannot(name, "The test did not succeed", str(error), checks_of(error))


@views.post("/connections/<name>/authorize")
def authorized(name: str) -> Response:
    """Begin a consent in this browser's session, once nothing is known that would keep it from ending well."""
    try:
        return sent_away(name)
    except (RemoteError, SettingsError, UserError) as error:
        return _cannot(name, "A consent could not end well now", str(error))


def shown_tested(name: str) -> Response:
    """Its page, which tells what the test has said. Raises RemoteError, SettingsError, UserError."""
    toast(f"{name}: {tested(installation(), name)}")
    return _back(name)


def sent_away(name: str) -> Response:
    """To the provider, after the preflight. Raises RemoteError, SettingsError, UserError; nobody has left then."""
    here, browser = installation(), browser_secret() or new_browser()
    refuse_hopeless(here, name)
    begun = Consenting(here).begin(name, redirect_uri_of(here), browser=browser)
    answer = Response(status=303, headers={"Location": begun.address})
    remember(answer, browser)
    return answer


@views.get("/connections/<name>/delete")
def asked_to_delete(name: str) -> str:
    """What would be gone."""
    with installation().store.reading() as stored:
        stored.connections.id_of(name)
    with reading_pages() as db:
        users = flows_using(db, name)
    return _deletion(name, users)


@views.post("/connections/<name>/delete")
def deleted(name: str) -> Response:
    """Delete it, where its name was typed and nothing uses it."""
    if request.form.get("name", "") != name:
        return make_response(_deletion(name, [], "This is another name: type the name of the connection."), 422)
    try:
        with installation().store.writing() as stored:
            stored.connections.delete(name)
    except InUse:
        return make_response(asked_to_delete(name), 409)
    toast(f"Connection {name} is deleted.")
    return see_other(url_for("connections.listed"))


def _deletion(name: str, users: list[str], error: str = "") -> str:
    return _DELETION.page(name, users, url_for("flows.listed", q=name), error)


def _cannot(name: str, title: str, sentence: str, checks: Sequence[Check] = ()) -> Response:
    message = Message(
        200,
        title,
        sentence,
        "Mend what the sentence names, then try again from the connection's page.",
        actions=(("Back to the connection", url_for("connections.shown", name=name)),),
        facts=[(f"{one.name.capitalize()} {'✓' if one.ok else '✗'}", one.sentence) for one in checks],
    )
    return page(message)


def _allowed(iclient: str | None, scopes: Sequence[str]) -> list[tuple[str, str]]:
    """What was consented to, in words."""
    with installation().store.reading() as stored:
        found = stored.iclients.find(iclient) if iclient else None
    return in_words(found.provider, scopes) if found else [(scope, scope) for scope in scopes]


def _has_actions(connection: Connection) -> bool:
    is_known = connectors.descriptor_of(connection.connector) is not None
    return is_known and bool(connectors.connector(connection.connector).actions(connection.api_type))


def _cloud_of(row: ConnectionRow) -> str:
    """The cloud that its iClient is registered in, where such a provider has clouds."""
    has_clouds = row.provider in providers.names() and providers.provider(row.provider).uses_clouds
    return short_title_of(row.cloud) if has_clouds else ""


def _titles() -> dict[str, str]:
    """The title of each connector that is installed."""
    return {name: found.title if (found := connectors.descriptor_of(name)) else name for name in connectors.names()}


def _back(name: str) -> Response:
    return see_other(url_for("connections.shown", name=name))
