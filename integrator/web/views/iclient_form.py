"""Making and changing an iClient: the gallery of providers and the form, as pages, or in the side panel of another form.

Whoever comes from a connection's form is led back to it with what was typed there, and the iClient chosen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for

from iclients import registry as providers
from iclients.clouds import BUILT_IN
from iclients.credentials import Credential
from iclients.errors import RemoteError
from iclients.model import IClient
from integrator.access import CHANGE, may
from integrator.preflight import redirect_uri_of
from integrator.web import drafts
from integrator.web.current import installation, person
from integrator.web.drafts import Draft, Sent
from integrator.web.entering import toast
from integrator.web.fields import Field, with_errors
from integrator.web.forms import applying, credential, provider_cards
from integrator.web.forms import iclient as form
from integrator.web.forms.connection import scopes_of
from integrator.web.forms.connection_page import chosen_by
from integrator.web.forms.known_scopes import of_provider
from integrator.web.forms.words import CLIENT

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
        return _shown(_installed(provider), Sent())
    search = request.args.get("q", "").strip()[:200]
    cards = provider_cards.cards(search)
    return make_response(
        render_template(
            "provider_gallery.html", cards=cards, search=search, draft=_token(), frame=_frame(), back=_back()
        )
    )


@views.post("/new/iclient")
def made() -> Response:
    """Keep a new one."""
    return _saved(_installed(request.form.get(PROVIDER, "")), None, {})


@views.get("/iclients/<name>/edit")
def edited(name: str) -> Response:
    """The form of an iClient that there is."""
    _refuse_readers(name)
    document, slots = _stored(name)
    return _shown(document[PROVIDER], form.typed_of(document), stored=name, slots=slots)


@views.post("/iclients/<name>/edit")
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
        told = {"name": name, "choices": chosen.choices, "action": action, "how_to": CLIENT}
        answer = make_response(render_template("iclient_made.html", **told))
        answer.headers["HX-Trigger-After-Swap"] = json.dumps({"panel-done": {"name": name}})
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
    parts = [credential.part(slot, told, errors, kept.get(slot), in_clouds=in_clouds) for slot in credential.SLOTS]
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
    page = render_template(
        "iclient_form.html",
        card=provider_cards.card(provider),
        fields={name: with_errors(group, errors) for name, group in groups.items()},
        parts=parts,
        offer=offer.with_chosen(scopes, provider),
        errors=errors,
        wrong=[Field(name, name, error=text) for name, text in errors.items() if name],
        stored=stored,
        draft=_token(),
        back=_back(),
        frame=_frame(),
        redirect_uri=redirect_uri_of(installation()),
        public_url=installation().config.public_url,
    )
    return make_response(page, 422 if errors and not _is_panel() else 200)  # htmx swaps no refusals


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
    return request.headers.get("HX-Target") == PANEL


def _frame() -> str:
    return "_panel.html" if _is_panel() else "_layout.html"


def _refuse_readers(name: str = "") -> None:
    user = person()
    if user is None or not may(user, CHANGE, NOUN, name):
        abort(403)
