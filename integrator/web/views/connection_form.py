"""Making and changing a connection: the gallery of connectors, the form, and its buttons.

A new connection's form stands beside the list and not below it, because a connection may be called anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for

from connectors import registry as connectors
from connectors.checks import checks_of
from connectors.descriptor import Descriptor
from connectors.errors import SettingsError
from iclients.errors import RemoteError
from integrator.access import CHANGE, may
from integrator.admission import CONSENTED
from integrator.errors import UserError
from integrator.trial import tried
from integrator.web import drafts, unsent
from integrator.web.browsers import FORM_FIELD
from integrator.web.current import installation, person
from integrator.web.drafts import Sent
from integrator.web.entering import toast
from integrator.web.forms import applying, connection_page
from integrator.web.forms import connection as form
from integrator.web.forms.connection_page import ConnectionPage
from integrator.web.forms.looking_up import LOOK_UP, looked_up
from integrator.web.forms.vault_address import SETTING as VAULT_URL
from integrator.web.forms.vault_address import recognized
from integrator.web.protection import let_forms_lead_to
from integrator.web.views import connections

views: Final = Blueprint("form", __name__)
NOUN: Final = "connections"
GO: Final = "go"
CONNECTOR: Final = "connector"
FITTING: Final = "fit"
COMPLETE: Final = "complete"
_STAYED: Final = "Mend what the sentence names, here or at the other system, and try again."
_NOTHING_SAVED: Final = "Nothing was saved: this was a test of what is typed here."
LEFT_OUT: Final = (FORM_FIELD, GO, applying.AGAIN)


@views.get("/new/connection")
def new() -> Response:
    """The gallery; with a connector, its form; with one to clone, that one's."""
    _refuse_readers()
    if clone := request.args.get("clone"):
        return _cloned(clone)
    connector = request.args.get(CONNECTOR, "")
    if not connector:
        return make_response(_gallery())
    descriptor = _descriptor(connector)
    return _shown(descriptor, unsent.typed_again() or _from_draft() or form.usual(descriptor))


@views.post("/new/connection")
@unsent.kept_over_sign_in(without=LEFT_OUT, address=(CONNECTOR,))
def made() -> Response:
    """What one of the form's buttons does."""
    return _done(_descriptor(request.form.get(CONNECTOR, "")), None)


@views.get("/connections/<name>/edit")
def edited(name: str) -> Response:
    """The form of a connection that there is."""
    _refuse_readers(name)
    document = _stored(name)
    descriptor = _descriptor(document[CONNECTOR])
    typed = unsent.typed_again() or _from_draft() or form.typed_of(descriptor, document)
    return _shown(descriptor, typed, stored=name)


@views.post("/connections/<name>/edit")
@unsent.kept_over_sign_in(without=LEFT_OUT)
def changed(name: str) -> Response:
    """What one of the form's buttons does, for a connection that there is."""
    document = _stored(name)
    return _done(_descriptor(document[CONNECTOR]), document)


def _gallery() -> str:
    search = request.args.get("q", "").strip()[:200].lower()
    found = [connectors.connector(name).descriptor for name in connectors.names()]
    shown = [one for one in found if search in f"{one.name} {one.title} {one.summary}".lower()]
    listed = sorted(shown, key=lambda one: one.title.lower())
    return render_template("connector_gallery.html", connectors=listed, search=search)


def _cloned(name: str) -> Response:
    document = _stored(name)
    descriptor = _descriptor(document[CONNECTOR])
    typed = form.typed_of(descriptor, document)
    typed["name"] = ""
    return _shown(descriptor, typed)


