"""Writing secrets: compare first, write only real changes, carry forward what the mapping does not name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from connectors.azure_key_vault.model import LAG_SECONDS, SecretProperties
from connectors.azure_key_vault.secret_writing.carrying_out import CarryingOut
from connectors.azure_key_vault.secret_writing.deed import Aim, Deed
from connectors.azure_key_vault.secret_writing.deleted_names import Deleted, DeletedNames
from connectors.azure_key_vault.secret_writing.original_names import taken_by
from connectors.azure_key_vault.secret_writing.remembered import Intent, Marker
from connectors.azure_key_vault.secret_writing.rules import (
    FAIL,
    PURGE,
    RECOVER,
    SKIP,
    SUFFIX,
    ImportRules,
    check_options,
)
from connectors.azure_key_vault.secret_writing.standing import Standing, look
from connectors.azure_key_vault.secret_writing.suffixes import LAST, Suffixes
from connectors.azure_key_vault.secret_writing.wanted import (
    canonical,
    is_equal,
    meant,
    same_properties,
    settled,
    update,
    wanted_of,
)
from connectors.azure_key_vault.secret_writing.write import Write, parameters
from connectors.azure_key_vault.vault.secrets import VaultSecrets
from connectors.connector import Target
from connectors.model import Change, Effect, Known, Record, WriteOptions
from iclients.clock import Clock

LISTING_HOLDS_SECONDS: Final = 30.0
"""So long the listing's word is taken that a name is free; later each create costs a look (ADR 0004)."""
_MANAGED: Final = 1


