"""The properties of a vault: what a request may set, what stays as it is, and what the data plane is told (8.3)."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Mapping
from typing import Any, Final

from connectors.azure_key_vault.sandbox.arm.calls import bad
from connectors.azure_key_vault.sandbox.state import Vault

FEWEST_DAYS: Final = 7
MOST_DAYS: Final = 90
MOST_POLICIES: Final = 1024
RBAC_BY_DEFAULT_SINCE: Final = "2026-02-01"
_SWITCHES: Final = ("enabledForDeployment", "enabledForDiskEncryption", "enabledForTemplateDeployment")
_ACCESS: Final = ("Enabled", "Disabled", "SecuredByPerimeter")


def created(told: Mapping[str, Any], tenant: str, api_version: str) -> dict[str, Any]:
    """The properties of a new vault. 400 for what a vault cannot have."""
    made = _checked(told, {})
    if made.get("tenantId", "").lower() != tenant.lower():
        raise bad("The tenant ID in the request does not match the tenant of the subscription.")
    if "sku" not in made:
        raise bad("The parameter sku is not specified.")
    made.setdefault("enableRbacAuthorization", api_version >= RBAC_BY_DEFAULT_SINCE)
    if "accessPolicies" not in made and not made["enableRbacAuthorization"]:
        raise bad("The parameter accessPolicies is not specified.")
    made.setdefault("accessPolicies", [])
    return made


def changed(told: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of a vault that there is, with what a request sets. 400 for what cannot change any more."""
    return {**before, **_checked(told, before)}


def shown(properties: Mapping[str, Any], url: str, state: str) -> dict[str, Any]:
    """The properties as a vault's document has them."""
    switches = {name: properties.get(name, False) for name in _SWITCHES}
    document = {
        "sku": properties["sku"],
        "tenantId": properties["tenantId"],
        "accessPolicies": properties["accessPolicies"],
        "networkAcls": properties.get("networkAcls") or _OPEN,
        **switches,
        "enableSoftDelete": True,
        "softDeleteRetentionInDays": properties.get("softDeleteRetentionInDays", MOST_DAYS),
        "enableRbacAuthorization": properties.get("enableRbacAuthorization", False),
        "vaultUri": url,
        "provisioningState": state,
        "publicNetworkAccess": properties.get("publicNetworkAccess", "Enabled"),
    }
    return document | ({"enablePurgeProtection": True} if properties.get("enablePurgeProtection") else {})


def apply(properties: Mapping[str, Any], vault: Vault) -> None:
    """Let the data plane go by them."""
    acls = properties.get("networkAcls") or _OPEN
    vault.rbac = bool(properties.get("enableRbacAuthorization"))
    vault.purge_protection = bool(properties.get("enablePurgeProtection"))
    vault.retention_days = properties.get("softDeleteRetentionInDays", MOST_DAYS)
    vault.private = properties.get("publicNetworkAccess", "Enabled") != "Enabled"
    vault.firewall = acls.get("defaultAction") == "Deny"
    rules = acls.get("ipRules") or ()
    vault.allowed_networks = tuple(ipaddress.ip_network(rule["value"], strict=False) for rule in rules)


def policies(told: Any, tenant: str) -> list[dict[str, Any]]:
    """Access policies as they are kept. 400 for one that makes no sense."""
    if not isinstance(told, list) or len(told) > MOST_POLICIES:
        raise bad(f"accessPolicies is a list of {MOST_POLICIES} entries at most.")
    return [_policy(one, tenant) for one in told]


def _policy(told: Any, tenant: str) -> dict[str, Any]:
    if not isinstance(told, dict) or not isinstance(told.get("permissions"), dict):
        raise bad("An access policy needs tenantId, objectId and permissions.")
    for name in ("tenantId", "objectId"):
        _guid(told.get(name), name)
    if str(told["tenantId"]).lower() != tenant.lower():
        raise bad("An access policy's tenant ID does not match the tenant of the vault.")
    permissions: dict[str, list[str]] = {}
    for collection, words in told["permissions"].items():
        if collection not in PERMISSIONS or not isinstance(words, list):
            raise bad(f"{collection} is nothing that permissions are for.")
        wrong = [word for word in words if str(word).lower() not in PERMISSIONS[collection]]
        if wrong:
            raise bad(f"{wrong[0]} is no permission for {collection}.")
        permissions[collection] = list(dict.fromkeys(words))
    kept = {name: told[name] for name in ("tenantId", "objectId", "applicationId") if told.get(name)}
    return {**kept, "permissions": permissions}


