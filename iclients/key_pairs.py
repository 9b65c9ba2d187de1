"""A certificate with its private key and those above it, whichever way it is packed: PFX in base64, or PEM.

Where a certificate moves, both sides must know what is in the package: a PFX has a password and salts, PEM any order and
three spellings of a key. Keys are opened in a process of its own (`iclients/unlocking.py`). Only RSA and the curves of X9.62 are let through: no vault takes another. Source: RFC 7292 (PKCS
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
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from iclients.secret import Secret
from iclients.unlocking import OPENERS, Openers, OutOfReach, PrivateKey, Unlocked, Unopened

PFX: Final = "application/x-pkcs12"
PEM: Final = "application/x-pem-file"
LARGEST_CHARACTERS: Final = 262_144
"""A certificate with a long chain has 20,000; more is none."""
_BEGINS_PEM: Final = "-----BEGIN "
_ENDS_KEY: Final = "PRIVATE KEY-----"
_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp256k1": "P-256K"}
_UNREADABLE: Final = (ValueError, TypeError, UnsupportedAlgorithm, Warning, binascii.Error)


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


def opened(text: str, password: str | None = None, openers: Openers = OPENERS) -> KeyPair:
    """What a PFX in base64 or PEM text holds. Raises NoKeyPair, also where opening it would take long."""
    if len(text) > LARGEST_CHARACTERS:
        raise NoKeyPair(f"is longer than {LARGEST_CHARACTERS:,} characters")
    text = unwrapped(text)
    try:
        return _from_pem(text, password, openers) if is_pem(text) else _from_pfx(text, password, openers)
    except OutOfReach as reason:
        raise NoKeyPair(str(reason)) from None


def _bytes(text: str) -> bytes:
    """Of base64 or base64url, padded or not. Raises ValueError."""
    compact = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)


def _from_pem(text: str, password: str | None, openers: Openers) -> KeyPair:
    try:
        certificates = x509.load_pem_x509_certificates(text.encode())
    except _UNREADABLE:
        raise NoKeyPair("is PEM without a certificate") from None
    if _ENDS_KEY not in text:
        raise NoPrivateKey("has no private key")
    is_locked = "ENCRYPTED" in text
    try:
        found = openers.open("pem", text.encode(), password if is_locked else None)
    except OutOfReach:
        raise
    except Unopened:
        raise NoKeyPair("is PEM whose private key cannot be opened: its password is wrong or missing") from None
    return _paired(found, certificates)


def _from_pfx(text: str, password: str | None, openers: Openers) -> KeyPair:
    try:
        data = _bytes(text)
    except _UNREADABLE:
        raise NoKeyPair("is neither PEM nor a PFX in base64") from None
    try:
        found = openers.open("pfx", data, password)
        ders = [found.certificate] if found.certificate else []
        certificates = [x509.load_der_x509_certificate(der) for der in (*ders, *found.others)]
    except OutOfReach:
        raise
    except _UNREADABLE:
        raise NoKeyPair("is a PFX that cannot be opened: its password is wrong or missing, or it is broken") from None
    return _paired(found, certificates)


def _paired(found: Unlocked, certificates: Sequence[x509.Certificate]) -> KeyPair:
    """The certificate that the key belongs to, wherever it stands."""
    if not certificates:
        raise NoKeyPair("has no certificate")
    if not found.key:
        raise NoPrivateKey("has no private key")
    key = found.private_key()
    if key is None or (isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name not in _CURVES):
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
