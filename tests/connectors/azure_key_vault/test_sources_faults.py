"""Every fault of the sandbox × every source and the connection's test, of both planes: what passes is waited out, the rest is told.

What is told is one sentence with a recovery, and holds nothing of what was read.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from vault_lab import Lab

from connectors.azure_key_vault import AzureKeyVault
from connectors.azure_key_vault.control.source import CONTROL_RESOURCES
from connectors.azure_key_vault.sandbox import Sandbox
from connectors.azure_key_vault.sandbox.arm.roles import ROLES
from connectors.errors import Forbidden, NotFound, Refused, Throttled, Unavailable
from connectors.model import ApiType, Connection, ReadOptions
from iclients.errors import MalformedAnswer, NotAuthorized, Recovery, RemoteError
from iclients.transport import Transport

CANARY = "c4nary-in-a-value"
DATA_RESOURCES = ("secrets", "keys", "certificates", "deleted_secrets")
RESOURCES = (*DATA_RESOURCES, *CONTROL_RESOURCES)
PASSING: dict[str, dict[str, Any]] = {
    "429 that says when": {"kind": "429", "retry_after": 1},
    "429 that does not": {"kind": "429"},
    "500": {"kind": "500"},
    "503": {"kind": "503", "retry_after": 2},
    "html": {"kind": "html"},
    "claims": {"kind": "claims"},
    "reset": {"kind": "reset"},
    "lost": {"kind": "lost"},
    "truncated": {"kind": "truncated"},
    "broken-json": {"kind": "broken-json"},
    "slow": {"kind": "slow", "seconds": 0.02},
    "stall": {"kind": "stall", "seconds": 20},
}
LASTING: dict[str, tuple[type[RemoteError], Recovery]] = {
    "400": (Refused, Recovery.SKIP),
    "403": (Forbidden, Recovery.SKIP),
    "404": (NotFound, Recovery.SKIP),
    "429": (Throttled, Recovery.RETRY),
    "500": (Unavailable, Recovery.RETRY),
    "503": (Unavailable, Recovery.RETRY),
    "html": (Unavailable, Recovery.RETRY),
    "claims": (NotAuthorized, Recovery.REAUTHORIZE),
    "broken-json": (MalformedAnswer, Recovery.RETRY),
    "reset": (RemoteError, Recovery.RETRY),
    "lost": (RemoteError, Recovery.RETRY),
    "truncated": (RemoteError, Recovery.RETRY),
}


@pytest.fixture(scope="module")
def filled() -> Iterator[Lab]:
    """One of everything that there is to read."""
    with Sandbox.start(vaults={"contoso": 0, "fabrikam": 0, "deleted": 0}) as sandbox:
        made = Lab(sandbox)
        act = made.connect().act
        for name in ("db", "gone"):
            act("create_secret", {"secretName": name, "value": CANARY})
        act("delete_secret", {"secretName": "gone"})
        act("create_key", {"keyName": "k", "keyType": "EC", "curve": "P-256"})
        policy = {
            "issuer": {"name": "Self"},
            "x509_props": {"subject": "CN=c"},
            "key_props": {"kty": "EC", "crv": "P-256"},
        }
        act("create_certificate", {"certificateName": "c", "policy": policy})
        cloud = sandbox.cloud
        cloud.assign(cloud.path, sandbox.application.object_id, next(iter(ROLES.values())))
        somebody = {
            "tenantId": sandbox.tenant,
            "objectId": sandbox.application.object_id,
            "permissions": {"secrets": ["get"]},
        }
        cloud.vaults["contoso"].properties["accessPolicies"] = [somebody]
        control(made)._client.json(_deletion(sandbox))
        yield made
        made.transport.close()


@pytest.fixture
def lab(filled: Lab) -> Iterator[Lab]:
    filled.sandbox.faults.clear()
    filled.transport.close()
    filled.transport = Transport(filled.sandbox.ca_file, deadline_seconds=0.5)
    yield filled
    filled.sandbox.faults.clear()


def _deletion(sandbox: Sandbox) -> Any:
    from connectors.rest import Call

    place = f"{sandbox.cloud.path}/resourceGroups/sandbox/providers/Microsoft.KeyVault/vaults/deleted"
    return Call("delete", "DELETE", f"{sandbox.arm}{place}?api-version=2026-02-01")


def control(lab: Lab) -> AzureKeyVault:
    told: Any = ("arm", "azure-key-vault", ApiType.CONTROL, "client_credentials", "app", (), {}, lab.limits)
    return AzureKeyVault(Connection(*told), lab.access())


def where(resource: str) -> str:
    return "contoso" if resource in DATA_RESOURCES else "arm"


def connector_of(lab: Lab, resource: str) -> AzureKeyVault:
    return lab.connect() if resource in DATA_RESOURCES else control(lab)


def read(lab: Lab, resource: str) -> list[dict[str, Any]]:
    """All records, each read whole where it is not left out."""
    source = connector_of(lab, resource).source(resource, ReadOptions(values=True))
    found: Any = [one for page in source.pages(None) for one in page.records]
    return [(one if one.left_out else source.read(one)).fields for one in found]


def check_told(error: RemoteError, recovery: Recovery) -> None:
    told = str(error)
    assert error.recovery is recovery
    assert told.endswith((".", "…"))
    assert "\n" not in told
    assert CANARY not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize("resource", RESOURCES)
def test_there_is_something_to_read(lab: Lab, resource: str) -> None:
    assert read(lab, resource)


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("resource", RESOURCES)
def test_a_source_reads_the_same_after_a_fault_that_passes(lab: Lab, resource: str, fault: str) -> None:
    expected = read(lab, resource)
    planted = lab.sandbox.faults.add(**PASSING[fault], host=where(resource), times=1)
    assert read(lab, resource) == expected
    assert planted.struck == 1


@pytest.mark.parametrize("fault", LASTING)
@pytest.mark.parametrize("resource", RESOURCES)
def test_a_source_tells_a_fault_that_lasts_and_reads_again_afterwards(lab: Lab, resource: str, fault: str) -> None:
    kind, recovery = LASTING[fault]
    planted = lab.sandbox.faults.add(fault, host=where(resource), every=1)
    with pytest.raises(kind) as failed:
        read(lab, resource)
    check_told(failed.value, recovery)
    assert planted.struck <= 8
    lab.sandbox.faults.clear()
    assert read(lab, resource)


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("plane", ["contoso", "arm"])
def test_a_connections_test_passes_after_a_fault_that_passes(lab: Lab, plane: str, fault: str) -> None:
    connector = lab.connect() if plane == "contoso" else control(lab)
    planted = lab.sandbox.faults.add(**PASSING[fault], host=plane, times=1)
    assert all(check.ok for check in connector.ping().checks)
    assert planted.struck == 1


@pytest.mark.parametrize("fault", LASTING)
@pytest.mark.parametrize("plane", ["contoso", "arm"])
def test_a_connections_test_tells_a_fault_that_lasts(lab: Lab, plane: str, fault: str) -> None:
    connector = lab.connect() if plane == "contoso" else control(lab)
    kind, recovery = LASTING[fault]
    lab.sandbox.faults.add(fault, host=plane, every=1)
    with pytest.raises(kind) as failed:
        connector.ping()
    check_told(failed.value, recovery)
    lab.sandbox.faults.clear()
    assert all(check.ok for check in connector.ping().checks)
