"""Vital signs: whether the worker of this process does its work, and how many servers work on the database.

A server that answers may work on nothing: its scheduler stands still, its threads have ended. Probes and people are told.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from integrator.store.store import Store

QUIET_SECONDS: Final = 30.0
"""The scheduler looks twice a second who is due: one that has not for so long stands still."""
SERVER_LOCKS: Final = range(0, -16, -1)
"""The numbers of the locks that servers hold, one each: runs are numbered from 1."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """How the worker of this process is: its threads, how many of them live and are busy, and since when nobody looked
    who is due."""

    threads: int
    alive: int
    busy: int
    quiet_seconds: float

    @property
    def stands_still(self) -> str:
        """Why nothing is worked on in this process; empty where it works."""
        if not self.alive:
            return "every thread of the worker has ended"
        if self.quiet_seconds > QUIET_SECONDS:
            return f"the scheduler has not looked who is due for {self.quiet_seconds:.0f} seconds"
        return ""


@contextmanager
def the_only_server(store: Store) -> Iterator[bool]:
    """Whether no other server works on this database; while the block runs, others are told that this one does."""
    with ExitStack() as held:
        ours = next((number for number in SERVER_LOCKS if held.enter_context(store.locks.hold(number))), None)
        yield ours is not None and not any(store.locks.is_held(number) for number in SERVER_LOCKS if number != ours)


def servers(store: Store) -> int:
    """How many servers work on this database, on this machine."""
    return sum(store.locks.is_held(number) for number in SERVER_LOCKS)
