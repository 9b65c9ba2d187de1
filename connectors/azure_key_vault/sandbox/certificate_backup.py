"""Backups of certificates: every version with its key, readable by this process alone."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from connectors.azure_key_vault.sandbox import bodies
from connectors.azure_key_vault.sandbox.certificates import Certificate, CertificateVersion
from connectors.azure_key_vault.sandbox.errors import Refused
from connectors.azure_key_vault.sandbox.issuing import Held


def backup(certificate: Certificate) -> str:
    """All versions as an opaque text."""
    document = {
        "certificate": certificate.name,
        "policy": certificate.policy,
        "created": certificate.created,
        "updated": certificate.updated,
        "versions": [_packed(version) for version in certificate.versions],
    }
    return bodies.sealed(json.dumps(document).encode())


def restored(body: dict[str, Any]) -> Certificate:
    """The certificate in a backup; 400 when it is not one of ours."""
    document = json.loads(bodies.unsealed(body))
    if "certificate" not in document:
        raise Refused(400, "BadParameter", "Backup blob is not that of a certificate.")
    versions = [_unpacked(told) for told in document["versions"]]
    times = document["created"], document["updated"]
    return Certificate(document["certificate"], document["policy"], versions, *times)


def _packed(version: CertificateVersion) -> dict[str, Any]:
    private = version.held.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    chain = [_text(one.public_bytes(Encoding.DER)) for one in (version.certificate, *version.held.chain)]
    plain = {name: getattr(version, name) for name in ("id", "created", "updated", "nbf", "exp", "enabled", "tags")}
    return {**plain, "private": _text(private), "chain": chain}


def _unpacked(told: dict[str, Any]) -> CertificateVersion:
    private: Any = load_der_private_key(base64.b64decode(told.pop("private")), None)
    first, *chain = (x509.load_der_x509_certificate(base64.b64decode(one)) for one in told.pop("chain"))
    return CertificateVersion(held=Held(first, private, tuple(chain)), **told)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
