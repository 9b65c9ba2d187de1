"""How a consent ends, in words: a title, what it means, and the next step for each way in which it can fail.

Sources: RFC 6749 §4.1.2.1; OpenID Connect Core 1.0 §3.1.2.6; Microsoft identity platform, "Authentication and
authorization error codes".
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from iclients.consent import Parameters, WrongCallback
from iclients.errors import NotAuthorized, RemoteError, TransportError
from integrator.consenting import Authorized
from integrator.errors import UserError
from integrator.web.messages import DONE, FAILED, Fact, Message
from integrator.web.scope_words import in_words

CANNOT_RUN: Final = "cannot_run"
LOG: Final = logging.getLogger("integrator.web")

_AGAIN: Final = "Start the consent again, from the link or the command that brought you here."
_IN_THE_LOG: Final = "Integrator's log has the whole reason."
_AADSTS: Final = re.compile(r"AADSTS([0-9]{4,9})")


@dataclass(frozen=True, slots=True)
class _Kind:
    title: str
    next_step: str


_DECLINED: Final = _Kind(
    "The consent was declined",
    "If that was not meant, start the consent again and accept. The connection is as it was before.",
)
_ADMINISTRATOR: Final = _Kind(
    "An administrator must approve this",
    "Ask an administrator of your organization to consent for everybody: `integrator connections authorize --for-everybody` "
    "makes the address. Then start the consent again.",
)
_TENANT: Final = _Kind(
    "This account belongs to another organization",
    "Start the consent again, and sign in with an account of the organization that the connection is for.",
)
_EXPIRED: Final = _Kind("This consent took too long", _AGAIN)
_REFUSED: Final = _Kind("The provider refused", f"Tell this code to whoever runs this installation. {_IN_THE_LOG}")
_POLICY: Final = _Kind(
    "A policy of your organization blocks this",
    "Ask an administrator of your organization which policy it is; the sign-in log names it. Then start again.",
)
_SETUP: Final = _Kind(
    "The app is not set up for this",
    "Tell the sentence above to whoever registered the app at the provider. Then start the consent again.",
)
_ANSWER: Final = _Kind(
    "The answer was not trusted", f"Nothing was kept. {_AGAIN} If it stays, tell whoever runs this installation."
)
_BUSY: Final = _Kind("The provider cannot be asked now", "Wait some minutes. " + _AGAIN)
_NONSENSE: Final = _Kind("The provider's answer makes no sense", "Wait some minutes. " + _AGAIN)


_BY_NUMBER: Final[Mapping[int, _Kind]] = {
    65004: _DECLINED,
    **dict.fromkeys((90094, 90093, 65001, 90095), _ADMINISTRATOR),
    **dict.fromkeys((50020, 50034, 90072, 51004, 700005), _TENANT),
    **dict.fromkeys((53000, 53001, 53003, 530003, 50105, 50005), _POLICY),
}
"""By Entra's number, which says more than the standard's error: administrators and declining share `access_denied`."""

_BY_CODE: Final[Mapping[str, _Kind]] = {
    "access_denied": _DECLINED,
    "consent_required": _ADMINISTRATOR,
    **dict.fromkeys(("consent_expired", "expired_token", "invalid_grant"), _EXPIRED),
    **dict.fromkeys(("id_token", "mix_up"), _ANSWER),
    **dict.fromkeys(("invalid_client", "unauthorized_client", "invalid_scope", "invalid_request"), _SETUP),
    **dict.fromkeys(("server_error", "temporarily_unavailable", "provider_busy"), _BUSY),
}

_WRONG: Final[Mapping[str, str]] = {
    "StateUsed": "This consent was used already",
    "StateExpired": "This consent took too long",
    "StateElsewhere": "This consent began in another browser",
}
"""By the reason why the state was refused."""


def authorized(done: Authorized, provider: str) -> Message:
    """The page of a consent that has ended well."""
    facts: list[Fact] = [("Connection", done.connection)]
    if done.account:
        facts.append(("Consented by", done.account))
    facts.append(("Allowed", in_words(provider, done.scopes)))
    if done.missing:
        facts.append(("Asked for, not given", in_words(provider, done.missing)))
    missing = " Without what was not given, some calls may be refused." if done.missing else ""
    return Message(
        200,
        f"{done.connection} is online",
        f"{done.message}{missing}",
        "You can close this page: Integrator goes on by itself.",
        tone=DONE,
        facts=facts,
    )


def failed(error: RemoteError, callback: Parameters) -> Message:
    """The page of a consent that has failed: at the provider 200, and 502 or 503 where it could not be asked."""
    noted(error)
    kind = _kind(error, callback)
    status = {_BUSY: 503, _NONSENSE: 502}.get(kind, 200)
    return Message(status, kind.title, _sentence(error), kind.next_step, tone=FAILED)


def belongs_to_none(error: WrongCallback) -> Message:
    """The page of a callback that belongs to no consent that waits, or to one of another browser."""
    cause = error.__cause__ or error.__context__
    title = _WRONG.get(type(cause).__name__, "Nobody waits for this consent")
    return Message(400, title, str(error), _AGAIN)


def impossible(sentence: str) -> Message:
    """The page of a consent whose connection has changed, or is gone."""
    LOG.warning("A consent could not end (code: %s): %r", CANNOT_RUN, sentence)
    return Message(
        200,
        "The connection has changed",
        f"It is gone, or it cannot work as it is now (code: {CANNOT_RUN}).",
        f"Tell this code to whoever runs this installation, then start again. {_IN_THE_LOG}",
        tone=FAILED,
    )


def code_of(error: Exception) -> str:
    """The word of `docs/errors.md` for this error."""
    if isinstance(error, RemoteError):
        return error.code
    return type(error).__name__ if isinstance(error, UserError) else CANNOT_RUN


def noted(error: Exception) -> None:
    """Log the whole sentence: it may name files and settings, which are nothing to whoever came with a link."""
    LOG.warning("A consent could not end (code: %s): %r", code_of(error), str(error))


def _sentence(error: RemoteError) -> str:
    """What the provider has said, or the code: of other reasons the sentence may tell of this machine."""
    is_providers = isinstance(error, NotAuthorized) and error.code in _BY_CODE
    return str(error) if is_providers else f"The consent did not end well (code: {code_of(error)})."


def _kind(error: RemoteError, callback: Parameters) -> _Kind:
    if isinstance(error, TransportError) or (error.recovery == "retry" and error.code == "provider_busy"):
        return _BUSY
    if not isinstance(error, NotAuthorized):
        return _NONSENSE
    told = " ".join(callback.get("error_description", ()))[:1000] + str(error)
    numbers = (int(number) for number in _AADSTS.findall(told))
    found = next((_BY_NUMBER[number] for number in numbers if number in _BY_NUMBER), None)
    return found or _BY_CODE.get(error.code, _REFUSED)
