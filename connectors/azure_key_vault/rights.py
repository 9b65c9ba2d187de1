"""Rights, as access policies call them (`secrets/get`), and the smallest roles that have several of them together.

Source: Azure RBAC guide for Key Vault, built-in roles for data plane operations.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

_READING: Final = frozenset({"list", "get"})
_USING: Final = _READING | {"update", "backup", "encrypt", "decrypt", "wrapKey", "unwrapKey", "sign", "verify"}
_ROLES: Final[tuple[tuple[str, Mapping[str, Collection[str] | None]], ...]] = (
    ("Key Vault Reader", {"secrets": {"list"}, "keys": _READING, "certificates": _READING}),
    ("Key Vault Secrets User", {"secrets": _READING}),
    ("Key Vault Crypto User", {"keys": _USING}),
    ("Key Vault Certificate User", {"certificates": _READING, "secrets": _READING, "keys": _READING}),
    ("Key Vault Secrets Officer", {"secrets": None}),
    ("Key Vault Crypto Officer", {"keys": None}),
    ("Key Vault Certificates Officer", {"certificates": None}),
)
"""From the smallest to the largest; None stands for all of a collection's rights."""


def collection_of(resource: str) -> str:
    """Whose rights a resource of the data plane takes: `secrets` for secret_versions and deleted_secrets."""
    kept = resource.removeprefix("deleted_")
    return f"{kept.removesuffix('_versions')}s" if kept.endswith("_versions") else kept


def smallest_roles(rights: Iterable[str]) -> tuple[str, ...]:
    """The smallest role with all of these rights, or one for each collection where no single one has them."""
    wanted = sorted(set(rights))
    for role, _ in _ROLES:
        if all(_has(role, right) for right in wanted):
            return (role,)
    collections = sorted({right.partition("/")[0] for right in wanted})
    if len(collections) < 2:
        return ("Key Vault Administrator",)
    each = [smallest_roles(right for right in wanted if right.startswith(f"{one}/")) for one in collections]
    return tuple(dict.fromkeys(role for roles in each for role in roles))


def _has(role: str, right: str) -> bool:
    collection, _, word = right.partition("/")
    words = dict(_ROLES)[role].get(collection, ())
    return words is None or word in words
