"""Keys and their versions, as a vault keeps them (Azure reference sheet, section 4.8).

The private half never leaves: it is a key object of the cryptography library, and only its operations are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey

RSA_OPERATIONS: Final = ("encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey")
EC_OPERATIONS: Final = ("sign", "verify")
DEFAULT_ROTATION: Final = {"lifetimeActions": [{"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}}]}


@dataclass(slots=True, eq=False)
class KeyVersion:
    """One version of a key. `kty` is RSA or EC, with `-HSM` behind it for one that a Premium vault keeps in hardware."""

    id: str
    kty: str
    private: PrivateKey = field(repr=False)
    operations: tuple[str, ...]
    created: int
    updated: int
    enabled: bool = True
    nbf: int | None = None
    exp: int | None = None
    tags: dict[str, str] | None = None
    exportable: bool = False
    release_policy: dict[str, Any] | None = None


@dataclass(slots=True, eq=False)
class Key:
    """A name and its versions, the oldest first; `managed` when a certificate owns it."""

    name: str
    versions: list[KeyVersion]
    managed: bool = False
    rotation: dict[str, Any] = field(default_factory=lambda: {**DEFAULT_ROTATION})
    rotation_created: int | None = None
    rotation_updated: int | None = None

    @property
    def latest(self) -> KeyVersion:
        """The version created last, even if it is disabled."""
        return self.versions[-1]

    def version(self, version_id: str) -> KeyVersion | None:
        """That version, or None."""
        return next((version for version in self.versions if version.id == version_id), None)


def weight_of(version: KeyVersion) -> tuple[bool, int]:
    """What the price of a call goes by: whether hardware keeps the key, and its size, 0 on a curve."""
    return version.kty.endswith("-HSM"), version.private.key_size if isinstance(version.private, RSAPrivateKey) else 0
