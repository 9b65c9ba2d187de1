"""Actions on the end of vaults: deleting one, and what undoes it or makes it final. What they take and give:
`deleted_vaults.toml`.

A deleted vault is known by its location as well; where none is named it is looked up. Source: Key Vault soft-delete
overview; ARM REST, Vaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from connectors.azure_key_vault.actions.vaults import tenant_of
from connectors.azure_key_vault.control.arm import (
    PROVIDER,
    Arm,
    Inputs,
    Performer,
    VaultPlace,
)
from connectors.azure_key_vault.control.long_operation import LongOperation, Look, absence, patience, provisioning
from connectors.azure_key_vault.control.metadata import deleted_vault_described, place_of, vault_described
from connectors.azure_key_vault.control.plane import VAULTS_VERSION
from connectors.azure_key_vault.documents import Outputs
from connectors.errors import Conflict, NotFound


def list_all(arm: Arm, inputs: Inputs) -> Outputs:
    """Every deleted vault of the subscription."""
    place = f"/subscriptions/{arm.subscription(inputs)}{PROVIDER}/deletedVaults"
    return arm.listed("deleted_vaults", place, deleted_vault_described, inputs)


def get(arm: Arm, inputs: Inputs) -> Outputs:
    """What is said of a deleted vault."""
    return deleted_vault_described(_found(arm, inputs))


def delete(arm: Arm, inputs: Inputs) -> Outputs:
    """Delete a vault, and wait until it stands among the deleted ones."""
    place, wait_seconds = arm.vault(inputs), patience(inputs)
    there = arm.ask("vault_get", place.path)
    arm.once(
        lambda: arm.send("vault_delete", "DELETE", place.path),
        lambda: arm.look("vault_get", place.path) is None,
        f"vault {place.name}",
    )
    where = _deleted_path(place.subscription, str(there.get("location") or ""), place.name)
    is_settled = LongOperation(arm, f"vault {place.name} to be deleted", wait_seconds).until(_appears(arm, where))
    told = deleted_vault_described(arm.ask("deleted_vault_get", where)) if is_settled else {}
    known = {"name": place.name, "location": there.get("location"), **place_of(there.get("id"))}
    return {**known, **{name: told.get(name) for name in _LEFT}, "isSettled": is_settled}


def recover(arm: Arm, inputs: Inputs) -> Outputs:
    """Bring a deleted vault back to its group, with everything that was in it."""
    wait_seconds = patience(inputs)
    gone = _found(arm, inputs)
    told = deleted_vault_described(gone)
    place = VaultPlace(arm.subscription(inputs), str(told["resourceGroup"] or ""), inputs["vaultName"])
    body = _recovery(arm, place.subscription, told)
    arm.once(
        lambda: arm.send("vault_recover", "PUT", place.path, body),
        lambda: arm.look("vault_get", place.path) is not None,
        f"vault {place.name}",
    )
    operation = LongOperation(arm, f"vault {place.name} to be recovered", wait_seconds)
    is_settled = operation.until(_appears(arm, place.path, "vault_get"))
    if is_settled:
        is_settled = operation.until(provisioning(lambda: arm.ask("vault_get", place.path)))
    made = vault_described(arm.ask("vault_get", place.path)) if is_settled else {}
    known = {"name": place.name, "resourceGroup": place.group}
    return {**known, **{name: made.get(name) for name in _BACK}, "isSettled": is_settled}


def purge(arm: Arm, inputs: Inputs) -> Outputs:
    """Delete a deleted vault for good, and wait until Azure has done it."""
    wait_seconds, name, subscription = patience(inputs), inputs["vaultName"], arm.subscription(inputs)
    told = deleted_vault_described(_found(arm, inputs))
    if told["hasPurgeProtection"]:
        raise _protected(name, told["scheduledPurgeTime"])
    path = _deleted_path(subscription, str(told["location"] or ""), name)

    def is_gone() -> bool:
        return arm.look("deleted_vault_get", path) is None

    reply = arm.once(lambda: arm.send("vault_purge", "POST", f"{path}/purge"), is_gone, f"deleted vault {name}")
    operation = LongOperation(arm, f"vault {name} to be purged", wait_seconds)
    url, gone = arm.url(path, VAULTS_VERSION), absence(lambda: arm.ask("deleted_vault_get", path))
    is_settled = operation.follow(reply, url, gone) if reply else operation.until(gone)
    return {"name": name, "location": told["location"], "isSettled": is_settled}


def _found(arm: Arm, inputs: Inputs) -> Any:
    """The deleted vault; looked up where its location is not named. Raises NotFound."""
    name, subscription = inputs["vaultName"], arm.subscription(inputs)
    if inputs.get("location"):
        return arm.ask("deleted_vault_get", _deleted_path(subscription, inputs["location"], name))
    place = f"/subscriptions/{subscription}{PROVIDER}/deletedVaults"
    found = arm.listed("deleted_vaults", place, dict, {})["items"]
    for one in found:
        if str(one.get("name")).lower() == name.lower():
            return one
    raise NotFound(f"No deleted vault {name} is in subscription {subscription}: list_deleted_vaults shows those there.")


def _recovery(arm: Arm, subscription: str, told: Outputs) -> dict[str, Any]:
    """What a PUT must have; a vault that comes back has its own settings all the same."""
    properties = {
        "tenantId": tenant_of(arm, subscription),
        "sku": {"family": "A", "name": "standard"},
        "createMode": "recover",
    }
    return {"location": told["location"], "properties": properties}


def _appears(arm: Arm, path: str, kind: str = "deleted_vault_get") -> Any:
    return lambda: Look("InProgress", arm.look(kind, path) is not None)


def _deleted_path(subscription: str, location: str, name: str) -> str:
    plain = quote(location.lower().replace(" ", ""))
    return f"/subscriptions/{subscription}{PROVIDER}/locations/{plain}/deletedVaults/{quote(name)}"


def _protected(name: str, until: Any) -> Conflict:
    message = f"Vault {name} has purge protection: it goes by itself at {until}, and not before."
    return Conflict(f"{message} recover_vault brings it back.", code="purge_refused")


_LEFT: Final = ("deletedTime", "scheduledPurgeTime")
_BACK: Final = ("location", "subscription", "vaultUrl", "state")

ACTIONS: Final[Mapping[str, Performer]] = MappingProxyType(
    {
        "delete_vault": delete,
        "list_deleted_vaults": list_all,
        "get_deleted_vault": get,
        "recover_vault": recover,
        "purge_vault": purge,
    }
)
