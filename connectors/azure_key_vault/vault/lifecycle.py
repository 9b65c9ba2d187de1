"""Deleting, recovering and purging an object of a vault: soft, slow, and done once.

The vault answers at once and shows the change seconds later, so it is looked at until it does, within bounds. A lost
answer is no reason to fail: the call is made again, and what the vault shows then says what became of the first.
Source: Key Vault soft-delete overview.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from connectors.azure_key_vault.vault.objects import UNCLEAR, VaultObjects
from connectors.errors import Conflict, Forbidden, NotFound, Refused
from connectors.rest import CALL_RETRYING
from iclients.clock import Clock
from iclients.retrying import Retrying

SETTLE_SECONDS: Final = 60.0
POLL_SECONDS: Final = 2.0


class Lifecycle:
    """The life of one collection's objects. Every method raises RemoteError.

    What it says last is whether the vault shows the change: None where the app may not look.
    """

    def __init__(
        self,
        objects: VaultObjects,
        clock: Clock,
        retrying: Retrying | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        """`progress` is told what is waited for."""
        self._objects = objects
        self._clock = clock
        self._retrying = retrying or CALL_RETRYING
        self._progress = progress

    def delete(self, name: str) -> tuple[Any, bool | None]:
        """Delete all versions; gives the vault's word on it. Needs delete, and get to see the end."""
        document, doubt = self._once(lambda: self._objects.delete(name))
        if doubt is None and not (isinstance(document, dict) and document.get("recoveryId")):
            return document, True  # a vault without soft delete: it is gone
        is_settled = self._settles(lambda: self._objects.deleted_document(name), f"{name} to be deleted")
        _judge(doubt, is_settled)
        return document or (self._objects.deleted_document(name) if is_settled else {}), is_settled

    def recover(self, name: str) -> bool | None:
        """Bring a deleted one back. Needs recover, and list to see the end."""
        with self._among_deleted(name):
            _, doubt = self._once(lambda: self._objects.recover(name))
        is_settled = self._settles(lambda: self._objects.is_there(name), f"{name} to be recovered")
        _judge(doubt, is_settled)
        return is_settled

    def purge(self, name: str) -> bool | None:
        """Delete a deleted one for good. Needs purge, and get to see the end."""
        with self._among_deleted(name):
            self._once(lambda: self._objects.purge(name))
        return self._settles(lambda: self._objects.deleted_document(name), f"{name} to be purged", until_gone=True)

    @contextmanager
    def _among_deleted(self, name: str) -> Iterator[None]:
        """What is not found was looked for among deleted ones: it may well be there and alive."""
        try:
            yield
        except NotFound as error:
            noun = self._objects.path.removesuffix("s")
            raise NotFound(
                f"There is no deleted {noun} {name} in {self._objects.vault.host}: only what was deleted is recovered or purged."
            ) from error

    def _once(self, carry_out: Callable[[], Any]) -> tuple[Any, Refused | None]:
        """What it gave. Repeated only where nobody knows what became of it; a refusal then may mean that it was done."""
        is_repeated = False

        def attempt() -> tuple[Any, Refused | None]:
            nonlocal is_repeated
            try:
                return carry_out(), None
            except (NotFound, Conflict) as error:
                if not is_repeated:
                    raise
                return None, error
            finally:
                is_repeated = True

        return self._retrying.call(attempt, self._clock, lambda error: isinstance(error, UNCLEAR))

    def _settles(self, look: Callable[[], Any], what: str, *, until_gone: bool = False) -> bool | None:
        began = self._clock.monotonic()
        while True:
            try:
                is_there = bool(look())
            except NotFound:
                is_there = False
            except Forbidden:
                return None
            if is_there is not until_gone:
                return True
            spent = self._clock.monotonic() - began
            if spent + POLL_SECONDS > SETTLE_SECONDS:
                return False
            if self._progress:
                self._progress(f"Waiting for {what}: {spent:.0f} s.")
            self._clock.sleep(POLL_SECONDS)


def _judge(doubt: Refused | None, is_settled: bool | None) -> None:
    """The refusal of a repeated call stands where the vault does not show that the first one was carried out."""
    if doubt is not None and is_settled is not True:
        raise doubt
