"""Asking a token endpoint: Authlib makes the request, this module judges the answer.

Authlib on its own follows redirects from token endpoints, accepts answers without a usable token and puts the server's
text into exceptions; so the request leaves through our transport (no redirects, bounded, one deadline), and the answer
is read by our own schema. Sources: RFC 6749 §2.3, §5.1, §5.2.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Final
from urllib.parse import quote_plus

import requests
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.client import OAuth2Client
from requests.adapters import BaseAdapter
from requests.auth import AuthBase

from iclients.answers import Answer
from iclients.credentials import Certificate, ClientSecret, FederatedAssertion
from iclients.endpoints import Endpoints
from iclients.errors import NotSent, Recovery
from iclients.model import DeviceCode, IClient, Token
from iclients.provider import Provider
from iclients.redaction import client_secret, plain, secrets_of
from iclients.secret import Secret
from iclients.token_answers import device_in, failure, json_object, token_in
from iclients.traits import Traits
from iclients.transport import Transport

TOKEN_DEADLINE_SECONDS: Final = 30.0
TOKEN_ANSWER_BYTES: Final = 1024 * 1024


class TokenEndpoint:
    """One provider's token endpoint, as one iClient asks it."""

    def __init__(self, iclient: IClient, provider: Provider, transport: Transport, endpoints: Endpoints) -> None:
        self._iclient = iclient
        self._provider = provider
        self._traits = provider.traits(iclient)
        self._client = _client(iclient, self._traits, transport)
        self._endpoints = endpoints

    def ask(self, grant: str, scopes: tuple[str, ...], parameters: dict[str, str], now: float, seconds: float) -> Token:
        """One request, and the token that it brings. Raises what the answer, or its absence, means."""
        address = self._endpoints.need("token_endpoint", self._iclient.name)
        form = {**self._traits.token_parameters, **parameters, "grant_type": grant}
        answer, sent = self._post(address, form, now, seconds)
        return token_in(answer, now, scopes, self._iclient, self._provider, sent)

    def device(self, parameters: dict[str, str], now: float, seconds: float) -> DeviceCode:
        """The code that the device authorization endpoint gives to this client (RFC 8628 §3.1). Raises as `ask` does."""
        address = self._endpoints.need("device_authorization_endpoint", self._iclient.name)
        answer, sent = self._post(address, parameters, now, seconds)
        return device_in(answer, self._iclient, self._provider, sent)

    def revoke(self, token: Secret, now: float, seconds: float) -> None:
        """Tell the provider that a token will not be used again (RFC 7009 §2.1).

        Raises NotAuthorized where it has no such endpoint, and what a refusal means; an unknown token is no error.
        """
        address = self._endpoints.need("revocation_endpoint", self._iclient.name)
        answer, sent = self._post(address, {"token": token.reveal(), "token_type_hint": _HINT}, now, seconds)
        document = json_object(answer.body)
        if answer.status >= 300 or "error" in document:
            raise failure(answer, document, self._iclient, self._provider, sent)

    def _post(
        self, address: str, parameters: dict[str, str], now: float, seconds: float
    ) -> tuple[Answer, tuple[str, ...]]:
        """One request of this client, which Authlib authenticates: its answer, and what of it nobody may repeat.

        Authlib's own methods take every parameter as an argument of theirs, so that one called `method` would decide
        how the request is made: they get none.
        """
        form = {**parameters, **_proof(self._iclient, self._traits, self._endpoints.issuer, address, now)}
        auth = self._client.client_auth(self._client.token_endpoint_auth_method)
        try:
            self._client.session.post(address, data=form, headers=_ACCEPTED, auth=auth, timeout=seconds)
        except _Answered as answered:
            return answered.answer, secrets_of(form)
        except requests.RequestException as error:
            raise NotSent(
                f"{plain(address)} is not an address that can be asked for tokens.",
                code="not_https",
                recovery=Recovery.ABORT,
            ) from error
        raise AssertionError("the adapter ends every request")


def _client(iclient: IClient, traits: Traits, transport: Transport) -> OAuth2Client:
    """Authlib's client over a session of requests whose every request leaves through our transport."""
    session = requests.Session()
    session.trust_env = False
    for scheme in ("https://", "http://"):  # requests' own adapters would send a secret in the clear
        session.mount(scheme, _TransportAdapter(transport))
    method = traits.client_authentication if isinstance(iclient.credential, ClientSecret) else "none"
    client = _Client(session, client_id=iclient.client_id, client_secret=client_secret(iclient))
    client.token_endpoint_auth_method = _METHODS.get(method, "none")
    return client


def _basic(client: Any, method: str, uri: str, headers: Any, body: str) -> tuple[str, Any, str]:
    """Basic with both parts percent-encoded (RFC 6749 §2.3.1), which Authlib leaves out."""
    pair = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret)}"
    headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    return uri, headers, body


_HINT: Final = "refresh_token"
_ACCEPTED: Final = {"Accept": "application/json"}
_METHODS: Final = {"post": "client_secret_post", "basic": _basic}


def _proof(iclient: IClient, traits: Traits, issuer: str, address: str, now: float) -> dict[str, str]:
    """The assertion that stands in for a client secret, made anew for every request."""
    credential = iclient.credential
    if not isinstance(credential, Certificate | FederatedAssertion):
        return {}
    from iclients import assertions  # JOSE loads slowly, and most iClients have a secret

    if isinstance(credential, Certificate):
        audience = issuer if traits.assertion_audience == "issuer" and issuer else address
        assertion = assertions.signed(
            credential,
            iclient.client_id,
            audience,
            now,
            lifetime_seconds=traits.assertion_seconds,
            key_id=traits.key_id,
            names_certificate=traits.names_certificate,
        )
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
