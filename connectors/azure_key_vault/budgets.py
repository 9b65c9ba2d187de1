"""What calls cost here, and which budgets they draw on: the vault's as published, the connection's own, the subscription's.

A call on a key costs by the key's type and size, which its first answer tells: until then it costs what others do, and the
difference is owed. Source: Key Vault service limits, "Key transactions" and "Secrets, … and vault transactions";
thresholds are weighted, and five times a vault's hold for all vaults of a subscription in one region.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.azure_key_vault.rights import collection_of
from connectors.connector import Access
from connectors.descriptor import Descriptor
from connectors.effort import Effort
from connectors.model import ApiType, Connection
from connectors.throttle import Both, Budget, Whole

OTHER: Final = "other"
CREATE: Final = "create"
KEY_CREATE: Final = "key_create"
HSM: Final = "hsm_"
ARM_BUDGET: Final[Mapping[str, int]] = {OTHER: 250, CREATE: 100}
"""Calls in ARM_SECONDS: what ARM refills for one app in one subscription, reads and writes."""
ARM_SECONDS: Final = 10.0
VAULTS_OF_A_SUBSCRIPTION: Final = 5.0
"""So many vaults' worth all vaults of a subscription have in one region."""

_PREFIXES: Final = {"keys": "key_", "certificates": "cert_"}
_WRITES: Final = {"certificates": "cert_import"}
PAGE_SIZE: Final = 25
"""The most that Key Vault puts on a page."""
_CONTROL_PAGE: Final = 100
_LARGE: Final = (3072, 4096)
_MAKES: Final = frozenset({"create", "rotate"})
_BRINGS: Final = frozenset({"import", "restore"})
_CREATING: Final = frozenset({"put", "create", "import", "merge", "restore"})
_CHANGING: Final = frozenset({"put", "create", "update", "change", "check", "delete", "recover", "purge"})
"""What ARM counts as a write, by the last word of a call's name."""


def budget_of(connection: Connection, access: Access, descriptor: Descriptor, host: str, cloud: str) -> Budget:
    """Where this connection's calls get their slots.

    A connection's own limits hold besides the published ones; where they allow more, they take their place.
    """
    is_data = connection.api_type == ApiType.DATA
    limits, period = (descriptor.budget, descriptor.budget_period_seconds) if is_data else (ARM_BUDGET, ARM_SECONDS)
    place = host if is_data else f"{host} as {connection.iclient}"
    whole = _whole(access, cloud) if is_data else None
    own = connection.limits
    if own.calls is None:
        return _shared(access, place, limits, period, whole)
    mine = _shared(access, f"{place} for {connection.name}", dict.fromkeys(limits, own.calls), own.period_seconds, None)
    if own.calls / own.period_seconds > limits[OTHER] / period:
        return mine
    return Both(mine, _shared(access, place, limits, period, whole))


def effort_of(
    connection: Connection,
    descriptor: Descriptor,
    host: str,
    resource: str,
    unread: frozenset[str],
    options: Mapping[str, Any],
) -> Effort:
    """What listing, reading and writing this resource takes, in calls and in seconds of the budget.

    The key of a certificate is read from the secret of its name; a disabled secret is not read at all.
    """
    costs = _costs(connection, descriptor)
    if connection.api_type != ApiType.DATA:
        return Effort(host, _CONTROL_PAGE, usual_seconds=costs[OTHER])
    prefix = _PREFIXES.get(collection_of(resource), "")
    look, writes = f"{prefix}get", _WRITES.get(resource, f"{prefix}put")
    takes_value = "value" in unread
    reads = (look, *(["get"] if resource == "certificates" and takes_value else [])) if unread else ()
    return Effort(
        host,
        PAGE_SIZE,
        begins=_look_at_deleted(resource, options),
        reads=reads,
        creates=(writes,),
        compares=(look,),
        updates=(look, writes),
        opens="enabled" if takes_value or (unread and resource == "secrets") else "",
        usual_seconds=costs[OTHER],
        seconds={writes: costs[CREATE]},
    )


