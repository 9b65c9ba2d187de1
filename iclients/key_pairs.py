"""A certificate with its private key and those above it, whichever way it is packed: PFX in base64, or PEM.

Where a certificate moves, both sides must know what is in the package: a PFX has a password and salts, PEM any order and
three spellings of a key. Only RSA and the curves of X9.62 are let through: no vault takes another. Source: RFC 7292 (PKCS
#12), RFC 7468 (PEM), RFC 5958 (PKCS #8).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

from iclients.pfx import check_effort
from iclients.secret import Secret

PFX: Final = "application/x-pkcs12"
PEM: Final = "application/x-pem-file"
LARGEST_CHARACTERS: Final = 262_144
"""A certificate with a long chain has 20,000; more is none."""
_BEGINS_PEM: Final = "-----BEGIN "
_ENDS_KEY: Final = "PRIVATE KEY-----"
_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp256k1": "P-256K"}
_UNREADABLE: Final = (ValueError, TypeError, UnsupportedAlgorithm, Warning, binascii.Error)

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class NoKeyPair(ValueError):
    """It cannot be opened, or is not a certificate with its key. The text is the end of a sentence, without a value."""


class NoPrivateKey(NoKeyPair):
    """There is a certificate, and no private key with it."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate, its key, and the certificates above it in the order in which they came."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the certificate, in hexadecimal."""
        return hashlib.sha256(self.certificate.public_bytes(Encoding.DER)).hexdigest()

    @property
    def key_properties(self) -> dict[str, str | int]:
        """Type and size of the key, as Key Vault's policies name them."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return {"kty": "RSA", "key_size": self.key.key_size}
        return {"kty": "EC", "crv": _CURVES[self.key.curve.name]}

    def pem(self) -> Secret:
        """The key (PKCS #8), the certificate, then those above it."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        certificates = [one.public_bytes(Encoding.PEM) for one in (self.certificate, *self.chain)]
        return Secret(b"".join([key, *certificates]).decode())


def is_pem(text: str) -> bool:
    """Whether it is PEM, perhaps with something in front."""
    return _BEGINS_PEM in text


def has_private_key(text: str) -> bool:
    """Whether a private key comes along; true where that cannot be told, because it cannot be opened."""
    if is_pem(text):
        return _ENDS_KEY in text
    try:
        opened(text)
    except NoPrivateKey:
        return False
    except NoKeyPair:
        return True
    return True


def unwrapped(text: str) -> str:
    """PEM as text where it came as base64 of PEM; else as it came."""
    if is_pem(text):
        return text
    try:
        inner = _bytes(text).decode("ascii")
    except ValueError:
        return text
    return inner if is_pem(inner) else text


def opened(text: str, password: str | None = None) -> KeyPair:
    """What a PFX in base64 or PEM text holds. Raises NoKeyPair."""
    if len(text) > LARGEST_CHARACTERS:
        raise NoKeyPair(f"is longer than {LARGEST_CHARACTERS:,} characters")
    text = unwrapped(text)
    return _from_pem(text, password) if is_pem(text) else _from_pfx(text, password)


def _bytes(text: str) -> bytes:
    """Of base64 or base64url, padded or not. Raises ValueError."""
    compact = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)


def _from_pem(text: str, password: str | None) -> KeyPair:
    try:
        certificates = x509.load_pem_x509_certificates(text.encode())
    except _UNREADABLE:
        raise NoKeyPair("is PEM without a certificate") from None
    if _ENDS_KEY not in text:
        raise NoPrivateKey("has no private key")
    is_locked = "ENCRYPTED" in text
    try:
        key = load_pem_private_key(text.encode(), password.encode() if password and is_locked else None)
    except _UNREADABLE:
        raise NoKeyPair("is PEM whose private key cannot be opened: its password is wrong or missing") from None
    return _paired(key, certificates)


def _from_pfx(text: str, password: str | None) -> KeyPair:
    try:
        data = _bytes(text)
    except _UNREADABLE:
        raise NoKeyPair("is neither PEM nor a PFX in base64") from None
    try:
        check_effort(data)
        key, certificate, others = pkcs12.load_key_and_certificates(data, password.encode() if password else None)
    except _UNREADABLE:
        raise NoKeyPair(
            "is a PFX that cannot be opened: its password is wrong or missing, or it is broken or takes very long"
        ) from None
    return _paired(key, [one for one in (certificate, *others) if one is not None])


def _paired(key: object, certificates: Sequence[x509.Certificate]) -> KeyPair:
    """The certificate that the key belongs to, wherever it stands."""
    if not certificates:
        raise NoKeyPair("has no certificate")
    if key is None:
        raise NoPrivateKey("has no private key")
    is_known = isinstance(key, rsa.RSAPrivateKey) or (
        isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES
    )
    if not is_known or not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise NoKeyPair("has a key that is neither RSA nor of a curve that Key Vault knows")
    public = key.public_key()
    own = next((one for one in certificates if _has_key(one, public)), None)
    if own is None:
        raise NoKeyPair("has a private key that is of none of its certificates")
    return KeyPair(own, key, tuple(one for one in certificates if one is not own))


def _has_key(certificate: x509.Certificate, public: object) -> bool:
    try:
        return bool(certificate.public_key() == public)
    except _UNREADABLE:
        return False
