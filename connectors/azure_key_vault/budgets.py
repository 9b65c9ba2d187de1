"""What calls cost here, and which budgets they draw on: the vault's as published, the connection's own, the subscription's.

A call on a key costs by the key's type and size, which its first answer tells: until then it costs what others do, and the
difference is owed. Source: Key Vault service limits, "Key transactions" and "Secrets, … and vault transactions";
thresholds are weighted, and five times a vault's hold for all vaults of a subscription in one region.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from connectors.azure_key_vault.control.plane import BUDGET, BUDGET_SECONDS
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


def budget_of(connection: Connection, access: Access, descriptor: Descriptor, host: str, cloud: str) -> Budget:
    """Where this connection's calls get their slots.

    A connection's own limits hold besides the published ones; where they allow more, they take their place.
    """
    is_data = connection.api_type == ApiType.DATA
    limits, period = (descriptor.budget, descriptor.budget_period_seconds) if is_data else (BUDGET, BUDGET_SECONDS)
    place = host if is_data else f"{host} as {connection.iclient}"
    whole = _whole(access, cloud) if is_data else None
    own = connection.limits
    if own.calls is None:
        return _shared(access, place, limits, period, whole)
    mine = _shared(access, f"{place} for {connection.name}", dict.fromkeys(limits, own.calls), own.period_seconds, None)
    if own.calls / own.period_seconds > limits[OTHER] / period:
        return mine
    return Both(mine, _shared(access, place, limits, period, whole))


def effort_of(connection: Connection, descriptor: Descriptor, host: str, resource: str) -> Effort:
    """What listing, reading and writing this resource takes, in calls and in seconds of the budget."""
    costs = _costs(connection, descriptor)
    prefix = _PREFIXES.get(collection_of(resource), "")
    if connection.api_type != ApiType.DATA:
        return Effort(host, page_size=_CONTROL_PAGE, lists=resource, seconds={resource: costs[OTHER]})
    lists, reads, writes = f"{prefix}list", f"{prefix}get", _WRITES.get(resource, f"{prefix}put")
    seconds = {lists: costs[OTHER], reads: costs[OTHER], writes: costs[CREATE]}
    return Effort(host, PAGE_SIZE, lists, reads, (writes,), (reads,), (reads, writes), seconds)


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


def _costs(connection: Connection, descriptor: Descriptor) -> dict[str, float]:
    """Seconds of the budget that a call takes, the published one or the connection's own, whichever is slower."""
    is_data = connection.api_type == ApiType.DATA
    limits, period = (descriptor.budget, descriptor.budget_period_seconds) if is_data else (BUDGET, BUDGET_SECONDS)
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
