"""What can go wrong with a remote system, sorted by what happens next.

    RemoteError                   every failure of a remote system; has a recovery
    ├── TransportError            no whole answer came                        retry
    │   ├── NotSent               nothing can have been carried out
    │   ├── AnswerLost            it may have been carried out: look first
    │   └── DeadlineExceeded      likewise, and it took too long
    ├── MalformedAnswer           an answer that makes no sense               retry
    └── NotAuthorized             we are not let in                           reauthorize
        ├── CredentialRefused     the credential is wrong, expired or missing
        └── ScopeRefused          what we ask for is not given

Every message is one sentence for a person: what happened, to what, and the next step. No message holds a secret.
"""

from __future__ import annotations

from enum import StrEnum


class Recovery(StrEnum):
    """What happens next: the same word in code, log, table and page."""

    RETRY = "retry"
    REAUTHORIZE = "reauthorize"
    SKIP = "skip"
    ABORT = "abort"


class RemoteError(Exception):
    """A remote system failed. `str(error)` is the sentence; `code` is for machines; `recovery` says what is next."""

    code = "remote_error"
    recovery = Recovery.ABORT

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        recovery: Recovery | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code or self.code
        self.recovery = recovery or self.recovery
        self.retry_after_seconds = retry_after_seconds
        self.was_retried = False
        """Set when somebody has asked again as often as it made sense: nobody further up does so once more."""


class TransportError(RemoteError):
    """No whole answer came."""

    code = "no_answer"
    recovery = Recovery.RETRY


class NotSent(TransportError):
    """The request never left whole: nothing can have been carried out."""

    code = "unreachable"


class AnswerLost(TransportError):
    """The request left, the answer did not arrive whole: it may have been carried out."""

    code = "answer_lost"


class DeadlineExceeded(AnswerLost):
    """The whole exchange took longer than it may."""

    code = "deadline_exceeded"


class MalformedAnswer(RemoteError):
    """An answer came that the protocol does not allow."""

    code = "malformed_answer"
    recovery = Recovery.RETRY


class NotAuthorized(RemoteError):
    """The provider does not let us in."""

    code = "not_authorized"
    recovery = Recovery.REAUTHORIZE
    claims = ""
    """What the provider wants to be asked with, where it says so: the text of a JSON object."""


class CredentialRefused(NotAuthorized):
    """The iClient's credential is wrong, expired or missing."""

    code = "credential_refused"


class ScopeRefused(NotAuthorized):
    """The provider does not give what was asked for."""

    code = "scope_refused"
