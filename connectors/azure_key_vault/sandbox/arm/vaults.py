"""The life of vaults: made, changed, listed, deleted, recovered, purged, and their access policies (8.2, 8.3)."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.azure_key_vault.sandbox.arm import policies, properties
from connectors.azure_key_vault.sandbox.arm.calls import Call, Operation, Reply, bad, object_of, operation, text_of
from connectors.azure_key_vault.sandbox.arm.subscription import (
    PROVIDER,
    DeletedVault,
    Subscription,
    VaultResource,
    moment,
)
from connectors.azure_key_vault.sandbox.errors import Refused
from connectors.azure_key_vault.sandbox.shelf import SECONDS_PER_DAY
from connectors.azure_key_vault.sandbox.state import RESERVED_VAULT_NAMES, VAULT_NAME

VAULTS: Final = "Microsoft.KeyVault/vaults"
PAGE_SIZE: Final = 20
_S: Final = "/subscriptions/{subscription}"
_G: Final = f"{_S}/resourceGroups/{{group}}"
_V: Final = f"{_G}/{PROVIDER}/vaults/{{vault}}"
_D: Final = f"{_S}/{PROVIDER}/locations/{{location}}/deletedVaults/{{vault}}"


class Vaults:
    """What the control plane answers about vaults."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self.operations: Sequence[Operation] = (
            operation("PUT", _V, f"{VAULTS}/write", self._put),
            operation("PATCH", _V, f"{VAULTS}/write", self._patch),
            operation("GET", _V, f"{VAULTS}/read", lambda call: self.document(self.found(call))),
            operation("DELETE", _V, f"{VAULTS}/delete", self._delete),
            operation("GET", f"{_G}/{PROVIDER}/vaults", f"{VAULTS}/read", self._list),
            operation("GET", f"{_S}/{PROVIDER}/vaults", f"{VAULTS}/read", self._list),
            operation("GET", f"{_S}/resources", "Microsoft.Resources/subscriptions/resources/read", self._resources),
            operation("PUT", f"{_V}/accessPolicies/{{kind}}", f"{VAULTS}/accessPolicies/write", self._policies),
            operation(
                "GET", f"{_S}/{PROVIDER}/deletedVaults", "Microsoft.KeyVault/deletedVaults/read", self._list_deleted
            ),
            operation("GET", _D, "Microsoft.KeyVault/locations/deletedVaults/read", self._get_deleted),
            operation("POST", f"{_D}/purge", "Microsoft.KeyVault/locations/deletedVaults/purge/action", self._purge),
            operation(
                "GET",
                f"{_S}/{PROVIDER}/locations/{{location}}/operationResults/{{vault}}",
                "Microsoft.KeyVault/locations/operationResults/read",
                self._purged,
            ),
            operation(
                "POST",
                f"{_S}/{PROVIDER}/checkNameAvailability",
                "Microsoft.KeyVault/checkNameAvailability/read",
                self._check_name,
            ),
        )

    def found(self, call: Call) -> VaultResource:
        """The vault that the path names; 404 when there is none in that group."""
        name, group = call.parts["vault"], self.group(call)
        resource = self._subscription.vaults.get(name.lower())
        if resource is None or resource.group.lower() != group.lower():
            message = f"The Resource '{VAULTS}/{name}' under resource group '{group}' was not found."
            raise Refused(404, "ResourceNotFound", message)
        return resource

    def group(self, call: Call) -> str:
        """The name of the group that the path names; 404 when there is none."""
        group = self._subscription.groups.get(call.parts["group"].lower())
        if group is None:
            raise Refused(404, "ResourceGroupNotFound", f"Resource group '{call.parts['group']}' could not be found.")
        return group.name

    def document(self, resource: VaultResource) -> dict[str, Any]:
        """A vault as it is shown: its address is final once its name is registered."""
        is_ready = resource.ready_at <= self._subscription.clock.now()
        state = "Succeeded" if is_ready else "RegisteringDns"
        address = f"{resource.url}/" if is_ready else resource.url
        return {
            "id": self._subscription.vault_path(resource),
            "name": resource.name,
            "type": VAULTS,
            "location": resource.location,
            "tags": resource.tags,
            "systemData": {
                "createdBy": resource.by,
                "createdByType": "Application",
                "createdAt": moment(resource.created_at),
                "lastModifiedBy": resource.by,
                "lastModifiedByType": "Application",
                "lastModifiedAt": moment(resource.changed_at),
            },
            "properties": properties.shown(resource.properties, address, state),
        }

    def _put(self, call: Call) -> dict[str, Any]:
        name, group, body = call.parts["vault"], self.group(call), call.body
        told, location = object_of(body, "properties"), text_of(body, "location").lower().replace(" ", "")
        if not VAULT_NAME.fullmatch(name) or name.lower() in RESERVED_VAULT_NAMES:
            message = (
                f"The vault name '{name}' is invalid. A vault's name must be between 3-24 alphanumeric characters."
            )
            raise bad(message, "VaultNameNotValid")
        if told.get("createMode") == "recover":
            return self._recovered(name, group)
        resource = self._subscription.vaults.get(name.lower())
        if resource is None:
            return self.document(self._made(call, name, group, location))
        if resource.group.lower() != group.lower():
            raise Refused(409, "VaultAlreadyExists", f"The vault name '{name}' is already in use.")
        if resource.location != location:
            raise Refused(
                409, "InvalidResourceLocation", f"The resource '{name}' already exists in {resource.location}."
            )
        return self._changed(resource, {"accessPolicies": [], **told}, body)

    def _patch(self, call: Call) -> dict[str, Any]:
        body = call.body
        return self._changed(self.found(call), body.get("properties") or {}, body)

    def _made(self, call: Call, name: str, group: str, location: str) -> VaultResource:
        if name.lower() in self._subscription.deleted:
            message = (
                f"A vault with the same name already exists in deleted state. You need to either recover or purge "
                f"existing key vault '{name}'."
            )
            raise Refused(409, "ConflictError", message)
        told = properties.created(
            call.body["properties"], self._subscription.tenant, call.request.parameters["api-version"]
        )
        data, url = self._subscription.open_vault(name)
        now = self._subscription.clock.now()
        ready_at, by = now + self._subscription.register_seconds, str(call.claims.get("appid", ""))
        tags = dict(call.body.get("tags") or {})
        resource = VaultResource(name, group, location, told, tags, now, now, ready_at, by, data, url)
        properties.apply(told, data)
        self._subscription.add(resource)
        return resource

    def _changed(self, resource: VaultResource, told: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
        resource.properties = properties.changed(told, resource.properties)
        resource.tags = dict(body["tags"]) if body.get("tags") is not None else resource.tags
        resource.changed_at = self._subscription.clock.now()
        properties.apply(resource.properties, resource.data)
        return self.document(resource)

    def _recovered(self, name: str, group: str) -> dict[str, Any]:
        gone = self._subscription.deleted.get(name.lower())
        if gone is None or gone.resource.group.lower() != group.lower():
            raise Refused(404, "DeletedVaultNotFound", f"The deleted vault '{name}' was not found in this group.")
        del self._subscription.deleted[name.lower()]
        self._subscription.add(gone.resource)
        properties.apply(gone.resource.properties, gone.resource.data)
        return self.document(gone.resource)

    def _delete(self, call: Call) -> Reply:
        resource = self._subscription.vaults.get(call.parts["vault"].lower())
        if resource is None:
            return Reply(204)
        resource = self.found(call)
        now = self._subscription.clock.now()
        del self._subscription.vaults[resource.name.lower()]
        resource.data.gone = True
        days = resource.properties.get("softDeleteRetentionInDays", properties.MOST_DAYS)
        self._subscription.deleted[resource.name.lower()] = DeletedVault(resource, now, now + days * SECONDS_PER_DAY)
        return Reply(200)

    def _list(self, call: Call) -> dict[str, Any]:
        found = sorted(self._subscription.vaults.values(), key=lambda one: one.name.lower())
        if "group" in call.parts:
            group = self.group(call)
            found = [one for one in found if one.group.lower() == group.lower()]
        return paged(call, [self.document(one) for one in found])

    def _resources(self, call: Call) -> dict[str, Any]:
        found = sorted(self._subscription.vaults.values(), key=lambda one: one.name.lower())
        shown = ("id", "name", "type", "location", "tags")
        return paged(call, [{name: self.document(one)[name] for name in shown} for one in found])

    def _policies(self, call: Call) -> dict[str, Any]:
        resource, kind = self.found(call), call.parts["kind"].lower()
        if kind not in ("add", "replace", "remove"):
            raise bad(f"'{kind}' is none of add, replace and remove.")
        told = object_of(call.body, "properties").get("accessPolicies")
        wanted = properties.policies(told, resource.properties["tenantId"])
        resource.properties["accessPolicies"] = policies.changed(kind, resource.properties["accessPolicies"], wanted)
        return {
            "id": f"{self._subscription.vault_path(resource)}/accessPolicies/",
            "type": f"{VAULTS}/accessPolicies",
            "properties": {"accessPolicies": resource.properties["accessPolicies"]},
        }

    def _list_deleted(self, call: Call) -> dict[str, Any]:
        self._forget()
        found = sorted(self._subscription.deleted.values(), key=lambda one: one.resource.name.lower())
        return paged(call, [self._deleted_document(one) for one in found])

    def _get_deleted(self, call: Call) -> dict[str, Any]:
        return self._deleted_document(self._gone(call))

    def _purge(self, call: Call) -> Reply:
        gone = self._gone(call)
        if gone.resource.properties.get("enablePurgeProtection"):
            raise Refused(405, "MethodNotAllowed", "Operation 'DeletedVaultPurge' is not allowed.")
        name = gone.resource.name.lower()
        del self._subscription.deleted[name]
        self._subscription.purging[name] = self._subscription.clock.now() + self._subscription.register_seconds
        place = f"{self._subscription.path}/{PROVIDER}/locations/{gone.resource.location}/operationResults/{name}"
        version = call.request.parameters["api-version"]
        return Reply(202, None, f"{call.origin}{place}?api-version={version}")

    def _purged(self, call: Call) -> Any:
        ends_at = self._subscription.purging.get(call.parts["vault"].lower())
        if ends_at is None:
            raise Refused(404, "NotFound", "There is no such operation.")
        if ends_at > self._subscription.clock.now():
            started = moment(self._subscription.clock.now())
            return Reply(202, {"createdDateTime": started, "status": "NotStarted"})
        return Reply(200, {"status": "Succeeded"})

    def _check_name(self, call: Call) -> dict[str, Any]:
        name = text_of(call.body, "name")
        if not VAULT_NAME.fullmatch(name):
            message = (
                "A vault's name must be between 3-24 alphanumeric characters, begin with a letter, and have no '--'."
            )
            return {"nameAvailable": False, "reason": "AccountNameInvalid", "message": message}
        taken = (self._subscription.vaults, self._subscription.deleted)
        if name.lower() in RESERVED_VAULT_NAMES or any(name.lower() in names for names in taken):
            message = f"The vault name '{name}' is already in use."
            return {"nameAvailable": False, "reason": "AlreadyExists", "message": message}
        return {"nameAvailable": True}

    def _gone(self, call: Call) -> DeletedVault:
        self._forget()
        name, location = call.parts["vault"], call.parts["location"].lower()
        gone = self._subscription.deleted.get(name.lower())
        if gone is None or gone.resource.location != location:
            raise Refused(404, "DeletedVaultNotFound", f"The specified deleted vault '{name}' does not exist.")
        return gone

    def _forget(self) -> None:
        """What was deleted long ago goes for good."""
        now = self._subscription.clock.now()
        for name in [name for name, gone in self._subscription.deleted.items() if gone.purge_at <= now]:
            del self._subscription.deleted[name]

    def _deleted_document(self, gone: DeletedVault) -> dict[str, Any]:
        resource = gone.resource
        place = f"{self._subscription.path}/{PROVIDER}/locations/{resource.location}/deletedVaults/{resource.name}"
        told: dict[str, Any] = {
            "vaultId": self._subscription.vault_path(resource),
            "location": resource.location,
            "tags": resource.tags,
            "deletionDate": moment(gone.deleted_at),
            "scheduledPurgeDate": moment(gone.purge_at),
        }
        if resource.properties.get("enablePurgeProtection"):
            told["purgeProtectionEnabled"] = True
        return {"id": place, "name": resource.name, "type": "Microsoft.KeyVault/deletedVaults", "properties": told}


def paged(call: Call, found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A page of these, with a link to the next; `$top` says how many, and no link follows the last."""
    parameters = call.request.parameters
    top = parameters.get("$top", "")
    size = min(int(top), PAGE_SIZE) if top.isdigit() and int(top) else PAGE_SIZE
    first = _place(parameters.get("$skiptoken", ""))
    page: dict[str, Any] = {"value": list(found[first : first + size])}
    if first + size < len(found):
        token = base64.b64encode(str(first + size).encode()).decode()
        rest = "&".join(
            f"{name}={value}" for name, value in parameters.items() if name in ("api-version", "$top", "$filter")
        )
        page["nextLink"] = f"{call.origin}{call.request.path}?{rest}&$skiptoken={token}".replace(" ", "%20")
    return page


def _place(token: str) -> int:
    try:
        return int(base64.b64decode(token, validate=True)) if token else 0
    except ValueError:
        raise bad("The skiptoken is not valid.", "InvalidSkipToken") from None
