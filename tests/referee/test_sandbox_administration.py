"""azure-keyvault-administration against a vault: roles, backups and settings at the vault's own address are managed HSMs' alone.

Nothing of it applies to vaults. It must fail in a right way: after the challenge, with 404, and without harm.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.keyvault.administration import (
    KeyVaultAccessControlClient,
    KeyVaultBackupClient,
    KeyVaultRoleScope,
    KeyVaultSetting,
    KeyVaultSettingsClient,
)
from azure.keyvault.secrets import SecretClient

pytestmark = pytest.mark.referee

EVERYWHERE = KeyVaultRoleScope.GLOBAL
BLOB = "https://store.blob.core.windows.net/backups"
CALLS: dict[str, Callable[[Any], Any]] = {
    "list_role_definitions": lambda client: [*client.list_role_definitions(EVERYWHERE)],
    "get_role_definition": lambda client: client.get_role_definition(EVERYWHERE, "d"),
    "set_role_definition": lambda client: client.set_role_definition(EVERYWHERE, role_name="mine"),
    "list_role_assignments": lambda client: [*client.list_role_assignments(EVERYWHERE)],
    "get_role_assignment": lambda client: client.get_role_assignment(EVERYWHERE, "a"),
    "create_role_assignment": lambda client: client.create_role_assignment(EVERYWHERE, "d", "p"),
    "begin_backup": lambda client: client.begin_backup(BLOB, "sas").result(),
    "begin_restore": lambda client: client.begin_restore(f"{BLOB}/one", "sas").result(),
    "begin_pre_backup": lambda client: client.begin_pre_backup(BLOB, sas_token="sas").result(),
    "begin_pre_restore": lambda client: client.begin_pre_restore(f"{BLOB}/one", sas_token="sas").result(),
    "list_settings": lambda client: client.list_settings(),
    "get_setting": lambda client: client.get_setting("AllowKeyManagementOperationsThroughARM"),
    "update_setting": lambda client: client.update_setting(KeyVaultSetting("AllowKeyManagement", "true")),
}
SILENT: dict[str, Callable[[Any], Any]] = {
    "delete_role_definition": lambda client: client.delete_role_definition(EVERYWHERE, "x"),
    "delete_role_assignment": lambda client: client.delete_role_assignment(EVERYWHERE, "x"),
}
"""Which the SDK takes for done where there is nothing."""
CLIENTS = (KeyVaultAccessControlClient, KeyVaultBackupClient, KeyVaultSettingsClient)


@pytest.fixture
def client_with(sandbox: Any, data: Any) -> Callable[[str], Any]:
    def make(operation: str) -> Any:
        kind = next(one for one in CLIENTS if hasattr(one, operation))
        return data(kind, sandbox.vault_url("contoso"))

    return make


def test_every_operation_is_tried() -> None:
    found = {name for one in CLIENTS for name, _ in inspect.getmembers(one, callable) if not name.startswith("_")}
    assert found - {"close", "send_request"} == {*CALLS, *SILENT}


@pytest.mark.parametrize("operation", CALLS)
def test_what_managed_hsms_alone_have_is_not_found_in_a_vault(client_with, sandbox, operation):
    with pytest.raises(ResourceNotFoundError) as refused:
        CALLS[operation](client_with(operation))
    assert refused.value.status_code == 404
    assert sandbox.vault("contoso").calls["challenge"] == 1


@pytest.mark.parametrize("operation", SILENT)
def test_deleting_what_no_vault_has_deletes_nothing(client_with, sandbox, operation):
    before = {**sandbox.cloud.assignments}
    assert SILENT[operation](client_with(operation)) is None
    assert sandbox.cloud.assignments == before
    assert sandbox.vault("contoso").calls["other"] == 1


def test_the_vault_goes_on_after_that(client_with, sandbox, data):
    with pytest.raises(ResourceNotFoundError):
        client_with("list_settings").list_settings()
    assert data(SecretClient, sandbox.vault_url("contoso")).set_secret("db", "v").value == "v"
