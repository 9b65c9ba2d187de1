"""Certificates, the key and the secret that each one owns, and what is under way to become one (reference sheet, 4.9).

A certificate's versions have the same ids as those of its key and its secret. One that is being made stands apart, until
its issuer or a merge brings it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography import x509

from connectors.azure_key_vault.sandbox import issuing
from connectors.azure_key_vault.sandbox.certificate_policy import SELF, UNKNOWN, Policy
from connectors.azure_key_vault.sandbox.errors import Refused
from connectors.azure_key_vault.sandbox.issuing import Held
from connectors.azure_key_vault.sandbox.keys import Key, KeyVersion, PrivateKey
from connectors.azure_key_vault.sandbox.shelf import Shelf
from connectors.azure_key_vault.sandbox.state import Secret, Vault, Version

IN_PROGRESS: Final = "inProgress"
COMPLETED: Final = "completed"
CANCELLED: Final = "cancelled"
FAILED: Final = "failed"


@dataclass(slots=True, eq=False)
class CertificateVersion:
    """One version of a certificate. `nbf` and `exp` are its own validity."""

    id: str
    held: Held = field(repr=False)
    created: int
    updated: int
    nbf: int | None
    exp: int | None
    enabled: bool = True
    tags: dict[str, str] | None = None

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate itself."""
        return self.held.certificate


@dataclass(slots=True, eq=False)
class Certificate:
    """A name, its policy, and its versions, the oldest first."""

    name: str
    policy: Policy
    versions: list[CertificateVersion]
    created: int
    updated: int
    managed: bool = False

    @property
    def latest(self) -> CertificateVersion:
        """The version created last, even if it is disabled."""
        return self.versions[-1]

    def version(self, version_id: str) -> CertificateVersion | None:
        """That version, or None."""
        return next((version for version in self.versions if version.id == version_id), None)


@dataclass(slots=True, eq=False)
class Pending:
    """A certificate that is being made: `status` is a word of this module; `done_at` when its issuer has signed."""

    name: str
    policy: Policy
    private: PrivateKey = field(repr=False)
    request: x509.CertificateSigningRequest
    request_id: str
    done_at: float | None
    status: str = IN_PROGRESS
    enabled: bool = True
    tags: dict[str, str] | None = None
    is_cancelling: bool = False


