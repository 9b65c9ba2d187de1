"""Microsoft's own SDKs, pointed at the sandbox."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import ClientSecretCredential
from azure.identity.aio import ClientSecretCredential as AsyncClientSecretCredential
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient
from azure.mgmt.subscription import SubscriptionClient
from requests import Session
from requests.adapters import HTTPAdapter
from sdk_record import Record, missing, recording

from connectors.azure_key_vault.sandbox import Sandbox


@pytest.fixture(scope="session")
def sdk_records() -> Iterator[list[Record]]:
    """The record of the test that runs now is the last one; the SDKs are watched as long as there are tests."""
    records = [Record()]
    with recording(lambda: records[-1]):
        yield records


@pytest.fixture(autouse=True)
def sdk_record(request: pytest.FixtureRequest, sdk_records: list[Record]) -> Iterator[None]:
    """Asks each test for the operations and errors that `sdk_calls.json` says it holds."""
    failed_before = request.session.testsfailed
    sdk_records.append(Record())
    yield
    made = sdk_records.pop()
    if request.session.testsfailed == failed_before:
        assert missing(f"{request.path.stem}.{request.node.name}", made) == [], "not called, or not met"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": 0, "fabrikam": 0}) as sandbox:
        yield sandbox


@pytest.fixture
def new_client(sandbox: Sandbox) -> Iterator[Callable[..., SecretClient]]:
    """Makes a SecretClient that trusts the sandbox's CA and finds it by address (no domain check)."""
    opened: list[Any] = []

    def new(name: str = "contoso", *, tenant: str = "", secret: str = "", **options: Any) -> SecretClient:
        trust = {"connection_verify": str(sandbox.ca_file)}
        credential = ClientSecretCredential(
            tenant or sandbox.tenant,
            sandbox.client_id,
            secret or sandbox.client_secret,
            authority=sandbox.authority,
            disable_instance_discovery=True,
            **trust,
        )
        options = {"verify_challenge_resource": False, **trust, **options}
        client = SecretClient(sandbox.vault_url(name), credential, **options)
        opened.extend((client, credential))
        return client

    yield new
    for one in opened:
        one.close()


@pytest.fixture
def opened() -> Iterator[Callable[[Any], Any]]:
    """Closes credentials and clients at the end of the test."""
    held: list[Any] = []

    def hold(one: Any) -> Any:
        held.append(one)
        return one

    yield hold
    for one in held:
        one.close()


@pytest.fixture
def at_sandbox(sandbox: Sandbox) -> dict[str, Any]:
    """The options by which a credential finds the sandbox and trusts it."""
    trust = {"connection_verify": str(sandbox.ca_file)}
    return {"authority": sandbox.authority, "disable_instance_discovery": True, **trust}


@pytest.fixture
def read_secret(sandbox: Sandbox, opened: Callable[[Any], Any]) -> Callable[[Any], str]:
    """Reads a secret of the vault with a credential of azure-identity, or with the token in MSAL's answer."""
    sandbox.vault("contoso").put("s", "the value")

    def read(credential: Any) -> str:
        if isinstance(credential, dict):
            credential = Held(credential)
        options = {"verify_challenge_resource": False, "connection_verify": str(sandbox.ca_file)}
        client = opened(SecretClient(sandbox.vault_url("contoso"), credential, **options))
        return str(client.get_secret("s").value)

    return read


class Held:
    """A credential that has its token already."""

    def __init__(self, answer: dict[str, Any]) -> None:
        assert "access_token" in answer, answer
        self._token = AccessToken(answer["access_token"], int(time.time()) + answer["expires_in"])

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return self._token


@pytest.fixture
def client(new_client: Callable[..., SecretClient]) -> SecretClient:
    return new_client()


@pytest.fixture
def aio_client(sandbox: Sandbox) -> Callable[..., Any]:
    """Makes an asynchronous SecretClient, as a context manager."""

    @asynccontextmanager
    async def open_client(secret: str = "", **options: Any) -> AsyncIterator[AsyncSecretClient]:
        trust = {"connection_verify": str(sandbox.ca_file)}
        credential = AsyncClientSecretCredential(
            sandbox.tenant,
            sandbox.client_id,
            secret or sandbox.client_secret,
            authority=sandbox.authority,
            **trust,
        )
        options = {"verify_challenge_resource": False, **trust, **options}
        async with credential, AsyncSecretClient(sandbox.vault_url("contoso"), credential, **options) as client:
            yield client

    return open_client


@pytest.fixture
def credential_of(sandbox: Any, at_sandbox: dict[str, Any], opened: Callable[[Any], Any]) -> Callable[..., Any]:
    def make(application: Any = None) -> ClientSecretCredential:
        one = application or sandbox.application
        return opened(ClientSecretCredential(sandbox.tenant, one.client_id, one.secrets[0].value, **at_sandbox))

    return make


@pytest.fixture
def arm(sandbox: Any, credential_of: Any, opened: Any) -> Callable[..., Any]:
    """Makes a management client of a kind, for the sandbox's own app or another."""

    def make(kind: Any, application: Any = None, **more: Any) -> Any:
        options = {"base_url": sandbox.arm, "connection_verify": str(sandbox.ca_file), "polling_interval": 0.01}
        options["credential_scopes"] = [f"{sandbox.profile.arm_audience}/.default"]
        subscription = () if kind is SubscriptionClient else (sandbox.subscription,)
        return opened(kind(credential_of(application), *subscription, **{**options, **more}))

    return make


@pytest.fixture
def data(sandbox: Any, credential_of: Any, opened: Any) -> Callable[..., Any]:
    """Makes a data-plane client for a vault's address."""

    def make(kind: Any, url: str, application: Any = None) -> Any:
        options = {"verify_challenge_resource": False, "connection_verify": str(sandbox.ca_file), "retry_total": 0}
        return opened(kind(url, credential_of(application), **options))

    return make


class Redirected(HTTPAdapter):
    """Leaves every name as it is, and sends what it stands for to the sandbox's port."""

    def __init__(self, ports: dict[str, int]) -> None:
        super().__init__()
        self._ports = ports

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        where, tls = self.build_connection_pool_key_attributes(request, verify, cert)
        name = where["host"]
        where.update(host="127.0.0.1", port=self._ports[name])
        tls.update(assert_hostname=name, server_hostname=name)
        return self.poolmanager.connection_from_host(**where, pool_kwargs=tls)

    def send(self, request: Any, *positional: Any, **options: Any) -> Any:
        request.headers["Host"] = urlsplit(request.url).netloc
        return super().send(request, *positional, **options)


@pytest.fixture
def redirected(sandbox: Sandbox) -> Iterator[Callable[[dict[str, str]], RequestsTransport]]:
    """Makes transports that verify everything and reach the sandbox for the hosts that are given."""
    sessions: list[Session] = []

    def new(labels: dict[str, str]) -> RequestsTransport:
        session = Session()
        sessions.append(session)
        session.mount("https://", Redirected({host: sandbox.port(label) for host, label in labels.items()}))
        return RequestsTransport(session=session, session_owner=False, connection_verify=str(sandbox.ca_file))

    yield new
    for session in sessions:
        session.close()
