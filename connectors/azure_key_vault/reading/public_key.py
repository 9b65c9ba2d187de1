"""The public half of a key, as a JSON Web Key says it, written as PEM.

Sources: RFC 7517 and 7518 §6 (the key), RFC 5280 §4.1 and RFC 3279 (SubjectPublicKeyInfo), X.690 (DER), RFC 7468 (PEM).
"""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Mapping
from typing import Any, Final

from connectors.actions import decoded

_PUBLIC: Final = ("kty", "n", "e", "crv", "x", "y")
_RSA: Final = bytes.fromhex("06092a864886f70d0101010500")
_EC: Final = bytes.fromhex("06072a8648ce3d0201")
_CURVES: Final[Mapping[str, tuple[bytes, int]]] = {
    "P-256": (bytes.fromhex("06082a8648ce3d030107"), 256),
    "P-384": (bytes.fromhex("06052b81040022"), 384),
    "P-521": (bytes.fromhex("06052b81040023"), 521),
    "P-256K": (bytes.fromhex("06052b8104000a"), 256),
}


def public_half(key: Mapping[str, Any]) -> dict[str, str]:
    """The members that anybody may know; a symmetric key has none but its type."""
    return {name: key[name] for name in _PUBLIC if isinstance(key.get(name), str)}


def key_size(key: Mapping[str, Any]) -> int | None:
    """In bits; None where the key does not say."""
    key = public_half(key)
    if key.get("crv") in _CURVES:
        return _CURVES[key["crv"]][1]
    try:
        return int.from_bytes(decoded(key["n"])).bit_length()
    except (KeyError, ValueError, TypeError):
        return None


def as_pem(key: Mapping[str, Any]) -> str | None:
    """The key as `PUBLIC KEY`; None for a symmetric key, an unknown curve, and what is no key."""
    key = public_half(key)
    try:
        if str(key.get("kty", "")).startswith("RSA"):
            numbers = _sequence(_integer(decoded(key["n"])) + _integer(decoded(key["e"])))
            return pem("PUBLIC KEY", _sequence(_sequence(_RSA) + _bits(numbers)))
        curve, bits = _CURVES[key["crv"]]
        size = (bits + 7) // 8
        point = b"\x04" + decoded(key["x"]).rjust(size, b"\0") + decoded(key["y"]).rjust(size, b"\0")
        return pem("PUBLIC KEY", _sequence(_sequence(_EC + curve) + _bits(point)))
    except (KeyError, ValueError, TypeError):
        return None


def pem(label: str, der: bytes) -> str:
    """DER between its two lines."""
    lines = "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"


def _sequence(content: bytes) -> bytes:
    return _tagged(0x30, content)


def _bits(content: bytes) -> bytes:
    return _tagged(0x03, b"\0" + content)


def _integer(magnitude: bytes) -> bytes:
    number = int.from_bytes(magnitude)
    return _tagged(0x02, number.to_bytes(number.bit_length() // 8 + 1))


def _tagged(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content
