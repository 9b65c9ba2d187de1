"""Writing certificates: listed and compared first, imported where certificate or key differ, else patched or left alone.

A list names thumbprints, so what has not moved costs no look, and no key is ever read here. Equal are two certificates
with the same DER: the key follows from it; the certificates above it travel along and are not compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from connectors.azure_key_vault.actions.metadata import with_id
from connectors.azure_key_vault.certificate_writing.issuance import Issuers, issuer_of, without_renewal
from connectors.azure_key_vault.certificate_writing.obstacles import DELETED, FAIL, PURGE, RECOVER, SKIP, Obstacles
from connectors.azure_key_vault.certificate_writing.record import WRITABLE_FIELDS, WantedCertificate, load_certificate
from connectors.azure_key_vault.certificate_writing.standing import CertificateStanding, look, marker
from connectors.azure_key_vault.certificate_writing.write import Write, planned
from connectors.azure_key_vault.model import LAG_SECONDS
from connectors.azure_key_vault.schemas import load_page
from connectors.connector import Target
from connectors.errors import Conflict, SettingsError
from connectors.model import Change, Effect, Known, Record, WriteOptions
from connectors.paging import ahead
from iclients.clock import Clock

LISTING_HOLDS_SECONDS: Final = 30.0
"""So long the listing's word is taken that a name is free (ADR 0004)."""
_OPERATIONS: Final = ("add", "update", "upsert")
_UPDATING: Final = ":updating"
_CLEARING: Final = ":clearing"
"""End the fingerprint of a planned write, so that a run that takes over tells what it finds from somebody else's."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a record is written: `clears` is what becomes of a deleted certificate of its name first."""

    wanted: WantedCertificate
    write: Write | None
    clears: str = ""

    def __repr__(self) -> str:
        return f"Plan({self.wanted.name!r})"


