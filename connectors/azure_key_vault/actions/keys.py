"""Actions on the keys of a vault, and what is done with them. What they take and give: `keys.toml`.

Raw data is text and travels in UTF-8. Where what was decrypted is no text, it is given as base64url, and the output
`rawDataEncoding` says so; encrypting takes the same pair, so that what one gives the other takes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from connectors.actions import decoded, encoded
from connectors.azure_key_vault.actions.metadata import attributes, key_described, key_item, latest, mapping
from connectors.azure_key_vault.actions.plane import (
    DataPlane,
    Inputs,
    Performer,
    life,
    name_and_version,
    without_version,
)
from connectors.azure_key_vault.documents import Outputs, text, with_id
from connectors.azure_key_vault.listing import listed
from connectors.azure_key_vault.schemas import load_properties
from connectors.errors import BadInput, Forbidden
from iclients.errors import MalformedAnswer
from iclients.secret import Secret

UTF8: Final = "utf-8"
BASE64URL: Final = "base64url"
SIZES: Final = (2048, 3072, 4096)
_PRIVATE_MEMBERS: Final = {"RSA": "d", "EC": "d", "oct": "k"}
_DIGEST_BYTES: Final = {"256": 32, "384": 48, "512": 64, "56K": 32}

_POLICY: Final = frozenset({"lifetimeActions", "attributes", "id"})


def encrypt(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Encrypt raw data."""
    data = _raw(inputs["rawData"].reveal(), inputs["rawDataEncoding"])
    document = _use(plane, inputs, "encrypt", {"value": encoded(data)})
    return {"encryptedData": text(document, "value"), **name_and_version(document)}


