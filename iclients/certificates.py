"""Certificates as people have them (PFX with a password, PEM), made into what signs our assertions.

Source: RFC 7292 (PKCS #12), RFC 7468 (PEM); Entra's certificate credentials (SHA-1 and SHA-256 thumbprints of the DER).
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from iclients.credentials import Certificate
from iclients.secret import Secret
from iclients.unlocking import OPENERS, Openers, OutOfReach, PasswordMismatch

_UNREADABLE: Final = (ValueError, Warning)


def load(
    content: bytes, password: Secret | None = None, algorithm: str = "PS256", openers: Openers = OPENERS
) -> Certificate:
    """The certificate in a PFX or PEM file. Raises ValueError with a sentence that says what is wrong with the file."""
    secret = password.reveal() if password else None
    opened = _from_pem if b"-----BEGIN" in content else _from_pfx
    try:
        key, certificate = opened(content, secret, openers)
    except OutOfReach as reason:
        raise ValueError(f"it {reason}") from reason
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("its key is not RSA, which is what providers take")
    if key.public_key().public_numbers() != _public_numbers(certificate):
        raise ValueError("its key does not belong to its certificate")
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return Certificate(Secret(text), certificate.public_bytes(Encoding.PEM).decode(), algorithm)


def expires_at(certificate: Certificate) -> datetime:
    """When it ends."""
    return _parsed(certificate).not_valid_after_utc


def thumbprint(certificate: Certificate, algorithm: hashes.HashAlgorithm) -> str:
    """Base64url of a digest of the certificate, without padding."""
    return urlsafe_b64encode(_parsed(certificate).fingerprint(algorithm)).decode().rstrip("=")


def _parsed(certificate: Certificate) -> x509.Certificate:
    return x509.load_pem_x509_certificate(certificate.certificate.encode())


def _from_pfx(content: bytes, password: str | None, openers: Openers) -> tuple[object, x509.Certificate]:
    try:
        found = openers.open("pfx", content, password)
        certificate = x509.load_der_x509_certificate(found.certificate) if found.certificate else None
    except OutOfReach:
        raise
    except _UNREADABLE as error:
        raise ValueError("it is no PFX or PEM file, or its password is another one") from error
    if not found.key or certificate is None:
        raise ValueError("it has no private key with a certificate")
    return found.private_key(), certificate


def _from_pem(content: bytes, password: str | None, openers: Openers) -> tuple[object, x509.Certificate]:
    try:
        return openers.open("pem", content, password).private_key(), x509.load_pem_x509_certificate(content)
    except OutOfReach:
        raise
    except PasswordMismatch as error:
        needs = "needs" if password is None else "has no"
        raise ValueError(f"its private key {needs} a password") from error
    except _UNREADABLE as error:
        raise ValueError("it lacks a private key or a certificate in PEM, or its password is another one") from error


def _public_numbers(certificate: x509.Certificate) -> object:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return getattr(key, "public_numbers", lambda: None)()