def effort_of_action(connection: Connection, descriptor: Descriptor, host: str, kinds: Sequence[str]) -> Effort:
    """What an action that makes these calls takes. What the key costs is not known before: it counts as the usual one."""
    costs = _costs(connection, descriptor)
    class_of = _class_of if connection.api_type == ApiType.DATA else _class_in_control
    seconds = {kind: costs[class_of(kind)] for kind in kinds}
    return Effort(host, acts=tuple(kinds), usual_seconds=costs[OTHER], seconds=seconds)


def weight_of_call(kind: str, body: Mapping[str, Any] | None, known: str) -> str:
    """The class of a call on a key; `known` is what a call on that key costs, as far as that is known."""
    if kind in _BRINGS:
        return CREATE
    if kind not in _MAKES:
        return known
    is_hsm = str((body or {}).get("kty", "")).endswith("-HSM") or (kind == "rotate" and known.startswith(HSM))
    return f"{HSM}{KEY_CREATE}" if is_hsm else KEY_CREATE


def weight_of_key(document: Any) -> str | None:
    """What a call on the key of this answer costs; None where it does not tell."""
    key = document.get("key") if isinstance(document, dict) else None
    kind = key.get("kty") if isinstance(key, dict) else None
    if not isinstance(key, dict) or not isinstance(kind, str):
        return None
    size = _bits(key.get("n")) if kind.startswith("RSA") else 0
    large = next((f"rsa_{one}" for one in reversed(_LARGE) if size >= one), OTHER)
    return f"{HSM}{large}" if kind.endswith("-HSM") else large


def _look_at_deleted(resource: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """The list of deleted names that an import begins with: of certificates always, of secrets where a rule asks for it."""
    if resource == "certificates":
        return ("cert_deleted_list",)
    return ("deleted",) if resource == "secrets" and options.get("deleted", "fail") != "fail" else ()


def _class_of(kind: str) -> str:
    """Which budget a call of an action draws on, by the name under which runs count it."""
    if kind.startswith(_PREFIXES["keys"]):
        return weight_of_call(kind.removeprefix(_PREFIXES["keys"]), None, OTHER)
    return CREATE if kind.removeprefix(_PREFIXES["certificates"]) in _CREATING else OTHER


def _class_in_control(kind: str) -> str:
    return CREATE if kind.rpartition("_")[2] in _CHANGING else OTHER


def _costs(connection: Connection, descriptor: Descriptor) -> dict[str, float]:
    """Seconds of the budget that a call takes, the published one or the connection's own, whichever is slower."""
    is_data = connection.api_type == ApiType.DATA
    limits, period = (descriptor.budget, descriptor.budget_period_seconds) if is_data else (ARM_BUDGET, ARM_SECONDS)
    published = {kind: period / calls for kind, calls in limits.items()}
    own = connection.limits
    if own.calls is None:
        return published
    each = own.period_seconds / own.calls
    return {kind: max(each, cost) if each > published[OTHER] else each for kind, cost in published.items()}


def _shared(access: Access, place: str, limits: Mapping[str, int], period: float, whole: Whole | None) -> Budget:
    if access.budget is None:
        return Budget(limits, period, access.clock)
    return access.budget(place, limits, period, whole)


def _whole(access: Access, cloud: str) -> Whole | None:
    """All vaults of a directory share five vaults' worth: to which subscription one belongs, the data plane does not say."""
    return Whole(f"vaults of {access.tenant} in {cloud}", VAULTS_OF_A_SUBSCRIPTION) if access.tenant else None


def _bits(modulus: Any) -> int:
    if not isinstance(modulus, str):
        return 0
    try:
        return len(base64.urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4)).lstrip(b"\0")) * 8
    except (ValueError, binascii.Error):
        return 0
