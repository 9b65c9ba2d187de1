"""Writing objects of a vault: compare first, write only real changes, under a name that is free or ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Generic

from connectors.azure_key_vault.model import SecretProperties
from connectors.azure_key_vault.schemas import load_page
from connectors.azure_key_vault.writing.carrying_out import CarryingOut
from connectors.azure_key_vault.writing.collection import Collection, S, X
from connectors.azure_key_vault.writing.conflicts import Conflicts
from connectors.azure_key_vault.writing.deed import Aim, Deed, W
from connectors.azure_key_vault.writing.deleted_names import Deleted, DeletedNames
from connectors.azure_key_vault.writing.listing import Listing
from connectors.azure_key_vault.writing.original_names import taken_by
from connectors.azure_key_vault.writing.remembered import Intent, Marker
from connectors.azure_key_vault.writing.rules import FAIL, PURGE, RECOVER, SKIP, SUFFIX, ImportRules
from connectors.azure_key_vault.writing.suffixes import Suffixes
from connectors.connector import Target
from connectors.model import Change, Effect, Known, Record, WriteOptions
from connectors.paging import ahead
from iclients.clock import Clock


class ObjectsTarget(Target, Generic[W, S, X]):
    """One collection of a vault as the place to write to. Needs list and get, what its writes need, and recover or purge
    where it is told so."""

    def __init__(
        self,
        collection: Collection[W, S, X],
        rules: ImportRules,
        options: WriteOptions,
        fingerprint: Callable[[bytes], str],
        clock: Clock,
    ) -> None:
        self.identity = f"azure-key-vault:{collection.host}/{collection.objects.path}"
        self._collection = collection
        self._rules = rules
        self._options = options
        self._fingerprint = fingerprint
        self._clock = clock
        self._listing = Listing(clock)
        self._deleted = DeletedNames(collection.objects, collection.deleted_kind)
        self._suffixes = Suffixes()
        self._conflicts = Conflicts(collection.host, collection.noun)
        self._carrying_out = CarryingOut(collection, clock, rules, self._conflicts, self._planned_anew)

    def begin(self, resume: Mapping[str, Any] | None, known: Known | None) -> bool:
        self._listing.begin()
        if self._rules.deleted != FAIL or self._collection.lists_deleted:
            self._deleted.list()  # first: what comes back meanwhile is then told by the other list
        objects = self._collection.objects
        for document in ahead(objects.documents("list", objects.link(f"/{objects.path}"))):
            for item in load_page(document)[0]:
                self._listing.add(item)
        return True

    def key(self, fields: Mapping[str, Any]) -> str | None:
        key = super().key(fields)
        return key.lower() if key else None

    def is_current(self, key: str, known: Known) -> bool:
        marker = Marker.parse(known.marker)
        if marker.name and self._rules.deleted != SUFFIX:
            return False
        return self._listing.shows(marker.name or key, marker)

    def assess(self, record: Record, known: Known | None) -> Change:
        aim = self._aim(record, known or Known())
        if aim.known.fingerprint == aim.fingerprint and self.is_current(aim.name.lower(), aim.known):
            return Change(Effect.UNCHANGED, aim.fingerprint, aim.known.marker, aim.known.owned)
        if self._rules.deleted == SUFFIX:
            if not self._suffixes.take(aim.name, aim.name):
                return self._conflicts.taken(aim.name)
            if (change := self._as_remembered(aim)) is not None:
                return change
        return self._planned(aim)

    def write(self, record: Record, change: Change) -> Change:
        if isinstance(change.payload, Deed):
            return self._carrying_out.carry_out(change, change.payload)
        return replace(change, fingerprint=Intent.parse(change.fingerprint).fingerprint)

    def _aim(self, record: Record, known: Known) -> Aim[W]:
        wish = self._collection.wish(record.fields)
        fingerprint = self._fingerprint(self._collection.canonical(wish.wanted))
        return Aim(wish, wish.name, fingerprint, known, self._listing.is_fresh and not known.intent)

    def _planned_anew(self, deed: Deed[W, X]) -> Change:
        """After something else was met than was planned for: by a look, whatever the listings said."""
        return self._planned(replace(deed.aim, name=deed.aim.wish.name, trusts_lists=False))

    def _planned(self, aim: Aim[W]) -> Change:
        if self._listing.is_managed(aim.name):
            return self._conflicts.managed(aim.name)
        there = self._look(aim)
        return self._missing(aim) if there is None else self._compared(aim, there)

    def _look(self, aim: Aim[W]) -> S | None:
        if aim.trusts_lists and aim.name not in self._listing:
            return None
        return self._collection.look(aim.name)

    def _missing(self, aim: Aim[W]) -> Change:
        if self._options.operation == "update":
            return Change(Effect.SKIPPED, reason="it is not there to be updated")
        deleted = self._deleted_as(aim)
        return self._created(aim) if deleted is None else self._blocked(aim, deleted)

    def _deleted_as(self, aim: Aim[W]) -> Deleted | None:
        if self._rules.deleted == FAIL:  # the vault says so when it is written, if the listing does not
            return self._deleted.listed(aim.name) if aim.trusts_lists else None
        return self._deleted.find(aim.name, is_fresh=aim.trusts_lists)

    def _created(self, aim: Aim[W]) -> Change:
        intent = Intent(aim.fingerprint, name=aim.name if aim.is_suffixed else "")
        return self._change(Effect.CREATED, intent, aim, Deed(aim, self._collection.create(aim), versions=0))

    def _blocked(self, aim: Aim[W], deleted: Deleted) -> Change:
        """What the import's rule makes of a name that a deleted object blocks."""
        rule = self._rules.deleted
        if rule == FAIL:
            return self._conflicts.blocked(aim.name)
        if rule == SKIP:
            return Change(Effect.SKIPPED, reason=f"a deleted {self._collection.noun} blocks its name")
        if rule == SUFFIX:
            return self._suffixed(aim)
        if deleted.is_managed:
            return self._conflicts.managed(aim.name)
        if rule == PURGE:
            if not deleted.is_purgeable:
                return self._conflicts.protected(aim.name, deleted)
            return self._change(Effect.CREATED, Intent(aim.fingerprint), aim, Deed(aim, revival=PURGE, versions=0))
        intent = Intent(aim.fingerprint, recovers=deleted.created or 0)
        return self._change(Effect.CREATED, intent, aim, Deed(aim, revival=RECOVER))

    def _suffixed(self, aim: Aim[W]) -> Change:
        """Under the first name that is free, or that has it already."""
        for name in self._suffixes.of(aim.name):
            its = replace(aim, name=name, known=replace(aim.known, owned=False))
            there = self._look(its)
            is_free = there is None and self._deleted_as(its) is None
            if not is_free and (there is None or not self._is_it(its, there)):
                continue
            if self._suffixes.take(name, aim.name):
                return self._created(its) if there is None else self._compared(its, there)
        return self._conflicts.no_free_name(aim.name)

    def _as_remembered(self, aim: Aim[W]) -> Change | None:
        """Under the name that it was given the last time, as long as it stands there; else None."""
        name = Marker.parse(aim.known.marker).name or Intent.parse(aim.known.intent).name
        if not name:
            return None
        its = replace(aim, name=name, known=replace(aim.known, owned=False))
        there = self._look(its)
        if there is None or not self._is_it(its, there) or not self._suffixes.take(name, aim.name):
            return None
        return self._compared(its, there)

    def _is_it(self, aim: Aim[W], there: S) -> bool:
        """Whether what stands under a suffix is the record: our own, or equal."""
        if there.properties.managed or taken_by(aim.wish.original, there.properties.tags):
            return False
        return self._is_ours(aim, there) or self._is_there(aim, there)

    def _is_there(self, aim: Aim[W], there: S) -> bool:
        """Equal; or disabled, so that it shows no value, and just what we meant to create."""
        if self._collection.is_equal(aim, there):
            return True
        created = (Intent(aim.fingerprint), Intent(aim.fingerprint, name=aim.name))
        was_meant = Intent.parse(aim.known.intent) in created and not aim.known.owned
        return was_meant and self._collection.may_be_made(aim, there)

    def _is_ours(self, aim: Aim[W], there: S) -> bool:
        """Whether a flow of ours wrote what stands there, under this name."""
        if aim.is_suffixed and Marker.parse(aim.known.marker).name.lower() == aim.name.lower():
            return True
        return aim.known.owned or self._is_back(aim, there) or self._is_what_we_meant(aim, there)

    def _is_back(self, aim: Aim[W], there: S) -> bool:
        """Whether an earlier attempt recovered it, and did not come to change it."""
        recovers = Intent.parse(aim.known.intent).recovers
        return recovers is not None and recovers == (there.properties.created or 0)

    def _is_what_we_meant(self, aim: Aim[W], there: S) -> bool:
        """Whether an earlier attempt wrote what is there, although the source has changed since."""
        told = self._collection.meant(aim, there) if aim.known.intent else None
        return told is not None and Intent.parse(aim.known.intent).fingerprint == self._fingerprint(told)

    def _compared(self, aim: Aim[W], there: S) -> Change:
        if there.properties.managed:
            return self._conflicts.managed(aim.name)
        if other := taken_by(aim.wish.original, there.properties.tags):
            return self._conflicts.of_another(aim.name, other, aim.wish.original)
        if self._is_there(aim, there):
            return self._already_there(aim, there.properties)
        is_back = self._is_back(aim, there)
        if self._options.operation == "add" and not is_back:
            return Change(Effect.SKIPPED, reason="it is already there")
        if not (self._is_ours(aim, there) or self._options.adopt):
            return self._conflicts.unowned(aim.name)
        write = self._collection.update(aim, there)
        deed = Deed(aim, write, versions=_versions(there.properties, aim.known))
        if is_back:
            intent = Intent(aim.fingerprint, recovers=there.properties.created or 0)
            return self._change(Effect.CREATED, intent, aim, deed)
        return self._change(Effect.UPDATED, Intent(aim.fingerprint, updates=True), aim, deed)

    def _already_there(self, aim: Aim[W], now: SecretProperties) -> Change:
        """Equal: nothing to write. If an earlier attempt meant to write exactly this, the write was ours."""
        known, intent = aim.known, Intent.parse(aim.known.intent)
        updated = now.updated if now.is_settled(self._clock.now()) else None
        marker = Marker(updated, _versions(now, known), thumbprint=now.thumbprint)
        was_meant = intent.fingerprint == aim.fingerprint
        if aim.is_suffixed:
            is_ours = was_meant or Marker.parse(known.marker).name.lower() == aim.name.lower()
            marker = replace(marker, name=aim.name) if is_ours else Marker()
        if was_meant:
            is_update = intent.updates or (known.owned and intent.recovers is None)
            change = self._change(Effect.UPDATED if is_update else Effect.CREATED, intent, aim)
            return replace(change, marker=marker.text)
        return Change(Effect.UNCHANGED, aim.fingerprint, marker.text, known.owned)

    def _change(self, effect: Effect, intent: Intent, aim: Aim[W], deed: Deed[W, X] | None = None) -> Change:
        """What is to be done, or without a deed was done already, with what the run has to tell of it."""
        wish, owned = aim.wish, not aim.is_suffixed
        return Change(effect, intent.text, owned=owned, payload=deed, code=wish.code, reason=wish.warning)


def _versions(now: SecretProperties, known: Known) -> int | None:
    """How many it has, where nobody else touched it since we knew."""
    marker = Marker.parse(known.marker)
    is_known = marker.updated is not None and (marker.updated, marker.thumbprint) == (now.updated, now.thumbprint)
    return marker.versions if is_known else None
