"""Issuing: requests and certificates made by a policy, and the forms in which a certificate is held (RFC 5280, 2986)."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

from connectors.azure_key_vault.sandbox.bodies import invalid
from connectors.azure_key_vault.sandbox.certificate_policy import PEM, USAGES, Policy
from connectors.azure_key_vault.sandbox.errors import Refused
from connectors.azure_key_vault.sandbox.keys import PrivateKey

VALID_BEFORE: Final = timedelta(minutes=10)
_UPN: Final = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
_USAGE_ARGUMENTS: Final = dict(
    zip(
        USAGES,
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        strict=True,
    )
)


@dataclass(frozen=True, slots=True)
class Held:
    """A certificate with its private key and the certificates above it."""

    certificate: x509.Certificate
    private: PrivateKey = field(repr=False)
    chain: Sequence[x509.Certificate] = ()


def request_of(policy: Policy, private: PrivateKey) -> x509.CertificateSigningRequest:
    """A request for a certificate, signed by the key that it is for."""
    wanted = policy["x509_props"]
    builder = x509.CertificateSigningRequestBuilder().subject_name(_subject(wanted))
    for extension, critical in _extensions(wanted):
        builder = builder.add_extension(extension, critical)
    return builder.sign(private, hashes.SHA256())


def issued(policy: Policy, private: PrivateKey, now: float, by: Held | None = None) -> x509.Certificate:
    """A certificate by the policy: signed by its own key, or by somebody's."""
    wanted, at = policy["x509_props"], datetime.fromtimestamp(int(now), UTC)
    subject = _subject(wanted)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - VALID_BEFORE)
        .not_valid_after(at + timedelta(days=wanted["validity_months"] * 365 // 12 + 1))
    )
    for extension, critical in _extensions(wanted):
        builder = builder.add_extension(extension, critical)
    return builder.sign(by.private if by else private, hashes.SHA256())


def secret_value(held: Held, kind: str, *, exportable: bool) -> str:
    """What the secret of a certificate holds: PFX without a password in base64, or PEM; the key where it may leave."""
    if kind == PEM:
        key = held.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) if exportable else b""
        chain = b"".join(one.public_bytes(Encoding.PEM) for one in (held.certificate, *held.chain))
        return (key + chain).decode()
    private = held.private if exportable else None
    others = [*held.chain] or None
    pfx = pkcs12.serialize_key_and_certificates(None, private, held.certificate, others, NoEncryption())
    return base64.b64encode(pfx).decode()


def as_pem(value: str) -> str:
    """A secret that is a PFX, as PEM."""
    private, first, chain = pkcs12.load_key_and_certificates(base64.b64decode(value), None)
    key = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) if private is not None else b""
    certificates = ([first] if first is not None else []) + list(chain)
    return (key + b"".join(one.public_bytes(Encoding.PEM) for one in certificates)).decode()


def opened(value: str, password: str | None, kind: str | None) -> tuple[Held, str]:
    """The certificate in an import request, and the kind it came as; 400 where it cannot be opened."""
    try:
        if value.lstrip().startswith("-----BEGIN"):
            return _opened_pem(value.encode(), password), PEM
        if kind == PEM:
            return _opened_pem(base64.b64decode(value, validate=True), password), PEM
        return _opened_pfx(base64.b64decode(value, validate=True), password), "application/x-pkcs12"
    except (ValueError, TypeError) as problem:
        message = "The specified certificate content can not be read: its password is wrong, or it has no private key."
        raise Refused(400, "BadParameter", message) from problem


def operations_of(policy: Policy) -> tuple[str, ...]:
    """What the key of a certificate is for."""
    usage, found = set(policy["x509_props"]["key_usage"]), []
    is_rsa = policy["key_props"]["kty"].startswith("RSA")
    if usage & {"digitalSignature", "nonRepudiation", "keyCertSign", "cRLSign"} or not usage:
        found += ["sign", "verify"]
    if is_rsa and (usage & {"keyEncipherment"} or not usage):
        found += ["wrapKey", "unwrapKey"]
    if is_rsa and (usage & {"dataEncipherment"} or not usage):
        found += ["encrypt", "decrypt"]
    return tuple(found)


def _opened_pem(content: bytes, password: str | None) -> Held:
    private = load_pem_private_key(content, password.encode() if password else None)
    certificates = x509.load_pem_x509_certificates(content)
    return _held(private, certificates[0], certificates[1:])


def _opened_pfx(content: bytes, password: str | None) -> Held:
    private, certificate, others = pkcs12.load_key_and_certificates(content, password.encode() if password else None)
    return _held(private, certificate, others)


def _held(private: Any, certificate: x509.Certificate | None, chain: Sequence[x509.Certificate]) -> Held:
    if certificate is None or not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ValueError("no certificate with its key")
    if certificate.public_key() != private.public_key():
        raise ValueError("the key is of another certificate")
    return Held(certificate, private, tuple(chain))


def _subject(wanted: dict[str, Any]) -> x509.Name:
    return x509.Name.from_rfc4514_string(wanted["subject"])


def _extensions(wanted: dict[str, Any]) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=bool(wanted["basic_constraints"].get("ca")), path_length=None), True)
    ]
    if wanted["key_usage"]:
        asked = {argument: usage in wanted["key_usage"] for usage, argument in _USAGE_ARGUMENTS.items()}
        asked["key_agreement"] |= asked["encipher_only"] or asked["decipher_only"]
        found.append((x509.KeyUsage(**asked), True))
    if wanted["ekus"]:
        found.append((x509.ExtendedKeyUsage([_oid(one) for one in wanted["ekus"]]), False))
    names = _names(wanted.get("sans") or {})
    return [*found, (x509.SubjectAlternativeName(names), False)] if names else found


def _names(sans: dict[str, list[str] | None]) -> list[x509.GeneralName]:
    try:
        return [
            *(x509.DNSName(one) for one in sans.get("dns_names") or ()),
            *(x509.RFC822Name(one) for one in sans.get("emails") or ()),
            *(x509.OtherName(_UPN, _utf8(one)) for one in sans.get("upns") or ()),
            *(x509.UniformResourceIdentifier(one) for one in sans.get("uris") or ()),
            *(x509.IPAddress(ipaddress.ip_address(one)) for one in sans.get("ipAddresses") or ()),
        ]
    except ValueError as problem:
        raise invalid("sans") from problem


def _utf8(text: str) -> bytes:
    """A UTF8String in DER (X.690 §8.23); names of users are short."""
    data = text.encode()
    if len(data) > 127:
        raise ValueError("too long for a name")
    return b"\x0c" + bytes([len(data)]) + data


def _oid(text: str) -> x509.ObjectIdentifier:
    try:
        return x509.ObjectIdentifier(text)
    except ValueError as problem:
        raise invalid("ekus") from problem
