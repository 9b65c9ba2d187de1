"""Actions on a connection: which there are, the form of one, and what it gave when it was carried out.

What an action gives stands on the page that answers and nowhere else: no address, session, log or row has it, and no cache
may keep the page. What is destructive asks first, on a page of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flask import Blueprint, Response, abort, make_response, render_template, request, url_for

from connectors import registry as connectors
from connectors.actions import Action
from connectors.errors import BadInput, SettingsError
from connectors.model import Connection
from iclients.errors import RemoteError
from integrator.access import may, verb_of_action
from integrator.acting import act
from integrator.errors import BadUsage, StoreError, UserError
from integrator.global_iclients import with_iclient
from integrator.turns import Turns
from integrator.web import unsent
from integrator.web.action_words import AUTHORIZE, Trouble, recent, trouble_of
from integrator.web.browsers import FORM_FIELD
from integrator.web.current import installation, person
from integrator.web.drafts import Sent
from integrator.web.forms import action as form
from integrator.web.forms.action import Typed
from integrator.web.forms.action_answer import Answer, answer_of, file_of, files_of
from integrator.web.messages import Message, page
from integrator.web.once import ONCE_FIELD, Once
from integrator.web.protection import let_forms_lead_to

views: Final = Blueprint("actions", __name__)

NOUN: Final = "connections"
GO: Final = "go"
SURE: Final = "sure"
FILE: Final = "file:"
MOST_AT_A_TIME: Final = 6
DEADLINE_SECONDS: Final = 50.0
"""Less than proxies wait: who is still waited for then is told so."""
LONGEST_BODY_BYTES: Final = 500_000
"""Of what is sent to an action: what is larger would be put on the disk while it is read."""
FORMS: Final = Once()
_LONGEST_MARK: Final = 64
TURNS: Final = Turns(MOST_AT_A_TIME, "actions")
RECENT: Final = 10
DRY_RUN: Final = "dryRun"


@views.url_value_preprocessor
def _take_files(endpoint: str | None, values: dict[str, Any] | None) -> None:
    request.max_content_length = LONGEST_BODY_BYTES


@views.get("/connections/<name>/actions")
def listed(name: str) -> Response:
    """What can be done on this connection, and what was done lately. Nothing is called."""
    connection = _connection(name)
    try:
        actions = connectors.connector(connection.connector).actions(connection.api_type)
    except SettingsError as error:
        return _not_installed(name, str(error))
    search = request.args.get("q", "").strip()[:200].lower()
    found = [one for one in actions if search in f"{one.id} {one.title} {one.summary} {one.group}".lower()]
    return make_response(
        render_template(
            "actions.html",
            connection=connection,
            groups=_grouped(found),
            has_actions=bool(actions),
            search=search,
            may_carry_out=_may_carry_out(name),
            recent=recent(_lately(name), actions),
        )
    )


@views.get("/connections/<name>/actions/<action_id>")
def shown(name: str, action_id: str) -> Response:
    """The form of one action."""
    connection, action = _found(name, action_id)
    return _page(connection, action, unsent.typed_again() or form.usual(action))


@views.post("/connections/<name>/actions/<action_id>")
@unsent.kept_over_sign_in(without=(FORM_FIELD, GO, SURE, ONCE_FIELD))
def done(name: str, action_id: str) -> Response:
    """Carry it out, once whoever asks may, the inputs can be, and what is destructive is meant."""
    connection, action = _allowed(name, action_id)
    sent, typed = Sent(request.form), form.typed_in(action, request.form, request.files)
    if errors := form.wrong(action, typed.inputs):
        return _page(connection, action, sent, typed=typed, errors=errors)
    if _takes_away(action, typed) and (question := _question(connection, action, typed)):
        return question
    if action.changes and not FORMS.use(request.form.get(ONCE_FIELD, "")[:_LONGEST_MARK]):
        return page(_done_already(action, url_for(".shown", name=name, action_id=action_id)))
    try:
        outputs = _carried_out(connection, action, typed)
    except (RemoteError, SettingsError, UserError) as error:
        return _failed(connection, action, sent, typed, error)
    if file := _wanted_file(action, outputs):
        return file
    return _page(connection, action, sent, typed=typed, answer=answer_of(action, outputs))


def _carried_out(connection: Connection, action: Action, typed: Typed) -> Mapping[str, Any]:
    here = installation()  # found here: another thread has no request
    return TURNS.take(lambda: act(here, connection.name, action.id, typed.inputs), DEADLINE_SECONDS)


def _failed(connection: Connection, action: Action, sent: Sent, typed: Typed, error: Exception) -> Response:
    if isinstance(error, StoreError):
        raise error
    cause = error.__cause__
    if isinstance(error, BadUsage) and isinstance(cause, BadInput):
        return _page(connection, action, sent, typed=typed, errors=form.in_words(action, cause))
    return _page(connection, action, sent, typed=typed, trouble=trouble_of(connection, action, error))


def _done_already(action: Action, address: str) -> Message:
    return Message(
        409,
        "That was done already",
        f"This form was sent before: {action.title} was not carried out a second time.",
        "Open the action anew to do it again.",
        actions=(("Open the action anew", address),),
    )


def _takes_away(action: Action, typed: Typed) -> bool:
    """Whether it is asked for what may not come back, and not only for what that would be."""
    return action.destructive and not action.converted(typed.inputs).get(DRY_RUN)


def _question(connection: Connection, action: Action, typed: Typed) -> Response | None:
    """The page that asks whether it is meant; none where that was answered."""
    told = action.identifiers(typed.inputs)
    name = next(iter(told.values()), "")
    answered = request.form.get(SURE)
    if answered is not None and answered.strip() == (name or "yes"):
        return None
    text = render_template(
        "action_question.html",
        connection=connection,
        action=action,
        name=name,
        hidden=typed.readable(action),
        again=form.asked_again(action),
        once=(ONCE_FIELD, request.form.get(ONCE_FIELD, "")[:_LONGEST_MARK]),
        error="" if answered is None else "This is another name: type the name of what it is done to.",
    )
    return make_response(text, 200 if answered is None else 422)


def _wanted_file(action: Action, outputs: Mapping[str, Any]) -> Response | None:
    """The output that was asked for as a file."""
    wanted = request.form.get(GO, "")
    output = next((one for one in files_of(action) if f"{FILE}{one.name}" == wanted), None)
    if output is None:
        return None
    name, content = file_of(action, output, outputs)
    answer = make_response(content)
    answer.mimetype = "application/octet-stream"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _page(
    connection: Connection,
    action: Action,
    sent: Sent,
    *,
    typed: Typed | None = None,
    errors: Mapping[str, str] | None = None,
    answer: Answer | None = None,
    trouble: Trouble | None = None,
) -> Response:
    typed = typed or form.typed_in(action, sent, {})
    if trouble and trouble.button == AUTHORIZE:
        let_forms_lead_to(["https:"])  # the consent goes on at the provider
    text = render_template(
        "action.html",
        connection=connection,
        action=action,
        asked=form.asked(action, sent, errors or {}),
        problem=(errors or {}).get("", ""),
        answer=answer,
        trouble=trouble,
        command=form.command(connection.name, action, typed),
        hidden=typed.readable(action),
        once=(ONCE_FIELD, FORMS.mark()),
        files={one.name for one in files_of(action)},
        is_allowed=_may_carry_out(connection.name)(action),
    )
    return make_response(text, 422 if errors else 200)


def _grouped(actions: Sequence[Action]) -> dict[str, list[Action]]:
    groups: dict[str, list[Action]] = {}
    for one in actions:
        groups.setdefault(one.group or "Others", []).append(one)
    return groups


def _lately(name: str) -> Sequence[Any]:
    with installation().store.reading() as stored:
        return stored.audit.latest("acted", stored.connections.noun, name, RECENT)


def _may_carry_out(name: str) -> Any:
    user = person()
    return lambda action: user is not None and may(user, verb_of_action(only_reads=action.only_reads), NOUN, name)


def _allowed(name: str, action_id: str) -> tuple[Connection, Action]:
    """Connection and action, for whoever may carry it out; those who may only read learn nothing of others."""
    user = person()
    if user is None or not may(user, verb_of_action(only_reads=False), NOUN, name):
        connection, action = _found(name, action_id, otherwise=403)
        if not _may_carry_out(name)(action):
            abort(403)
        return connection, action
    return _found(name, action_id)


def _found(name: str, action_id: str, otherwise: int = 404) -> tuple[Connection, Action]:
    connection = _connection(name)
    try:
        actions = connectors.connector(connection.connector).actions(connection.api_type)
    except SettingsError:
        actions = ()
    action = next((one for one in actions if one.id == action_id), None)
    if action is None:
        abort(otherwise)
    return connection, action


def _connection(name: str) -> Connection:
    with installation().store.reading() as stored:
        found: Connection = with_iclient(stored, stored.connections.get(name))
    return found


def _not_installed(name: str, sentence: str) -> Response:
    back = (("Back to the connection", url_for("connections.shown", name=name)),)
    return page(
        Message(200, "No actions are known here", sentence, "Install its connector, then come back.", actions=back)
    )