class CertificatesTarget(Target):
    """The certificates of a vault as the place to write to. Needs list, get, import and update."""

    def __init__(
        self, obstacles: Obstacles, options: WriteOptions, fingerprint: Callable[[bytes], str], clock: Clock
    ) -> None:
        """Raises SettingsError where the operation or a mapped field cannot be."""
        _check_options(options)
        self._certificates = obstacles.certificates
        self.identity = f"azure-key-vault:{obstacles.host}/certificates"
        self._obstacles = obstacles
        self._issuers = Issuers(obstacles.certificates)
        self._options = options
        self._when_deleted = str(options.options.get("deleted", FAIL))
        self._fingerprint = fingerprint
        self._clock = clock
        self._listed: dict[str, str] = {}
        self._deleted: set[str] = set()
        self._listed_at = clock.monotonic()

    def begin(self, resume: Mapping[str, Any] | None, known: Known | None) -> bool:
        self._listed_at = self._clock.monotonic()
        for document in ahead(self._certificates.documents("list", self._certificates.link("/certificates"))):
            properties, _ = load_page(document)
            for one, item in zip(properties, document.get("value") or (), strict=True):
                self._listed[one.name.lower()] = marker(one, with_id(item))
        self._deleted = self._obstacles.deleted()
        return True

    def key(self, fields: Mapping[str, Any]) -> str | None:
        key = super().key(fields)
        return key.lower() if key else None

    def is_current(self, key: str, known: Known) -> bool:
        return bool(known.marker) and self._listed.get(key) == known.marker

    def assess(self, record: Record, known: Known | None) -> Change:
        known = known or Known()
        wanted, note = self._effective(load_certificate(record.fields))
        name, fingerprint = wanted.name.lower(), self._fingerprint(wanted.canonical())
        if known.fingerprint == fingerprint and self.is_current(name, known):
            return Change(Effect.UNCHANGED, fingerprint, known.marker, known.owned)
        is_fresh = self._clock.monotonic() - self._listed_at < LISTING_HOLDS_SECONDS
        is_free = name not in self._listed and is_fresh and not known.intent
        there = None if is_free else look(self._certificates, wanted.name)
        change = (
            self._missing(wanted, fingerprint) if there is None else self._compared(wanted, there, fingerprint, known)
        )
        return replace(change, code="issuer_unknown", reason=note) if note and change.writes else change

    def write(self, record: Record, change: Change) -> Change:
        fingerprint = change.fingerprint.removesuffix(_UPDATING).removesuffix(_CLEARING)
        plan = change.payload
        if plan is None:
            return replace(change, fingerprint=fingerprint)
        try:
            there = self._carried_out(plan)
        except Conflict as error:
            said = (
                self._obstacles.explained(plan.wanted.name, error) if error.code in (DELETED, Conflict.code) else error
            )
            return Change(Effect.CONFLICT, code=said.code, reason=str(said))
        return Change(change.effect, fingerprint, there.marker, owned=True, code=change.code, reason=change.reason)

    def _effective(self, wanted: WantedCertificate) -> tuple[WantedCertificate, str]:
        """With a policy that this vault can carry out, and what has to be told of it."""
        issuer = issuer_of(wanted.policy)
        if wanted.policy is None or self._issuers.knows(issuer):
            return wanted, ""
        note = (
            f"The policy of {wanted.name} moved without renewal by {issuer}: {self._obstacles.host} knows no such issuer, "
            "or does not show it to the app; set the issuer there, then the policy (update_certificate_policy)."
        )
        return wanted.with_policy(without_renewal(wanted.policy)), note

    def _missing(self, wanted: WantedCertificate, fingerprint: str) -> Change:
        if self._options.operation == "update":
            return Change(Effect.SKIPPED, reason="it is not there to be updated")
        if wanted.name.lower() in self._deleted:
            return self._instead_of_deleted(wanted, fingerprint)
        plan = Plan(wanted, planned(wanted, None))
        return Change(Effect.CREATED, fingerprint, owned=True, payload=plan)

    def _instead_of_deleted(self, wanted: WantedCertificate, fingerprint: str) -> Change:
        told = f"{wanted.name} was deleted from {self._obstacles.host} and still blocks its name"
        if self._when_deleted == SKIP:
            return Change(Effect.SKIPPED, reason=told)
        if self._when_deleted == FAIL:
            reason = f"{told}: recover or purge it, or let the import do so (options: deleted)."
            return Change(Effect.CONFLICT, code=DELETED, reason=reason)
        plan = Plan(wanted, planned(wanted, None), self._when_deleted)
        effect = Effect.UPDATED if self._when_deleted == RECOVER else Effect.CREATED
        return Change(effect, fingerprint + _CLEARING, owned=True, payload=plan)

    def _compared(
        self, wanted: WantedCertificate, there: CertificateStanding, fingerprint: str, known: Known
    ) -> Change:
        if there.is_equal(wanted):
            return self._already_there(fingerprint, there, known)
        if self._options.operation == "add":
            return Change(Effect.SKIPPED, reason="it is already there")
        if not (known.owned or self._options.adopt or self._is_what_we_meant(wanted, there, known)):
            return self._unowned(wanted.name)
        plan = Plan(wanted, planned(wanted, there))
        return Change(Effect.UPDATED, fingerprint + _UPDATING, owned=True, payload=plan)

    def _already_there(self, fingerprint: str, there: CertificateStanding, known: Known) -> Change:
        """Equal: nothing to write. If an earlier attempt meant to write exactly this, the write was ours."""
        updated = there.properties.updated
        is_settled = updated is not None and self._clock.now() - updated >= LAG_SECONDS
        mark = there.marker if is_settled else ""
        if known.intent.removesuffix(_UPDATING).removesuffix(_CLEARING) == fingerprint:
            is_update = known.owned or known.intent.endswith((_UPDATING, _CLEARING))
            return Change(Effect.UPDATED if is_update else Effect.CREATED, known.intent, mark, owned=True)
        return Change(Effect.UNCHANGED, fingerprint, mark, known.owned)

    def _is_what_we_meant(self, wanted: WantedCertificate, there: CertificateStanding, known: Known) -> bool:
        """Whether an earlier attempt wrote what is there, although the source has changed since, or was recovering it."""
        if known.intent.endswith(_CLEARING):
            return True
        meant = self._fingerprint(there.canonical(wanted))
        return bool(known.intent) and known.intent.removesuffix(_UPDATING) == meant

    def _carried_out(self, plan: Plan) -> CertificateStanding:
        write = plan.write
        if plan.clears:
            self._obstacles.clear(plan.wanted.name, plan.clears)
            there = look(self._certificates, plan.wanted.name) if plan.clears == RECOVER else None
            if there is not None and there.is_equal(plan.wanted):
                return there
            write = planned(plan.wanted, there)
        assert write is not None
        return write.carry_out(self._certificates, self._clock)

    def _unowned(self, name: str) -> Change:
        return Change(
            Effect.CONFLICT,
            code="unowned",
            reason=f"Certificate {name} is in {self._obstacles.host} already and no flow of ours wrote it: "
            "set adopt: true to overwrite it.",
        )


def _check_options(options: WriteOptions) -> None:
    if options.operation not in _OPERATIONS:
        raise SettingsError(
            f"Certificates cannot be imported with operation {options.operation}; it can be: upsert, add, update."
        )
    if (how := options.options.get("deleted", FAIL)) not in (FAIL, RECOVER, PURGE, SKIP):
        raise SettingsError(f"options.deleted cannot be {how!r}; it can be: fail, recover, purge, skip.")
    unknown = [field for field in options.fields if field not in WRITABLE_FIELDS]
    if unknown:
        raise SettingsError(
            f"The mapping names {unknown[0]}, which no certificate can be given; it takes: {', '.join(WRITABLE_FIELDS)}."
        )
    missing = [field for field in ("name", "value") if options.fields and field not in options.fields]
    if missing:
        raise SettingsError(f"The mapping does not name {missing[0]}, which every certificate needs.")
