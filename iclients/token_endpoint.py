"""Asking a token endpoint: Authlib makes the request, this module judges the answer.

Authlib on its own follows redirects from token endpoints, accepts answers without a usable token and puts the server's
text into exceptions; so the request leaves through our transport (no redirects, bounded, one deadline), and the answer
is read by our own schema. Sources: RFC 6749 §2.3, §5.1, §5.2.
"""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote, unquote_plus

import requests
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.client import OAuth2Client
from marshmallow import ValidationError
from requests.adapters import BaseAdapter
from requests.auth import AuthBase

from iclients.answers import Answer
from iclients.credentials import Certificate, ClientSecret, FederatedAssertion
from iclients.errors import (
    MalformedAnswer,
    NotAuthorized,
    NotSent,
    Recovery,
    RemoteError,
    TransportError,
)
from iclients.model import IClient, Token
from iclients.provider import Provider, Refusal
from iclients.schemas import ErrorAnswer, TokenAnswer
from iclients.secret import MASK, Secret
from iclients.transport import Transport

TOKEN_DEADLINE_SECONDS: Final = 30.0
TOKEN_ANSWER_BYTES: Final = 1024 * 1024
DEFAULT_LIFETIME_SECONDS: Final = 300.0
AHEAD_SECONDS: Final = 300.0
"""A token is replaced this long before it ends, as Microsoft's SDKs do; a short-lived one after 4/5 of its life."""
SENTENCE_LIMIT: Final = 300

_PASSING: Final = frozenset({"server_error", "temporarily_unavailable"})
"""Errors that say nothing against us (RFC 6749 §4.1.2.1; seen at token endpoints too)."""

_TOKEN_ANSWER = TokenAnswer()
_ERROR_ANSWER = ErrorAnswer()


class TokenEndpoint:
    """One provider's token endpoint, as one iClient asks it."""

    def __init__(self, iclient: IClient, provider: Provider, transport: Transport, address: str, audience: str) -> None:
        self._iclient = iclient
        self._provider = provider
        self._client = _client(iclient, provider, transport)
        self._address = address
        self._audience = audience

    def ask(self, grant: str, scopes: tuple[str, ...], parameters: dict[str, str], now: float, seconds: float) -> Token:
        """One request, and the token that it brings. Raises what the answer, or its absence, means."""
        proof = _proof(self._iclient, self._audience, now)
        extra = {**self._provider.token_parameters(self._iclient), **parameters, **proof}
        answer = _post(self._client, self._address, grant, extra, seconds)
        return _token(answer, now, scopes, self._iclient, self._provider)


def _client(iclient: IClient, provider: Provider, transport: Transport) -> OAuth2Client:
    """Authlib's client over a session of requests whose every request leaves through our transport."""
    session = requests.Session()
    session.trust_env = False
    for scheme in ("https://", "http://"):  # requests' own adapters would send a secret in the clear
        session.mount(scheme, _TransportAdapter(transport))
    has_secret = isinstance(iclient.credential, ClientSecret)
    method = provider.authentication(iclient) if has_secret else "none"
    client = _Client(session, client_id=iclient.client_id, client_secret=_client_secret(iclient))
    client.token_endpoint_auth_method = _basic if method == "client_secret_basic" else method
    return client


def _basic(client: Any, method: str, uri: str, headers: Any, body: str) -> tuple[str, Any, str]:
    """Basic with both parts percent-encoded (RFC 6749 §2.3.1), which Authlib leaves out."""
    pair = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret)}"
    headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    return uri, headers, body


def _client_secret(iclient: IClient) -> str | None:
    return iclient.credential.value.reveal() if isinstance(iclient.credential, ClientSecret) else None


def _proof(iclient: IClient, audience: str, now: float) -> dict[str, str]:
    """The assertion that stands in for a client secret, made anew for every request."""
    credential = iclient.credential
    if not isinstance(credential, Certificate | FederatedAssertion):
        return {}
    from iclients import assertions  # JOSE loads slowly, and most iClients have a secret

    if isinstance(credential, Certificate):
        assertion = assertions.signed(credential, iclient.client_id, audience, now)
    else:
        assertion = assertions.mounted(credential, iclient.name)
    return {"client_assertion_type": assertions.TYPE, "client_assertion": assertion.reveal()}


class _ClientAuth(AuthBase, ClientAuth):  # type: ignore[misc]  # Authlib has no types
    """Authlib's client authentication in the form in which requests takes it."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.url, request.headers, request.body = self.prepare(
            request.method, request.url, request.headers, request.body
        )
        return request


class _Client(OAuth2Client):  # type: ignore[misc]  # Authlib has no types
    """Authlib's client as its own requests integration makes it, without loading all of JOSE."""

    client_auth_class = _ClientAuth
    SESSION_REQUEST_PARAMS = ("timeout",)


def _post(client: OAuth2Client, endpoint: str, grant: str, parameters: dict[str, Any], seconds: float) -> Answer:
    try:
        client.fetch_token(endpoint, grant_type=grant, timeout=seconds, **parameters)
    except _Answered as answered:
        return answered.answer
    except requests.RequestException as error:
        raise NotSent(
            f"{endpoint} is not an address that can be asked for tokens.", code="not_https", recovery=Recovery.ABORT
        ) from error
    raise AssertionError("the adapter ends every token request")


