"""What stands in a vault as certificate under a name at this moment, told by one look that shows no key."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Any

from connectors.azure_key_vault.certificate_writing.issuance import Policy, is_within, projected
from connectors.azure_key_vault.certificate_writing.record import (
    DEFAULTS,
    WantedCertificate,
    described_meaning,
    spelled,
)
from connectors.azure_key_vault.documents import part, text
from connectors.azure_key_vault.model import SecretProperties
from connectors.azure_key_vault.schemas import load_properties
from connectors.azure_key_vault.vault.certificates import VaultCertificates
from connectors.azure_key_vault.writing.rules import ImportRules
from connectors.azure_key_vault.writing.tags import meant_tags
from connectors.errors import NotFound
from iclients.errors import MalformedAnswer


@dataclass(frozen=True, slots=True)
class CertificateStanding:
    """The latest version of a certificate, and the policy by which the next one is made.

    What it is compared with has its tags settled already, but where it is spelled.
    """

    properties: SecretProperties
    digest: str
    policy: Policy

    def is_certificate(self, wanted: WantedCertificate) -> bool:
        """Whether it is the same certificate: then it has the same key."""
        return self.digest == wanted.pair.digest

    def is_described_as(self, wanted: WantedCertificate) -> bool:
        """Whether it is enabled, and has the tags, as the record says."""
        return all(
            described_meaning(key, value) == described_meaning(key, getattr(self.properties, key))
            for key, value in wanted.described.items()
        )

    def has_policy(self, wanted: WantedCertificate) -> bool:
        """Whether its policy says all that the record's does."""
        return wanted.policy is None or is_within(wanted.policy, self.policy)

    def is_equal(self, wanted: WantedCertificate) -> bool:
        """Whether there is nothing to write."""
        return self.is_certificate(wanted) and self.is_described_as(wanted) and self.has_policy(wanted)

    def canonical(self, wanted: WantedCertificate, rules: ImportRules = DEFAULTS) -> bytes:
        """What it has of what the record names, in the spelling of `WantedCertificate.canonical`."""
        described: dict[str, Any] = {"enabled": self.properties.enabled} if "enabled" in wanted.described else {}
        described.update(meant_tags(wanted.described, self.properties.tags, rules))
        policy = projected(wanted.policy, self.policy) if wanted.policy is not None else None
        return spelled(wanted.name, self.digest, described, policy, rules)


def look(certificates: VaultCertificates, name: str) -> CertificateStanding | None:
    """The certificate of that name, None where there is none. Needs get."""
    try:
        return standing(certificates.document(name))
    except NotFound:
        return None


def standing(bundle: Any) -> CertificateStanding:
    """What a bundle tells. Raises MalformedAnswer."""
    properties = load_properties(bundle)
    try:
        der = base64.b64decode(text(bundle, "cer"), validate=True)
    except (binascii.Error, ValueError):
        raise MalformedAnswer("The vault's answer is not what its API promises: cer.") from None
    digest = hashlib.sha256(der).hexdigest()
    return CertificateStanding(properties, digest, dict(part(bundle, "policy")))
