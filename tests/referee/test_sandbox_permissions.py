"""Microsoft's authorization SDK judges what the sandbox says of the caller's own permissions."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.authorization import AuthorizationManagementClient

from connectors.azure_key_vault.sandbox.arm.roles import ROLES, Role

pytestmark = pytest.mark.referee

GROUP = "sandbox"
BY_NAME = {role.name: role for role in ROLES.values()}


@pytest.fixture
def other(sandbox: Any) -> Any:
    """Another app, which has nothing here."""
    sandbox.cloud.enforce(sandbox.application.principal(sandbox.tenant))
    return sandbox.entra.register("another app")


def assign(sandbox: Any, who: Any, role: Role, scope: str = "") -> None:
    sandbox.cloud.assign(f"{sandbox.cloud.path}{scope}", who.principal(sandbox.tenant), role)


def in_group(client: Any) -> list[Any]:
    return list(client.permissions.list_for_resource_group(GROUP))


def of_vault(client: Any, name: str = "contoso") -> list[Any]:
    return list(client.permissions.list_for_resource(GROUP, "Microsoft.KeyVault", "", "vaults", name))


def test_everything_is_allowed_until_roles_count(arm, sandbox):
    [one] = in_group(arm(AuthorizationManagementClient))
    assert (one.actions, one.not_actions) == (["*"], [])


def test_each_role_of_the_caller_is_an_item(arm, sandbox, other):
    assign(sandbox, other, BY_NAME["Reader"])
    assign(sandbox, other, BY_NAME["Key Vault Contributor"], f"/resourceGroups/{GROUP}")
    assign(sandbox, sandbox.application, BY_NAME["Owner"])
    found = in_group(arm(AuthorizationManagementClient, other))
    contributor = BY_NAME["Key Vault Contributor"]
    assert sorted((tuple(one.actions), tuple(one.not_actions)) for one in found) == sorted(
        [(("*/read",), ()), (tuple(contributor.actions), tuple(contributor.not_actions))]
    )


def test_a_role_on_a_vault_shows_there_alone_with_its_data_actions(arm, sandbox, other):
    assign(sandbox, other, BY_NAME["Reader"])
    place = sandbox.cloud.vault_path(sandbox.cloud.vaults["contoso"]).removeprefix(sandbox.cloud.path)
    assign(sandbox, other, BY_NAME["Key Vault Secrets User"], place)
    client = arm(AuthorizationManagementClient, other)
    assert [one.data_actions for one in of_vault(client) if one.data_actions] == [
        ["Microsoft.KeyVault/vaults/secrets/getSecret/action", "Microsoft.KeyVault/vaults/secrets/readMetadata/action"]
    ]
    assert [one.data_actions for one in of_vault(client, "fabrikam")] == [[]]
    assert [one.data_actions for one in in_group(client)] == [[]]


def test_who_has_no_role_may_not_ask(arm, sandbox, other):
    with pytest.raises(HttpResponseError, match=r"Microsoft\.Authorization/permissions/read") as refused:
        in_group(arm(AuthorizationManagementClient, other))
    assert refused.value.error.code == "AuthorizationFailed"


def test_another_subscription_is_not_found(arm, sandbox):
    client = arm(AuthorizationManagementClient)
    client._config.subscription_id = str(uuid.uuid4())
    with pytest.raises(HttpResponseError, match="SubscriptionNotFound"):
        in_group(client)
