"""One of the referee's clients, as our code asks for it, and the people who let it in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from oidc_server import BASIC, KEY_ID, POSTING, REDIRECT_URI, OidcServer
from oidc_visitor import OidcVisitor

from iclients import consent
from iclients.clock import SystemClock
from iclients.clouds import BUILT_IN
from iclients.consent import Pending
from iclients.credentials import ClientSecret, Credential
from iclients.grants import Grants
from iclients.id_tokens import account_of
from iclients.model import IClient, Token
from iclients.providers.generic import Generic
from iclients.secret import Secret
from iclients.transport import Transport

READ = ("openid", "offline_access", "records.read")
CONFIDENTIAL = ("posting", "basic", "signing", "named")
CLIENTS = (*CONFIDENTIAL, "native")
NATIVE_REDIRECT_URI = "http://127.0.0.1:50123/callback"


class Waiting(SystemClock):
    """The machine's clock, but a wait ends at once, after what happens meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []
        self.meanwhile: Callable[[int], object] = lambda number: None

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.meanwhile(len(self.slept))


class OidcClient:
    """One of the server's clients, as our code asks for it, and the people who let it in."""

    def __init__(self, server: OidcServer, transport: Transport, iclient: IClient) -> None:
        self.server, self.transport, self.iclient = server, transport, iclient
        self.clock = Waiting()
        self.provider = Generic()
        self.grants = Grants(iclient, self.provider, BUILT_IN["public"], transport, self.clock)
        self.endpoints = self.grants.endpoints()

    def begin(self, scopes: tuple[str, ...] = READ, redirect_uri: str = "") -> tuple[Pending, str]:
        """A consent that has begun, and where the person goes."""
        usual = NATIVE_REDIRECT_URI if self.iclient.client_id == "native" else REDIRECT_URI
        pending = consent.begin(redirect_uri or usual, scopes, self.clock.now())
        hints = {"prompt": "consent"} if "offline_access" in scopes else {}
        return pending, consent.address(pending, self.iclient, self.provider, self.endpoints, hints)

    def judged(self, callback: str, pending: Pending) -> Secret:
        """The code of a callback, if it is one that we take."""
        query = parse_qs(urlsplit(callback).query)
        return consent.code_from(query, pending, self.iclient, self.provider, self.endpoints, self.clock.now())

    def allowed(self, scopes: tuple[str, ...] = READ, user: str = "ada") -> tuple[Pending, Secret]:
        """A person has consented: the consent and its code."""
        pending, url = self.begin(scopes)
        return pending, self.judged(OidcVisitor(self.server.ca_file, user).consent(url), pending)

    def token(self, scopes: tuple[str, ...] = READ, user: str = "ada") -> Token:
        """A person has consented, and the code was redeemed."""
        pending, code = self.allowed(scopes, user)
        return self.grants.redeem(code, pending, scopes)

    def account(self, token: Token, nonce: str | None) -> str:
        """Whom the id token names."""
        assert token.id_token is not None
        return account_of(
            token.id_token,
            jwks_uri=self.endpoints.jwks_uri,
            issuer=self.endpoints.issuer,
            client_id=self.iclient.client_id,
            nonce=nonce,
            now=self.clock.now(),
            fetch=self.grants.fetch,
        )


Make = Callable[..., OidcClient]


@contextmanager
def oidc_clients(server: OidcServer) -> Iterator[Make]:
    """Makes clients by name; settings and credential may be others than the right ones."""
    transport = Transport(server.ca_file)
    rights: dict[str, tuple[str, Credential | None, dict[str, str]]] = {
        "posting": (POSTING["client_id"], _secret(POSTING), {"client_authentication": "post"}),
        "basic": (BASIC["client_id"], _secret(BASIC), {"client_authentication": "basic"}),
        "signing": ("signing", server.certificate, {"client_authentication": "private_key_jwt"}),
        "named": ("named", server.certificate, {"client_authentication": "private_key_jwt", "key_id": KEY_ID}),
        "native": ("native", None, {"client_authentication": "none"}),
    }

    def made(name: str, credential: Credential | None = None, **settings: Any) -> OidcClient:
        client_id, right, usual = rights[name]
        every = {"issuer": server.issuer, **usual, **settings}
        iclient = IClient("app", "generic", client_id, credential=credential or right, settings=every)
        return OidcClient(server, transport, iclient)

    yield made
    transport.close()


def _secret(client: dict[str, str]) -> ClientSecret:
    return ClientSecret(Secret(client["client_secret"]))