def decrypt(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Decrypt what was encrypted."""
    document = _use(plane, inputs, "decrypt", {"value": inputs["encryptedData"]})
    raw, encoding = _shown(_bytes(document))
    return {"rawData": Secret(raw), "rawDataEncoding": encoding, **name_and_version(document)}


def wrap(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Encrypt another key."""
    document = _use(plane, inputs, "wrapkey", {"value": inputs["key"].reveal()})
    return {"wrappedKey": text(document, "value"), **name_and_version(document)}


def unwrap(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Decrypt another key."""
    document = _use(plane, inputs, "unwrapkey", {"value": inputs["wrappedKey"]})
    return {"key": Secret(text(document, "value")), **name_and_version(document)}


def sign(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Sign a digest."""
    _check_digest(inputs)
    document = _use(plane, inputs, "sign", {"value": inputs["digest"]})
    return {"signature": text(document, "value"), **name_and_version(document)}


def verify(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Whether a signature is right. The vault's answer names no version: it is the one that was asked for."""
    _check_digest(inputs)
    version = _version(plane, inputs, "verify")
    body = {"digest": inputs["digest"], "value": inputs["signature"]}
    document = _use(plane, {**inputs, "keyVersion": version}, "verify", body)
    if not isinstance(document, dict) or not isinstance(document.get("value"), bool):
        raise MalformedAnswer("The vault's answer is not what its API promises: value.")
    return {"isValid": document["value"], "name": inputs["keyName"], "version": version}


def get(plane: DataPlane, inputs: Inputs) -> Outputs:
    """A version, the latest where none is named."""
    return key_described(plane.keys.document(inputs["keyName"], inputs.get("keyVersion") or ""))


def list_all(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Every key."""
    return listed(plane.keys, "list", "/keys", without_version(key_item), inputs)


def list_versions(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Every version of a key."""
    return listed(plane.keys, "versions", f"/keys/{inputs['keyName']}/versions", key_item, inputs)


def create(plane: DataPlane, inputs: Inputs) -> Outputs:
    """A new version of the vault's own making."""
    _check_material(inputs)
    wire = {"kty": inputs["keyType"], "key_size": inputs.get("keySize"), "crv": inputs.get("curve")}
    body = {**{name: value for name, value in wire.items() if value is not None}, **_described(inputs)}
    return key_described(plane.keys.create(inputs["keyName"], body))


def bring(plane: DataPlane, inputs: Inputs) -> Outputs:
    """A new version that was made outside."""
    key = json.loads(inputs["jsonWebKey"].reveal())
    if not isinstance(key, dict) or not key.get(_PRIVATE_MEMBERS.get(str(key.get("kty")).removesuffix("-HSM"), "")):
        raise BadInput("jsonWebKey is no JSON Web Key with its private members.", parameter="jsonWebKey")
    described = _described(inputs)
    if "key_ops" in described:
        key["key_ops"] = described.pop("key_ops")
    return key_described(plane.keys.bring(inputs["keyName"], {"key": key, **described}))


def rotate(plane: DataPlane, inputs: Inputs) -> Outputs:
    """A new version like the one before."""
    return key_described(plane.keys.rotate(inputs["keyName"]))


def update(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Attributes of a version, the latest where none is named: which one that is, is found out first."""
    name, body = inputs["keyName"], _described(inputs)
    if not body:
        raise BadInput("Nothing to update is named: give allowedOperations, enabled, tags or a validity.")
    version = inputs.get("keyVersion") or latest(plane.keys, name).version or ""
    return key_described(plane.keys.update(name, version, body))


def get_policy(plane: DataPlane, inputs: Inputs) -> Outputs:
    """When the vault rotates a key."""
    return {"rotationPolicy": plane.keys.rotation_policy(inputs["keyName"])}


def set_policy(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Say when. Raises BadInput for what no policy has: a vault would leave it out, and the rules that were there, too."""
    policy = mapping(inputs, "rotationPolicy")
    strange = [name for name in policy if name not in _POLICY]
    if strange or "lifetimeActions" not in policy:
        raise BadInput(
            f"rotationPolicy {f'has {strange[0]}, which no policy has' if strange else 'has no lifetimeActions'}; it is like "
            '{"lifetimeActions": [{"trigger": {"timeAfterCreate": "P90D"}, "action": {"type": "Rotate"}}], '
            '"attributes": {"expiryTime": "P1Y"}}.',
            parameter="rotationPolicy",
        )
    return {"rotationPolicy": plane.keys.set_rotation_policy(inputs["keyName"], policy)}


def _use(plane: DataPlane, inputs: Inputs, operation: str, body: dict[str, Any]) -> Any:
    version = _version(plane, inputs, operation)
    return plane.keys.use(operation, inputs["keyName"], version, {"alg": inputs["algorithm"], **body})


def _version(plane: DataPlane, inputs: Inputs, operation: str) -> str:
    """The version that is named, else the latest, found out by us: services in between stumble over an empty one."""
    if inputs.get("keyVersion"):
        return str(inputs["keyVersion"])
    try:
        return load_properties(with_id(plane.keys.document(inputs["keyName"]))).version or ""
    except Forbidden as error:
        if error.code != Forbidden.code:
            raise
        message = f"{error} It is needed to find the latest version; with keyVersion, {operation} does without."
        raise Forbidden(message) from error


def _raw(data: str, encoding: str) -> bytes:
    if encoding == UTF8:
        return data.encode()
    try:
        return decoded(data)
    except ValueError:
        raise BadInput("rawData is not base64url, as rawDataEncoding says.", parameter="rawData") from None


def _shown(data: bytes) -> tuple[str, str]:
    try:
        return data.decode(), UTF8
    except UnicodeDecodeError:
        return encoded(data), BASE64URL


def _bytes(document: Any) -> bytes:
    try:
        return decoded(text(document, "value"))
    except ValueError:
        raise MalformedAnswer("The vault's answer is not what its API promises: value.") from None


def _check_digest(inputs: Inputs) -> None:
    wanted, has = _DIGEST_BYTES[inputs["algorithm"][-3:]], len(decoded(inputs["digest"]))
    if has != wanted:
        message = f"digest has {has} bytes; {inputs['algorithm']} signs digests of {wanted}."
        raise BadInput(message, parameter="digest")


def _check_material(inputs: Inputs) -> None:
    is_rsa, size = inputs["keyType"].startswith("RSA"), inputs.get("keySize")
    if size is not None and (not is_rsa or size not in SIZES):
        raise BadInput("keySize is for RSA keys, and 2048, 3072 or 4096.", parameter="keySize")
    if is_rsa and inputs.get("curve") is not None:
        raise BadInput("curve is for EC keys.", parameter="curve")


def _described(inputs: Inputs) -> dict[str, Any]:
    operations = inputs.get("allowedOperations")
    return {**({"key_ops": operations} if operations is not None else {}), **attributes(inputs)}


ACTIONS: Final[Mapping[str, Performer]] = MappingProxyType(
    {
        "decrypt": decrypt,
        "decrypt_with_version": decrypt,
        "encrypt": encrypt,
        "encrypt_with_version": encrypt,
        "get_key_metadata": get,
        "get_key_version_metadata": get,
        "list_keys": list_all,
        "list_key_versions": list_versions,
        "wrap_key": wrap,
        "unwrap_key": unwrap,
        "sign": sign,
        "verify": verify,
        "create_key": create,
        "import_key": bring,
        "rotate_key": rotate,
        "update_key": update,
        "get_key_rotation_policy": get_policy,
        "set_key_rotation_policy": set_policy,
        **life("key", lambda plane: plane.keys, key_item, key_described),
    }
)
