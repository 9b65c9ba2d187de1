"""What Azure Resource Manager says of vaults and of who may use them, flattened to plain names.

Ids compare without case, so what is taken from them is, too. Source: ARM REST, Vaults and Role Assignments; a member
that is missing or of another type than promised is empty here: nothing is decided by it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from connectors.azure_key_vault.documents import part, parts
from connectors.model import Record

_GROUP: Final = re.compile(r"/resourceGroups/([^/]+)", re.IGNORECASE)
_VAULT: Final = re.compile(r"/providers/Microsoft\.KeyVault/vaults/([^/]+)(?:/(.+))?$", re.IGNORECASE)


def vaults(item: Mapping[str, Any], subscription: str) -> list[Record]:
    """The record of a vault."""
    told, made = part(item, "properties"), part(item, "systemData")
    network = part(told, "networkAcls")
    name = str(item.get("name") or "")
    fields = {
        "name": name,
        "vault_uri": told.get("vaultUri"),
        "location": item.get("location"),
        "subscription": subscription,
        "resource_group": _group(item.get("id")),
        "tenant": told.get("tenantId"),
        "sku": part(told, "sku").get("name"),
        "rbac": bool(told.get("enableRbacAuthorization")),
        "soft_delete_days": told.get("softDeleteRetentionInDays"),
        "purge_protection": bool(told.get("enablePurgeProtection")),
        "public_network_access": told.get("publicNetworkAccess") or "Enabled",
        "network_default": network.get("defaultAction") or "Allow",
        "network_bypass": network.get("bypass"),
        "ip_rules": [one.get("value") for one in parts(network, "ipRules")],
        "virtual_networks": [one.get("id") for one in parts(network, "virtualNetworkRules")],
        "private_endpoints": [one.get("id") for one in parts(told, "privateEndpointConnections")],
        "access_policies": len(parts(told, "accessPolicies")),
        "state": told.get("provisioningState"),
        "created": made.get("createdAt"),
        "created_by": made.get("createdBy"),
        "updated": made.get("lastModifiedAt"),
        "updated_by": made.get("lastModifiedBy"),
        "tags": dict(part(item, "tags")),
        "id": item.get("id"),
    }
    return [Record(name, fields)]


def access_policies(item: Mapping[str, Any], subscription: str) -> list[Record]:
    """A record for each entry of a vault's access policies. Where roles count, they stand there without force."""
    told = part(item, "properties")
    return [_policy(item, told, entry, subscription) for entry in parts(told, "accessPolicies")]


def role_assignments(item: Mapping[str, Any], subscription: str, roles: Mapping[str, str]) -> list[Record]:
    """The record of an assignment; `vault` and `object` are empty where its scope is wider than that."""
    told = part(item, "properties")
    scope = str(told.get("scope") or "")
    role = str(told.get("roleDefinitionId") or "").rpartition("/")[2]
    found = _VAULT.search(scope)
    name = str(item.get("name") or "")
    fields = {
        "name": name,
        "role": roles.get(role.lower()) or None,
        "role_id": role,
        "principal_id": told.get("principalId"),
        "principal_type": told.get("principalType"),
        "scope": scope,
        "vault": found[1] if found else None,
        "object": found[2] if found else None,
        "condition": told.get("condition"),
        "description": told.get("description"),
        "created": told.get("createdOn"),
        "updated": told.get("updatedOn"),
        "subscription": subscription,
        "id": item.get("id"),
    }
    return [Record(name, fields)]


def deleted_vaults(item: Mapping[str, Any], subscription: str, group: str | None) -> list[Record]:
    """The record of a deleted vault; one of another resource group than `group` is left out."""
    told = part(item, "properties")
    name, was_in = str(item.get("name") or ""), _group(told.get("vaultId"))
    is_elsewhere = group is not None and group.lower() != (was_in or "").lower()
    fields = {
        "name": name,
        "location": told.get("location"),
        "subscription": subscription,
        "resource_group": was_in,
        "deleted": told.get("deletionDate"),
        "scheduled_purge": told.get("scheduledPurgeDate"),
        "purge_protection": bool(told.get("purgeProtectionEnabled")),
        "tags": dict(part(told, "tags")),
        "vault_id": told.get("vaultId"),
        "id": item.get("id"),
    }
    return [Record(name, fields, left_out="it was in another resource group" if is_elsewhere else None)]


def _policy(item: Mapping[str, Any], told: Mapping[str, Any], entry: Mapping[str, Any], subscription: str) -> Record:
    vault, permissions = str(item.get("name") or ""), part(entry, "permissions")
    who = "/".join(str(entry[name]) for name in ("objectId", "applicationId") if entry.get(name))
    fields = {
        "name": f"{vault}/{who}",
        "vault": vault,
        "object_id": entry.get("objectId"),
        "application_id": entry.get("applicationId"),
        "tenant": entry.get("tenantId"),
        **{name: _words(permissions.get(name)) for name in ("secrets", "keys", "certificates", "storage")},
        "in_force": not told.get("enableRbacAuthorization"),
        "subscription": subscription,
        "resource_group": _group(item.get("id")),
        "vault_id": item.get("id"),
    }
    return Record(f"{vault}/{who}", fields)


def _words(found: Any) -> list[str]:
    return sorted(str(one).lower() for one in found) if isinstance(found, list) else []


def _group(identifier: Any) -> str | None:
    found = _GROUP.search(identifier) if isinstance(identifier, str) else None
    return found[1] if found else None
