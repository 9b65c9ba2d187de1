"""Carrying out what was decided about one record, while a vault is slow and other people act on the same name.

What is reported as created or updated was answered for by the vault, or looked at. Whatever stands in the way for a
while (a deletion, a recovery, a purge that settles) is waited for within bounds, and then decided about anew from a
look. After a recovery nothing may be forgotten: what came back is ours to finish, so a refusal that follows keeps what
was intended (ADR 0003).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from connectors.azure_key_vault.model import LAG_SECONDS, SecretProperties
from connectors.azure_key_vault.secret_writing.deed import Deed
from connectors.azure_key_vault.secret_writing.remembered import Intent, Marker
from connectors.azure_key_vault.secret_writing.rules import FAIL, PURGE, RECOVER, SKIP, ImportRules
from connectors.azure_key_vault.secret_writing.standing import look
from connectors.azure_key_vault.secret_writing.version_budget import VersionBudget
from connectors.azure_key_vault.secret_writing.wanted import is_equal, settled, update
from connectors.azure_key_vault.secret_writing.write import Write, parameters
from connectors.azure_key_vault.vault.lifecycle import POLL_SECONDS, SETTLE_SECONDS, Lifecycle
from connectors.azure_key_vault.vault.secrets import VaultSecrets
from connectors.errors import Conflict, NotFound, Refused
from connectors.model import Change, Effect
from iclients.clock import Clock
from iclients.errors import Recovery, RemoteError

_RECOVERED: Final = "recovered"
_DELETED: Final = "deleted_but_recoverable"
_DELETING: Final = "being_deleted"
_RECOVERING: Final = "being_recovered"


class CarryingOut:
    """Carries out deeds at one vault, from many threads. `plan` decides anew about one of them."""

    def __init__(self, secrets: VaultSecrets, clock: Clock, rules: ImportRules, plan: Callable[[Deed], Change]) -> None:
        self._secrets = secrets
        self._clock = clock
        self._rules = rules
        self._plan = plan
        self._lifecycle = Lifecycle(secrets, clock)
        self._budget = VersionBudget(secrets, rules.version_budget)

    def carry_out(self, change: Change, deed: Deed) -> Change:
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
                is_late = self._clock.monotonic() + POLL_SECONDS > deadline
                if is_late or not self._may_pass(error, deed):
                    return self._given_up(error, deed)
            except Refused as error:
                raise self._halfway(error, deed) from error
            self._clock.sleep(POLL_SECONDS)
            if deed.revival != _RECOVERED:
                change = self._plan(deed)
                if not isinstance(change.payload, Deed):
                    return replace(change, fingerprint=Intent.parse(change.fingerprint).fingerprint)
                deed = change.payload

    def _done(self, change: Change, deed: Deed) -> Change:
        if deed.revival == PURGE:
            self._lifecycle.purge(deed.aim.name)
            deed = replace(deed, write=self._create(deed))
        elif deed.revival == _RECOVERED:
            there = look(self._secrets, deed.aim.name)
            if there is None:
                raise NotFound(self._slow(deed), code=_RECOVERING)
            final = settled(deed.aim.wanted, there.properties.tags, self._rules)
            if is_equal(final, there, self._rules):
                return self._told(change, deed, there.properties)
            deed = replace(deed, write=update({**final, "name": deed.aim.name}, there, self._rules))
        return self._written(change, deed)

    def _written(self, change: Change, deed: Deed) -> Change:
        write = deed.write or self._create(deed)
        is_new_version = not write.version
        if is_new_version and deed.versions is None:
            deed = replace(deed, versions=self._budget.count(deed.aim.name))
        written = write.carry_out(self._secrets, self._clock)
        warning = self._budget.warning(deed.aim.name, deed.versions) if is_new_version else ""
        if is_new_version and deed.versions is not None:
            deed = replace(deed, versions=deed.versions + 1)
        told = self._told(change, deed, written, is_ours=True)
        return replace(told, code="version_budget", reason=warning) if warning else told

    def _told(self, change: Change, deed: Deed, now: SecretProperties, *, is_ours: bool = False) -> Change:
        """What somebody else touched this short ago may be touched again without showing it; our own write does show."""
        aim = deed.aim
        is_settled = is_ours or (now.updated is not None and self._clock.now() - now.updated >= LAG_SECONDS)
        marker = Marker(now.updated if is_settled else None, deed.versions, aim.name if aim.is_suffixed else "")
        return Change(change.effect, aim.fingerprint, marker.text, owned=not aim.is_suffixed)

    def _create(self, deed: Deed) -> Write:
        return Write(deed.aim.name, parameters(settled(deed.aim.wanted, {}, self._rules)))

    def _may_pass(self, error: Refused, deed: Deed) -> bool:
        """Whether it is worth to wait and look again: what stands in the way settles, or the rule has an answer to it."""
        if isinstance(error, NotFound):
            return bool(deed.revival)
        if self._rules.deleted in (FAIL, SKIP):
            return self._rules.deleted == SKIP and error.code == _RECOVERING
        return bool(deed.revival) or error.code in (_DELETED, _DELETING, _RECOVERING)

    def _given_up(self, error: Refused, deed: Deed) -> Change:
        if deed.revival == _RECOVERED:
            raise self._halfway(error, deed) from error
        if isinstance(error, NotFound):
            raise error
        if self._rules.deleted == SKIP and error.code in (_DELETED, _DELETING):
            return Change(Effect.SKIPPED, reason="a deleted secret blocks its name")
        reason = self._blocked(deed) if self._rules.deleted == FAIL and error.code == _DELETED else str(error)
        return Change(Effect.CONFLICT, code=error.code, reason=reason)

    def _halfway(self, error: Refused, deed: Deed) -> RemoteError:
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

    def _slow(self, deed: Deed) -> str:
        return (
            f"{deed.aim.name} is being recovered in {self._secrets.vault.host} at this moment: run again in a minute."
        )

    def _blocked(self, deed: Deed) -> str:
        return (
            f"{deed.aim.name} was deleted from {self._secrets.vault.host} and still blocks its name: say in the import "
            "what becomes of such names (options: deleted: recover, purge, suffix or skip), or recover or purge it and "
            "run again."
        )