def _done(descriptor: Descriptor, before: Mapping[str, Any] | None) -> Response:
    """Answer the button that was pressed."""
    typed = Sent(request.form)
    stored = str(before["name"]) if before else ""
    if stored:
        typed["name"] = stored
    settle(descriptor.name, typed)
    pressed = request.form.get(GO, "authorize")
    answers: dict[str, Callable[[], Response]] = {
        "iclient-new": lambda: _leave(typed, url_for("iclients.form.new")),
        "iclient-edit": lambda: _leave_to_iclient(descriptor, typed, stored),
        "simple": lambda: _viewed(descriptor, typed, stored, connection_page.SIMPLE),
        "http": lambda: _viewed(descriptor, typed, stored, connection_page.HTTP),
        FITTING: lambda: _shown(descriptor, fitting(descriptor.name, typed), stored=stored),
        "test": lambda: _tested(descriptor, typed, before),
    }
    if pressed.startswith(LOOK_UP):
        return _looked_up(descriptor, typed, before, pressed.removeprefix(LOOK_UP))
    if pressed == COMPLETE:
        return _shown(descriptor, _completed(typed), stored=stored)
    return answers.get(pressed, lambda: _saved(descriptor, typed, before, authorizes=pressed != "close"))()


def fitting(connector: str, typed: Sent) -> Sent:
    """What was typed, with the usual scopes of what is chosen now instead of those that do not fit."""
    offer = connection_page.offer_of(connector, typed, connection_page.chosen_by(installation(), typed))
    kept = [scope.name for scope in offer.chosen if not scope.why_not]
    form.choose(typed, kept or offer.usual)
    return typed


def settle(connector: str, typed: Sent) -> None:
    """Where nobody could choose scopes yet, the usual ones are chosen."""
    offer = connection_page.offer_of(connector, typed, connection_page.chosen_by(installation(), typed))
    form.choose(typed, [scope.name for scope in offer.chosen])


def _completed(typed: Sent) -> Sent:
    """What was typed, with the vault's whole address where that could be guessed."""
    key, chosen = form.SETTING + VAULT_URL, connection_page.chosen_by(installation(), typed)
    told = recognized(typed.get(key, ""), chosen.clouds, chosen.home, typed.get(CONNECTOR, ""))
    typed[key] = told.completed or typed.get(key, "")
    return typed


def _viewed(descriptor: Descriptor, typed: Sent, stored: str, view: str) -> Response:
    typed["view"] = view
    return _shown(descriptor, typed, stored=stored)


def _saved(descriptor: Descriptor, typed: Sent, before: Mapping[str, Any] | None, *, authorizes: bool) -> Response:
    here, document = installation(), form.document_of(descriptor, typed, before)
    errors = _errors(descriptor, typed, document)
    if not errors:
        told, beside = form.labels(descriptor), _renewed(typed)
        errors = applying.applied(here, NOUN, document, told, is_new=before is None, beside=beside)
    if errors:
        return _shown(descriptor, typed, errors=errors, stored=str(before["name"]) if before else "")
    name = document["name"]
    if not authorizes:
        toast(f"Connection {name} is saved.")
        answer: Response = redirect(url_for("connections.shown", name=name), 303)  # type: ignore[assignment]
        return answer
    try:
        return connections.sent_away(name) if document.get("auth") in CONSENTED else connections.shown_tested(name)
    except (RemoteError, SettingsError, UserError) as error:
        told = {"tone": "bad", "sentence": str(error), "means": f"Connection {name} is saved. {_STAYED}"}
        return _shown(descriptor, typed, stored=name, told=told)


def _renewed(typed: Sent) -> dict[str, list[Mapping[str, Any]]]:
    """The iClient with its client secret, where that was typed again to allow a new place."""
    again, chosen = typed.get(applying.AGAIN, "").strip(), connection_page.chosen_by(installation(), typed).iclient
    if not again or chosen is None:
        return {}
    with installation().store.reading() as stored:
        document = stored.iclients.document(chosen)
        ends = stored.iclients.slots(chosen.name)["credential"]["expires"]
    secret = {"client_secret": again, **({"expires": ends} if ends else {})}
    return {"iclients": [{**document, "credential": secret}]}


