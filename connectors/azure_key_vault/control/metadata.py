"""What Azure Resource Manager says of vaults, of who may use them and from where, in the words of actions.

Ids compare without case. A member that is missing or of another type than promised is empty here: nothing is decided by
it. Source: ARM REST, Vaults, Private Endpoint Connections, Role Assignments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from connectors.azure_key_vault.documents import Outputs, part, parts

_FRACTION: Final = re.compile(r"\.\d+(?=Z|[+-]\d\d:\d\d|$)")
_SUBSCRIPTION: Final = re.compile(r"/subscriptions/([^/]+)", re.IGNORECASE)
_GROUP: Final = re.compile(r"/resourceGroups/([^/]+)", re.IGNORECASE)
_VAULT: Final = re.compile(r"/providers/Microsoft\.KeyVault/vaults/([^/]+)(?:/(.+))?$", re.IGNORECASE)


def subscription_described(item: Any) -> Outputs:
    """What is said of a subscription."""
    return {
        "subscription": item.get("subscriptionId"),
        "name": item.get("displayName"),
        "state": item.get("state"),
        "tenant": item.get("tenantId"),
    }


def group_described(item: Any) -> Outputs:
    """What is said of a resource group."""
    return {
        "resourceGroup": item.get("name"),
        "location": item.get("location"),
        "state": part(item, "properties").get("provisioningState"),
        "tags": dict(part(item, "tags")),
    }


def vault_described(item: Any) -> Outputs:
    """What is said of a vault."""
    told, made = part(item, "properties"), part(item, "systemData")
    return {
        "name": item.get("name"),
        "vaultUrl": _url(told.get("vaultUri")),
        "location": item.get("location"),
        **place_of(item.get("id")),
        "tenant": told.get("tenantId"),
        "sku": part(told, "sku").get("name"),
        "usesRoles": bool(told.get("enableRbacAuthorization")),
        "softDeleteDays": told.get("softDeleteRetentionInDays"),
        "hasPurgeProtection": bool(told.get("enablePurgeProtection")),
        "publicNetworkAccess": told.get("publicNetworkAccess") or "Enabled",
        "state": told.get("provisioningState"),
        "createdTime": _moment(made.get("createdAt")),
        "lastUpdatedTime": _moment(made.get("lastModifiedAt")),
        "tags": dict(part(item, "tags")),
        "vaultId": item.get("id"),
    }


def deleted_vault_described(item: Any) -> Outputs:
    """What is said of a deleted vault."""
    told = part(item, "properties")
    return {
        "name": item.get("name"),
        "location": told.get("location"),
        **place_of(told.get("vaultId")),
        "deletedTime": _moment(told.get("deletionDate")),
        "scheduledPurgeTime": _moment(told.get("scheduledPurgeDate")),
        "hasPurgeProtection": bool(told.get("purgeProtectionEnabled")),
        "tags": dict(part(told, "tags")),
        "vaultId": told.get("vaultId"),
    }


def endpoint_described(item: Any) -> Outputs:
    """What is said of a private endpoint connection."""
    told = part(item, "properties")
    stands = part(told, "privateLinkServiceConnectionState")
    return {
        "connectionName": item.get("name"),
        "status": stands.get("status"),
        "description": stands.get("description"),
        "actionsRequired": stands.get("actionsRequired"),
        "privateEndpoint": part(told, "privateEndpoint").get("id"),
        "state": told.get("provisioningState"),
    }


def assignment_described(roles: Mapping[str, str]) -> Callable[[Any], Outputs]:
    """What is said of a role assignment; `roles` are names by id."""

    def described(item: Any) -> Outputs:
        told = part(item, "properties")
        scope, role = str(told.get("scope") or ""), role_id(told.get("roleDefinitionId"))
        found = _VAULT.search(scope)
        return {
            "assignmentName": item.get("name"),
            "role": roles.get(role),
            "roleId": role,
            "principalId": told.get("principalId"),
            "principalType": told.get("principalType"),
            "scope": scope,
            "vault": found[1] if found else None,
            "object": found[2] if found else None,
            "condition": told.get("condition"),
            "description": told.get("description"),
            "createdTime": _moment(told.get("createdOn")),
        }

    return described


def role_described(item: Any) -> Outputs:
    """What is said of a role."""
    told = part(item, "properties")
    permissions = parts(told, "permissions")
    return {
        "role": told.get("roleName"),
        "roleId": role_id(item.get("name")),
        "description": told.get("description"),
        "actions": _words(permissions, "actions"),
        "dataActions": _words(permissions, "dataActions"),
    }


def role_id(told: Any) -> str:
    """The last part of a role's id, in lower case."""
    return str(told or "").rpartition("/")[2].lower()


def place_of(identifier: Any) -> Outputs:
    """Subscription and resource group of a resource's id."""
    text = identifier if isinstance(identifier, str) else ""
    subscription, group = _SUBSCRIPTION.search(text), _GROUP.search(text)
    return {
        "subscription": subscription[1].lower() if subscription else None,
        "resourceGroup": group[1] if group else None,
    }


def _words(permissions: list[Mapping[str, Any]], name: str) -> list[str]:
    found = (one.get(name) for one in permissions)
    return [str(word) for words in found if isinstance(words, list) for word in words]


def _url(told: Any) -> str | None:
    return told.rstrip("/").lower() if isinstance(told, str) else None


def _moment(told: Any) -> str | None:
    """A moment without the parts of seconds that Azure writes."""
    return _FRACTION.sub("", told) if isinstance(told, str) else None
