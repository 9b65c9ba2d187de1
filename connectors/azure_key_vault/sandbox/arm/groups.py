"""Subscriptions, tenants, locations, providers and resource groups (Azure reference sheet, section 8.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from connectors.azure_key_vault.sandbox.arm.calls import Call, Operation, Reply, operation, text_of
from connectors.azure_key_vault.sandbox.arm.subscription import Group, Subscription
from connectors.azure_key_vault.sandbox.arm.vaults import paged
from connectors.azure_key_vault.sandbox.errors import Refused

_S: Final = "/subscriptions/{subscription}"
_READ: Final = "Microsoft.Resources/subscriptions/read"
_GROUPS: Final = "Microsoft.Resources/subscriptions/resourceGroups"
_LOCATIONS: Final = {"eastus": "East US", "westeurope": "West Europe", "germanywestcentral": "Germany West Central"}


class Groups:
    """What the control plane answers about what vaults lie in."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self.operations: Sequence[Operation] = (
            operation("GET", "/subscriptions", "", self._subscriptions),
            operation("GET", _S, _READ, lambda call: self._document()),
            operation("GET", "/tenants", "", self._tenants),
            operation("GET", f"{_S}/locations", _READ, self._locations),
            operation("GET", f"{_S}/providers/{{provider}}", _READ, self._provider),
            operation("POST", f"{_S}/providers/{{provider}}/register", "*/register/action", self._provider),
            operation("GET", f"{_S}/resourcegroups", f"{_GROUPS}/read", self._list),
            operation("PUT", f"{_S}/resourcegroups/{{group}}", f"{_GROUPS}/write", self._put),
            operation("GET", f"{_S}/resourcegroups/{{group}}", f"{_GROUPS}/read", self._get),
            operation("HEAD", f"{_S}/resourcegroups/{{group}}", f"{_GROUPS}/read", self._head),
            operation("DELETE", f"{_S}/resourcegroups/{{group}}", f"{_GROUPS}/delete", self._delete),
            operation("GET", "/providers/Microsoft.KeyVault/operations", "", self._operations),
        )

    def _subscriptions(self, call: Call) -> dict[str, Any]:
        return {"value": [self._document()], "count": {"type": "Total", "value": 1}}

    def _document(self) -> dict[str, Any]:
        return {
            "id": self._subscription.path,
            "authorizationSource": "RoleBased",
            "managedByTenants": [],
            "subscriptionId": self._subscription.id,
            "tenantId": self._subscription.tenant,
            "displayName": "Sandbox",
            "state": "Enabled",
            "subscriptionPolicies": {
                "locationPlacementId": "Public_2014-09-01",
                "quotaId": "Sandbox_2014-09-01",
                "spendingLimit": "Off",
            },
        }

    def _tenants(self, call: Call) -> dict[str, Any]:
        tenant = self._subscription.tenant
        told = {"id": f"/tenants/{tenant}", "tenantId": tenant, "displayName": "Sandbox", "countryCode": "US"}
        return {"value": [{**told, "tenantCategory": "Home", "defaultDomain": "sandbox.example.com"}]}

    def _locations(self, call: Call) -> dict[str, Any]:
        return {
            "value": [
                {
                    "id": f"{self._subscription.path}/locations/{name}",
                    "name": name,
                    "displayName": title,
                    "regionalDisplayName": title,
                    "metadata": {"regionType": "Physical"},
                }
                for name, title in _LOCATIONS.items()
            ]
        }

    def _provider(self, call: Call) -> dict[str, Any]:
        name = call.parts["provider"]
        place = f"{self._subscription.path}/providers/{name}"
        return {"id": place, "namespace": name, "registrationState": "Registered", "resourceTypes": []}

    def _operations(self, call: Call) -> dict[str, Any]:
        told = {"provider": "Microsoft Key Vault", "resource": "Vault", "operation": "View vaults", "description": ""}
        return {"value": [{"name": "Microsoft.KeyVault/vaults/read", "display": told, "isDataAction": False}]}

    def _list(self, call: Call) -> dict[str, Any]:
        groups = sorted(self._subscription.groups.values(), key=lambda one: one.name.lower())
        return paged(call, [self._group(one) for one in groups])

    def _put(self, call: Call) -> Reply:
        name, body = call.parts["group"], call.body
        location = text_of(body, "location").lower().replace(" ", "")
        before = self._subscription.groups.get(name.lower())
        if before is not None and before.location != location:
            message = f"Invalid resource group location '{location}'. The group is in {before.location}."
            raise Refused(409, "InvalidResourceGroupLocation", message)
        if location not in _LOCATIONS:
            raise Refused(400, "LocationNotAvailableForResourceGroup", f"The location '{location}' is not available.")
        group = before or Group(name, location)
        group.tags = dict(body.get("tags") or {})
        self._subscription.groups[name.lower()] = group
        return Reply(200 if before else 201, self._group(group))

    def _get(self, call: Call) -> dict[str, Any]:
        return self._group(self._found(call))

    def _head(self, call: Call) -> Reply:
        return Reply(204 if call.parts["group"].lower() in self._subscription.groups else 404)

    def _delete(self, call: Call) -> Reply:
        group = self._found(call)
        inside = [one.name for one in self._subscription.vaults.values() if one.group.lower() == group.name.lower()]
        if inside:
            message = f"The sandbox deletes no group that has vaults: delete {', '.join(inside)} first."
            raise Refused(409, "ResourceGroupDeletionBlocked", message)
        del self._subscription.groups[group.name.lower()]
        return Reply(200)

    def _found(self, call: Call) -> Group:
        group = self._subscription.groups.get(call.parts["group"].lower())
        if group is None:
            raise Refused(404, "ResourceGroupNotFound", f"Resource group '{call.parts['group']}' could not be found.")
        return group

    def _group(self, group: Group) -> dict[str, Any]:
        return {
            "id": f"{self._subscription.path}/resourceGroups/{group.name}",
            "name": group.name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": group.location,
            "tags": group.tags,
            "properties": {"provisioningState": "Succeeded"},
        }
