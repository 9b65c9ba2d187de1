"""Actions on vaults as a whole, and on where they lie. What they take and give: `vaults.toml`.

A PUT of Resource Manager replaces a vault's access policies and network rules, so it makes new vaults only; what is there
is changed with a PATCH that has what was given and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from connectors.azure_key_vault.actions.metadata import tags_of
from connectors.azure_key_vault.control.arm import PROVIDER, Arm, Inputs, Performer, VaultPlace
from connectors.azure_key_vault.control.long_operation import LongOperation, patience, provisioning
from connectors.azure_key_vault.control.metadata import (
    group_described,
    subscription_described,
    vault_described,
)
from connectors.azure_key_vault.control.plane import GROUPS_VERSION, SUBSCRIPTIONS_VERSION
from connectors.azure_key_vault.documents import Outputs, part
from connectors.errors import BadInput, Conflict

RETENTION_DAYS: Final = 90
_SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "usesRoles": "enableRbacAuthorization",
        "purgeProtection": "enablePurgeProtection",
        "publicNetworkAccess": "publicNetworkAccess",
        "enabledForDeployment": "enabledForDeployment",
        "enabledForDiskEncryption": "enabledForDiskEncryption",
        "enabledForTemplateDeployment": "enabledForTemplateDeployment",
    }
)
"""Parameter → property. A vault that does not say is as in _UNSAID."""
_UNSAID: Final[Mapping[str, Any]] = MappingProxyType({"publicNetworkAccess": "Enabled"})


def list_subscriptions(arm: Arm, inputs: Inputs) -> Outputs:
    """Every subscription that the app sees."""
    version = SUBSCRIPTIONS_VERSION
    return arm.listed("subscriptions", "/subscriptions", subscription_described, inputs, version=version)


def list_groups(arm: Arm, inputs: Inputs) -> Outputs:
    """Every resource group that the app sees."""
    place = f"/subscriptions/{arm.subscription(inputs)}/resourcegroups"
    return arm.listed("groups", place, group_described, inputs, version=GROUPS_VERSION)


def list_all(arm: Arm, inputs: Inputs) -> Outputs:
    """Every vault of the group, or of the subscription where no group is named."""
    subscription, group = arm.subscription(inputs), arm.group_if_any(inputs)
    under = f"/resourceGroups/{quote(group)}" if group else ""
    place = f"/subscriptions/{subscription}{under}{PROVIDER}/vaults"
    return arm.listed("vaults", place, vault_described, inputs)


def get(arm: Arm, inputs: Inputs) -> Outputs:
    """What is said of a vault."""
    return vault_described(arm.ask("vault_get", arm.vault(inputs).path))


def check_name(arm: Arm, inputs: Inputs) -> Outputs:
    """Whether the name is free, everywhere in Azure."""
    path = f"/subscriptions/{arm.subscription(inputs)}{PROVIDER}/checkNameAvailability"
    body = {"name": inputs["vaultName"], "type": "Microsoft.KeyVault/vaults"}
    told = arm.checked(arm.send("name_check", "POST", path, body, repeatable=True).document)
    return {"isAvailable": told.get("nameAvailable") is True, "reason": told.get("reason")}


def create(arm: Arm, inputs: Inputs) -> Outputs:
    """A new vault. One that is there already is refused, or changed with `update`: never replaced."""
    place, wait_seconds = arm.new_vault(inputs), patience(inputs)
    _check(inputs)
    there = arm.look("vault_get", place.path)
    if there is not None:
        return _there_already(arm, place, there, inputs)
    body = _new(arm, place, inputs)
    arm.once(
        lambda: arm.send("vault_create", "PUT", place.path, body),
        lambda: arm.look("vault_get", place.path) is not None,
        f"vault {place.name}",
    )
    operation = LongOperation(arm, f"vault {place.name} to be ready", wait_seconds)
    is_settled = operation.until(provisioning(lambda: arm.ask("vault_get", place.path)))
    made = vault_described(arm.ask("vault_get", place.path)) if is_settled is not None else {"name": place.name}
    return {"effect": "created", "isSettled": is_settled, **made}


def update(arm: Arm, inputs: Inputs) -> Outputs:
    """Change what is named, and nothing else."""
    place = arm.vault(inputs)
    _check(inputs)
    if not any(inputs.get(name) is not None for name in ("sku", "softDeleteDays", "tags", *_SETTINGS)):
        raise BadInput("Nothing to update is named: give sku, usesRoles, purgeProtection, tags or another setting.")
    there = arm.ask("vault_get", place.path)
    return _updated(arm, place, there, inputs)


def _there_already(arm: Arm, place: VaultPlace, there: Any, inputs: Inputs) -> Outputs:
    if not inputs.get("update"):
        message = f"Vault {place.name} is there already: give update=true to change it, or choose another name."
        raise Conflict(message, code="vault_name_taken")
    location = str(there.get("location") or "")
    if _plain(location) != _plain(inputs["location"]):
        message = f"Vault {place.name} is in {location}, and a vault does not move: name that location."
        raise Conflict(message)
    changed = _updated(arm, place, there, inputs)
    return {name: value for name, value in changed.items() if name not in ("changes", "isDryRun")} | {"isSettled": True}


def _updated(arm: Arm, place: VaultPlace, there: Any, inputs: Inputs) -> Outputs:
    _check_retention(place, there, inputs)
    wanted = _settings(inputs)
    if inputs.get("sku"):
        wanted["sku"] = {"family": "A", "name": inputs["sku"]}
    changes = _changes(there, wanted, inputs.get("tags"))
    is_dry = bool(inputs.get("dryRun"))
    document = there
    if changes and not is_dry:
        document = _patched(arm, place, wanted, inputs.get("tags"))
    told = {"effect": "updated" if changes and not is_dry else "unchanged", "changes": changes, "isDryRun": is_dry}
    return {**told, **vault_described(document)}


def _patched(arm: Arm, place: VaultPlace, wanted: Mapping[str, Any], tags: Any) -> Any:
    body = {**({"properties": wanted} if wanted else {}), **({"tags": tags} if tags is not None else {})}

    def is_done() -> bool:
        return not _changes(arm.ask("vault_get", place.path), wanted, tags)

    what = f"vault {place.name}"
    reply = arm.once(lambda: arm.send("vault_update", "PATCH", place.path, body), is_done, what)
    return arm.checked(reply.document) if reply else arm.ask("vault_get", place.path)


def _new(arm: Arm, place: VaultPlace, inputs: Inputs) -> dict[str, Any]:
    """The vault as it is asked for, with what is safe where nothing is said: roles, 90 days."""
    days = inputs.get("softDeleteDays")
    told = {
        "tenantId": inputs.get("tenant") or tenant_of(arm, place.subscription),
        "sku": {"family": "A", "name": inputs.get("sku") or "standard"},
        "accessPolicies": [],
        "enableRbacAuthorization": True,
        "softDeleteRetentionInDays": RETENTION_DAYS if days is None else days,
        **_settings(inputs),
    }
    return {"location": inputs["location"], "tags": inputs.get("tags") or {}, "properties": told}


def tenant_of(arm: Arm, subscription: str) -> str:
    """The tenant of a subscription: whose people and apps its vaults let in. Raises BadInput."""
    lists = arm.listed("subscriptions", "/subscriptions", subscription_described, {}, version=SUBSCRIPTIONS_VERSION)
    for one in lists["items"]:
        if str(one["subscription"]).lower() == subscription and one["tenant"]:
            return str(one["tenant"])
    raise BadInput(f"The app does not see subscription {subscription}: correct it, or give it Reader there.")


def _settings(inputs: Inputs) -> dict[str, Any]:
    """The properties that the inputs name. Purge protection that is off is never said: Azure takes that for an error."""
    found = {wire: inputs[name] for name, wire in _SETTINGS.items() if inputs.get(name) is not None}
    if found.get("enablePurgeProtection") is False:
        del found["enablePurgeProtection"]
    return found


def _changes(there: Any, wanted: Mapping[str, Any], tags: Any) -> list[dict[str, Any]]:
    told, now = part(there, "properties"), dict(part(there, "tags"))
    changes = [_change(name, told, value) for name, value in wanted.items() if not _is_so(name, told, value)]
    return changes + ([{"name": "tags", "before": now, "after": tags}] if tags is not None and now != tags else [])


def _change(name: str, told: Mapping[str, Any], value: Any) -> dict[str, Any]:
    words = {wire: parameter for parameter, wire in _SETTINGS.items()}
    if name == "sku":
        return {"name": "sku", "before": part(told, "sku").get("name"), "after": value["name"]}
    return {"name": words[name], "before": told.get(name, _UNSAID.get(name, False)), "after": value}


def _is_so(name: str, told: Mapping[str, Any], value: Any) -> bool:
    change = _change(name, told, value)
    before, after = change["before"], change["after"]
    return (before or False) == after or str(before).lower() == str(after).lower()


def _check(inputs: Inputs) -> None:
    """What Azure would refuse, told before anything is called."""
    name, days = inputs["vaultName"], inputs.get("softDeleteDays")
    if not name[0].isalpha() or name.endswith("-") or "--" in name:
        message = "vaultName cannot be that: it begins with a letter, ends with a letter or digit, and has no --."
        raise BadInput(message, parameter="vaultName")
    if days is not None and not 7 <= days <= 90:
        raise BadInput("softDeleteDays is not between 7 and 90.", parameter="softDeleteDays")
    if inputs.get("tags") is not None:
        tags_of(inputs["tags"])


def _check_retention(place: VaultPlace, there: Any, inputs: Inputs) -> None:
    told, days = part(there, "properties"), inputs.get("softDeleteDays")
    kept = told.get("softDeleteRetentionInDays") or RETENTION_DAYS
    if days is not None and days != kept:
        message = f"Vault {place.name} keeps what is deleted for {kept} days, which nobody can change any more."
        raise Conflict(f"{message} Leave softDeleteDays out, or make another vault.", code="immutable")
    if inputs.get("purgeProtection") is False and told.get("enablePurgeProtection"):
        message = f"Vault {place.name} has purge protection, which nobody can take away any more."
        raise Conflict(f"{message} Leave purgeProtection out, or make another vault.", code="immutable")


def _plain(location: str) -> str:
    """Locations are written as `East US` and as `eastus`."""
    return location.lower().replace(" ", "")


ACTIONS: Final[Mapping[str, Performer]] = MappingProxyType(
    {
        "list_subscriptions": list_subscriptions,
        "list_resource_groups": list_groups,
        "list_vaults": list_all,
        "get_vault": get,
        "check_vault_name": check_name,
        "create_vault": create,
        "update_vault": update,
    }
)
