"""Azure Key Vault keeps what the kit asks of every connector: a full vault is read, an empty one written."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from connectors.azure_key_vault import AzureKeyVault
from connectors.azure_key_vault.sandbox import Sandbox
from connectors.azure_key_vault.sandbox.arm.roles import OWNER
from connectors.connector import Access
from connectors.model import ApiType, Connection, Limits, ReadOptions, Record, WriteOptions
from connectors.rest import Call
from connectors.testing.conformance import ConnectorConformance, Subject
from iclients.clock import SystemClock
from iclients.clouds import CloudProfile
from iclients.credentials import ClientSecret
from iclients.grants import Grants
from iclients.model import IClient, Token
from iclients.providers.entra import Entra
from iclients.secret import Secret
from iclients.session import AuthorizedSession
from iclients.tokens import TokensInMemory
from iclients.transport import Transport

SECRETS = 80


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": 0, "fabrikam": 0}) as sandbox:
        for number in range(SECRETS):
            sandbox.vault("contoso").put(f"name-{number}", f"pl4nted {number}", tags={"number": str(number)})
        yield sandbox


@pytest.fixture
def transport(sandbox: Sandbox) -> Iterator[Transport]:
    transport = Transport(sandbox.ca_file)
    yield transport
    transport.close()


class TestReadingAVault(ConnectorConformance):
    @pytest.fixture
    def subject(self, sandbox: Sandbox, transport: Transport) -> Subject:
        connector = _connect(sandbox, transport, "contoso")
        source = connector.source("secrets", ReadOptions(True))
        return Subject(
            connector=connector,
            planted=["pl4nted"],
            resource_to_read="secrets",
            expected_records=SECRETS,
            failures={
                "a secret that has gone": lambda: source.read(Record("gone", {"name": "gone", "enabled": True})),
                "a disabled secret": lambda: source.read(Record("off", {"name": "off", "enabled": False})),
                "a right that is missing": lambda: _without_right(sandbox, connector),
                "a vault of another cloud": lambda: _connect(sandbox, transport, "contoso", vault="https://v.test"),
            },
        )


class TestReadingKeys(ConnectorConformance):
    @pytest.fixture
    def subject(self, sandbox: Sandbox, transport: Transport) -> Subject:
        connector = _connect(sandbox, transport, "contoso")
        for number in range(30):
            connector.act("create_key", {"keyName": f"key-{number}", "keyType": "EC"})
        return _read_only(sandbox, connector, "keys", 30, ReadOptions(True))


class TestReadingCertificates(ConnectorConformance):
    @pytest.fixture
    def subject(self, sandbox: Sandbox, transport: Transport) -> Subject:
        connector = _connect(sandbox, transport, "contoso")
        for number in range(3):
            _certificate(connector, f"certificate-{number}")
        return _read_only(sandbox, connector, "certificates", 3, ReadOptions(True))


class TestReadingDeletedSecrets(ConnectorConformance):
    @pytest.fixture
    def subject(self, sandbox: Sandbox, transport: Transport) -> Subject:
        for number in range(60):
            sandbox.vault("contoso").delete(f"name-{number}")
        return _read_only(sandbox, _connect(sandbox, transport, "contoso"), "deleted_secrets", 60, ReadOptions())


class TestReadingVaults(ConnectorConformance):
    @pytest.fixture
    def subject(self, sandbox: Sandbox, transport: Transport) -> Subject:
        return _read_only(sandbox, _control(sandbox, transport), "vaults", 2, ReadOptions())


class TestReadingAccessPolicies(ConnectorConformance):
    @pytest.fixture
    def subject(self, sandbox: Sandbox, transport: Transport) -> Subject:
        for vault in sandbox.cloud.vaults.values():
            entry = {"tenantId": sandbox.tenant, "permissions": {"secrets": ["get"]}}
            vault.properties["accessPolicies"] = [{**entry, "objectId": f"somebody-{number}"} for number in range(3)]
        return _read_only(sandbox, _control(sandbox, transport), "access_policies", 6, ReadOptions())


class TestReadingRoleAssignments(ConnectorConformance):
    @pytest.fixture
    def subject(self, sandbox: Sandbox, transport: Transport) -> Subject:
        for number in range(45):
            sandbox.cloud.assign(sandbox.cloud.path, f"somebody-{number}", OWNER)
        return _read_only(sandbox, _control(sandbox, transport), "role_assignments", 45, ReadOptions())


class TestReadingDeletedVaults(ConnectorConformance):
    @pytest.fixture
    def subject(self, sandbox: Sandbox, transport: Transport) -> Subject:
        connector = _control(sandbox, transport)
        place = sandbox.cloud.vault_path(sandbox.cloud.vaults["fabrikam"])
        connector._client.json(Call("delete", "DELETE", f"{sandbox.arm}{place}?api-version=2026-02-01"))
        return _read_only(sandbox, connector, "deleted_vaults", 1, ReadOptions())


class TestWritingAVault(ConnectorConformance):
    @pytest.fixture
    def subject(self, sandbox: Sandbox, transport: Transport) -> Subject:
        connector = _connect(sandbox, transport, "fabrikam")
        options = WriteOptions(fields=("name", "value", "tags"))
        return Subject(
            connector=connector,
            planted=["s4mple"],
            resource_to_write="secrets",
            write_options=options,
            samples=[_sample(number) for number in range(4)],
            snapshot=lambda: _contents(sandbox),
            failures={
                "a lone surrogate": lambda: connector.target("secrets", options).assess(
                    Record("x", {"name": "x", "value": Secret("s4mple\ud800")}), None
                ),
                "a value that is too large": lambda: connector.target("secrets", options).assess(
                    Record("x", {"name": "x", "value": Secret("s4mple" * 5_000)}), None
                ),
                "a field that nobody may write": lambda: connector.target("secrets", WriteOptions(fields=("id",))),
            },
        )


def _read_only(
    sandbox: Sandbox, connector: AzureKeyVault, resource: str, expected: int, options: ReadOptions
) -> Subject:
    return Subject(
        connector=connector,
        planted=[sandbox.client_secret],
        resource_to_read=resource,
        read_options=options,
        expected_records=expected,
        failures={"a target": lambda: connector.target(resource, WriteOptions())},
    )


def _certificate(connector: AzureKeyVault, name: str) -> None:
    policy = {"issuer": {"name": "Self"}, "x509_props": {"subject": f"CN={name}.test"}, "key_props": {"kty": "EC"}}
    connector._data_plane().certificates.create(name, {"policy": policy})  # not waited for: it is issued at once


def _control(sandbox: Sandbox, transport: Transport) -> AzureKeyVault:
    return _connect(sandbox, transport, "arm", api_type=ApiType.CONTROL)


def _connect(
    sandbox: Sandbox, transport: Transport, name: str, vault: str | None = None, api_type: ApiType = ApiType.DATA
) -> AzureKeyVault:
    clock = SystemClock()
    hosts = tuple(urlsplit(sandbox.vault_url(each)).netloc for each in sandbox.vaults)
    audiences = ("https://vault.azure.net", "https://management.azure.com")
    cloud = CloudProfile("lab", sandbox.authority, sandbox.arm, hosts, *audiences, sandbox.ca_file)
    secret = ClientSecret(Secret(sandbox.client_secret))
    iclient = IClient("app", "entra", sandbox.client_id, "lab", sandbox.tenant, secret)

    def session(scopes: Sequence[str]) -> AuthorizedSession:
        def acquire(old: Token | None, claims: str) -> Token:
            return Grants(iclient, Entra(), cloud, transport, clock).client_credentials(tuple(scopes))

        return AuthorizedSession(("app", tuple(scopes)), acquire, TokensInMemory(), clock)

    def fingerprint(data: bytes) -> str:
        return hmac.new(b"key", data, hashlib.sha256).hexdigest()

    settings = {"vault_url": vault or sandbox.vault_url(name)} if api_type == ApiType.DATA else {}
    limits = Limits(1_000_000, 10, 8)
    connection = Connection(name, "azure-key-vault", api_type, "client_credentials", "app", (), settings, limits)
    return AzureKeyVault(connection, Access(clock, fingerprint, Path(), cloud, transport, session))


def _without_right(sandbox: Sandbox, connector: AzureKeyVault) -> None:
    sandbox.vault("contoso").deny("get")
    connector.source("secrets", ReadOptions(True)).read(Record("name-1", {"name": "name-1", "enabled": True}))


def _contents(sandbox: Sandbox) -> dict[str, Any]:
    """Every version of every secret."""
    return {
        name: [(version.id, version.value, version.tags) for version in secret.versions]
        for name, secret in sandbox.vault("fabrikam").secrets.items()
    }


def _sample(number: int) -> Record:
    fields = {"name": f"Name-{number}", "value": Secret(f"s4mple {number}"), "tags": {"number": str(number)}}
    return Record(f"Name-{number}", fields)
