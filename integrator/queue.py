"""How runs come to workers: the small protocol, and its form for one machine.

Embedded, the run's row is the message: dispatching it writes nothing more, and rescue asks the kernel who is alive. A
distributed engine takes this place without touching flows: it hands over the run's id in the same transaction, and
rescues by its own heartbeats. Exactly once comes from neither: (flow, due time) is unique, and the fence keeps out
whoever was thought dead.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, Protocol

from flows.errors import Fenced
from integrator.errors import RunInProgress, RunIsOver
from integrator.store.runs import Claim, Run
from integrator.store.store import Store, Transaction

POLL_SECONDS: Final = 1.0
_CONTENDED_SECONDS: Final = 0.02


class Queue(Protocol):
    """Hands runs that wait to workers, and takes them back from those that are gone."""

    def dispatch(self, stored: Transaction, run_id: int | None = None) -> None:
        """This run waits for a worker from the moment the transaction commits; None: several, told by their rows."""

    def committed(self) -> None:
        """What was dispatched is committed: workers may look."""

    def rescue(self) -> int:
        """Runs whose worker is gone wait again, before newer ones of their flow. Gives how many."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that this process works on. `held` is its lock: close it when the row says how the run ended."""

    run: Run
    claim: Claim
    held: ExitStack


class EmbeddedQueue:
    """The queue of one machine; any number of processes may have one on the same database. Implements Queue."""

    def __init__(self, store: Store, worker: str = "") -> None:
        self._store = store
        self._worker = worker
        self._turn = threading.Lock()
        self._woken = threading.Event()
        self._is_closed = False

    def dispatch(self, stored: Transaction, run_id: int | None = None) -> None:
        """The row is the message."""

    def committed(self) -> None:
        self._woken.set()

    def rescue(self) -> int:
        with self._store.reading() as stored:
            taken = stored.runs.line.taken()
        rescued = sum(self._rescued(run_id, fence) for run_id, fence in taken)
        if rescued:
            self.committed()
        return rescued

    def take(self) -> Claimed | None:
        """The oldest run that may begin; waits for one. None when the queue is closed. Raises StoreError.

        One thread at a time looks and waits; the others stand behind it.
        """
        with self._turn:
            while not self._is_closed:
                self._woken.clear()
                run_id = self._first()
                if run_id is not None and (claimed := self._claimed(run_id)):
                    return claimed
                self._woken.wait(POLL_SECONDS if run_id is None else _CONTENDED_SECONDS)
        return None

    def close(self) -> None:
        """Nobody takes a run any more. May be called from a signal."""
        self._is_closed = True
        self._woken.set()

    def _first(self) -> int | None:
        with self._store.reading() as stored:
            return stored.runs.line.first(self._store.clock.now())

    def _claimed(self, run_id: int) -> Claimed | None:
        """The run, its lock taken first: whoever rescues never sees a claimed run without one. None: others have it."""
        with ExitStack() as held:
            if not held.enter_context(self._store.locks.hold(run_id)):
                return None
            try:
                with self._store.writing() as stored:
                    claim = stored.runs.claim(run_id, self._worker, only_waiting=True)
                    run = stored.runs.get(run_id)
            except (RunInProgress, RunIsOver):
                return None
            return Claimed(run, claim, held.pop_all())

    def _rescued(self, run_id: int, fence: int) -> bool:
        if self._store.locks.is_held(run_id):
            return False
        with self._store.locks.hold(run_id) as nobody_works_on_it:
            if not nobody_works_on_it:
                return False
            try:
                with self._store.writing() as stored:
                    stored.runs.send_back(run_id, fence)
                    self.dispatch(stored, run_id)
            except Fenced:
                return False
            return True
