"""Microsoft's asynchronous management SDKs judge the control plane: policies, networks, objects, roles, groups."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity.aio import ClientSecretCredential
from azure.mgmt.authorization.aio import AuthorizationManagementClient
from azure.mgmt.keyvault.aio import KeyVaultManagementClient
from azure.mgmt.resource.resources.aio import ResourceManagementClient
from azure.mgmt.subscription.aio import SubscriptionClient

pytestmark = pytest.mark.referee

GROUP, VAULT = "sandbox", "contoso"


@pytest.fixture
def plane_of(sandbox: Any) -> Callable[..., Any]:
    """Makes an asynchronous management client of a kind, as a context manager."""

    @asynccontextmanager
    async def open_client(kind: Any) -> AsyncIterator[Any]:
        trust = {"connection_verify": str(sandbox.ca_file)}
        told = (sandbox.tenant, sandbox.client_id, sandbox.client_secret)
        scopes = ["https://management.azure.com/.default"]
        options = {"base_url": sandbox.arm, "credential_scopes": scopes, "polling_interval": 0.01, **trust}
        subscription = () if kind is SubscriptionClient else (sandbox.subscription,)
        credential = ClientSecretCredential(*told, authority=sandbox.authority, **trust)
        async with credential, kind(credential, *subscription, **options) as client:
            yield client

    return open_client


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def test_secrets_and_keys_through_the_control_plane(plane_of, sandbox):
    async def story() -> None:
        async with plane_of(KeyVaultManagementClient) as plane:
            told = {"properties": {"value": "v"}}
            made = await plane.secrets.create_or_update(GROUP, VAULT, "db", told)
            assert made.properties.value is None
            changed = await plane.secrets.update(GROUP, VAULT, "db", {"properties": {"contentType": "text/plain"}})
            assert changed.properties.content_type == "text/plain"
            assert [one.name async for one in plane.secrets.list(GROUP, VAULT)] == ["db"]
            assert (await plane.secrets.get(GROUP, VAULT, "db")).properties.content_type == "text/plain"
            key = await plane.keys.create_if_not_exist(GROUP, VAULT, "k", {"properties": {"kty": "EC"}})
            versions = [one.name async for one in plane.keys.list_versions(GROUP, VAULT, "k")]
            one = await plane.keys.get_version(GROUP, VAULT, "k", versions[0])
            assert one.properties.key_uri_with_version == key.properties.key_uri_with_version
            assert [one.name async for one in plane.keys.list(GROUP, VAULT)] == ["k"]
            with pytest.raises(ResourceNotFoundError):
                await plane.keys.get(GROUP, VAULT, "nothing")

    run(story())
    assert sandbox.vault(VAULT).value("db") == "v"


def test_policies_networks_and_names(plane_of, sandbox):
    async def story() -> None:
        async with plane_of(KeyVaultManagementClient) as plane:
            who = {"tenantId": sandbox.tenant, "objectId": str(uuid.uuid4()), "permissions": {"secrets": ["get"]}}
            told = {"properties": {"accessPolicies": [who]}}
            changed = await plane.vaults.update_access_policy(GROUP, VAULT, "add", told)
            assert [one.object_id for one in changed.properties.access_policies] == [who["objectId"]]
            acls = {"bypass": "None", "defaultAction": "Deny", "ipRules": [{"value": "203.0.113.0/24"}]}
            closed = await plane.vaults.update(GROUP, VAULT, {"properties": {"networkAcls": acls}})
            assert closed.properties.network_acls.ip_rules[0].value == "203.0.113.0/24"
            asked = {"name": VAULT, "type": "Microsoft.KeyVault/vaults"}
            assert (await plane.vaults.check_name_availability(asked)).reason == "AlreadyExists"
            state = {"properties": {"privateLinkServiceConnectionState": {"status": "Approved"}}}
            await plane.private_endpoint_connections.put(GROUP, VAULT, "link", state)
            found = [one.name async for one in plane.private_endpoint_connections.list_by_resource(GROUP, VAULT)]
            assert found == ["link"]
            assert (await plane.private_link_resources.list_by_vault(GROUP, VAULT)).value[0].group_id == "vault"

    run(story())
    assert sandbox.vault(VAULT).firewall


def test_subscriptions_groups_and_roles(plane_of, sandbox):
    async def story() -> None:
        async with plane_of(SubscriptionClient) as client:
            assert [one.subscription_id async for one in client.subscriptions.list()] == [sandbox.subscription]
        async with plane_of(ResourceManagementClient) as client:
            await client.resource_groups.create_or_update("another", {"location": "westeurope"})
            assert {one.name async for one in client.resource_groups.list()} == {GROUP, "another"}
            with pytest.raises(HttpResponseError):
                await (await client.resource_groups.begin_delete(GROUP)).result()
        async with plane_of(AuthorizationManagementClient) as client:
            scope = f"/subscriptions/{sandbox.subscription}"
            wanted = "roleName eq 'Key Vault Secrets User'"
            roles = [one async for one in client.role_definitions.list(scope, filter=wanted)]
            told = {"roleDefinitionId": roles[0].id, "principalId": str(uuid.uuid4()), "principalType": "User"}
            name = str(uuid.uuid4())
            await client.role_assignments.create(scope, name, {"properties": told})
            assert name in [one.name async for one in client.role_assignments.list_for_scope(scope)]
            await client.role_assignments.delete(scope, name)

    run(story())
