"""Certificates to move: made quickly, packed in every way, planted in a vault of the sandbox, and run from one to another."""

from __future__ import annotations

import base64
import functools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from vault_lab import Lab, Rows

from connectors.connector import Source
from connectors.model import Record, WriteOptions
from flows.ends import open_source, open_target
from flows.model import Export, Flow, Import, MappingRule
from iclients.key_pairs import PEM, PFX, KeyPair, opened
from iclients.secret import Secret

NOW = datetime.now(UTC)
MOVED = ("name", "value", "policy", "enabled", "tags")
RULES = tuple(MappingRule(name, name) for name in MOVED)


@functools.cache
def rsa_key(number: int = 0) -> rsa.RSAPrivateKey:
    """One of a few: making one takes long."""
    return rsa.generate_private_key(65537, 2048)


@functools.cache
def authority() -> KeyPair:
    """Who signs those that have a chain."""
    key = ec.generate_private_key(ec.SECP256R1())
    return KeyPair(signed("Test Authority", key, None, 0), key)


def signed(subject: str, key: Any, by: KeyPair | None, expired: int) -> x509.Certificate:
    name = x509.Name.from_rfc4514_string(f"CN={subject}")
    begins = NOW - timedelta(days=400 if expired else 1)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(by.certificate.subject if by else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=365))
        .sign(by.key if by else key, hashes.SHA256())
    )


def pair(
    subject: str = "contoso.test", *, kind: str = "EC", chain: bool = False, expired: bool = False, key: Any = None
) -> KeyPair:
    """A new certificate with its key."""
    key = key or (rsa_key() if kind == "RSA" else ec.generate_private_key(ec.SECP256R1()))
    by = authority() if chain else None
    return KeyPair(signed(subject, key, by, expired), key, (by.certificate,) if by else ())


def pfx(one: KeyPair, password: str = "") -> str:
    """Base64 of a PFX."""
    lock = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    packed = pkcs12.serialize_key_and_certificates(b"x", one.key, one.certificate, list(one.chain) or None, lock)
    return base64.b64encode(packed).decode()


def pem(one: KeyPair) -> str:
    """PEM with the key first."""
    return one.pem().reveal()


def old_pem(one: KeyPair) -> str:
    """PEM as older tools write it: the certificates first, the authority before the rest, and the key as it was called then."""
    certificates = b"".join(each.public_bytes(Encoding.PEM) for each in (*one.chain, one.certificate))
    return (
        certificates + one.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    ).decode()


def plant(lab: Lab, name: str, one: KeyPair, *, vault: str = "contoso", packed: str = PFX, **said: Any) -> None:
    """Import it as somebody else would."""
    policy = {"secret_props": {"contentType": packed}, **said.pop("policy", {})}
    body = {"value": pem(one) if packed == PEM else pfx(one), "policy": policy, **said}
    lab.connect(vault)._data_plane().certificates.bring(name, body)


def held(lab: Lab, name: str, vault: str = "fabrikam") -> KeyPair:
    """What the vault has now, by the secret that belongs to it."""
    return opened(lab.sandbox.vault(vault).secrets[name.lower()].latest.value)


def versions(lab: Lab, vault: str = "fabrikam") -> dict[str, int]:
    """How many versions each certificate has: its secret has the same."""
    secrets = lab.sandbox.vault(vault).secrets
    return {name: len(one.versions) for name, one in secrets.items() if one.managed}


def bundle(lab: Lab, name: str, vault: str = "fabrikam") -> Any:
    """What the vault says of a certificate."""
    return lab.connect(vault)._data_plane().certificates.document(name)


def move(
    lab: Lab, rules: Sequence[MappingRule] = RULES, *, where: str | None = None, width: int = 4, **step: Any
) -> dict[str, int]:
    """A run from contoso to fabrikam, as the application does it."""
    export = Export("contoso", "certificates", True, where=where)
    into = Import("fabrikam", "certificates", mapping=tuple(rules), **step)
    source = open_source(export, lab.connect("contoso"), rules)
    return lab._run(Flow("move", (export,), (into,)), source, open_target(into, lab.connect("fabrikam")), width)


def bring(lab: Lab, *records: Record, source: Source | None = None, **step: Any) -> dict[str, int]:
    """A run from rows into fabrikam."""
    fields = step.pop("fields", None) or list(dict.fromkeys(name for one in records for name in one.fields))
    rules = tuple(MappingRule(name, name) for name in fields)
    into = Import("fabrikam", "certificates", mapping=rules, **step)
    flow = Flow("bring", (Export("here", "rows.csv"),), (into,))
    return lab._run(flow, source or Rows(*records), open_target(into, lab.connect("fabrikam")), 4)


def row(name: str, value: str, **fields: Any) -> Record:
    """A row as a CSV file gives it."""
    return Record(name, {"name": name, "value": Secret(value), **fields})


def target(lab: Lab, **options: Any) -> Any:
    return lab.connect("fabrikam").target("certificates", WriteOptions(**options))


def many(count: int) -> Iterator[tuple[str, KeyPair, dict[str, Any]]]:
    """Certificates of every kind: name, pair and how they are planted."""
    for number in range(count):
        kind = "RSA" if number % 3 == 0 else "EC"
        one = pair(f"{number}.test", kind=kind, chain=number % 4 == 0, expired=number % 10 == 1)
        said: dict[str, Any] = {"packed": PEM if number % 2 else PFX, "tags": {"number": str(number)}}
        yield f"Cert-{number:03}", one, said