class SecretsTarget(Target):
    """The secrets of a vault as the place to write to. Needs list, get and set; recover or purge where it is told so."""

    def __init__(
        self, secrets: VaultSecrets, options: WriteOptions, fingerprint: Callable[[bytes], str], clock: Clock
    ) -> None:
        """Raises SettingsError where the operation or a mapped field cannot be."""
        check_options(options)
        self.identity = f"azure-key-vault:{secrets.vault.host}/secrets"
        self._secrets = secrets
        self._options = options
        self._rules = ImportRules.of(options.options)
        self._fingerprint = fingerprint
        self._clock = clock
        self._listed: dict[str, int] = {}
        self._listed_at = clock.monotonic()
        self._deleted = DeletedNames(secrets)
        self._suffixes = Suffixes()
        self._carrying_out = CarryingOut(secrets, clock, self._rules, self._planned_anew)

    def begin(self, resume: Mapping[str, Any] | None, known: Known | None) -> bool:
        self._listed_at = self._clock.monotonic()
        if self._rules.deleted != FAIL:
            self._deleted.list()  # first: what comes back meanwhile is then told by the other list
        for items, _ in self._secrets.pages():
            self._listed.update({item.name.lower(): _packed(item) for item in items})
        return True

    def key(self, fields: Mapping[str, Any]) -> str | None:
        key = super().key(fields)
        return key.lower() if key else None

    def is_current(self, key: str, known: Known) -> bool:
        marker = Marker.parse(known.marker)
        if marker.name and self._rules.deleted != SUFFIX:
            return False
        listed = self._listed.get((marker.name or key).lower())
        return listed is not None and marker.updated == listed >> 1

    def assess(self, record: Record, known: Known | None) -> Change:
        aim = self._aim(record, known or Known())
        if aim.known.fingerprint == aim.fingerprint and self.is_current(aim.name.lower(), aim.known):
            return Change(Effect.UNCHANGED, aim.fingerprint, aim.known.marker, aim.known.owned)
        if self._rules.deleted == SUFFIX:
            if not self._suffixes.take(aim.name, aim.name):
                return self._taken(aim.name)
            if (change := self._as_remembered(aim)) is not None:
                return change
        return self._planned(aim)

    def write(self, record: Record, change: Change) -> Change:
        if isinstance(change.payload, Deed):
            return self._carrying_out.carry_out(change, change.payload)
        return replace(change, fingerprint=Intent.parse(change.fingerprint).fingerprint)

    def _aim(self, record: Record, known: Known) -> Aim:
        wanted = wanted_of(record.fields, self._rules)
        settled(wanted, {}, self._rules)  # tags that are too many by themselves are told before any call
        fingerprint = self._fingerprint(canonical(wanted, self._rules))
        is_fresh = self._clock.monotonic() - self._listed_at < LISTING_HOLDS_SECONDS
        return Aim(wanted, wanted["name"], fingerprint, known, is_fresh)

    def _planned_anew(self, deed: Deed) -> Change:
        """After something else was met than was planned for: by a look, whatever the listings said."""
        return self._planned(replace(deed.aim, name=deed.aim.wanted["name"], trusts_lists=False))

    def _planned(self, aim: Aim) -> Change:
        listed = self._listed.get(aim.name.lower())
        if listed is not None and listed & _MANAGED:
            return self._managed(aim.name)
        there = self._look(aim)
        return self._missing(aim) if there is None else self._compared(aim, there)

    def _look(self, aim: Aim) -> Standing | None:
        if aim.trusts_lists and aim.name.lower() not in self._listed:
            return None
        return look(self._secrets, aim.name)

    def _missing(self, aim: Aim) -> Change:
        if self._options.operation == "update":
            return Change(Effect.SKIPPED, reason="it is not there to be updated")
        deleted = self._deleted_as(aim)
        return self._created(aim) if deleted is None else self._blocked(aim, deleted)

    def _deleted_as(self, aim: Aim) -> Deleted | None:
        if self._rules.deleted == FAIL:
            return None  # the vault says so when it is written
        return self._deleted.find(aim.name, is_fresh=aim.trusts_lists)

    def _created(self, aim: Aim) -> Change:
        write = Write(aim.name, parameters(settled(aim.wanted, {}, self._rules)))
        intent = Intent(aim.fingerprint, name=aim.name if aim.is_suffixed else "")
        return self._change(Effect.CREATED, intent, Deed(aim, write, versions=0))

    def _blocked(self, aim: Aim, deleted: Deleted) -> Change:
        """What the import's rule makes of a name that a deleted secret blocks."""
        rule = self._rules.deleted
        if rule == SKIP:
            return Change(Effect.SKIPPED, reason="a deleted secret blocks its name")
        if rule == SUFFIX:
            return self._suffixed(aim)
        if deleted.is_managed:
            return self._managed(aim.name)
        if rule == PURGE:
            if not deleted.is_purgeable:
                return self._protected(aim.name, deleted)
            return self._change(Effect.CREATED, Intent(aim.fingerprint), Deed(aim, revival=PURGE, versions=0))
        return self._change(
            Effect.CREATED, Intent(aim.fingerprint, recovers=deleted.created or 0), Deed(aim, revival=RECOVER)
        )

    def _suffixed(self, aim: Aim) -> Change:
        """Under the first name that is free, or that has it already."""
        for name in self._suffixes.of(aim.name):
            its = replace(aim, name=name, known=replace(aim.known, owned=False))
            there = self._look(its)
            is_free = there is None and self._deleted_as(its) is None
            if not is_free and (there is None or not self._is_it(its, there)):
                continue
            if self._suffixes.take(name, aim.name):
                return self._created(its) if there is None else self._compared(its, there)
        return Change(
            Effect.CONFLICT,
            code="no_free_name",
            reason=f"{aim.name} and every name up to {aim.name}-{LAST} are taken in {self._secrets.vault.host}: purge "
            "deleted secrets that nobody needs, or map another name.",
        )

    def _as_remembered(self, aim: Aim) -> Change | None:
        """Under the name that it was given the last time, as long as it stands there; else None."""
        name = Marker.parse(aim.known.marker).name or Intent.parse(aim.known.intent).name
        if not name:
            return None
        its = replace(aim, name=name, known=replace(aim.known, owned=False))
        there = self._look(its)
        if there is None or not self._is_it(its, there) or not self._suffixes.take(name, aim.name):
            return None
        return self._compared(its, there)

    def _is_it(self, aim: Aim, there: Standing) -> bool:
        """Whether what stands under a suffix is the record: our own, or equal."""
        if there.properties.managed or taken_by(aim.wanted, there.properties.tags):
            return False
        final = settled(aim.wanted, there.properties.tags, self._rules)
        return self._is_ours(aim, there) or self._is_there(aim, final, there)

    def _is_there(self, aim: Aim, final: dict[str, Any], there: Standing) -> bool:
        """Equal; or disabled, so that it shows no value, and just what we meant to create."""
        if is_equal(final, there, self._rules):
            return True
        created = (Intent(aim.fingerprint), Intent(aim.fingerprint, name=aim.name))
        was_meant = Intent.parse(aim.known.intent) in created and not aim.known.owned
        return there.value is None and was_meant and same_properties(final, there.properties)

    def _is_ours(self, aim: Aim, there: Standing) -> bool:
        """Whether a flow of ours wrote what stands there, under this name."""
        if aim.is_suffixed and Marker.parse(aim.known.marker).name.lower() == aim.name.lower():
            return True
        return aim.known.owned or self._is_back(aim, there) or self._is_what_we_meant(aim, there)

    def _is_back(self, aim: Aim, there: Standing) -> bool:
        """Whether an earlier attempt recovered it, and did not come to change it."""
        recovers = Intent.parse(aim.known.intent).recovers
        return recovers is not None and recovers == (there.properties.created or 0)

    def _is_what_we_meant(self, aim: Aim, there: Standing) -> bool:
        """Whether an earlier attempt wrote what is there, although the source has changed since."""
        if there.value is None or not aim.known.intent:
            return False
        told = canonical(meant(aim.wanted, there, self._rules), self._rules)
        return Intent.parse(aim.known.intent).fingerprint == self._fingerprint(told)

    def _compared(self, aim: Aim, there: Standing) -> Change:
        if there.properties.managed:
            return self._managed(aim.name)
        if other := taken_by(aim.wanted, there.properties.tags):
            return self._of_another(aim, other)
        final = settled(aim.wanted, there.properties.tags, self._rules)
        if self._is_there(aim, final, there):
            return self._already_there(aim, there.properties)
        is_back = self._is_back(aim, there)
        if self._options.operation == "add" and not is_back:
            return Change(Effect.SKIPPED, reason="it is already there")
        if not (self._is_ours(aim, there) or self._options.adopt):
            return self._unowned(aim.name)
        write = update({**final, "name": aim.name}, there, self._rules)
        deed = Deed(aim, write, versions=_versions(there.properties, aim.known))
        if is_back:
            return self._change(Effect.CREATED, Intent(aim.fingerprint, recovers=there.properties.created or 0), deed)
        return self._change(Effect.UPDATED, Intent(aim.fingerprint, updates=True), deed)

    def _already_there(self, aim: Aim, now: SecretProperties) -> Change:
        """Equal: nothing to write. If an earlier attempt meant to write exactly this, the write was ours."""
        known, intent = aim.known, Intent.parse(aim.known.intent)
        is_settled = now.updated is not None and self._clock.now() - now.updated >= LAG_SECONDS
        marker = Marker(now.updated if is_settled else None, _versions(now, known))
        was_meant = intent.fingerprint == aim.fingerprint
        if aim.is_suffixed:
            is_ours = was_meant or Marker.parse(known.marker).name.lower() == aim.name.lower()
            marker = replace(marker, name=aim.name) if is_ours else Marker()
        if was_meant:
            is_update = intent.updates or (known.owned and intent.recovers is None)
            effect = Effect.UPDATED if is_update else Effect.CREATED
            return Change(effect, intent.text, marker.text, owned=not aim.is_suffixed)
        return Change(Effect.UNCHANGED, aim.fingerprint, marker.text, known.owned)

    def _change(self, effect: Effect, intent: Intent, deed: Deed) -> Change:
        return Change(effect, intent.text, owned=not deed.aim.is_suffixed, payload=deed)

    def _managed(self, name: str) -> Change:
        return self._conflict(
            "managed", f"{name} in {{vault}} belongs to a certificate: import the certificate instead."
        )

    def _protected(self, name: str, deleted: Deleted) -> Change:
        return self._conflict(
            "purge_protected",
            f"{name} was deleted from {{vault}}, which has purge protection: nobody can purge it{deleted.until}; "
            "recover it (options: deleted: recover), or write under another name (suffix).",
        )

    def _taken(self, name: str) -> Change:
        return self._conflict(
            "name_taken",
            f"{name} in {{vault}} was given to another record of this import, whose own name a deleted secret blocks: "
            "give one of the two another name.",
        )

    def _of_another(self, aim: Aim, other: str) -> Change:
        original = aim.wanted["original_name"]
        return self._conflict(
            "name_taken",
            f"{aim.name} in {{vault}} stands for {other}, not for {original}: give one of them another name.",
        )

    def _unowned(self, name: str) -> Change:
        return self._conflict(
            "unowned",
            f"{name} is in {{vault}} already and no flow of ours wrote it: set adopt: true to overwrite it.",
        )

    def _conflict(self, code: str, reason: str) -> Change:
        return Change(Effect.CONFLICT, code=code, reason=reason.replace("{vault}", self._secrets.vault.host))


def _packed(item: SecretProperties) -> int:
    """What the target remembers of a listed secret, in one number: a vault may hold very many."""
    return ((item.updated or 0) << 1) | (_MANAGED if item.managed else 0)


def _versions(now: SecretProperties, known: Known) -> int | None:
    """How many it has, where nobody else touched it since we knew."""
    marker = Marker.parse(known.marker)
    return marker.versions if marker.updated is not None and marker.updated == now.updated else None
