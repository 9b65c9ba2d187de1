"""Asking a token endpoint: Authlib makes the request, this module judges the answer.

Authlib on its own follows redirects from token endpoints, accepts answers without a usable token and puts the server's
text into exceptions; so the request leaves through our transport (no redirects, bounded, one deadline), and the answer
is read by our own schema. Sources: RFC 6749 §4.4, §5.1, §5.2.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

import requests
from authlib.integrations.requests_client import OAuth2Session
from marshmallow import ValidationError
from requests.adapters import BaseAdapter

from iclients.clock import Clock
from iclients.clouds import CloudProfile
from iclients.errors import (
    CredentialRefused,
    MalformedAnswer,
    NotAuthorized,
    NotSent,
    Recovery,
    RemoteError,
    TransportError,
)
from iclients.model import IClient, Token
from iclients.provider import Provider, Refusal
from iclients.retrying import Retrying
from iclients.schemas import ErrorAnswer, TokenAnswer
from iclients.secret import MASK, Secret
from iclients.transport import Answer, Transport

TOKEN_RETRYING: Final = Retrying(attempts=8, total_seconds=120.0, base_seconds=1.0)
TOKEN_DEADLINE_SECONDS: Final = 30.0
DEFAULT_LIFETIME_SECONDS: Final = 300.0
AHEAD_SECONDS: Final = 300.0
"""A token is replaced this long before it ends, as Microsoft's SDKs do; a short-lived one after 4/5 of its life."""
SENTENCE_LIMIT: Final = 300

_TOKEN_ANSWER = TokenAnswer()
_ERROR_ANSWER = ErrorAnswer()


def client_credentials(
    iclient: IClient,
    provider: Provider,
    cloud: CloudProfile,
    scopes: tuple[str, ...],
    transport: Transport,
    clock: Clock,
) -> Token:
    """A token for the app itself (RFC 6749 §4.4). Asking twice does no harm, so lost answers are asked again.

    Raises CredentialRefused, ScopeRefused, NotAuthorized; TransportError or MalformedAnswer when the provider could
    not be asked.
    """
    if iclient.credential is None:
        raise CredentialRefused(
            f"iClient {iclient.name} has no credential: set client_secret and apply the document again."
        )
    provider.check_app_scopes(iclient, scopes)
    endpoint = provider.token_endpoint(iclient, cloud)
    session = _session(iclient, provider, transport)

    def ask() -> Token:
        asked_at = clock.now()
        answer = _post(session, endpoint, scopes, provider.token_parameters(iclient))
        return _token(answer, asked_at, scopes, iclient, provider)

    return TOKEN_RETRYING.call(ask, clock, lambda error: error.recovery is Recovery.RETRY)


def _session(iclient: IClient, provider: Provider, transport: Transport) -> OAuth2Session:
    secret = iclient.credential.value.reveal() if iclient.credential else None
    session = OAuth2Session(
        client_id=iclient.client_id,
        client_secret=secret,
        token_endpoint_auth_method=provider.client_authentication,
    )
    session.trust_env = False
    session.mount("https://", _TransportAdapter(transport))
    session.register_compliance_hook("access_token_response", _stop)
    return session


def _post(session: OAuth2Session, endpoint: str, scopes: tuple[str, ...], extra: dict[str, Any]) -> Answer:
    try:
        session.fetch_token(
            endpoint, grant_type="client_credentials", scope=" ".join(scopes), allow_redirects=False, **extra
        )
    except _Answered as answered:
        return answered.answer
    raise AssertionError("the hook ends every token request")


class _Answered(Exception):
    """Ends Authlib's part once the answer is there."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


def _stop(response: requests.Response) -> NoReturn:
    raise _Answered(response.answer)  # type: ignore[attr-defined]


class _TransportAdapter(BaseAdapter):
    """Lets a requests session send through our transport."""

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._transport = transport

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        body = request.body.encode() if isinstance(request.body, str) else request.body
        headers = {name: _text(value) for name, value in request.headers.items() if name.lower() not in _OURS}
        answer = self._transport.exchange(
            request.method or "POST", request.url or "", headers, body, deadline_seconds=TOKEN_DEADLINE_SECONDS
        )
        response = requests.Response()
        response.status_code = answer.status
        response.headers.update(answer.headers)
        response._content = answer.body
        response.answer = answer  # type: ignore[attr-defined]  # carried past Authlib untouched
        response.request = request
        response.url = request.url or ""
        return response

    def close(self) -> None:
        """Nothing is ours to close: the transport is shared."""


_OURS: Final = frozenset({"content-length", "accept-encoding", "connection", "host"})


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _token(answer: Answer, asked_at: float, scopes: tuple[str, ...], iclient: IClient, provider: Provider) -> Token:
    document = _json_object(answer.body)
    if "error" in document or answer.status >= 400 or not document:
        raise _failure(answer, document, iclient, provider)
    try:
        loaded = _TOKEN_ANSWER.load(document)
    except ValidationError as error:
        raise MalformedAnswer(
            f"The provider of iClient {iclient.name} sent a token answer that cannot be used: "
            f"{', '.join(sorted(map(str, error.messages_dict)))}.",
            recovery=Recovery.ABORT,
        ) from None
    lifetime = loaded["expires_in"] if loaded["expires_in"] is not None else DEFAULT_LIFETIME_SECONDS
    return Token(
        access_token=Secret(loaded["access_token"]),
        expires_at=asked_at + lifetime,
        replace_at=asked_at + lifetime - min(AHEAD_SECONDS, lifetime / 5),
        scopes=tuple((loaded["scope"] or " ".join(scopes)).split()),
        refresh_token=Secret(loaded["refresh_token"]) if loaded["refresh_token"] else None,
    )


def _failure(answer: Answer, document: dict[str, Any], iclient: IClient, provider: Provider) -> RemoteError:
    if answer.status in (429, 503):
        return TransportError(
            f"The provider of iClient {iclient.name} is busy (HTTP {answer.status}): try again later.",
            code="provider_busy",
            retry_after_seconds=answer.retry_after_seconds,
        )
    try:
        loaded = _ERROR_ANSWER.load(document)
    except ValidationError:
        return _unreadable(answer, iclient)
    return provider.explain(
        Refusal(
            status=answer.status,
            error=_clean(loaded["error"], iclient),
            description=_clean(loaded["error_description"], iclient),
            codes=tuple(loaded["error_codes"]),
            correlation_id=loaded["correlation_id"],
        ),
        iclient,
    )


def _unreadable(answer: Answer, iclient: IClient) -> RemoteError:
    sentence = f"The provider of iClient {iclient.name} answered HTTP {answer.status} without a reason we can read."
    if answer.status in (500, 502, 504) or answer.status < 300:
        return MalformedAnswer(sentence)
    if answer.status < 400:
        return NotSent(
            f"{sentence[:-1]}: it redirects token requests, which are never followed.", recovery=Recovery.ABORT
        )
    return NotAuthorized(sentence)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _clean(text: str, iclient: IClient) -> str:
    """The server's words, without our secret, control characters, markup or endless length."""
    if iclient.credential and iclient.credential.value:
        text = text.replace(iclient.credential.value.reveal(), MASK)
    text = re.split(r"\s*Trace ID:", text, maxsplit=1)[0]
    return re.sub(r"[\x00-\x1f\x7f<>]+", " ", text).strip()[:SENTENCE_LIMIT]