class _Answered(Exception):
    """Ends Authlib's and requests' part once the answer is there: neither looks at it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class _TransportAdapter(BaseAdapter):
    """Lets a requests session send through our transport."""

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._transport = transport

    def send(  # type: ignore[override]  # our own session calls it: with a number of seconds, and by keyword
        self, request: requests.PreparedRequest, *, timeout: float, **kwargs: Any
    ) -> requests.Response:
        """Raises _Answered with what came back."""
        body = request.body.encode() if isinstance(request.body, str) else request.body
        headers = {name: _text(value) for name, value in request.headers.items() if name.lower() not in _OURS}
        raise _Answered(
            self._transport.exchange(
                request.method or "POST",
                request.url or "",
                headers,
                body,
                deadline_seconds=timeout,
                max_answer_bytes=TOKEN_ANSWER_BYTES,
            )
        )

    def close(self) -> None:
        """Nothing is ours to close: the transport is shared."""


_OURS: Final = frozenset({"content-length", "accept-encoding", "connection", "host"})


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _token(answer: Answer, asked_at: float, scopes: tuple[str, ...], iclient: IClient, provider: Provider) -> Token:
    document = json_object(answer.body)
    if "error" in document or answer.status >= 300 or not document:
        raise failure(answer, document, iclient, provider)
    try:
        loaded = _TOKEN_ANSWER.load(document)
    except ValidationError as error:
        raise unusable(iclient, error) from None
    lifetime = loaded["expires_in"] if loaded["expires_in"] is not None else DEFAULT_LIFETIME_SECONDS
    return Token(
        access_token=Secret(loaded["access_token"]),
        expires_at=asked_at + lifetime,
        replace_at=asked_at + lifetime - min(AHEAD_SECONDS, lifetime / 5),
        scopes=tuple((loaded["scope"] or " ".join(scopes)).split()),
        refresh_token=Secret(loaded["refresh_token"]) if loaded["refresh_token"] else None,
        id_token=Secret(loaded["id_token"]) if loaded["id_token"] else None,
    )


def unusable(iclient: IClient, error: ValidationError) -> MalformedAnswer:
    """For an answer that our schema does not take."""
    return MalformedAnswer(
        f"The provider of iClient {iclient.name} sent an answer that cannot be used: "
        f"{', '.join(sorted(map(str, error.messages_dict)))}.",
        recovery=Recovery.ABORT,
    )


def failure(answer: Answer, document: dict[str, Any], iclient: IClient, provider: Provider) -> RemoteError:
    """What an answer that is no success means."""
    if answer.status in (429, 503):
        return _busy(answer, iclient)
    try:
        loaded = _ERROR_ANSWER.load(document)
    except ValidationError:
        return _unreadable(answer, iclient)
    if loaded["error"] in _PASSING:
        return _busy(answer, iclient)
    return provider.explain(
        Refusal(
            status=answer.status,
            error=_clean(loaded["error"], iclient),
            description=_clean(loaded["error_description"] or "", iclient),
            codes=tuple(loaded["error_codes"] or ()),
        ),
        iclient,
    )


def _busy(answer: Answer, iclient: IClient) -> TransportError:
    return TransportError(
        f"The provider of iClient {iclient.name} is busy (HTTP {answer.status}): try again later.",
        code="provider_busy",
        retry_after_seconds=answer.retry_after_seconds,
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


def json_object(body: bytes) -> dict[str, Any]:
    """The answer as a JSON object; empty where it is none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _clean(text: str, iclient: IClient) -> str:
    """The server's words, without our secret, control characters, markup or endless length."""
    text = re.split(r"\s*Trace ID:", text, maxsplit=1)[0]
    if secret := _client_secret(iclient):
        for form in _echoes(iclient.client_id, secret):
            text = text.replace(form, MASK)
        if _is_told(secret, text):
            return "its words repeat the secret and are not shown"
    shown = "".join(character if character.isprintable() and character not in "<>" else " " for character in text)
    return " ".join(shown.split())[:SENTENCE_LIMIT]


def _is_told(secret: str, text: str) -> bool:
    """Whether the secret can still be read from the text, however a server has written it."""
    printable = "".join(filter(str.isprintable, text))
    readings = {form(shown) for shown in (text, printable) for form in (unquote, unquote_plus, html.unescape)}
    alone = b64encode(secret.encode()).decode().rstrip("=")
    return any(secret in reading.replace("\\/", "/") or alone in reading for reading in readings)


def _echoes(client_id: str, secret: str) -> list[str]:
    """How a secret that was sent may come back: as it is, encoded for a form, a page, JSON or Basic; longest first."""
    encoded = {secret, quote(secret, safe=""), quote_plus(secret), html.escape(secret), json.dumps(secret)[1:-1]}
    basic = {f"{client_id}:{secret}", f"{quote_plus(client_id)}:{quote_plus(secret)}"}
    return sorted(encoded | {b64encode(pair.encode()).decode() for pair in basic}, key=len, reverse=True)
