"""Which operations of Microsoft's SDKs these tests call: `docs/sandbox.md` has the table, and it is true."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from azure.keyvault.administration import (
    KeyVaultAccessControlClient,
    KeyVaultBackupClient,
    KeyVaultSettingsClient,
)
from azure.keyvault.certificates import CertificateClient
from azure.keyvault.keys import KeyClient
from azure.keyvault.keys.crypto import CryptographyClient
from azure.keyvault.secrets import SecretClient
from azure.mgmt.keyvault.operations import (
    KeysOperations,
    PrivateEndpointConnectionsOperations,
    PrivateLinkResourcesOperations,
    SecretsOperations,
    VaultsOperations,
)

pytestmark = pytest.mark.referee

HERE = Path(__file__)
CLIENTS = (
    SecretClient,
    KeyClient,
    CryptographyClient,
    CertificateClient,
    VaultsOperations,
    SecretsOperations,
    KeysOperations,
    PrivateEndpointConnectionsOperations,
    PrivateLinkResourcesOperations,
    KeyVaultAccessControlClient,
    KeyVaultBackupClient,
    KeyVaultSettingsClient,
)
NO_CALLS = {"close", "send_request", "from_jwk"}
ROW = re.compile(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", re.MULTILINE)
FEWEST = 105


def operations(client: type[Any]) -> set[str]:
    return {name for name, _ in inspect.getmembers(client, callable) if not name.startswith("_")} - NO_CALLS


def named(cell: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", cell))


@pytest.fixture(scope="module")
def rows() -> dict[str, tuple[set[str], set[str]]]:
    text = (HERE.parents[2] / "docs" / "sandbox.md").read_text("utf-8")
    return {name: (named(called), named(left_out)) for name, called, left_out in ROW.findall(text)}


@pytest.mark.parametrize("client", CLIENTS)
def test_every_operation_stands_in_the_table_and_what_is_called_is_called(rows: Any, client: type[Any]) -> None:
    called, left_out = rows[client.__name__]
    assert called | left_out == operations(client)
    others = [one for one in HERE.parent.glob("test_sandbox_*.py") if one != HERE]
    source = "\n".join(one.read_text("utf-8") for one in others)
    assert {name for name in called if f".{name}(" not in source} == set()


def test_nearly_every_operation_is_called(rows: Any) -> None:
    assert sum(len(called) for called, _ in rows.values()) >= FEWEST
