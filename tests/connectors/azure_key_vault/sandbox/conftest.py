"""A sandbox with two vaults, and a plain HTTP client that knows nothing of Azure."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from connectors.azure_key_vault.sandbox import Sandbox

VAULT_SCOPE = "https://vault.azure.net/.default"
USER_SCOPES = "https://vault.azure.net/user_impersonation openid profile offline_access"
CALLBACK = "http://127.0.0.1:7777/callback"
ARM_SCOPE = "https://management.azure.com/.default"


@dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str, str | None]:
        """Status, code, inner code."""
        error = self.json["error"]
        return self.status, error["code"], error.get("innererror", {}).get("code")


@dataclass
class Client:
    """Sends requests to the sandbox with a token and an API version unless told otherwise."""

    sandbox: Sandbox
    api_version: str = "2026-04-01"
    tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.context = ssl.create_default_context(cafile=str(self.sandbox.ca_file))
        self.context.verify_flags |= ssl.VERIFY_X509_STRICT

    def send(self, method: str, url: str, body: object = None, headers: dict[str, str] | None = None) -> Reply:
        where = urllib.parse.urlsplit(url)
        connection = http.client.HTTPSConnection(where.netloc, context=self.context, timeout=10)
        try:
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            target = where.path + (f"?{where.query}" if where.query else "")
            connection.request(method, target, data, headers or {})
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def vault(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        name: str = "contoso",
        query: str = "",
        api_version: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        url = f"{self.sandbox.vault_url(name)}{path}?api-version={api_version or self.api_version}{query}"
        authorization = {"Authorization": f"Bearer {self.token()}"}
        return self.send(method, url, body, authorization | (headers or {}))

    def token(self, scope: str = VAULT_SCOPE) -> str:
        if scope not in self.tokens:
            self.tokens[scope] = self.ask_token(scope=scope).json["access_token"]
        return self.tokens[scope]

    def ask_token(
        self,
        path: str = "/oauth2/v2.0/token",
        *,
        tenant: str | None = None,
        headers: dict[str, str] | None = None,
        **fields: str | None,
    ) -> Reply:
        """Posts a good request for a token with some fields changed, or left out when None."""
        form: dict[str, str | None] = {
            "grant_type": "client_credentials",
            "client_id": self.sandbox.client_id,
            "client_secret": self.sandbox.client_secret,
            "scope": VAULT_SCOPE,
        }
        given = {name: value for name, value in (form | fields).items() if value is not None}
        url = f"{self.sandbox.authority}/{tenant or self.sandbox.tenant}{path}"
        return self.send("POST", url, urllib.parse.urlencode(given).encode(), headers)

    def authorize_url(
        self, path: str = "/oauth2/v2.0/authorize", *, tenant: str | None = None, **fields: str | None
    ) -> str:
        """A good authorization request with some fields changed, or left out when None."""
        form: dict[str, str | None] = {
            "client_id": self.sandbox.client_id,
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": USER_SCOPES,
            "state": "the state",
        }
        given = {name: value for name, value in (form | fields).items() if value is not None}
        return f"{self.sandbox.authority}/{tenant or self.sandbox.tenant}{path}?{urllib.parse.urlencode(given)}"

    def returned(self, url: str, user: str = "ada", decision: str = "accept") -> dict[str, str]:
        """What comes back to the app after a visitor has walked through the pages."""
        return query_of(self.sandbox.consent(url, user, decision))

    def redeem(self, code: str, **fields: str | None) -> Reply:
        """Posts a good request for a code's tokens with some fields changed."""
        form: dict[str, str | None] = {"code": code, "redirect_uri": CALLBACK, "scope": None}
        return self.ask_token(grant_type="authorization_code", **(form | fields))

    def signed_in(self, user: str = "ada", **fields: str | None) -> dict[str, Any]:
        """The token response of a person who has consented."""
        reply = self.redeem(self.returned(self.authorize_url(**fields), user)["code"])
        assert reply.status == 200, reply.body
        answer: dict[str, Any] = reply.json
        return answer

    def refresh(self, token: str, **fields: str | None) -> Reply:
        """Posts a good refresh with some fields changed."""
        form: dict[str, str | None] = {"refresh_token": token, "scope": None}
        return self.ask_token(grant_type="refresh_token", **(form | fields))

    def control(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        return self.send(method, f"{self.sandbox.authority}/sandbox/{path}", body, headers)

    def pages(self, path: str, query: str = "", name: str = "contoso") -> list[list[dict[str, Any]]]:
        """All pages of a list, following the links as they are."""
        pages = []
        reply = self.vault("GET", path, query=query, name=name)
        while True:
            assert reply.status == 200, reply.body
            pages.append(reply.json["value"])
            if reply.json["nextLink"] is None:
                return pages
            link = reply.json["nextLink"]
            reply = self.send("GET", link, headers={"Authorization": f"Bearer {self.token()}"})


def query_of(url: str) -> dict[str, str]:
    """The parameters of a redirect."""
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query, keep_blank_values=True))


@pytest.fixture
def start() -> Iterator[Callable[..., Sandbox]]:
    """Starts sandboxes that end with the test."""
    running: list[Sandbox] = []

    def start(**options: Any) -> Sandbox:
        running.append(Sandbox.start(**options))
        return running[-1]

    yield start
    for sandbox in running:
        sandbox.close()


@pytest.fixture
def sandbox(start: Callable[..., Sandbox]) -> Sandbox:
    return start(vaults={"contoso": 0, "fabrikam": 0})


@pytest.fixture
def client(sandbox: Sandbox) -> Client:
    return Client(sandbox)


@pytest.fixture(scope="session")
def new_client() -> Callable[[Sandbox], Client]:
    return Client
