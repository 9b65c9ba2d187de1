"""The consent of one connection, refreshed by one process at a time, on this host and on all that share the database.

On one host a file's lock decides: the kernel lets go of it when its process ends, however it ends. Between hosts a
lease in the database does, which ends by itself. Who has the lock and finds a lease of its own host knows that its
holder is gone, and waits for nothing. Source: flock(2).
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from iclients.clock import Clock
from iclients.consented import Kept
from iclients.model import Consent
from integrator.errors import NotFoundHere, StoreError

if TYPE_CHECKING:
    from integrator.store.store import Store

LEASE_SECONDS: Final = 150.0
"""Longer than asking a provider takes with all its repetitions."""
BETWEEN_SECONDS: Final = 0.2
HOST_CHARACTERS: Final = 100


class KeptConsent:
    """The consent of one connection. Implements `iclients.consented.ConsentKeeper`.

    `host` names this host in leases; by itself it is the machine's name and the folder of the locks.
    """

    def __init__(self, store: Store, name: str, clock: Clock | None = None, host: str = "") -> None:
        self._store = store
        self._name = name
        self._clock = clock or store.clock
        self._host = host

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Only one holder at a time. Raises NotFoundHere; Stopped where the wait for another host is ended."""
        with self._store.reading() as stored:
            row_id = stored.connections.id_of(self._name)
        folder = self._store.consent_locks
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(folder / f"{row_id}.lock"), self._leased(self._host or _host_of(folder)):
            yield

    def get(self) -> Kept | None:
        """The consent as it is kept now. Raises SealError."""
        with self._store.reading() as stored:
            return stored.consents.find(self._name)

    def note(self, version: int, now: float) -> None:
        """An exchange of this version's refresh token begins: on the disk before this returns."""
        with self._store.writing() as stored:
            stored.consents.note(self._name, version, now)

    def save(self, consent: Consent, version: int | None) -> None:
        """Keep this consent instead of that version. Raises ConsentReplaced where another one is there."""
        with self._store.writing() as stored:
            stored.consents.save(self._name, consent, version)

    def clear_note(self, version: int) -> None:
        """The exchange has ended without a change."""
        with self._store.writing() as stored:
            stored.consents.clear_note(self._name, version)

    @contextmanager
    def _leased(self, host: str) -> Iterator[None]:
        holder = f"{host}:{os.getpid()}:{secrets.token_hex(8)}"
        while not self._take(host, holder):
            self._clock.sleep(BETWEEN_SECONDS)
        try:
            yield
        finally:
            with suppress(StoreError, NotFoundHere):  # a lease that cannot be given back ends by itself
                self._give_back(holder)

    def _take(self, host: str, holder: str) -> bool:
        now = self._clock.now()
        with self._store.writing() as stored:
            return stored.consents.take_lease(self._name, host, holder, now, now + LEASE_SECONDS)

    def _give_back(self, holder: str) -> None:
        with self._store.writing() as stored:
            stored.consents.end_lease(self._name, holder)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _host_of(folder: Path) -> str:
    """The machine and the folder whose locks count there: containers may share a name, and not the folder."""
    where = folder.stat()
    return f"{os.uname().nodename[:HOST_CHARACTERS]}/{where.st_dev:x}/{where.st_ino:x}"
