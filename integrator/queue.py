"""How runs come to workers: the small protocol, and its form for one machine.

Embedded, the run's row is the message: dispatching it writes nothing more, and rescue asks the kernel who is alive. A
distributed engine takes this place without touching flows: it hands over the runs' ids in the same transaction, and
rescues by its own heartbeats. Exactly once comes from neither: (flow, due time) is unique, and the fence keeps out
whoever was thought dead. One suite judges every form: `tests/integrator/test_queues.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, Protocol

from flows.errors import Fenced
from flows.model import RunStatus
from integrator.errors import RunInProgress, RunIsOver
from integrator.store.run_events import Happened
from integrator.store.runs import Claim, Run
from integrator.store.store import Store, Transaction

POLL_SECONDS: Final = 1.0
RESCUES: Final = 5
"""So often a run is taken back from workers that ended before it had stored a page more."""
_CONTENDED_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that this process works on. `held` says that it does: close it when the row says how the run ended."""

    run: Run
    claim: Claim
    held: ExitStack


class Queue(Protocol):
    """Hands runs that wait to workers, and takes them back from those that are gone.

    Rows say what stands in a run's way: another run of its flow, a pause, `not_before`. Whatever stands there, a run
    that was dispatched is not lost: it is given as soon as the way is free.
    """

    def dispatch(self, stored: Transaction, run_ids: Sequence[int]) -> None:
        """These runs wait for a worker from the moment the transaction commits; never if it does not."""

    def committed(self) -> None:
        """What was dispatched is committed, or the flow of a run that ended is free: workers may look."""

    def take(self) -> Claimed | None:
        """The oldest run that may begin, claimed; waits for one. None when the queue is closed. Raises StoreError."""

    def rescue(self) -> int:
        """Runs whose worker is gone are taken back (`take_back`). Gives how many. Raises StoreError."""

    def close(self) -> None:
        """Nobody takes a run any more. May be called from a signal."""


def take_back(queue: Queue, stored: Transaction, run_id: int, fence: int) -> None:
    """A run whose worker is gone waits again, before newer ones of its flow, under a higher fence.

    One that has ended its worker more than `RESCUES` times without storing a page more ends as failed. Raises Fenced.
    """
    run = stored.runs.get(run_id)
    rescues = stored.runs.line.count_rescue(run_id)
    if rescues <= RESCUES or run.cancel:
        stored.runs.send_back(run_id, fence, event=Happened.RESCUED)
        queue.dispatch(stored, [run_id])
        return
    stored.runs.end(run_id, fence, RunStatus.FAILED, code="crashed", message=_crashed(run, rescues))
    stored.runs.line.forget_rescues(run_id)


class EmbeddedQueue:
    """The queue of one machine; any number of processes may have one on the same database. Implements Queue."""

    def __init__(self, store: Store, worker: str = "") -> None:
        self._store = store
        self._worker = worker
        self._turn = threading.Lock()
        self._woken = threading.Event()
        self._is_closed = False

    def dispatch(self, stored: Transaction, run_ids: Sequence[int]) -> None:
        """The rows are the message."""

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
        """One thread at a time looks and waits; the others stand behind it."""
        with self._turn:
            while not self._is_closed:
                self._woken.clear()
                run_id = self._first()
                if run_id is not None and (claimed := self._claimed(run_id)):
                    return claimed
                self._woken.wait(POLL_SECONDS if run_id is None else _CONTENDED_SECONDS)
        return None

    def close(self) -> None:
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
                    take_back(self, stored, run_id, fence)
            except Fenced:
                return False
            return True


def _crashed(run: Run, times: int) -> str:
    return (
        f"Run {run.id} of flow {run.flow} was under way {times} times when its process ended, and stored nothing more "
        "meanwhile: see in the log of `integrator serve` and of the machine why it ended (memory, kill), mend that, then "
        f"`integrator runs resume {run.id}`."
    )
