"""What each fault of the sandbox makes of an action: error, code, recovery and exit code. Both planes keep to this table.

A row is a fault; where nobody can know whether a change was carried out, changes end otherwise than reads. The source is
`connectors/azure_key_vault/sandbox/faults.py` for the faults, `docs/errors.md` for the codes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from connectors.actions import Action
from connectors.azure_key_vault.sandbox.faults import KINDS_CARRIED_OUT, KINDS_NOT_CARRIED_OUT
from connectors.errors import BadRequest, Conflict, Forbidden, NotFound, Throttled, Unavailable
from iclients.errors import AnswerLost, MalformedAnswer, NotAuthorized, Recovery, RemoteError
from integrator.cli.ending import meaning
from integrator.errors import ExitCode


@dataclass(frozen=True)
class End:
    """How an action ends."""

    error: type[RemoteError] | None
    code: str
    recovery: Recovery | None
    exit_code: int


@dataclass(frozen=True)
class Promise:
    """How a fault makes actions end: one that reads or may be repeated, and one that changes something just once."""

    read: End
    change: End


def _end(error: type[RemoteError], code: str = "", exit_code: ExitCode = ExitCode.FAILED) -> End:
    return End(error, code or error.code, error.recovery, exit_code)


def _alike(end: End) -> Promise:
    return Promise(end, end)


DONE = End(None, "", None, ExitCode.DONE)
LOST = _end(AnswerLost)
TOO_LATE = _end(AnswerLost, "deadline_exceeded")
UNAVAILABLE = _end(Unavailable)
UNCLEAR = Promise(UNAVAILABLE, _end(AnswerLost, "unavailable"))
"""After 500, 502 and 504 nobody knows; after 408 and 503 nothing was carried out."""

FAULTS: dict[str, Promise] = {
    "400": _alike(_end(BadRequest)),
    "401": _alike(_end(NotAuthorized, exit_code=ExitCode.NEEDS_AUTHORIZATION)),
    "403": _alike(_end(Forbidden)),
    "404": _alike(_end(NotFound)),
    "405": _alike(_end(BadRequest)),
    "408": _alike(UNAVAILABLE),
    "409": _alike(_end(Conflict)),
    "410": _alike(_end(NotFound)),
    "412": _alike(_end(BadRequest)),
    "413": _alike(_end(BadRequest)),
    "429": _alike(_end(Throttled)),
    "500": UNCLEAR,
    "502": UNCLEAR,
    "503": _alike(UNAVAILABLE),
    "504": UNCLEAR,
    "html": UNCLEAR,
    "claims": _alike(_end(NotAuthorized, "claims_demanded", ExitCode.NEEDS_AUTHORIZATION)),
    "reset": _alike(LOST),
    "lost": _alike(LOST),
    "stall": _alike(TOO_LATE),
    "slow": _alike(TOO_LATE),
    "truncated": _alike(LOST),
    "broken-json": Promise(_end(MalformedAnswer), _end(AnswerLost, "malformed_answer")),
}
SANDBOX_FAULTS = KINDS_CARRIED_OUT | KINDS_NOT_CARRIED_OUT
LATE = frozenset({"stall", "slow"})
"""These are told from a good answer by patience alone."""
LATE_SECONDS = 0.3
BODILESS = frozenset({"purge_secret", "purge_key", "purge_certificate"})


def is_late(action: Action, fault: str) -> bool:
    """Whether an answer to this action with this fault comes too late: where it has no body, nothing is slow."""
    return fault in LATE and not (fault == "slow" and action.id in BODILESS)


CHANGES = ("PUT", "PATCH", "POST", "DELETE")
EVERY = (None,)
UNCLEAR_STATUSES = frozenset({"500", "502", "504", "html"})
SPOILT_BODY = frozenset({"truncated", "broken-json", "slow"})
"""These do nothing to an answer without a body, such as that of a purge."""

NOUNS = ("secret", "key", "certificate")
MADE_ONCE = frozenset(
    {"create_key", "import_key", "rotate_key", "create_certificate", "import_certificate", "merge_certificate"}
    | {f"restore_{noun}" for noun in NOUNS}
)
"""Each call of theirs makes something new: a lost answer ends them, and the person is told to look."""
TAKEN_ONCE = frozenset(f"{verb}_{noun}" for verb in ("delete", "recover", "purge") for noun in NOUNS)
"""Their call is made once; after a lost answer it is made again, and what the vault shows decides."""
FORGOTTEN_ONCE = frozenset({"delete_certificate_contacts", "delete_certificate_issuer"})
"""Made again, they would not find what they took away themselves."""
TOLD_TO_LOOK = MADE_ONCE | {"update_secret"}
"""A lost or spoilt answer is told with what to look at."""


def when_all_fails(action: Action, fault: str) -> End:
    """How it ends where every call meets this fault."""
    promise = FAULTS[fault]
    if action.api_type == "control":
        return promise.read  # a change begins with a look
    if fault == "403" and action.id.startswith("purge_"):
        return replace(promise.read, code="purge_refused")  # purge protection, mostly: a vault says no more
    if fault in ("broken-json", "slow") and action.id in BODILESS:
        return DONE  # an answer without a body has nothing to spoil, and what looks after it bears this
    if fault == "broken-json":
        return promise.change if action.id in TOLD_TO_LOOK else promise.read
    return promise.change if action.id in MADE_ONCE | TAKEN_ONCE | FORGOTTEN_ONCE else promise.read


def when_changes_fail(action: Action, fault: str) -> End:
    """How it ends where looking works, and every call that changes something meets this fault."""
    if action.api_type == "control":
        return DONE if fault in KINDS_CARRIED_OUT else FAULTS[fault].change  # looking shows that it was carried out
    if action.id == "create_secret":
        return DONE if fault in KINDS_CARRIED_OUT else FAULTS[fault].change
    if fault in SPOILT_BODY and action.id in BODILESS:
        return DONE
    if fault == "broken-json" and action.id in TAKEN_ONCE:
        return DONE
    return when_all_fails(action, fault)


def when_it_passes(action: Action, fault: str) -> End:
    """How it ends where the first call, of a change the first that changes something, meets this fault, and no other."""
    end = FAULTS[fault].read
    if fault == "403" and action.id == "list_role_assignments":
        return DONE  # it asks for the names of roles first, and leaves them out where it may not read them
    if end.recovery not in (Recovery.RETRY, Recovery.REAUTHORIZE):
        return when_changes_fail(action, fault)
    is_unclear = fault in KINDS_CARRIED_OUT | UNCLEAR_STATUSES | {"reset"}
    if is_unclear and action.id in MADE_ONCE | FORGOTTEN_ONCE:
        return when_changes_fail(action, fault)
    return DONE


def ended(error: RemoteError | None) -> End:
    """How the command line ends with this, by the classes of the table."""
    if error is None:
        return DONE
    known = {end.error for promise in FAULTS.values() for end in (promise.read, promise.change)}
    named = next((one for one in type(error).__mro__ if one in known), type(error))
    exit_code, code, _ = meaning(error)
    assert code == error.code
    return End(named, code, error.recovery, int(exit_code))


def with_secrets(action: Action, inputs: Any) -> list[str]:
    """What these inputs hold that nobody may see."""
    hidden = {parameter.name for parameter in action.parameters if parameter.is_secret}
    return [str(value) for name, value in inputs.items() if name in hidden]