def _tested(descriptor: Descriptor, typed: Sent, before: Mapping[str, Any] | None) -> Response:
    """Ping as what was typed; nothing is saved."""
    document = form.document_of(descriptor, typed, before)
    document["name"] = document["name"] or "that is being made"
    stored = str(before["name"]) if before else ""
    nameless = Sent(typed)
    nameless["name"] = document["name"]
    errors = _errors(descriptor, nameless, document)
    if errors:
        return _shown(descriptor, typed, errors=errors, stored=stored)
    try:
        ping = tried(installation(), form.loaded(document))
        told = {"tone": "good", "sentence": ping.message, "means": _NOTHING_SAVED, "checks": ping.checks}
    except (RemoteError, SettingsError, UserError) as error:
        told = {"tone": _tone(error), "sentence": str(error), "means": _NOTHING_SAVED, "checks": checks_of(error)}
    return _shown(descriptor, typed, stored=stored, told=told)


def _looked_up(descriptor: Descriptor, typed: Sent, before: Mapping[str, Any] | None, setting: str) -> Response:
    """Ask the system what there is for this setting, as what was typed; nothing is saved."""
    here, document = installation(), form.document_of(descriptor, typed, before)
    if not any(one.offers and one.name == setting for one in descriptor.settings):
        abort(404)
    document["name"] = document["name"] or "that is being made"
    stored = str(before["name"]) if before else ""
    seen = looked_up(here, document, setting)
    told = None if seen.found else {"tone": seen.tone, "sentence": seen.sentence, "means": seen.means}
    return _shown(descriptor, typed, stored=stored, told=told, found={setting: seen.found})


def _tone(error: Exception) -> str:
    """Where nobody has consented yet, nothing is wrong."""
    return "waits" if getattr(error, "code", "") == "not_consented" else "bad"


def _errors(descriptor: Descriptor, typed: Sent, document: Mapping[str, Any]) -> dict[str, str]:
    chosen = connection_page.chosen_by(installation(), typed)
    told = connection_page.wrong(descriptor, typed, chosen)
    return {**applying.judged(NOUN, document, form.labels(descriptor)), **told}


def _leave_to_iclient(descriptor: Descriptor, typed: Sent, stored: str) -> Response:
    name = typed.get("iclient", "")
    if not name:
        errors = {"iclient": "No OAuth 2.0 client is chosen yet: choose the one to change, or make one with +."}
        return _shown(descriptor, typed, errors=errors, stored=stored)
    return _leave(typed, url_for("iclients.form.edited", name=name))


def _leave(typed: Sent, address: str) -> Response:
    """Keep what was typed, and go where an iClient is made or changed; that page leads back."""
    back = request.path + (f"?{CONNECTOR}={typed[CONNECTOR]}" if request.endpoint == "connections.form.made" else "")
    token = drafts.keep(back, typed.items(multi=True), LEFT_OUT)
    answer: Response = redirect(f"{address}?{drafts.ARGUMENT}={token}", 303)  # type: ignore[assignment]
    return answer


def _shown(
    descriptor: Descriptor,
    typed: Sent,
    *,
    errors: Mapping[str, str] | None = None,
    stored: str = "",
    told: Mapping[str, Any] | None = None,
    found: Mapping[str, Sequence[tuple[str, str]]] | None = None,
) -> Response:
    let_forms_lead_to(["https:"])  # the consent goes on at the provider
    chosen = connection_page.chosen_by(installation(), typed)
    page = ConnectionPage(descriptor, typed, chosen, errors or {}, found or {}, stored)
    text = render_template(
        "connection_form.html",
        page=page,
        told=told,
        has_consent=any(auth in CONSENTED for auth in descriptor.auth_types),
        how_to=page.how_to(),
        is_unsaved=request.method == "POST" or drafts.ARGUMENT in request.args or unsent.ARGUMENT in request.args,
    )
    return make_response(text, 422 if errors else 200)


def _from_draft() -> Sent | None:
    draft = drafts.find(request.args.get(drafts.ARGUMENT, ""))
    return draft.values() if draft else None


def _stored(name: str) -> dict[str, Any]:
    """Its document. Raises NotFoundHere."""
    with installation().store.reading() as stored:
        return stored.connections.document(stored.connections.get(name))


def _descriptor(connector: str) -> Descriptor:
    if connector not in connectors.names():
        abort(404)
    return connection_page.descriptor_of(connector)


def _refuse_readers(name: str = "") -> None:
    user = person()
    if user is None or not may(user, CHANGE, NOUN, name):
        abort(403)
