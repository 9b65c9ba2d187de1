"""Carrying out what was decided about one record, while a vault is slow and other people act on the same name.

What is reported as created or updated was answered for by the vault, or looked at. Whatever stands in the way for a
while (a deletion, a recovery, a purge that settles) is waited for within bounds, and then decided about anew from a
look. After a recovery nothing may be forgotten: what came back is ours to finish, so a refusal that follows keeps what
was intended (ADR 0003).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, Generic

from connectors.azure_key_vault.model import SecretProperties
from connectors.azure_key_vault.vault.lifecycle import POLL_SECONDS, SETTLE_SECONDS, Lifecycle
from connectors.azure_key_vault.writing.collection import Collection, S, X
from connectors.azure_key_vault.writing.conflicts import Conflicts
from connectors.azure_key_vault.writing.deed import Deed, W
from connectors.azure_key_vault.writing.remembered import Intent, Marker
from connectors.azure_key_vault.writing.rules import FAIL, PURGE, RECOVER, SKIP, ImportRules
from connectors.azure_key_vault.writing.version_budget import VersionBudget
from connectors.errors import Conflict, Forbidden, NotFound, Refused
from connectors.model import Change, Effect
from iclients.clock import Clock
from iclients.errors import Recovery, RemoteError

_RECOVERED: Final = "recovered"
_DELETED: Final = "deleted_but_recoverable"
_DELETING: Final = "being_deleted"
_RECOVERING: Final = "being_recovered"
_PROTECTED: Final = "purge_protected"
_PURGE_REFUSED: Final = "purge_refused"


class CarryingOut(Generic[W, S, X]):
    """Carries out deeds in one collection, from many threads. `plan` decides anew about one of them."""

    def __init__(
        self,
        collection: Collection[W, S, X],
        clock: Clock,
        rules: ImportRules,
        conflicts: Conflicts,
        plan: Callable[[Deed[W, X]], Change],
    ) -> None:
        self._collection = collection
        self._clock = clock
        self._rules = rules
        self._conflicts = conflicts
        self._plan = plan
        self._lifecycle = Lifecycle(collection.objects, clock, collection.retrying)
        self._budget = VersionBudget(collection.objects, rules.version_budget)

    def carry_out(self, change: Change, deed: Deed[W, X]) -> Change:
        """What became of it. Raises RemoteError: Refused only where nothing of what was intended is there."""
        deadline = self._clock.monotonic() + SETTLE_SECONDS
        while True:
            try:
                if deed.revival == RECOVER:
                    self._lifecycle.recover(deed.aim.name)
                    deed = replace(deed, revival=_RECOVERED)
                    deadline = self._clock.monotonic() + SETTLE_SECONDS
                return self._done(change, deed)
            except (Conflict, NotFound) as error:
                refused = error if deed.revival else self._collection.explained(deed.aim.name, error)
                is_late = self._clock.monotonic() + POLL_SECONDS > deadline
                if is_late or not self._may_pass(refused, deed):
                    return self._given_up(refused, deed)
            except Refused as error:
                raise self._halfway(error, deed) from error
            self._clock.sleep(POLL_SECONDS)
            if deed.revival != _RECOVERED:
                change = self._plan(deed)
                if not isinstance(change.payload, Deed):
                    return replace(change, fingerprint=Intent.parse(change.fingerprint).fingerprint)
                deed = change.payload

    def _done(self, change: Change, deed: Deed[W, X]) -> Change:
        if deed.revival == PURGE:
            self._purge(deed.aim.name)
            deed = replace(deed, write=self._collection.create(deed.aim))
        elif deed.revival == _RECOVERED:
            there = self._collection.look(deed.aim.name)
            if there is None:
                raise NotFound(self._slow(deed), code=_RECOVERING)
            if self._collection.is_equal(deed.aim, there):
                return self._told(change, deed, there.properties)
            deed = replace(deed, write=self._collection.update(deed.aim, there))
        return self._written(change, deed)

    def _purge(self, name: str) -> None:
        """Raises Conflict where the vault lets nobody purge: not every vault says so of the object beforehand."""
        try:
            self._lifecycle.purge(name)
        except Forbidden as error:
            if error.code != _PURGE_REFUSED:
                raise
            raise Conflict(self._conflicts.protected(name, None).reason, code=_PROTECTED) from error

    def _written(self, change: Change, deed: Deed[W, X]) -> Change:
        write = deed.write or self._collection.create(deed.aim)
        is_new_version = write.makes_version
        if is_new_version and deed.versions is None:
            deed = replace(deed, versions=self._budget.count(deed.aim.name))
        written = self._collection.carry_out(write)
        warning = self._budget.warning(deed.aim.name, deed.versions) if is_new_version else ""
        if is_new_version and deed.versions is not None:
            deed = replace(deed, versions=deed.versions + 1)
        told = self._told(change, deed, written, is_ours=True)
        return replace(told, code="version_budget", reason=f"{told.reason} {warning}".strip()) if warning else told

    def _told(self, change: Change, deed: Deed[W, X], now: SecretProperties, *, is_ours: bool = False) -> Change:
        """What somebody else touched this short ago may be touched again without showing it; our own write does show."""
        aim = deed.aim
        updated = now.updated if is_ours or now.is_settled(self._clock.now()) else None
        marker = Marker(updated, deed.versions, aim.name if aim.is_suffixed else "", now.thumbprint)
        owned = not aim.is_suffixed
        return Change(change.effect, aim.fingerprint, marker.text, owned, code=change.code, reason=change.reason)

    def _may_pass(self, error: Refused, deed: Deed[W, X]) -> bool:
        """Whether it is worth to wait and look again: what stands in the way settles, or the rule has an answer to it."""
        if isinstance(error, NotFound):
            return bool(deed.revival)
        if self._rules.deleted in (FAIL, SKIP):
            return self._rules.deleted == SKIP and error.code == _RECOVERING
        is_waited_for = bool(deed.revival) and error.code != _PROTECTED
        return is_waited_for or error.code in (_DELETED, _DELETING, _RECOVERING)

    def _given_up(self, error: Refused, deed: Deed[W, X]) -> Change:
        if deed.revival == _RECOVERED:
            raise self._halfway(error, deed) from error
        if isinstance(error, NotFound):
            raise error
        if self._rules.deleted == SKIP and error.code in (_DELETED, _DELETING):
            return Change(Effect.SKIPPED, reason=f"a deleted {self._collection.noun} blocks its name")
        if self._rules.deleted == FAIL and error.code == _DELETED:
            return self._conflicts.blocked(deed.aim.name)
        return Change(Effect.CONFLICT, code=error.code, reason=str(error))

    def _halfway(self, error: Refused, deed: Deed[W, X]) -> RemoteError:
        """The error as it is, or after a recovery as one that does not say that nothing was done."""
        if deed.revival != _RECOVERED:
            return error
        if error.code == _RECOVERING:
            return RemoteError(self._slow(deed), code=_RECOVERING, recovery=Recovery.SKIP)
        return RemoteError(
            f"{deed.aim.name} was recovered as it had been, and not changed: {error}",
            code=error.code,
            recovery=error.recovery,
        )

    def _slow(self, deed: Deed[W, X]) -> str:
        return f"{deed.aim.name} is being recovered in {self._collection.host} at this moment: run again in a minute."
