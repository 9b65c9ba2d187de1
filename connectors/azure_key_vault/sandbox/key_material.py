"""Key material: made, read from a JSON Web Key, and shown as the public half of one (RFC 7517, RFC 7518 §6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from connectors.azure_key_vault.sandbox.bodies import invalid
from connectors.azure_key_vault.sandbox.keys import PrivateKey
from connectors.azure_key_vault.sandbox.tokens import decode, encode

CURVES: Final[Mapping[str, ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
    "P-256K": ec.SECP256K1(),
}
RSA_SIZES: Final = (2048, 3072, 4096)
EXPONENT: Final = 65537
_CURVE_NAMES: Final = {curve.name: name for name, curve in CURVES.items()}
_RSA_MEMBERS: Final = ("n", "e", "d", "p", "q", "dp", "dq", "qi")


def made(kty: str, size: int | None, curve: str | None, exponent: int | None) -> PrivateKey:
    """A new key of this type; 400 for what a vault does not make."""
    if kty.startswith("EC"):
        if size is not None or (curve or "P-256") not in CURVES:
            raise invalid("crv" if size is None else "key_size")
        return ec.generate_private_key(CURVES[curve or "P-256"])
    if curve is not None or (size or 2048) not in RSA_SIZES:
        raise invalid("key_size" if curve is None else "crv")
    if (exponent or EXPONENT) not in (3, EXPONENT):
        raise invalid("public_exponent")
    return rsa.generate_private_key(exponent or EXPONENT, size or 2048)


def imported(jwk: Mapping[str, Any]) -> PrivateKey:
    """The key of a JSON Web Key with its private members; 400 where one is missing or they do not fit."""
    kty = str(jwk.get("kty", "")).removesuffix("-HSM")
    try:
        if kty == "RSA":
            return _rsa({name: _number(jwk[name]) for name in _RSA_MEMBERS})
        if kty == "EC":
            public = ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), CURVES[jwk["crv"]])
            return ec.EllipticCurvePrivateNumbers(_number(jwk["d"]), public).private_key()
    except (KeyError, ValueError, TypeError) as problem:
        raise invalid("key") from problem
    raise invalid("kty")


def shown(private: PrivateKey) -> dict[str, str]:
    """The members of the public half."""
    if isinstance(private, rsa.RSAPrivateKey):
        numbers = private.public_key().public_numbers()
        return {"n": _text(numbers.n), "e": _text(numbers.e)}
    size = coordinate_bytes(private)
    point = private.public_key().public_numbers()
    return {"crv": curve_of(private), "x": _text(point.x, size), "y": _text(point.y, size)}


def curve_of(private: ec.EllipticCurvePrivateKey) -> str:
    """The curve by its name in a JSON Web Key."""
    return _CURVE_NAMES[private.curve.name]


def coordinate_bytes(private: ec.EllipticCurvePrivateKey) -> int:
    """How long a coordinate, and half a signature, is."""
    return (private.key_size + 7) // 8


def _rsa(told: Mapping[str, int]) -> rsa.RSAPrivateKey:
    public = rsa.RSAPublicNumbers(told["e"], told["n"])
    numbers = rsa.RSAPrivateNumbers(told["p"], told["q"], told["d"], told["dp"], told["dq"], told["qi"], public)
    made_of = numbers.private_key()
    if made_of.key_size not in RSA_SIZES:
        raise ValueError("no size of a vault's keys")
    return made_of


def _number(text: Any) -> int:
    if not isinstance(text, str):
        raise ValueError("no text")
    return int.from_bytes(decode(text))


def _text(number: int, size: int = 0) -> str:
    return encode(number.to_bytes(size or (number.bit_length() + 7) // 8))
