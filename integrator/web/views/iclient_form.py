"""Making and changing an iClient: the gallery of providers and the form, as pages, or in the side panel of another form.

Whoever comes from a connection's form is led back to it with what was typed there, and the iClient chosen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for

from iclients import registry as providers
from iclients.clouds import BUILT_IN
from iclients.credentials import Credential
from iclients.errors import RemoteError
from iclients.model import IClient
from integrator.access import CHANGE, may
from integrator.preflight import redirect_uri_of
from integrator.store.listing_iclients import slots_set_at
from integrator.web import drafts, unsent
from integrator.web.current import installation, person, reading_pages
from integrator.web.drafts import Draft, Sent
from integrator.web.entering import toast
from integrator.web.fields import Field, with_errors
from integrator.web.forms import applying, credential, provider_cards, redirect_uri
from integrator.web.forms import iclient as form
from integrator.web.forms.connection import scopes_of
from integrator.web.forms.connection_page import chosen_by
from integrator.web.forms.known_scopes import of_provider
from integrator.web.forms.words import how_tos
from integrator.web.messages import Message, page
from integrator.web.moments import zone

views: Final = Blueprint("form", __name__)
NOUN: Final = "iclients"
PROVIDER: Final = "provider"
PANEL: Final = "panel-body"
"""The element of the side panel, as htmx names it."""


@views.get("/new/iclient")
def new() -> Response:
    """The gallery; with a provider, its form; with one to clone, that one's."""
    _refuse_readers()
    if clone := request.args.get("clone"):
        document = _stored(clone)[0]
        typed = form.typed_of(document)
        typed["name"] = ""
        return _shown(document[PROVIDER], typed)
    provider = request.args.get(PROVIDER, "")
    if provider:
        return _shown(_installed(provider), unsent.typed_again() or form.usual())
    search = request.args.get("q", "").strip()[:200]
    cards = provider_cards.cards(search)
    return make_response(
        render_template(
            "provider_gallery.html", cards=cards, search=search, draft=_token(), frame=_frame(), back=_back()
        )
    )


@views.post("/new/iclient")
@unsent.kept_over_sign_in(address=(PROVIDER, drafts.ARGUMENT))
def made() -> Response:
    """Keep a new one."""
    return _saved(_installed(request.form.get(PROVIDER, "")), None, {})


@views.get("/new/iclient/redirect-uri")
def redirect_uri_tested() -> Response:
    """Whether the redirect URI leads here: a part of the page, or one of its own."""
    told = redirect_uri.tested(installation())
    if request.headers.get("HX-Request"):
        return make_response(render_template("pieces/recognized.html", told=told))
    title = "The redirect URI leads here" if told.tone == "good" else "The redirect URI does not lead here"
    return page(Message(200, title, told.sentence, "Close this page, and go on in the one that you came from."))


@views.get("/iclients/<name>/edit")
def edited(name: str) -> Response:
    """The form of an iClient that there is."""
    _refuse_readers(name)
    document, slots = _stored(name)
    typed = unsent.typed_again() or form.typed_of(document)
    return _shown(document[PROVIDER], typed, stored=name, slots=slots)


@views.post("/iclients/<name>/edit")
@unsent.kept_over_sign_in(address=(drafts.ARGUMENT,))
def changed(name: str) -> Response:
    """Keep the change."""
    document, slots = _stored(name)
    return _saved(document[PROVIDER], document, slots)


def _saved(provider: str, before: Mapping[str, Any] | None, slots: Mapping[str, Credential | None]) -> Response:
    typed = Sent(request.form)
    if before:
        typed["name"] = str(before["name"])
    document = form.document_of(provider, typed, before)
    given, wrong_credentials = _credentials(typed, slots)
    labels = form.labels(provider) | credential.labels()
    errors = {**applying.judged(NOUN, document | given, labels), **form.wrong(provider, typed), **wrong_credentials}
    if not errors:
        errors = _refused_by_provider(provider, document) or applying.applied(
            installation(), NOUN, document | given, labels, is_new=before is None
        )
    if errors:
        return _shown(provider, typed, stored=str(before["name"]) if before else "", slots=slots, errors=errors)
    return _ended(document["name"])


def _ended(name: str) -> Response:
    """Back to where one came from, with the iClient chosen there."""
    if _is_panel():
        chosen = chosen_by(installation(), Sent({"iclient": name}))
        draft = drafts.find(_token())
        action = f"{request.script_root}{draft.back.partition('?')[0]}" if draft else url_for("connections.form.made")
        how_to = how_tos("azure-key-vault", chosen.iclient.provider if chosen.iclient else "")["client"]
        told = {"name": name, "choices": chosen.choices, "action": action, "how_to": how_to}
        answer = make_response(render_template("iclient_made.html", **told))
        answer.headers["HX-Trigger-After-Settle"] = json.dumps({"panel-done": {"name": name}})
        return answer
    toast(f"iClient {name} is saved.")
    draft = drafts.with_value(_token(), "iclient", name)
    to = _leading(draft) if draft else url_for("iclients.shown", name=name)
    led: Response = redirect(to, 303)  # type: ignore[assignment]
    return led


