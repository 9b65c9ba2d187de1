"""What the application tells a person when it cannot go on, and how the command line ends then.

    UserError                     a sentence for a person                                   1
    ├── BadUsage                  called or configured in a way that cannot work            2
    │   └── BadDocument           a document that cannot be applied: file, line, path       2
    ├── NotFoundHere              nothing of this name is stored                            1
    ├── InUse                     something stored still needs it                           1
    ├── RunInProgress             the flow has a run that is not over                       1
    ├── RunIsOver                 the run has ended for good                                1
    ├── NothingToRetry            nothing went wrong in the run that could be tried again   1
    ├── StoreError                the database cannot be used                               1
    │   ├── DatabaseUnusable      it cannot be opened or written
    │   └── DatabaseNewer         a newer Integrator has written it
    └── SealError                 sealed values cannot be made or opened                    1
        ├── KeyMissing            the key file is gone while sealed values exist
        ├── KeyUnusable           the key file is there and is no use
        └── SealBroken            a value was not sealed by these keys for this place

Beside them, for whoever comes back from a provider, or with a link, in a browser:

    StateRefused                  a callback that ends no consent
    ├── StateUnknown              no consent was begun with this state
    ├── StateUsed                 its callback has come already
    ├── StateExpired              it was begun too long ago
    └── StateElsewhere            it was begun in another browser
    LinkRefused                   a consent link that is unknown, used or expired

Every message is one sentence that names the thing, the place and the next step. No message holds a secret.
"""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import ClassVar


class ExitCode(IntEnum):
    """How a command ends."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    WITH_ERRORS = 3
    NEEDS_AUTHORIZATION = 4
    REFUSED = 5
    INTERRUPTED = 130


class UserError(Exception):
    """Something that a person can mend: `str(error)` says what and how."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED


class BadUsage(UserError):
    """Called or configured in a way that cannot work."""

    exit_code = ExitCode.USAGE


class BadDocument(BadUsage):
    """A document that cannot be applied."""


class NotFoundHere(UserError):
    """Nothing of this name is stored."""


class InUse(UserError):
    """Something stored still needs it."""


class RunInProgress(UserError):
    """The flow has a run that is not over: `run_id`."""

    def __init__(self, message: str, run_id: int) -> None:
        super().__init__(message)
        self.run_id = run_id


class FlowWaits(UserError):
    """The flow cannot run before a connection is authorized."""

    exit_code = ExitCode.NEEDS_AUTHORIZATION


class RunIsOver(UserError):
    """The run has ended for good."""


class NothingToRetry(UserError):
    """Nothing went wrong in the run that could be tried again."""


class StoreError(UserError):
    """The database cannot be used."""


class DatabaseUnusable(StoreError):
    """The database cannot be opened or written."""


class DatabaseNewer(StoreError):
    """A newer Integrator has written this database."""


class SealError(UserError):
    """Sealed values cannot be made or opened."""


class KeyMissing(SealError):
    """The key file is gone while sealed values exist."""


class KeyUnusable(SealError):
    """The key file is there and is no use."""


class SealBroken(SealError):
    """A value was not sealed by these keys for this place."""


class StateRefused(Exception):
    """A callback that ends no consent; nothing is used up."""


class StateUnknown(StateRefused):
    """No consent was begun with this state."""


class StateUsed(StateRefused):
    """The callback of this consent has come already."""


class StateExpired(StateRefused):
    """The consent was begun too long ago."""


class StateElsewhere(StateRefused):
    """The consent was begun in another browser."""


class LinkRefused(Exception):
    """A consent link that is unknown, has been used, or has expired."""


def defect_sentence(error: BaseException) -> str:
    """What is told of an error that nobody foresaw: its type and place, never its text, which could hold a value."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f" at {Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame else ""
    return (
        f"Something unforeseen happened ({type(error).__name__}{place}): nothing that was written is lost; "
        "report it with this line."
    )
