"""Which status an error has over HTTP. The code is the same as on the command line, so that one table tells both.

    400  an input cannot be                      422  the system has refused it: nothing there, no right, a conflict
    401  no token, or none that serves           429  the system, or this server, wants fewer calls; Retry-After
    403  the role may not                        502  the system cannot be reached, or is not well
    404  no such connection or action            503  our own database cannot be used
    409  the connection cannot be used as it is  504  no answer in time

Sources: RFC 9110 §15.5, §15.6; RFC 6585 §4; RFC 6750 §3.
"""

from __future__ import annotations

from typing import Final

from connectors.actions import Action
from connectors.errors import BadInput, Refused, SettingsError, Throttled
from iclients.errors import AnswerLost, DeadlineExceeded, NotAuthorized, Recovery, RemoteError
from integrator.api.answers import Mistake
from integrator.errors import BadUsage, NotFoundHere, UserError
from integrator.turns import GoesOn, TooMany

PAUSE_SECONDS: Final = 10.0
"""What is waited where the system says nothing of it."""
TURN_SECONDS: Final = 2.0
NOT_ALLOWED: Final = Mistake(
    403, code="not_allowed", message="Your role does not allow this action: ask an administrator to do it."
)
NOT_JSON: Final = Mistake(
    415, code="media_type", message="The inputs must be one JSON object: send Content-Type: application/json."
)
_LOOK: Final = " Look whether it was carried out, before you try again."


def mistake_of(error: Exception, action: Action | None = None) -> Mistake:
    """What to tell of this error; `action` is what was being carried out."""
    if isinstance(error, RemoteError):
        return _of_system(error, action)
    if isinstance(error, TooMany):
        return Mistake(429, code="busy", message=str(error), recovery=Recovery.RETRY, wait_seconds=TURN_SECONDS)
    if isinstance(error, GoesOn):
        return Mistake(504, code="goes_on", message=_told(error, action), recovery=_again(action))
    if isinstance(error, NotFoundHere):
        return Mistake(404, type(error).__name__, str(error))
    cause = error.__cause__ if isinstance(error, BadUsage) else error
    if isinstance(cause, BadInput):
        return Mistake(400, code="bad_input", message=str(error), parameter=cause.parameter)
    if isinstance(error, UserError):
        return Mistake(409, type(error).__name__, str(error))
    assert isinstance(error, SettingsError)
    return Mistake(409, code="cannot_run", message=str(error))


def _of_system(error: RemoteError, action: Action | None) -> Mistake:
    """Its own code; a lost answer to what changes something is not to be tried again blindly."""
    wait, is_lost = error.retry_after_seconds, isinstance(error, AnswerLost)
    if isinstance(error, Throttled) and wait is None:
        wait = PAUSE_SECONDS
    recovery = _again(action) if is_lost else error.recovery
    message = _told(error, action) if is_lost else str(error)
    return Mistake(_status(error), error.code, message, recovery, wait_seconds=wait)


def _status(error: RemoteError) -> int:
    if isinstance(error, NotAuthorized) and error.recovery is not Recovery.RETRY:
        return 409
    kinds: tuple[tuple[type[RemoteError], int], ...] = ((Refused, 422), (Throttled, 429), (DeadlineExceeded, 504))
    return next((status for kind, status in kinds if isinstance(error, kind)), 502)


def _again(action: Action | None) -> Recovery:
    is_harmless = action is None or not action.changes or action.repeatable
    return Recovery.RETRY if is_harmless else Recovery.ABORT


def _told(error: Exception, action: Action | None) -> str:
    return f"{error}{_LOOK if action is not None and action.changes else ''}"