class Certificates:
    """The certificates of a vault: what comes on their shelf, and on those of keys and secrets. The vault's lock guards it."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self.shelf: Shelf[Certificate] = Shelf("Certificate", vault)
        self.pending: dict[str, Pending] = {}
        self.issuers: dict[str, dict[str, Any]] = {}
        self.contacts: list[dict[str, str]] = []
        self._authority: Held | None = None

    def begin(self, name: str, policy: Policy, private: PrivateKey, told: Mapping[str, Any]) -> Pending:
        """Begin to make one; 409 while another is under way or its name is taken, 404 for an issuer nobody has set."""
        self.check_free(name)
        self.advance(name)
        under_way = self.pending.get(name.lower())
        if under_way is not None and under_way.status == IN_PROGRESS:
            raise Refused(409, "Conflict", f"A pending certificate of the name {name} is in progress already.")
        issuer = policy["issuer"]["name"]
        if issuer not in (SELF, UNKNOWN) and issuer.lower() not in self.issuers:
            raise Refused(404, "CertificateIssuerNotFound", f"Issuer not found: {issuer}")
        wait = None if issuer == UNKNOWN else self._vault.clock.now() + self._vault.issue_seconds
        request = issuing.request_of(policy, private)
        made = Pending(name, policy, private, request, secrets.token_hex(16), wait, **told)
        self.pending[name.lower()] = made
        return made

    def advance(self, name: str) -> None:
        """Let the issuer sign, where its time has come."""
        one = self.pending.get(name.lower())
        if one is None or one.status != IN_PROGRESS or one.done_at is None:
            return
        if one.is_cancelling:
            one.status = CANCELLED
        elif one.done_at <= self._vault.clock.now():
            by = None if one.policy["issuer"]["name"] == SELF else self._signing()
            certificate = issuing.issued(one.policy, one.private, self._vault.clock.now(), by)
            self.end(one, Held(certificate, one.private, (by.certificate,) if by else ()))

    def under_way(self) -> list[str]:
        """The names, in lower case, of those that are being made for the first time."""
        return [name for name, one in self.pending.items() if one.status == IN_PROGRESS and name not in self.shelf.kept]

    def end(self, one: Pending, held: Held) -> Certificate:
        """What was being made is there."""
        one.status = COMPLETED
        return self.add(one.name, held, one.policy, {"enabled": one.enabled, "tags": one.tags})

    def add(self, name: str, held: Held, policy: Policy, told: Mapping[str, Any]) -> Certificate:
        """A new version of this name, with its key and its secret."""
        now = int(self._vault.clock.now())
        begins = int(held.certificate.not_valid_before_utc.timestamp())
        ends = int(held.certificate.not_valid_after_utc.timestamp())
        version = CertificateVersion(secrets.token_hex(16), held, now, now, begins, ends, **told)
        certificate = self.shelf.kept.get(name.lower())
        if certificate is None:
            certificate = Certificate(name, policy, [], now, now)
            self.shelf.place(certificate)
        certificate.policy, certificate.updated = policy, now
        certificate.versions.append(version)
        self._add_key(certificate, version)
        self._add_secret(certificate, version)
        return certificate

    def restore(self, certificate: Certificate) -> None:
        """One from a backup, with its key and its secret; 409 when the name is taken."""
        self.check_free(certificate.name)
        self.shelf.restore(certificate)
        for version in certificate.versions:
            self._add_key(certificate, version)
            self._add_secret(certificate, version)

    def enable(self, certificate: Certificate, version: CertificateVersion, *, enabled: bool) -> None:
        """Switch a version with its key and its secret on or off."""
        version.enabled = enabled
        name = certificate.name.lower()
        for shelf in (self._vault.key_shelf, self._vault.secret_shelf):
            owned: Any = shelf.kept[name].version(version.id)
            owned.enabled = enabled
            if isinstance(owned, Version):
                owned.tails = None

    def check_free(self, name: str) -> None:
        """409 when a deleted object blocks the name, or a key or a secret that no certificate owns has it."""
        self.shelf.check_free(name)
        for shelf in (self._vault.key_shelf, self._vault.secret_shelf):
            shelf.check_free(name)
            other: Any = shelf.kept.get(name.lower())
            if other is not None and not other.managed:
                message = f"A {shelf.noun.lower()} with the name {name} already exists in this vault."
                raise Refused(409, "Conflict", message)

    @property
    def owned(self) -> Sequence[Any]:
        """The shelves on which the parts of a certificate lie."""
        return self._vault.key_shelf, self._vault.secret_shelf

    def _add_key(self, certificate: Certificate, version: CertificateVersion) -> None:
        shelf, policy = self._vault.key_shelf, certificate.policy
        key = shelf.kept.get(certificate.name.lower())
        if key is None:
            key = Key(certificate.name, [], managed=True)
            shelf.place(key)
        key.versions.append(
            KeyVersion(
                version.id,
                policy["key_props"]["kty"],
                version.held.private,
                issuing.operations_of(policy),
                version.created,
                version.updated,
                version.enabled,
                version.nbf,
                version.exp,
                version.tags,
            )
        )

    def _add_secret(self, certificate: Certificate, version: CertificateVersion) -> None:
        shelf, policy = self._vault.secret_shelf, certificate.policy
        secret = shelf.kept.get(certificate.name.lower())
        if secret is None:
            secret = Secret(certificate.name, [], managed=True)
            shelf.place(secret)
        kind = policy["secret_props"]["contentType"]
        value = issuing.secret_value(version.held, kind, exportable=policy["key_props"]["exportable"])
        times = (version.created, version.updated)
        secret.versions.append(
            Version(version.id, value, *times, version.enabled, version.nbf, version.exp, kind, version.tags)
        )

    def _signing(self) -> Held:
        """The authority behind every issuer that somebody has set: made when it is first needed."""
        if self._authority is None:
            from connectors.azure_key_vault.sandbox.certificate_policy import policy
            from connectors.azure_key_vault.sandbox.key_material import made

            wanted = {
                "subject": "CN=Sandbox Issuing CA",
                "validity_months": 120,
                "key_usage": ["keyCertSign", "cRLSign"],
                "ekus": [],
                "basic_constraints": {"ca": True},
            }
            told = policy({"x509_props": wanted, "issuer": {"name": SELF}})
            private = made("RSA", 2048, None, None)
            self._authority = Held(issuing.issued(told, private, self._vault.clock.now()), private)
        return self._authority
