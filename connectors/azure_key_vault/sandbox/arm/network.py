"""Private endpoint connections of a vault, and what can be linked to (Azure reference sheet, section 8.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from connectors.azure_key_vault.sandbox.arm.calls import Call, Operation, Reply, bad, object_of, operation
from connectors.azure_key_vault.sandbox.arm.subscription import PROVIDER, Subscription, VaultResource
from connectors.azure_key_vault.sandbox.arm.vaults import VAULTS, Vaults, paged
from connectors.azure_key_vault.sandbox.errors import Refused

_V: Final = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/{PROVIDER}/vaults/{{vault}}"
_C: Final = f"{_V}/privateEndpointConnections"
_STATES: Final = ("Approved", "Rejected", "Pending", "Disconnected")


class Network:
    """What the control plane answers about the private ways to a vault."""

    def __init__(self, subscription: Subscription, vaults: Vaults, zone: str) -> None:
        self._zone = zone
        self._subscription = subscription
        self._vaults = vaults
        action = f"{VAULTS}/privateEndpointConnections"
        self.operations: Sequence[Operation] = (
            operation("GET", _C, f"{action}/read", self._list),
            operation("GET", f"{_C}/{{connection}}", f"{action}/read", self._get),
            operation("PUT", f"{_C}/{{connection}}", f"{action}/write", self._put),
            operation("DELETE", f"{_C}/{{connection}}", f"{action}/delete", self._delete),
            operation("GET", f"{_V}/privateLinkResources", f"{VAULTS}/privateLinkResources/read", self._links),
        )

    def _list(self, call: Call) -> dict[str, Any]:
        resource = self._vaults.found(call)
        return paged(call, [self._document(resource, name) for name in sorted(resource.endpoints)])

    def _get(self, call: Call) -> dict[str, Any]:
        resource = self._vaults.found(call)
        return self._document(resource, self._name(resource, call))

    def _put(self, call: Call) -> dict[str, Any]:
        resource, name = self._vaults.found(call), call.parts["connection"]
        told = object_of(call.body, "properties")
        state = object_of(told, "privateLinkServiceConnectionState")
        if state.get("status") not in _STATES:
            raise bad(f"The status is one of {', '.join(_STATES)}.")
        endpoint = told.get("privateEndpoint") or resource.endpoints.get(name.lower(), {}).get("privateEndpoint") or {}
        resource.endpoints[name.lower()] = {
            "name": name,
            "privateEndpoint": endpoint,
            "privateLinkServiceConnectionState": state,
        }
        _count_links(resource)
        return self._document(resource, name.lower())

    def _delete(self, call: Call) -> Reply:
        resource = self._vaults.found(call)
        if call.parts["connection"].lower() not in resource.endpoints:
            return Reply(204)
        name = call.parts["connection"].lower()
        document = self._document(resource, name)
        del resource.endpoints[name]
        _count_links(resource)
        return Reply(200, document) if not self._subscription.register_seconds else self._later(call, name)

    def _later(self, call: Call, name: str) -> Reply:
        """202, and where the end is asked about, as long as names take to be registered."""
        resource, subscription = self._vaults.found(call), self._subscription
        operation = f"{resource.name}-{name}".lower()
        subscription.purging[operation] = subscription.clock.now() + subscription.register_seconds
        place = f"{subscription.path}/{PROVIDER}/locations/{resource.location}/operationResults/{operation}"
        version = call.request.parameters["api-version"]
        return Reply(202, None, f"{call.origin}{place}?api-version={version}")

    def _links(self, call: Call) -> dict[str, Any]:
        place = self._subscription.vault_path(self._vaults.found(call))
        told = {
            "groupId": "vault",
            "requiredMembers": ["default"],
            "requiredZoneNames": [self._zone],
        }
        kind = f"{VAULTS}/privateLinkResources"
        return {
            "value": [{"id": f"{place}/privateLinkResources/vault", "name": "vault", "type": kind, "properties": told}]
        }

    def _name(self, resource: VaultResource, call: Call) -> str:
        name = call.parts["connection"].lower()
        if name not in resource.endpoints:
            raise Refused(404, "ResourceNotFound", f"The private endpoint connection '{name}' was not found.")
        return name

    def _document(self, resource: VaultResource, key: str) -> dict[str, Any]:
        told = resource.endpoints[key]
        return {
            "id": f"{self._subscription.vault_path(resource)}/privateEndpointConnections/{told['name']}",
            "name": told["name"],
            "type": f"{VAULTS}/privateEndpointConnections",
            "properties": {
                "privateEndpoint": told["privateEndpoint"],
                "privateLinkServiceConnectionState": told["privateLinkServiceConnectionState"],
                "provisioningState": "Succeeded",
            },
        }


def _count_links(resource: VaultResource) -> None:
    """Tell the data plane by how many private links calls may come."""
    states = [one["privateLinkServiceConnectionState"]["status"] for one in resource.endpoints.values()]
    resource.data.approved_links = states.count("Approved")
