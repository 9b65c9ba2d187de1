"""Actions in words: why one did not end well and what to do next, and what was done lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from connectors.actions import Action
from connectors.errors import Forbidden
from connectors.model import Connection
from iclients.errors import AnswerLost, NotAuthorized, Recovery, RemoteError
from integrator.acting import DONE, UNKNOWN
from integrator.admission import CONSENTED
from integrator.store.audit import AuditRow
from integrator.turns import GoesOn, TooMany
from integrator.web.run_words import started_by

AUTHORIZE: Final = "authorize"
ICLIENT: Final = "iclient"
_NOTHING_CHANGED: Final = "Nothing was carried out."
_BY_RECOVERY: Final = {
    Recovery.RETRY: "Try again in a moment: what is wrong may pass by itself.",
    Recovery.REAUTHORIZE: "Authorize the connection again, then carry the action out once more.",
    Recovery.SKIP: "Mend what the sentence names, then try again.",
    Recovery.ABORT: "Test the connection: the same call fails until its settings or rights are changed.",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an action did not end well, in three parts, with the code; `button` is what can be done about it here."""

    tone: str
    happened: str
    means: str
    next: str
    code: str = ""
    button: str = ""


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done lately: when, by whom, which action, on what, and how it ended."""

    at: float
    who: str
    title: str
    action_id: str
    names: Sequence[str]
    tone: str
    ended: str


def trouble_of(connection: Connection, action: Action, error: Exception) -> Trouble:
    """What to tell of this error."""
    if isinstance(error, TooMany):
        return Trouble("waits", str(error), _NOTHING_CHANGED, "Press the button again in a moment.")
    if isinstance(error, GoesOn):
        return Trouble("waits", str(error), _goes_on(action), _look(action))
    if not isinstance(error, RemoteError):
        return Trouble("bad", str(error), _NOTHING_CHANGED, "Mend what the sentence names, then try again.")
    return Trouble(_tone(error), str(error), "", _next(action, error), error.code, _button(connection, error))


def recent(rows: Sequence[AuditRow], actions: Sequence[Action]) -> list[Deed]:
    """The audit rows of what was done, in words; an action that is no more keeps its id."""
    titles = {one.id: one.title for one in actions}
    return [_deed(row, titles) for row in rows]


def _deed(row: AuditRow, titles: dict[str, str]) -> Deed:
    detail = {name: str(value) for name, value in row.detail.items()}
    action_id, ended = detail.pop("action", ""), detail.pop("ended", UNKNOWN)
    tone, word = {DONE: ("good", "Done"), UNKNOWN: ("waits", "Cut short")}.get(ended, ("bad", ended))
    who = started_by(row.actor, None)
    is_here = action_id if action_id in titles else ""
    return Deed(row.at, who, titles.get(action_id, action_id), is_here, [*detail.values()], tone, word)


def _tone(error: RemoteError) -> str:
    return "waits" if isinstance(error, NotAuthorized) else "bad"


def _next(action: Action, error: RemoteError) -> str:
    if isinstance(error, AnswerLost) and action.changes:
        return "Look whether it was carried out, before you try again."
    if isinstance(error, Forbidden) and action.roles:
        return f"Where a right is missing, the smallest role that is enough: {', '.join(action.roles)}."
    return _BY_RECOVERY[error.recovery]


def _button(connection: Connection, error: RemoteError) -> str:
    if not isinstance(error, NotAuthorized) or error.recovery is not Recovery.REAUTHORIZE:
        return ""
    return AUTHORIZE if connection.auth in CONSENTED else ICLIENT if connection.iclient else ""


def _goes_on(action: Action) -> str:
    if action.changes:
        return "It was begun, and may still succeed."
    return "It changes nothing: what it gives is lost."


def _look(action: Action) -> str:
    if action.changes:
        return "See among the recent actions how it ended, before you try again."
    return "Test the connection, or try again."
