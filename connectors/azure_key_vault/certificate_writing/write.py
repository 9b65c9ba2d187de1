"""One write to a certificate, carried out once: after a lost answer it is looked at before it is imported again.

An import makes a version with certificate, policy, tags and state at once, and nothing is inherited; what else can be
changed is patched where it stands. Source: Key Vault REST API, Import Certificate, Update Certificate (Policy).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from connectors.azure_key_vault.certificate_writing.issuance import Policy, fitted
from connectors.azure_key_vault.certificate_writing.record import WantedCertificate
from connectors.azure_key_vault.certificate_writing.standing import CertificateStanding, look, standing
from connectors.azure_key_vault.vault.certificates import VaultCertificates
from connectors.azure_key_vault.vault.objects import UNCLEAR
from connectors.errors import Refused
from connectors.rest import CALL_RETRYING
from iclients.clock import Clock
from iclients.errors import AnswerLost


@dataclass(frozen=True, slots=True)
class Bring:
    """A new version. `before` is the one that was the latest when this was planned, None where there was none."""

    wanted: WantedCertificate
    policy: Policy
    described: Mapping[str, Any]
    before: str | None = None
    makes_version: ClassVar[bool] = True

    def __repr__(self) -> str:
        return f"Bring({self.wanted.name!r})"

    def carry_out(self, certificates: VaultCertificates, clock: Clock) -> CertificateStanding:
        """What it made. Raises Refused only where nothing was written, AnswerLost where that is not known."""
        is_repeated = False

        def look_then_bring() -> CertificateStanding:
            nonlocal is_repeated
            found = self._made(certificates) if is_repeated else None
            is_repeated = True
            return found or standing(certificates.bring(self.wanted.name, self._body()))

        return CALL_RETRYING.call(look_then_bring, clock, lambda error: isinstance(error, UNCLEAR))

    def _body(self) -> dict[str, Any]:
        body = {"value": self.wanted.packed.reveal(), "policy": self.policy, **wire(self.described)}
        if self.wanted.password is not None:
            body["pwd"] = self.wanted.password.reveal()
        return body

    def _made(self, certificates: VaultCertificates) -> CertificateStanding | None:
        """What is there, if it is what this write should have made."""
        try:
            there = look(certificates, self.wanted.name)
        except Refused as error:
            message = f"The answer to importing {self.wanted.name} was lost: run again to see whether it was imported."
            lost = AnswerLost(f"{error} {message}", code=error.code)
            lost.was_retried = True  # another look would be refused likewise
            raise lost from error
        is_ours = there is not None and there.is_certificate(self.wanted) and there.properties.version != self.before
        return there if is_ours else None


@dataclass(frozen=True, slots=True)
class Amend:
    """What can be changed of the version that is there, and of the policy of the next."""

    name: str
    version: str
    described: Mapping[str, Any]
    policy: Policy | None = None
    makes_version: ClassVar[bool] = False

    def carry_out(self, certificates: VaultCertificates, clock: Clock) -> CertificateStanding:
        """What is there then. Both calls can be repeated without harm."""
        if self.described:
            certificates.update(self.name, self.version, wire(self.described))
        if self.policy is not None:
            certificates.update_policy(self.name, self.policy)
        return standing(certificates.document(self.name))


Write = Bring | Amend


def planned(wanted: WantedCertificate, there: CertificateStanding | None) -> Write:
    """The smallest write that makes of what is there what is wanted, and carries forward what the record leaves open.

    Tags of `wanted` are settled already.
    """
    if there is None:
        policy = wanted.policy if wanted.policy is not None else fitted(None, wanted.pair, wanted.kind)
        return Bring(wanted, policy, wanted.described)
    now = there.properties
    if not there.is_certificate(wanted):
        policy = wanted.policy if wanted.policy is not None else fitted(there.policy, wanted.pair, wanted.kind)
        return Bring(wanted, policy, {"enabled": now.enabled, "tags": now.tags, **wanted.described}, now.version)
    return Amend(
        wanted.name,
        now.version or "",
        {} if there.is_described_as(wanted) else wanted.described,
        None if there.has_policy(wanted) else wanted.policy,
    )


def wire(described: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes and tags as a request has them: only what is named; what is named and empty is cleared."""
    body: dict[str, Any] = {}
    if "enabled" in described:
        body["attributes"] = {"enabled": described["enabled"] is not False}
    if "tags" in described:
        body["tags"] = dict(described["tags"] or {})
    return body
