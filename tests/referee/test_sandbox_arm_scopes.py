"""Microsoft's management SDKs judge what the control plane says at each scope: roles, permissions, providers, resources."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.keyvault.keys import KeyClient, KeyType
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.subscription import SubscriptionClient

pytestmark = pytest.mark.referee

GROUP, VAULT, PROVIDER = "sandbox", "contoso", "Microsoft.KeyVault"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


@pytest.fixture
def roles(arm: Any) -> Any:
    return arm(AuthorizationManagementClient)


@pytest.fixture
def scope(sandbox: Any) -> str:
    return f"/subscriptions/{sandbox.subscription}/resourceGroups/{GROUP}/providers/{PROVIDER}/vaults/{VAULT}"


def wanted(sandbox: Any, role: str = READER) -> dict[str, Any]:
    definition = f"/subscriptions/{sandbox.subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    return {"properties": {"roleDefinitionId": definition, "principalId": str(uuid.uuid4()), "principalType": "User"}}


def test_a_role_is_read_by_its_id(roles, scope):
    found = roles.role_definitions.get(scope, READER)
    assert (found.role_name, found.role_type) == ("Reader", "BuiltInRole")
    assert roles.role_definitions.get_by_id(found.id).role_name == "Reader"
    with pytest.raises(HttpResponseError, match="RoleDefinitionDoesNotExist"):
        roles.role_definitions.get(scope, str(uuid.uuid4()))


def test_an_assignment_lives_by_its_whole_id(roles, scope, sandbox):
    one = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    made = roles.role_assignments.create_by_id(one, wanted(sandbox))
    assert roles.role_assignments.get_by_id(one).principal_id == made.principal_id
    assert roles.role_assignments.delete_by_id(one).name == made.name
    with pytest.raises(ResourceNotFoundError):
        roles.role_assignments.get_by_id(one)


def test_assignments_are_listed_by_vault_and_group(roles, scope, sandbox):
    made = roles.role_assignments.create(scope, str(uuid.uuid4()), wanted(sandbox))
    by_vault = roles.role_assignments.list_for_resource(GROUP, PROVIDER, "vaults", VAULT)
    assert made.name in {one.name for one in by_vault}
    with pytest.raises(ResourceNotFoundError, match="RoleAssignmentNotFound"):
        roles.role_assignments.get(scope, str(uuid.uuid4()))
    group = roles.role_assignments.list_for_resource_group(GROUP)
    assert all(isinstance(one.scope, str) for one in group)


def test_an_assignment_that_cannot_be_is_refused(roles, scope, sandbox):
    with pytest.raises(HttpResponseError, match="InvalidRoleAssignmentId"):
        roles.role_assignments.create(scope, "no-guid", wanted(sandbox))
    with pytest.raises(HttpResponseError, match="RoleDefinitionDoesNotExist"):
        roles.role_assignments.create(scope, str(uuid.uuid4()), wanted(sandbox, str(uuid.uuid4())))


def test_permissions_are_told_for_a_vault_and_a_group(roles):
    at_vault = list(roles.permissions.list_for_resource(GROUP, PROVIDER, "", "vaults", VAULT))
    assert at_vault[0].actions
    assert next(iter(roles.permissions.list_for_resource_group(GROUP))).actions


def test_registering_the_provider_again_changes_nothing(arm):
    assert arm(ResourceManagementClient).providers.register(PROVIDER).registration_state == "Registered"


def test_what_the_control_plane_has_not_is_not_found(arm, sandbox):
    with pytest.raises(ResourceNotFoundError, match="ResourceGroupNotFound"):
        arm(KeyVaultManagementClient).vaults.get("nowhere", VAULT)
    with pytest.raises(ResourceNotFoundError, match="ResourceGroupNotFound"):
        arm(ResourceManagementClient).resource_groups.begin_delete("nowhere").result()
    with pytest.raises(HttpResponseError, match="SubscriptionNotFound"):
        list(arm(SubscriptionClient).subscriptions.list_locations(str(uuid.uuid4())))


@pytest.mark.parametrize("status", [400, 409, 500, 503])
def test_a_planted_failure_has_the_shape_that_the_sdk_reads(arm, sandbox, status):
    sandbox.faults.add(str(status), host="arm", every=1)
    with pytest.raises(HttpResponseError) as refused:
        arm(KeyVaultManagementClient, retry_total=0).vaults.get(GROUP, VAULT)
    assert refused.value.status_code == status
    assert refused.value.error.code


def test_a_token_that_was_revoked_opens_no_control_plane(arm, sandbox):
    client = arm(ResourceManagementClient)
    client.resource_groups.get(GROUP)
    sandbox.faults.add("401", host="arm", every=1)
    with pytest.raises(ClientAuthenticationError):
        client.resource_groups.get(GROUP)


def test_a_key_of_any_type_is_made_by_one_call(data, sandbox):
    keys = data(KeyClient, sandbox.vault_url(VAULT))
    assert keys.create_key("k", KeyType.ec).key_type == "EC"
    assert keys.create_key("r", KeyType.rsa, size=3072).key_type == "RSA"
    with pytest.raises(HttpResponseError):
        keys.create_key("o", KeyType.oct)
