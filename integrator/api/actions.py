"""The actions of connections for programs: which there are, what one takes and gives, and carrying it out.

What an action gives, its caller gets, secrets too, and nothing else: no log, session or row has it, and no cache may keep
it. What it changes leaves an audit row that names the user whose token it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, Response, current_app, request

from connectors.actions import Action, find
from connectors.errors import BadInput, SettingsError
from iclients.errors import RemoteError
from iclients.secret import revealed
from integrator.access import API, User, may, verb_of_action
from integrator.acting import act, actions_of
from integrator.action_documents import document
from integrator.api.answers import answer, of_status, refused
from integrator.api.bearers import NOUN, let_in
from integrator.api.inputs import LONGEST_BODY_BYTES, inputs_of, is_json
from integrator.api.mistakes import NOT_ALLOWED, NOT_JSON, mistake_of
from integrator.api.openapi import openapi_of
from integrator.errors import NotFoundHere, SealError, StoreError, UserError
from integrator.turns import Turns
from integrator.web.current import installation, person

views: Final = Blueprint(API, __name__, url_prefix="/api/v1")
views.before_request(let_in)

MOST_AT_A_TIME: Final = 6
"""Of all programs together. People have turns of their own: no program takes theirs."""
DEADLINE_SECONDS: Final = 50.0
TURNS: Final = Turns(MOST_AT_A_TIME, "actions")


@views.url_value_preprocessor
def _take_long_inputs(endpoint: str | None, values: dict[str, Any] | None) -> None:
    request.max_content_length = LONGEST_BODY_BYTES


@views.errorhandler(StoreError)
@views.errorhandler(SealError)
def no_database(error: Exception) -> Response:
    """The database cannot be used: its sentence may name places, so it is for the log alone."""
    current_app.logger.error("%s", error)
    return of_status(503)


@views.errorhandler(RemoteError)
@views.errorhandler(SettingsError)
@views.errorhandler(UserError)
def not_done(error: Exception) -> Response:
    """What went wrong before an action was begun."""
    return refused(mistake_of(error))


@views.get("/openapi.json")
def described() -> Response:
    """Every action that the caller may carry out, as OpenAPI."""
    here, user = installation(), _user()
    with here.store.reading() as stored:
        connections = [one for _, one in stored.connections.readable() if one is not None]
    server = here.config.public_url or request.script_root
    return answer(openapi_of(connections, lambda name, action: _may(user, name, action), f"{server}/api/v1"))


@views.get("/connections/<name>/actions")
def listed(name: str) -> Response:
    """The definitions of everything that can be done on this connection. Nothing is called."""
    return answer([document(one) for one in actions_of(installation(), name)])


@views.get("/connections/<name>/actions/<action_id>")
def shown(name: str, action_id: str) -> Response:
    """One definition."""
    return answer(document(_found(name, action_id)))


@views.post("/connections/<name>/actions/<action_id>")
def acted(name: str, action_id: str) -> Response:
    """Carry it out, for whoever may; the outputs, secret ones too."""
    action = _found(name, action_id)
    if not _may(_user(), name, action):
        return refused(NOT_ALLOWED)
    if not is_json():
        return refused(NOT_JSON)
    inputs = inputs_of(action)
    try:
        outputs = _carried_out(name, action, inputs)
    except StoreError:
        raise
    except (RemoteError, SettingsError, UserError) as error:
        return refused(mistake_of(error, action))
    return answer({"outputs": {one: revealed(value) for one, value in outputs.items()}})


def _carried_out(name: str, action: Action, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    here = installation()  # found here: another thread has no request
    return TURNS.take(lambda: act(here, name, action.id, inputs), DEADLINE_SECONDS)


def _found(name: str, action_id: str) -> Action:
    """Raises NotFoundHere for a connection and an action that are not there."""
    actions = actions_of(installation(), name)
    try:
        return find(actions, action_id, f"Connection {name}")
    except BadInput as error:
        raise NotFoundHere(str(error)) from error


def _may(user: User, name: str, action: Action) -> bool:
    return may(user, verb_of_action(only_reads=action.only_reads), NOUN, name)


def _user() -> User:
    user = person()
    assert user is not None  # `let_in` has found them
    return user
