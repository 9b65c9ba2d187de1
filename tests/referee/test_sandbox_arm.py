"""Microsoft's management SDKs judge the sandbox's control plane: the life of vaults, policies, roles, networks."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.keyvault.keys import KeyClient
from azure.keyvault.secrets import SecretClient
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.subscription import SubscriptionClient

from connectors.azure_key_vault.sandbox.arm.roles import ROLES

pytestmark = pytest.mark.referee

GROUP = "sandbox"
ROLE_IDS = {role.name: role.id for role in ROLES.values()}


@pytest.fixture
def vaults(arm: Any) -> Any:
    return arm(KeyVaultManagementClient).vaults


def wanted(sandbox: Any, location: str = "eastus", tags: Any = None, **properties: Any) -> dict[str, Any]:
    told = {"tenantId": sandbox.tenant, "sku": {"family": "A", "name": "standard"}, "accessPolicies": []}
    return {"location": location, "tags": tags or {}, "properties": {**told, **properties}}


def made(vaults: Any, sandbox: Any, name: str = "newvault", **more: Any) -> Any:
    return vaults.begin_create_or_update(GROUP, name, wanted(sandbox, **more)).result()


def policy(sandbox: Any, who: str, **permissions: list[str]) -> dict[str, Any]:
    return {"tenantId": sandbox.tenant, "objectId": who, "permissions": permissions}


def properties(*policies: dict[str, Any]) -> dict[str, Any]:
    return {"properties": {"accessPolicies": list(policies)}}


def test_subscriptions_tenants_and_locations_are_listed(arm, sandbox):
    client = arm(SubscriptionClient)
    assert [one.subscription_id for one in client.subscriptions.list()] == [sandbox.subscription]
    assert client.subscriptions.get(sandbox.subscription).display_name == "Sandbox"
    assert [one.tenant_id for one in client.tenants.list()] == [sandbox.tenant]
    assert "eastus" in {one.name for one in client.subscriptions.list_locations(sandbox.subscription)}


def test_an_unknown_subscription_is_not_found(arm):
    with pytest.raises(HttpResponseError, match="SubscriptionNotFound"):
        arm(SubscriptionClient).subscriptions.get(str(uuid.uuid4()))


def test_groups_are_made_listed_and_deleted(arm):
    groups = arm(ResourceManagementClient).resource_groups
    assert not groups.check_existence("another")
    group = groups.create_or_update("another", {"location": "West Europe", "tags": {"a": "b"}})
    assert (group.location, group.properties.provisioning_state) == ("westeurope", "Succeeded")
    assert groups.check_existence("ANOTHER")
    assert {one.name for one in groups.list()} == {GROUP, "another"}
    assert groups.get("another").tags == {"a": "b"}
    with pytest.raises(HttpResponseError, match="InvalidResourceGroupLocation"):
        groups.create_or_update("another", {"location": "eastus"})
    groups.begin_delete("another").result()
    with pytest.raises(ResourceNotFoundError, match="ResourceGroupNotFound"):
        groups.get("another")


def test_a_group_with_vaults_is_not_deleted(arm):
    with pytest.raises(HttpResponseError, match="contoso"):
        arm(ResourceManagementClient).resource_groups.begin_delete(GROUP).result()


def test_the_provider_is_registered(arm):
    provider = arm(ResourceManagementClient).providers.get("Microsoft.KeyVault")
    assert provider.registration_state == "Registered"


def test_the_vaults_that_are_there_from_the_start_are_listed(vaults, arm, sandbox):
    names = ["contoso", "fabrikam"]
    assert [one.name for one in vaults.list_by_subscription()] == names
    assert [one.name for one in vaults.list_by_resource_group(GROUP)] == names
    assert [one.name for one in vaults.list()] == names
    assert vaults.get(GROUP, "Contoso").properties.vault_uri == f"{sandbox.vault_url('contoso')}/"


def test_many_vaults_come_in_pages(vaults, sandbox):
    for number in range(25):
        made(vaults, sandbox, f"vault{number:02}")
    assert len([*vaults.list_by_subscription()]) == 27
    assert len([*vaults.list_by_subscription(top=3)]) == 27


def test_a_vault_is_made_and_used(vaults, sandbox, data):
    sandbox.cloud.register_seconds = 0.05
    poller = vaults.begin_create_or_update(GROUP, "NewVault", wanted(sandbox, tags={"a": "b"}))
    vault = poller.result()
    assert (vault.name, vault.location, vault.tags) == ("NewVault", "eastus", {"a": "b"})
    told = vault.properties
    assert (told.provisioning_state, told.enable_soft_delete, told.soft_delete_retention_in_days) == (
        "Succeeded",
        True,
        90,
    )
    assert told.enable_rbac_authorization is True
    assert told.enable_purge_protection is None
    assert vault.system_data.created_by == sandbox.client_id
    data(SecretClient, told.vault_uri).set_secret("s", "1")
    assert sandbox.vault("NewVault").value("s") == "1"


def test_a_new_vault_registers_its_name_first(vaults, sandbox):
    sandbox.cloud.register_seconds = 60
    vaults.begin_create_or_update(GROUP, "newvault", wanted(sandbox), polling=False)
    assert vaults.get(GROUP, "newvault").properties.provisioning_state == "RegisteringDns"
    sandbox.clock.advance(61)
    assert vaults.get(GROUP, "newvault").properties.provisioning_state == "Succeeded"


def test_older_versions_made_vaults_with_policies(arm, sandbox):
    old = arm(KeyVaultManagementClient, api_version="2023-07-01").vaults
    assert (
        old.begin_create_or_update(GROUP, "newvault", wanted(sandbox)).result().properties.enable_rbac_authorization
        is False
    )


@pytest.mark.parametrize("name", ["ab", "1vault", "double--dash", "ends-", "x" * 25, "under_score"])
def test_a_name_that_breaks_the_rule_is_refused(vaults, sandbox, name):
    with pytest.raises((HttpResponseError, ValueError), match=r"VaultNameNotValid|pattern|length|Value"):
        made(vaults, sandbox, name)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"enableSoftDelete": False}, "enableSoftDelete"),
        ({"enablePurgeProtection": False}, "irreversible"),
        ({"softDeleteRetentionInDays": 6}, "between 7 and 90"),
        ({"softDeleteRetentionInDays": 91}, "between 7 and 90"),
        ({"tenantId": str(uuid.uuid4())}, "tenant"),
        ({"sku": {"family": "A", "name": "gold"}}, "sku"),
        ({"publicNetworkAccess": "Perhaps"}, "publicNetworkAccess"),
        ({"networkAcls": {"bypass": "None", "defaultAction": "Deny", "ipRules": [{"value": "here"}]}}, "ipRules"),
        ({"accessPolicies": [{"tenantId": "x", "objectId": "y", "permissions": {}}]}, "GUID"),
    ],
)
def test_what_a_vault_cannot_be_is_refused(vaults, sandbox, told, words):
    with pytest.raises(HttpResponseError, match=words) as refused:
        made(vaults, sandbox, **told)
    assert refused.value.status_code == 400
    assert "newvault" not in sandbox.vaults


def test_a_vault_is_changed_and_its_data_plane_follows(vaults, sandbox, data):
    secrets = data(SecretClient, sandbox.vault_url("contoso"))
    secrets.set_secret("s", "1")
    vaults.update(GROUP, "contoso", {"tags": {"a": "b"}, "properties": {"publicNetworkAccess": "Disabled"}})
    with pytest.raises(HttpResponseError) as refused:
        secrets.get_secret("s")
    assert refused.value.error.innererror["code"] == "ForbiddenByConnection"
    closed = {"bypass": "None", "defaultAction": "Deny", "ipRules": [{"value": "203.0.113.0/24"}]}
    vaults.update(GROUP, "contoso", {"properties": {"publicNetworkAccess": "Enabled", "networkAcls": closed}})
    with pytest.raises(HttpResponseError) as refused:
        secrets.get_secret("s")
    assert refused.value.error.innererror["code"] == "ForbiddenByFirewall"
    opened = {**closed, "ipRules": [{"value": "127.0.0.0/8"}]}
    changed = vaults.update(GROUP, "contoso", {"properties": {"networkAcls": opened}})
    assert secrets.get_secret("s").value == "1"
    assert changed.properties.network_acls.ip_rules[0].value == "127.0.0.0/8"
    assert vaults.get(GROUP, "contoso").tags == {"a": "b"}


def test_retention_and_purge_protection_stay_as_they_are(vaults, sandbox):
    made(vaults, sandbox, softDeleteRetentionInDays=7, enablePurgeProtection=True)
    with pytest.raises(HttpResponseError, match="has been set already"):
        vaults.update(GROUP, "newvault", {"properties": {"softDeleteRetentionInDays": 30}})
    with pytest.raises(HttpResponseError, match="irreversible"):
        vaults.update(GROUP, "newvault", {"properties": {"enablePurgeProtection": False}})
    assert sandbox.vault("newvault").recovery_level == "CustomizedRecoverable"


def test_a_put_that_leaves_the_policies_out_takes_them_away(vaults, sandbox):
    who = str(uuid.uuid4())
    vaults.update_access_policy(GROUP, "contoso", "add", properties(policy(sandbox, who, secrets=["get"])))
    made(vaults, sandbox, "contoso")
    assert vaults.get(GROUP, "contoso").properties.access_policies == []


def test_a_vault_is_deleted_recovered_and_purged(vaults, sandbox, data):
    vault = made(vaults, sandbox, tags={"a": "b"})
    secrets = data(SecretClient, vault.properties.vault_uri)
    secrets.set_secret("s", "1")
    vaults.delete(GROUP, "newvault")
    with pytest.raises(ResourceNotFoundError, match="ResourceNotFound"):
        vaults.get(GROUP, "newvault")
    with pytest.raises(ResourceNotFoundError):
        secrets.get_secret("s")
    gone = vaults.get_deleted("newvault", "eastus")
    assert gone.properties.vault_id.lower() == vault.id.lower()
    assert (gone.properties.scheduled_purge_date - gone.properties.deletion_date).days == 90
    assert gone.properties.tags == {"a": "b"}
    assert [one.name for one in vaults.list_deleted()] == ["newvault"]
    with pytest.raises(HttpResponseError, match="recover or purge"):
        made(vaults, sandbox)
    made(vaults, sandbox, createMode="recover")
    assert secrets.get_secret("s").value == "1"
    vaults.delete(GROUP, "newvault")
    sandbox.cloud.register_seconds = 0.05
    vaults.begin_purge_deleted("newvault", "eastus").result()
    with pytest.raises(ResourceNotFoundError, match="DeletedVaultNotFound"):
        vaults.get_deleted("newvault", "eastus")
    with pytest.raises(HttpResponseError, match="DeletedVaultNotFound"):
        made(vaults, sandbox, createMode="recover")


def test_a_vault_that_was_purged_begins_empty(vaults, sandbox, data):
    data(SecretClient, made(vaults, sandbox).properties.vault_uri).set_secret("s", "1")
    vaults.delete(GROUP, "newvault")
    vaults.begin_purge_deleted("newvault", "eastus").result()
    with pytest.raises(ResourceNotFoundError):
        data(SecretClient, made(vaults, sandbox).properties.vault_uri).get_secret("s")


def test_purge_protection_keeps_a_deleted_vault(vaults, sandbox):
    made(vaults, sandbox, enablePurgeProtection=True)
    vaults.delete(GROUP, "newvault")
    assert vaults.get_deleted("newvault", "eastus").properties.purge_protection_enabled
    with pytest.raises(HttpResponseError, match="DeletedVaultPurge"):
        vaults.begin_purge_deleted("newvault", "eastus").result()


def test_a_deleted_vault_goes_by_itself_at_last(vaults, sandbox):
    sandbox.entra.policy.change({"access_token_seconds": 30 * 86_400})
    made(vaults, sandbox, softDeleteRetentionInDays=7)
    vaults.delete(GROUP, "newvault")
    sandbox.clock.advance(7 * 86_400 + 1)
    assert [*vaults.list_deleted()] == []


def test_deleting_what_is_not_there_is_no_error(vaults):
    vaults.delete(GROUP, "nothing")


@pytest.mark.parametrize(
    ("name", "reason"), [("contoso", "AlreadyExists"), ("no--good", "AccountNameInvalid"), ("freename", None)]
)
def test_a_name_is_checked(vaults, name, reason):
    found = vaults.check_name_availability({"name": name, "type": "Microsoft.KeyVault/vaults"})
    assert (found.name_available, found.reason) == (reason is None, reason)


def test_the_name_of_a_deleted_vault_stays_taken(vaults, sandbox):
    made(vaults, sandbox)
    vaults.delete(GROUP, "newvault")
    found = vaults.check_name_availability({"name": "newvault", "type": "Microsoft.KeyVault/vaults"})
    assert not found.name_available


def test_policies_are_added_replaced_and_removed(vaults, sandbox):
    who, other = str(uuid.uuid4()), str(uuid.uuid4())

    def change(kind: str, *policies: dict[str, Any]) -> dict[str, list[str]]:
        told = vaults.update_access_policy(GROUP, "contoso", kind, properties(*policies)).properties.access_policies
        return {one.object_id: sorted(one.permissions.secrets or []) for one in told}

    assert change("add", policy(sandbox, who, secrets=["get"]), policy(sandbox, other, secrets=["list"])) == {
        who: ["get"],
        other: ["list"],
    }
    assert change("add", policy(sandbox, who, secrets=["Get", "set"]))[who] == ["get", "set"]
    assert change("replace", policy(sandbox, who, secrets=["delete"])) == {who: ["delete"], other: ["list"]}
    assert change("remove", policy(sandbox, other, secrets=["list"])) == {who: ["delete"]}


def test_a_permission_that_is_none_is_refused(vaults, sandbox):
    with pytest.raises(HttpResponseError, match="fly is no permission for secrets"):
        told = properties(policy(sandbox, str(uuid.uuid4()), secrets=["fly"]))
        vaults.update_access_policy(GROUP, "contoso", "add", told)


@pytest.fixture
def other(sandbox: Any) -> Any:
    """Another app, which has nothing here, once everybody needs a role."""
    sandbox.cloud.enforce(sandbox.application.principal(sandbox.tenant))
    return sandbox.entra.register("another app")


def assign(arm: Any, sandbox: Any, who: Any, role: str, scope: str) -> Any:
    told = {
        "properties": {
            "roleDefinitionId": f"/subscriptions/{sandbox.subscription}/providers/Microsoft.Authorization/roleDefinitions/{ROLE_IDS[role]}",
            "principalId": who.principal(sandbox.tenant),
            "principalType": "ServicePrincipal",
        }
    }
    return arm(AuthorizationManagementClient).role_assignments.create(scope, str(uuid.uuid4()), told)


def place(sandbox: Any, rest: str = "") -> str:
    return f"/subscriptions/{sandbox.subscription}/resourceGroups/{GROUP}/providers/Microsoft.KeyVault/vaults/contoso{rest}"


def test_without_a_role_nothing_is_allowed(arm, vaults, sandbox, data, other):
    with pytest.raises(HttpResponseError, match=r"Microsoft\.KeyVault/vaults/read") as refused:
        arm(KeyVaultManagementClient, other).vaults.get(GROUP, "contoso")
    assert refused.value.error.code == "AuthorizationFailed"
    with pytest.raises(HttpResponseError, match="getSecret/action") as refused:
        data(SecretClient, sandbox.vault_url("contoso"), other).get_secret("s")
    assert refused.value.error.innererror["code"] == "ForbiddenByRbac"
    assert vaults.get(GROUP, "contoso").name == "contoso"


def test_owners_do_not_read_secrets(arm, sandbox, data, other):
    assign(arm, sandbox, other, "Owner", f"/subscriptions/{sandbox.subscription}")
    assert arm(KeyVaultManagementClient, other).vaults.get(GROUP, "contoso").name == "contoso"
    with pytest.raises(HttpResponseError, match="getSecret/action"):
        data(SecretClient, sandbox.vault_url("contoso"), other).get_secret("s")


@pytest.mark.parametrize(
    ("role", "reads", "writes", "signs"),
    [
        ("Key Vault Administrator", True, True, True),
        ("Key Vault Secrets Officer", True, True, False),
        ("Key Vault Secrets User", True, False, False),
        ("Key Vault Reader", False, False, False),
        ("Key Vault Crypto User", False, False, True),
        ("Key Vault Crypto Officer", False, False, True),
        ("Key Vault Certificate User", True, False, False),
    ],
)
def test_a_role_allows_what_is_published(arm, sandbox, data, other, role, reads, writes, signs):
    sandbox.vault("contoso").put("s", "1")
    data(KeyClient, sandbox.vault_url("contoso")).create_ec_key("k")
    assign(arm, sandbox, other, role, place(sandbox))
    secrets, keys = (data(kind, sandbox.vault_url("contoso"), other) for kind in (SecretClient, KeyClient))
    crypto = keys.get_cryptography_client("k")
    for allowed, ask in [(reads, lambda: secrets.get_secret("s")), (writes, lambda: secrets.set_secret("t", "2")),
                         (signs, lambda: crypto.sign("ES256", b"x" * 32))]:  # fmt: skip
        if allowed:
            ask()
        else:
            with pytest.raises(HttpResponseError):
                ask()


def test_a_role_on_one_secret_opens_no_other(arm, sandbox, data, other):
    for name in ("mine", "yours"):
        sandbox.vault("contoso").put(name, "1")
    assign(arm, sandbox, other, "Key Vault Secrets User", place(sandbox, "/secrets/mine"))
    secrets = data(SecretClient, sandbox.vault_url("contoso"), other)
    assert secrets.get_secret("mine").value == "1"
    with pytest.raises(HttpResponseError):
        secrets.get_secret("yours")
    with pytest.raises(HttpResponseError):
        [*secrets.list_properties_of_secrets()]


def test_a_role_takes_a_while(arm, sandbox, data, other):
    sandbox.vault("contoso").put("s", "1")
    sandbox.cloud.propagation_seconds = 300
    assign(arm, sandbox, other, "Key Vault Secrets User", place(sandbox))
    secrets = data(SecretClient, sandbox.vault_url("contoso"), other)
    with pytest.raises(HttpResponseError):
        secrets.get_secret("s")
    sandbox.clock.advance(301)
    assert secrets.get_secret("s").value == "1"


def test_with_policies_roles_count_for_nothing_and_the_other_way_round(arm, vaults, sandbox, data, other):
    sandbox.vault("contoso").put("s", "1")
    assign(arm, sandbox, other, "Key Vault Secrets User", place(sandbox))
    secrets = data(SecretClient, sandbox.vault_url("contoso"), other)
    vaults.update(GROUP, "contoso", {"properties": {"enableRbacAuthorization": False}})
    with pytest.raises(HttpResponseError, match="does not have secrets get permission"):
        secrets.get_secret("s")
    told = properties(policy(sandbox, other.principal(sandbox.tenant), secrets=["all"]))
    vaults.update_access_policy(GROUP, "contoso", "add", told)
    assert secrets.get_secret("s").value == "1"
    vaults.update(GROUP, "contoso", {"properties": {"enableRbacAuthorization": True}})
    assert secrets.get_secret("s").value == "1"


def test_contributors_do_not_purge_vaults_and_purge_operators_do(arm, vaults, sandbox, other):
    made(vaults, sandbox)
    vaults.delete(GROUP, "newvault")
    assign(arm, sandbox, other, "Key Vault Contributor", f"/subscriptions/{sandbox.subscription}")
    theirs = arm(KeyVaultManagementClient, other).vaults
    with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
        theirs.begin_purge_deleted("newvault", "eastus")
    assign(arm, sandbox, other, "Key Vault Purge Operator", f"/subscriptions/{sandbox.subscription}")
    theirs.begin_purge_deleted("newvault", "eastus").result()


def test_assignments_are_listed_and_taken_away(arm, sandbox, other):
    client = arm(AuthorizationManagementClient).role_assignments
    one = assign(arm, sandbox, other, "Key Vault Secrets User", place(sandbox))
    who = other.principal(sandbox.tenant)
    assert [found.name for found in client.list_for_scope(place(sandbox), filter=f"principalId eq '{who}'")] == [
        one.name
    ]
    assert one.name in {found.name for found in client.list_for_subscription()}
    assert one.name not in {
        found.name for found in client.list_for_scope(f"/subscriptions/{sandbox.subscription}", filter="atScope()")
    }
    assert client.get(place(sandbox), one.name).principal_id == who
    with pytest.raises(ResourceExistsError, match="RoleAssignmentExists"):
        assign(arm, sandbox, other, "Key Vault Secrets User", place(sandbox))
    client.delete(place(sandbox), one.name)
    assert client.delete(place(sandbox), one.name) is None
    with pytest.raises(ResourceNotFoundError):
        client.get(place(sandbox), one.name)


def test_role_definitions_are_found_by_name(arm, sandbox):
    client = arm(AuthorizationManagementClient).role_definitions
    (found,) = client.list(place(sandbox), filter="roleName eq 'Key Vault Secrets User'")
    assert found.name == ROLE_IDS["Key Vault Secrets User"]
    assert found.permissions[0].data_actions == [
        "Microsoft.KeyVault/vaults/secrets/getSecret/action",
        "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
    ]


def test_private_endpoints_are_approved_and_taken_away(arm, sandbox):
    client = arm(KeyVaultManagementClient)
    connections = client.private_endpoint_connections
    told = {"properties": {"privateLinkServiceConnectionState": {"status": "Approved", "description": "ours"}}}
    approved = connections.put(GROUP, "contoso", "one", told)
    assert approved.properties.private_link_service_connection_state.status == "Approved"
    assert [one.name for one in connections.list_by_resource(GROUP, "contoso")] == ["one"]
    assert connections.get(GROUP, "contoso", "one").properties.provisioning_state == "Succeeded"
    (link,) = client.private_link_resources.list_by_vault(GROUP, "contoso").value
    assert link.properties.required_zone_names == ["privatelink.vaultcore.azure.net"]
    connections.begin_delete(GROUP, "contoso", "one").result()
    with pytest.raises(ResourceNotFoundError):
        connections.get(GROUP, "contoso", "one")
    connections.put(GROUP, "contoso", "two", told)
    sandbox.cloud.register_seconds = 0.05
    connections.begin_delete(GROUP, "contoso", "two").result()
    assert [*connections.list_by_resource(GROUP, "contoso")] == []


def test_reads_beyond_the_bucket_are_throttled(sandbox, arm, monkeypatch):
    sandbox.throttle(True)
    moment = sandbox.clock.now()
    monkeypatch.setattr(sandbox.clock, "now", lambda: moment)
    impatient = arm(KeyVaultManagementClient, retry_total=0).vaults
    with pytest.raises(HttpResponseError) as refused:
        for _ in range(260):
            impatient.get(GROUP, "contoso")
    assert refused.value.status_code == 429
    moment += 10
    assert impatient.get(GROUP, "contoso").name == "contoso"


def test_a_wrong_secret_opens_nothing(arm, sandbox):
    sandbox.application.secrets[0].expires = 1
    with pytest.raises(ClientAuthenticationError):
        [*arm(KeyVaultManagementClient).vaults.list_by_subscription()]