def _shown(
    provider: str,
    typed: Sent,
    *,
    stored: str = "",
    slots: Mapping[str, Credential | None] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    errors, kept = errors or {}, slots or {}
    in_clouds = form.uses_clouds(provider)
    safe = {name: value for name, value in typed.items() if name.rpartition(".")[2] not in credential.SECRETS}
    told = dict(typed.items()) | _files()
    days = _days_of_slots(stored)
    parts = [
        credential.part(slot, told, errors, kept.get(slot), in_clouds=in_clouds, set_on=days.get(slot, ""))
        for slot in credential.SLOTS
    ]
    clouds = chosen_by(installation(), Sent()).clouds
    cloud = next((one for one in clouds if one.name == (safe.get("cloud") or "public")), BUILT_IN["public"])
    offer = of_provider(provider, cloud if in_clouds else None)
    scopes = [scope for scope in scopes_of(typed) if scope]
    groups = {
        "head": form.head_fields(provider, typed, clouds),
        "client": [*form.preset_fields(provider, typed), form.client_field(provider, typed)],
        "advanced": form.advanced_fields(provider, typed),
        "owner": form.owner_fields(typed),
    }
    text = render_template(
        "iclient_form.html",
        card=provider_cards.card(provider),
        fields={name: with_errors(group, errors) for name, group in groups.items()},
        parts=parts,
        offer=offer.with_chosen(scopes, provider),
        errors=errors,
        wrong=_in_order(groups, errors),
        stored=stored,
        draft=_token(),
        back=_back(),
        frame=_frame(),
        is_unsaved=request.method == "POST" or unsent.ARGUMENT in request.args,
        redirect_uri=redirect_uri_of(installation()),
    )
    return make_response(text, 422 if errors and not _is_panel() else 200)  # htmx swaps no refusals


def _in_order(groups: Mapping[str, list[Field]], errors: Mapping[str, str]) -> list[Field]:
    """Every field with an error, in the order of the page: credentials come after what the provider gives."""
    first = [one.name for name in ("head", "client") for one in groups[name]]
    names = [*[name for name in first if name in errors], *[name for name in errors if name and name not in first]]
    return [Field(name, name, error=errors[name]) for name in names]


def _days_of_slots(name: str) -> dict[str, str]:
    """On which day each stored credential was set, as whoever looks counts days."""
    if not name:
        return {}
    with reading_pages() as db:
        found = slots_set_at(db, name)
    return {slot: datetime.fromtimestamp(at, zone()).date().isoformat() for slot, at in found.items()}


def _credentials(typed: Sent, slots: Mapping[str, Credential | None]) -> tuple[dict[str, Any], dict[str, str]]:
    given: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for slot in credential.SLOTS:
        made, wrong = credential.credential_of(slot, typed, request.files.get(f"{slot}.file"), slots.get(slot))
        errors |= wrong
        if made is not None:
            given[slot] = made
    return given, errors


def _refused_by_provider(provider: str, document: Mapping[str, Any]) -> dict[str, str]:
    """What the provider itself says of its settings, before anything is saved."""
    fields = ("name", "client_id", "cloud", "tenant", "settings")
    iclient = IClient(provider=provider, **{name: document[name] for name in fields if name in document})
    try:
        providers.provider(provider).check(iclient)
    except RemoteError as error:
        named = next((name for name in form.labels(provider) if name in str(error)), "")
        return {named: str(error)}
    return {}


def _stored(name: str) -> tuple[dict[str, Any], dict[str, Credential | None]]:
    """Its document, and its credentials. Raises NotFoundHere."""
    with installation().store.reading() as stored:
        found = stored.iclients.get(name)
        document = stored.iclients.document(found)
    return document, {"credential": found.credential, "next_credential": found.next_credential}


def _installed(provider: str) -> str:
    if provider not in providers.names():
        abort(404)
    return provider


def _files() -> dict[str, str]:
    return {
        f"{slot}.had_file": "yes"
        for slot in credential.SLOTS
        if (file := request.files.get(f"{slot}.file")) and file.filename
    }


def _token() -> str:
    return (request.form.get(drafts.ARGUMENT) or request.args.get(drafts.ARGUMENT, ""))[:64]


def _back() -> str:
    """Where Cancel leads: the form that one came from, else nowhere in particular."""
    draft = drafts.find(_token())
    return _leading(draft) if draft else ""


def _leading(draft: Draft) -> str:
    joint = "&" if "?" in draft.back else "?"
    return f"{request.script_root}{draft.back}{joint}{drafts.ARGUMENT}={_token()}"


def _is_panel() -> bool:
    """Whether the side panel asks, or the search that stands in it."""
    is_search = bool(request.headers.get("HX-Request")) and "panel" in request.args
    return is_search or request.headers.get("HX-Target") == PANEL


def _frame() -> str:
    return "_panel.html" if _is_panel() else "_layout.html"


def _refuse_readers(name: str = "") -> None:
    user = person()
    if user is None or not may(user, CHANGE, NOUN, name):
        abort(403)
