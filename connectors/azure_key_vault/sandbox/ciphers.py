"""What a key does: encrypt, decrypt, sign, verify, by the algorithms of software keys (Azure reference sheet, 4.8).

Wrapping is encrypting under another permission. Signatures of curves are r and s beside each other, not DER
(RFC 7518 §3.4); digests come ready made.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)

from connectors.azure_key_vault.sandbox.bodies import invalid
from connectors.azure_key_vault.sandbox.key_material import coordinate_bytes, curve_of
from connectors.azure_key_vault.sandbox.keys import PrivateKey

RSNULL: Final = "RSNULL"


class _Hashed(NamedTuple):
    hash: hashes.HashAlgorithm
    curve: str = ""


_HASHES: Final = (hashes.SHA256(), hashes.SHA384(), hashes.SHA512())
_SIGNING: Final[Mapping[str, _Hashed]] = {
    **{f"{kind}{one.digest_size * 8}": _Hashed(one) for kind in ("RS", "PS") for one in _HASHES},
    "ES256": _Hashed(hashes.SHA256(), "P-256"),
    "ES384": _Hashed(hashes.SHA384(), "P-384"),
    "ES512": _Hashed(hashes.SHA512(), "P-521"),
    "ES256K": _Hashed(hashes.SHA256(), "P-256K"),
}
_PADDINGS: Final[Mapping[str, Callable[[], padding.AsymmetricPadding]]] = {
    "RSA-OAEP": lambda: padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None),  # noqa: S303 - Azure's
    "RSA-OAEP-256": lambda: padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None),
    "RSA1_5": padding.PKCS1v15,
}


def encrypted(private: PrivateKey, algorithm: str, plain: bytes) -> bytes:
    """The ciphertext, as long as the key; 400 for a plaintext that is too long or an algorithm of other keys."""
    key, pad = _cipher(private, algorithm)
    try:
        return key.public_key().encrypt(plain, pad)
    except ValueError as problem:
        raise invalid("value") from problem


def decrypted(private: PrivateKey, algorithm: str, cipher: bytes) -> bytes:
    """The plaintext; 400 for what this key has not encrypted so."""
    key, pad = _cipher(private, algorithm)
    try:
        return key.decrypt(cipher, pad)
    except ValueError as problem:
        raise invalid("value") from problem


def signed(private: PrivateKey, algorithm: str, digest: bytes) -> bytes:
    """The signature of a digest; 400 where algorithm, key and digest do not fit."""
    if algorithm == RSNULL and isinstance(private, rsa.RSAPrivateKey):
        return _signed_raw(private, digest)
    told = _fitting(private, algorithm, digest)
    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(digest, _signature_padding(algorithm, told), Prehashed(told.hash))
    size = coordinate_bytes(private)
    r, s = decode_dss_signature(private.sign(digest, ec.ECDSA(Prehashed(told.hash))))
    return r.to_bytes(size) + s.to_bytes(size)


def verified(private: PrivateKey, algorithm: str, digest: bytes, signature: bytes) -> bool:
    """Whether the signature is this key's; 400 where algorithm, key and digest do not fit."""
    if algorithm == RSNULL and isinstance(private, rsa.RSAPrivateKey):
        return hmac.compare_digest(_signed_raw(private, digest), signature)
    told = _fitting(private, algorithm, digest)
    try:
        if isinstance(private, rsa.RSAPrivateKey):
            private.public_key().verify(signature, digest, _signature_padding(algorithm, told), Prehashed(told.hash))
            return True
        size = coordinate_bytes(private)
        if len(signature) != 2 * size:
            return False
        pair = encode_dss_signature(int.from_bytes(signature[:size]), int.from_bytes(signature[size:]))
        private.public_key().verify(pair, digest, ec.ECDSA(Prehashed(told.hash)))
    except InvalidSignature:
        return False
    return True


def _cipher(private: PrivateKey, algorithm: str) -> tuple[rsa.RSAPrivateKey, padding.AsymmetricPadding]:
    if not isinstance(private, rsa.RSAPrivateKey) or algorithm not in _PADDINGS:
        raise invalid("alg")
    return private, _PADDINGS[algorithm]()


def _fitting(private: PrivateKey, algorithm: str, digest: bytes) -> _Hashed:
    told = _SIGNING.get(algorithm)
    curve = "" if isinstance(private, rsa.RSAPrivateKey) else curve_of(private)
    if told is None or told.curve != curve:
        raise invalid("alg")
    if len(digest) != told.hash.digest_size:
        raise invalid("value")
    return told


def _signature_padding(algorithm: str, told: _Hashed) -> padding.AsymmetricPadding:
    if algorithm.startswith("RS"):
        return padding.PKCS1v15()
    return padding.PSS(padding.MGF1(told.hash), told.hash.digest_size)


def _signed_raw(private: rsa.RSAPrivateKey, info: bytes) -> bytes:
    """PKCS #1 v1.5 without a DigestInfo of its own: the caller has made it (RFC 8017 §9.2, from step 3)."""
    size, numbers = private.key_size // 8, private.private_numbers()
    if len(info) > size - 11:
        raise invalid("value")
    block = b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info
    return pow(int.from_bytes(block), numbers.d, numbers.public_numbers.n).to_bytes(size)
