"""The certificates of a vault as their target sees them: compared by digest, tags, state and policy, written by import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from connectors.azure_key_vault.certificate_writing.issuance import Issuers, issuer_of, without_renewal
from connectors.azure_key_vault.certificate_writing.obstacles import DELETED, Obstacles
from connectors.azure_key_vault.certificate_writing.record import WantedCertificate, load_certificate
from connectors.azure_key_vault.certificate_writing.standing import CertificateStanding, look
from connectors.azure_key_vault.certificate_writing.write import Write, planned
from connectors.azure_key_vault.model import SecretProperties
from connectors.azure_key_vault.writing.collection import Collection
from connectors.azure_key_vault.writing.deed import Aim, Wish
from connectors.azure_key_vault.writing.rules import ImportRules
from connectors.azure_key_vault.writing.tags import ORIGINAL_NAME
from connectors.errors import Conflict, Refused
from iclients.clock import Clock
from iclients.retrying import Retrying


class CertificatesCollection(Collection[WantedCertificate, CertificateStanding, Write]):
    """The certificates of one vault. Needs get, import and update; getissuers for policies that name an authority."""

    noun: ClassVar[str] = "certificate"
    lists_deleted: ClassVar[bool] = True
    deleted_kind: ClassVar[str] = "deleted_list"

    def __init__(self, obstacles: Obstacles, rules: ImportRules, clock: Clock, retrying: Retrying | None) -> None:
        self.objects = self._certificates = obstacles.certificates
        self.retrying = retrying
        self._obstacles = obstacles
        self._issuers = Issuers(obstacles.certificates)
        self._rules = rules
        self._clock = clock

    def wish(self, fields: Mapping[str, Any]) -> Wish[WantedCertificate]:
        """With a policy that this vault can carry out, and what has to be told of it."""
        wanted = load_certificate(fields, self._rules)
        wanted.settled(wanted.name, {}, self._rules)  # tags that are too many are told before any call
        original = wanted.described.get(ORIGINAL_NAME)
        issuer = issuer_of(wanted.policy)
        if wanted.policy is None or self._issuers.knows(issuer):
            return Wish(wanted, wanted.name, original)
        note = (
            f"The policy of {wanted.name} moved without renewal by {issuer}: {self.host} knows no such issuer, "
            "or does not show it to the app; set the issuer there, then the policy (update_certificate_policy)."
        )
        wanted = wanted.with_policy(without_renewal(wanted.policy))
        return Wish(wanted, wanted.name, original, code="issuer_unknown", warning=note)

    def canonical(self, wanted: WantedCertificate) -> bytes:
        return wanted.canonical(self._rules)

    def meant(self, aim: Aim[WantedCertificate], there: CertificateStanding) -> bytes | None:
        return there.canonical(aim.wanted, self._rules)

    def look(self, name: str) -> CertificateStanding | None:
        return look(self._certificates, name)

    def is_equal(self, aim: Aim[WantedCertificate], there: CertificateStanding) -> bool:
        return there.is_equal(self._final(aim, there.properties.tags))

    def create(self, aim: Aim[WantedCertificate]) -> Write:
        return planned(self._final(aim, {}), None)

    def update(self, aim: Aim[WantedCertificate], there: CertificateStanding) -> Write:
        return planned(self._final(aim, there.properties.tags), there)

    def carry_out(self, write: Write) -> SecretProperties:
        return write.carry_out(self._certificates, self._clock).properties

    def explained(self, name: str, refused: Refused) -> Refused:
        if not isinstance(refused, Conflict) or refused.code not in (DELETED, Conflict.code):
            return refused
        return self._obstacles.explained(name, refused)

    def _final(self, aim: Aim[WantedCertificate], there: Mapping[str, str]) -> WantedCertificate:
        return aim.wanted.settled(aim.name, there, self._rules)
