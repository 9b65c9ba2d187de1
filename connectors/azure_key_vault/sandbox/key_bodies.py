"""Reads what clients send about keys, and refuses what Key Vault refuses (Azure reference sheet, section 4.8)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from connectors.azure_key_vault.sandbox import bodies, key_material
from connectors.azure_key_vault.sandbox.bodies import invalid
from connectors.azure_key_vault.sandbox.errors import Refused
from connectors.azure_key_vault.sandbox.keys import EC_OPERATIONS, RSA_OPERATIONS, Key, KeyVersion, PrivateKey
from connectors.azure_key_vault.sandbox.tokens import decode

KINDS: Final = ("RSA", "RSA-HSM", "EC", "EC-HSM")
OPERATIONS: Final = (*RSA_OPERATIONS, "import", "export")
_PLAIN: Final = ("id", "kty", "operations", "created", "updated", "enabled", "nbf", "exp", "tags", "exportable",
                 "release_policy")  # fmt: skip


def created(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a create request asks for, by the names of a version's fields."""
    kty = _kind(body.get("kty"))
    size, curve, exponent = body.get("key_size"), body.get("crv"), body.get("public_exponent")
    for name, value, kind in (("key_size", size, int), ("crv", curve, str), ("public_exponent", exponent, int)):
        if value is not None and not isinstance(value, kind):
            raise invalid(name)
    return _draft(kty, key_material.made(kty, size, curve, exponent), body)


def imported(body: Mapping[str, Any]) -> dict[str, Any]:
    """What an import request brings."""
    jwk = body.get("key")
    if not isinstance(jwk, dict):
        raise invalid("key")
    kty = _kind(jwk.get("kty"))
    if body.get("Hsm") is True and not kty.endswith("-HSM"):
        kty = f"{kty}-HSM"
    return _draft(kty, key_material.imported(jwk), {"key_ops": jwk.get("key_ops"), **body})


def described(body: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a request that are there, by the names of a version's fields."""
    found = bodies.described({name: value for name, value in body.items() if name != "contentType"})
    operations = _operations(body.get("key_ops"))
    if operations is not None:
        found["operations"] = operations
    attributes = body.get("attributes") or {}
    if attributes.get("exportable") is not None:
        found["exportable"] = attributes["exportable"] is True
    policy = body.get("release_policy")
    if policy is not None:
        if not isinstance(policy, dict):
            raise invalid("release_policy")
        found["release_policy"] = policy
    return found


def asked(body: Mapping[str, Any]) -> tuple[str, bytes]:
    """The algorithm and the data of a cryptographic request."""
    algorithm = body.get("alg")
    if not isinstance(algorithm, str):
        raise invalid("alg")
    return algorithm, data(body, "value")


def data(body: Mapping[str, Any], name: str) -> bytes:
    """The bytes of a base64url member; 400 where it is none."""
    text = body.get(name)
    try:
        if isinstance(text, str):
            return decode(text)
    except ValueError as problem:
        raise invalid(name) from problem
    raise invalid(name)


def another(private: PrivateKey) -> PrivateKey:
    """New material of the same kind and size."""
    if isinstance(private, rsa.RSAPrivateKey):
        return rsa.generate_private_key(private.public_key().public_numbers().e, private.key_size)
    return ec.generate_private_key(private.curve)


def backup(key: Key) -> str:
    """All versions of a key as an opaque text that only this process restores."""
    versions = [{**{name: getattr(one, name) for name in _PLAIN}, "private": _packed(one)} for one in key.versions]
    document = {"key": key.name, "versions": versions, "rotation": key.rotation}
    return bodies.sealed(json.dumps(document).encode())


def restored(body: dict[str, Any]) -> Key:
    """The key in a backup; 400 when it is not one of ours."""
    document = json.loads(bodies.unsealed(body))
    if "key" not in document:
        raise Refused(400, "BadParameter", "Backup blob is not that of a key.")
    return Key(document["key"], [_unpacked(one) for one in document["versions"]], rotation=document["rotation"])


def _kind(told: Any) -> str:
    if told in ("oct", "oct-HSM"):
        raise Refused(400, "BadParameter", f"Keys of type {told} are kept by managed HSMs only.")
    if told not in KINDS:
        raise invalid("kty")
    return str(told)


def _draft(kty: str, private: PrivateKey, body: Mapping[str, Any]) -> dict[str, Any]:
    usual = RSA_OPERATIONS if kty.startswith("RSA") else EC_OPERATIONS
    found = described(body)
    operations = found.setdefault("operations", usual)
    if kty.startswith("EC") and set(operations) & {"encrypt", "decrypt", "wrapKey", "unwrapKey"}:
        raise invalid("key_ops")
    if found.get("exportable") and "release_policy" not in found:
        raise Refused(400, "BadParameter", "An exportable key needs a release policy.")
    return {"kty": kty, "private": private, **found}


def _operations(told: Any) -> tuple[str, ...] | None:
    if told is None:
        return None
    if not isinstance(told, list) or any(one not in OPERATIONS for one in told):
        raise invalid("key_ops")
    return tuple(told)


def _packed(version: KeyVersion) -> str:
    der = version.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return base64.b64encode(der).decode()


def _unpacked(told: dict[str, Any]) -> KeyVersion:
    private = load_der_private_key(base64.b64decode(told["private"]), None)
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise Refused(400, "BadParameter", "Backup blob is not that of a key.")
    return KeyVersion(**{**told, "operations": tuple(told["operations"]), "private": private})
