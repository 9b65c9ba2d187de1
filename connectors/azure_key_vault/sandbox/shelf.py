"""A shelf: a vault's objects of one kind, secrets, keys or certificates, and what soft delete does to them.

The same rules hold for all three (Azure reference sheet, sections 4.2 and 4.4): names compare without case and keep
the case of their first creation, delete is soft and settles after a while, and a name with a deleted object is blocked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from connectors.azure_key_vault.sandbox.clock import Clock
from connectors.azure_key_vault.sandbox.errors import Refused
from connectors.azure_key_vault.sandbox.names import Names

SECONDS_PER_DAY = 86_400


class Named(Protocol):
    """An object that lies on a shelf."""

    name: str
    managed: bool


Kept = TypeVar("Kept", bound=Named)


class Keeping(Protocol):
    """The settings of a vault that its shelves go by."""

    label: str
    clock: Clock
    settle_seconds: float
    retention_days: int
    purge_protection: bool


@dataclass(slots=True, eq=False)
class Deleted(Generic[Kept]):
    """A soft-deleted object: when it went, when that becomes visible, when it goes for good."""

    thing: Kept
    deleted_at: int
    settled_at: float
    purge_at: int


class Shelf(Generic[Kept]):
    """Objects of one kind by lower-case name. `noun` is what errors call one; the vault's lock guards it."""

    def __init__(self, noun: str, keeping: Keeping) -> None:
        self.noun = noun
        self.kept: dict[str, Kept] = {}
        self.deleted: dict[str, Deleted[Kept]] = {}
        self.names = Names()
        self.deleted_names = Names()
        self._keeping = keeping
        self._recovering: dict[str, float] = {}
        self._purging: dict[str, float] = {}

    def fill(self, planted: Iterable[Kept]) -> None:
        """Plants many objects at once."""
        self.kept.update((thing.name.lower(), thing) for thing in planted)
        self.names = Names(self.kept)

    def find(self, name: str) -> Kept:
        """The object of that name; 404 when there is none or it is still being recovered."""
        key = name.lower()
        thing = self.kept.get(key)
        if thing is None or (self._recovering and self._waits(self._recovering, key)):
            raise self.not_found(name)
        return thing

    def place(self, thing: Kept) -> None:
        """Puts a new object on the shelf; its name must be free."""
        self.kept[thing.name.lower()] = thing
        self.names.add(thing.name.lower())

    def delete(self, name: str) -> Deleted[Kept]:
        """Soft-deletes an object with all its versions; 403 when a certificate owns it."""
        thing = self.find(name)
        if thing.managed:
            raise self.managed(name)
        return self.take(name)

    def take(self, name: str) -> Deleted[Kept]:
        """Soft-deletes an object, whoever owns it."""
        thing = self.find(name)
        now = self._keeping.clock.now()
        purge_at = int(now) + self._keeping.retention_days * SECONDS_PER_DAY
        gone = Deleted(thing, int(now), now + self._keeping.settle_seconds, purge_at)
        key = name.lower()
        del self.kept[key]
        self.names.remove(key)
        self.deleted[key] = gone
        self.deleted_names.add(key)
        return gone

    def find_deleted(self, name: str) -> Deleted[Kept]:
        """The deleted object of that name; 404 while its deletion has not settled."""
        gone = self._gone(name.lower())
        if gone is None or gone.settled_at > self._keeping.clock.now():
            raise Refused(404, f"{self.noun}NotFound", f"Deleted {self.noun} not found: {name}")
        return gone

    def recover(self, name: str) -> Kept:
        """Brings a deleted object back; it can be read again after the settling time."""
        gone = self.find_deleted(name)
        self._forget(name.lower())
        self.place(gone.thing)
        self._settle(self._recovering, name)
        return gone.thing

    def purge(self, name: str) -> None:
        """Removes a deleted object for good; 403 under purge protection."""
        self.find_deleted(name)
        if self._keeping.purge_protection:
            raise Refused(403, "Forbidden", _PURGE_PROTECTED.format(vault=self._keeping.label))
        self._forget(name.lower())
        self._settle(self._purging, name)

    def restore(self, thing: Kept) -> None:
        """Puts an object from a backup in; 409 when the name is taken."""
        self.check_free(thing.name)
        if thing.name.lower() in self.kept:
            message = f"A {self.noun.lower()} with the name {thing.name} already exists in this vault."
            raise Refused(409, "Conflict", message)
        self.place(thing)

    def check_free(self, name: str) -> None:
        """409 when a deletion, recovery or purge blocks the name."""
        key = name.lower()
        if self.deleted:
            gone = self._gone(key)
            if gone is not None:
                settled = gone.settled_at <= self._keeping.clock.now()
                raise self._blocked(name, "ObjectIsDeletedButRecoverable" if settled else "ObjectIsBeingDeleted")
        if self._purging and self._waits(self._purging, key):
            raise self._blocked(name, "ObjectIsBeingDeleted")
        if self._recovering and self._waits(self._recovering, key):
            raise self._blocked(name, "ObjectIsBeingRecovered")

    def listed(self, keys: Iterable[str]) -> list[Kept]:
        """The objects of these (lower-case) names that a list shows now."""
        return [self.kept[key] for key in keys if not (self._recovering and self._waits(self._recovering, key))]

    def listed_deleted(self, keys: Iterable[str]) -> list[Deleted[Kept]]:
        """The deleted objects of these (lower-case) names that a list shows now."""
        now = self._keeping.clock.now()
        found = (self._gone(key) for key in keys)
        return [gone for gone in found if gone is not None and gone.settled_at <= now]

    def not_found(self, what: str) -> Refused:
        """404 for an object or version that is not there."""
        noun = self.noun.lower()
        text = f"A {noun} with (name/id) {what} was not found in this key vault. {_HINT.format(noun=noun)}"
        return Refused(404, f"{self.noun}NotFound", text)

    def managed(self, name: str) -> Refused:
        """403 for touching what belongs to a certificate."""
        message = f"{self.noun} {name} belongs to a certificate and its lifetime is managed by Key Vault."
        return Refused(403, "Forbidden", message, f"{self.noun}ManagedByKeyVault")

    def _blocked(self, name: str, inner: str) -> Refused:
        message = f"{self.noun} {name} is currently in a state that blocks its name."
        return Refused(409, "Conflict", message, inner)

    def _settle(self, pending: dict[str, float], name: str) -> None:
        if self._keeping.settle_seconds > 0:
            pending[name.lower()] = self._keeping.clock.now() + self._keeping.settle_seconds

    def _forget(self, key: str) -> None:
        del self.deleted[key]
        self.deleted_names.remove(key)

    def _gone(self, key: str) -> Deleted[Kept] | None:
        gone = self.deleted.get(key)
        if gone is not None and gone.purge_at <= self._keeping.clock.now():
            self._forget(key)
            return None
        return gone

    def _waits(self, pending: dict[str, float], key: str) -> bool:
        until = pending.get(key)
        if until is not None and until <= self._keeping.clock.now():
            del pending[key]
            return False
        return until is not None


_HINT = (
    "If you recently deleted this {noun} you may be able to recover it: https://go.microsoft.com/fwlink/?linkid=2125182"
)
_PURGE_PROTECTED = 'Operation "purge" is not allowed because purge protection is enabled for this vault.\r\nVault: {vault};location=eastus'