def _checked(told: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """What is set, each member judged by itself."""
    found = {name: value for name, value in told.items() if value is not None and name in _JUDGES}
    if told.get("enableSoftDelete") is False:
        raise bad(
            'The property "enableSoftDelete" can be set to false only for creating new vault. It cannot be false.'
        )
    for name, value in found.items():
        _JUDGES[name](name, value, before)
    if "sku" in found:
        found["sku"] = {"family": "A", "name": str(found["sku"]["name"]).lower()}
    if "accessPolicies" in found:
        found["accessPolicies"] = policies(found["accessPolicies"], found.get("tenantId") or before.get("tenantId", ""))
    return found


def _guid(value: Any, name: str) -> None:
    try:
        uuid.UUID(str(value))
    except ValueError:
        raise bad(f"The property {name} is no GUID.") from None


def _tenant(name: str, value: Any, before: Mapping[str, Any]) -> None:
    _guid(value, name)


def _sku(name: str, value: Any, before: Mapping[str, Any]) -> None:
    if not isinstance(value, dict) or str(value.get("name", "")).lower() not in ("standard", "premium"):
        raise bad("The sku is standard or premium, of family A.")


def _days(name: str, value: Any, before: Mapping[str, Any]) -> None:
    if not isinstance(value, int) or not FEWEST_DAYS <= value <= MOST_DAYS:
        raise bad(f'The property "{name}" is between {FEWEST_DAYS} and {MOST_DAYS}.')
    if before and value != before.get(name, MOST_DAYS):
        raise bad(f'The property "{name}" has been set already and it can\'t be modified.')


def _protection(name: str, value: Any, before: Mapping[str, Any]) -> None:
    if value is not True:
        raise bad(
            f'The property "{name}" cannot be set to false. Enabling the purge protection for a vault is an '
            "irreversible action."
        )


def _switch(name: str, value: Any, before: Mapping[str, Any]) -> None:
    if not isinstance(value, bool):
        raise bad(f'The property "{name}" is true or false.')


def _public(name: str, value: Any, before: Mapping[str, Any]) -> None:
    if value not in _ACCESS:
        raise bad(f'The property "{name}" is one of {", ".join(_ACCESS)}.')


def _acls(name: str, value: Any, before: Mapping[str, Any]) -> None:
    if not isinstance(value, dict) or value.get("defaultAction", "Allow") not in ("Allow", "Deny"):
        raise bad("networkAcls.defaultAction is Allow or Deny.")
    try:
        for rule in value.get("ipRules") or ():
            ipaddress.ip_network(rule["value"], strict=False)
    except (ValueError, KeyError, TypeError):
        raise bad("networkAcls.ipRules holds addresses and ranges such as 203.0.113.0/24.") from None


def _anything(name: str, value: Any, before: Mapping[str, Any]) -> None:
    """Judged elsewhere."""


_OPEN: Final[dict[str, Any]] = {
    "bypass": "AzureServices",
    "defaultAction": "Allow",
    "ipRules": [],
    "virtualNetworkRules": [],
}
_JUDGES: Final = {
    "tenantId": _tenant,
    "sku": _sku,
    "softDeleteRetentionInDays": _days,
    "enablePurgeProtection": _protection,
    "enableRbacAuthorization": _switch,
    "publicNetworkAccess": _public,
    "networkAcls": _acls,
    "accessPolicies": _anything,
    **dict.fromkeys(_SWITCHES, _switch),
}
_LIFE: Final = ["get", "list", "delete", "backup", "restore", "recover", "purge", "all"]
PERMISSIONS: Final = {
    "keys": {
        *_LIFE,
        *[
            "encrypt",
            "decrypt",
            "wrapkey",
            "unwrapkey",
            "sign",
            "verify",
            "create",
            "update",
            "import",
            "release",
            "rotate",
        ],
        *["getrotationpolicy", "setrotationpolicy"],
    },
    "secrets": {*_LIFE, "set"},
    "certificates": {
        *_LIFE,
        *[
            "create",
            "import",
            "update",
            "managecontacts",
            "getissuers",
            "listissuers",
            "setissuers",
            "deleteissuers",
            "manageissuers",
        ],
    },
    "storage": {*_LIFE, *["set", "update", "regeneratekey", "setsas", "listsas", "getsas", "deletesas"]},
}
"""The words of access policies, in lower case (Azure reference sheet, section 3.3)."""
