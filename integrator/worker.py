"""The worker: a pool of threads that carry out runs, and what keeps them supplied: tick and rescue.

Any number of processes may do this on one database. A tick is one transaction that makes a run for each flow that is
due and tells when it is due again; a page of a run is one; its end is one. So a process may be killed between any two.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from flows.engine import Engine
from flows.errors import Fenced, FlowDefinitionError
from flows.model import RunStatus
from iclients.clock import Stopped
from iclients.errors import Recovery
from integrator.bootstrap import Installation
from integrator.errors import StoreError, defect_sentence
from integrator.estimating import foretell
from integrator.queue import Claimed, EmbeddedQueue, Queue
from integrator.runner import End, Runner
from integrator.scheduler import Job, next_due, scheduled
from integrator.store.flows import DueFlow
from integrator.store.line import Due
from integrator.store.moments import iso
from integrator.store.store import Store, Transaction
from integrator.vitals import Vitals

THREADS: Final = 8
TICK_SECONDS: Final = 0.5
RESCUE_SECONDS: Final = 5.0
MISSED_SECONDS: Final = 60.0
"""A due time that is so long ago was missed, and not only late."""
FLOWS_A_TICK: Final = 200
RETRIES: Final = 5
FIRST_RETRY_SECONDS: Final = 60.0
BUSY_SECONDS: Final = 1.0
TURNED_BACK_SECONDS: Final = 1.0
"""A clock that is slewed goes back by less."""
LOG: Final = logging.getLogger("integrator.worker")


class Worker:
    """The pool of one process. `start` it, and `stop` it in order: what it works on goes back in line."""

    def __init__(self, installation: Installation, threads: int = THREADS, queue: Queue | None = None) -> None:
        self._installation = installation
        self._store = installation.store
        self._engines: dict[int, Engine] = {}
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work, name=f"worker-{number}") for number in range(threads)]
        self.queue: Queue = queue or EmbeddedQueue(self._store, f"{socket.gethostname()}:{os.getpid()}")
        self.is_stopping = False
        self._ticking = Ticking(self._store, self.queue)
        self._ticked_at = self._store.clock.monotonic()

    def tick(self) -> None:
        """Make runs of what is due. Raises StoreError."""
        self._ticking()
        self._ticked_at = self._store.clock.monotonic()

    def vitals(self) -> Vitals:
        """How this pool is, for whoever asks from another thread."""
        alive, quiet = (
            sum(thread.is_alive() for thread in self._threads),
            self._store.clock.monotonic() - self._ticked_at,
        )
        return Vitals(len(self._threads), alive, len(self._engines), quiet)

    def start(self) -> None:
        """Begin to take runs."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Every run stops after its page and goes back in line; nothing new is begun. May be called from a signal."""
        self.is_stopping = True
        self._installation.clock.stop()
        self.queue.close()
        for engine in [*self._engines.values()]:
            engine.stop()

    def join(self) -> None:
        """Wait until nothing is worked on."""
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while not self.is_stopping:
            try:
                claimed = self.queue.take()
                if claimed is not None:
                    self.execute(claimed)
            except Fenced:
                LOG.warning("a run was taken over by another process: nothing more of it was written here")
            except Exception as error:  # noqa: BLE001 - the thread's boundary: the run stands as it stood, and is rescued
                LOG.error("%s", error if isinstance(error, StoreError) else defect_sentence(error))
                with suppress(Stopped):
                    self._installation.clock.sleep(BUSY_SECONDS)

    def execute(self, claimed: Claimed) -> None:
        """Carry out a run. Raises Fenced, StoreError, and then whoever rescues it goes on with it."""
        run, claim = claimed.run, claimed.claim
        with claimed.held:
            if run.due is not None and run.attempt == 1:  # who starts one by hand is told before
                with self._store.writing() as stored:
                    foretell(stored, run)
            try:
                end = Runner(self._installation, started=lambda engine: self._began(run.id, engine)).work(run, claim)
            finally:
                self._engines.pop(run.id, None)
            with self._store.writing() as stored:
                self._conclude(stored, claimed, end)
                stands = stored.runs.get(run.id)
        self.queue.committed()  # its flow is free for the next one
        LOG.info("run %d of flow %s: %s", run.id, run.flow, stands.status.value)
        if stands.not_before is not None:
            LOG.warning("run %d is tried again at %s: %s", run.id, iso(stands.not_before), stands.error_message)

    def _began(self, run_id: int, engine: Engine) -> None:
        self._engines[run_id] = engine
        if self.is_stopping:
            engine.stop()

    def _conclude(self, stored: Transaction, claimed: Claimed, end: End) -> None:
        run, fence = claimed.run, claimed.claim.fence
        is_retried = end.recovery is Recovery.RETRY and run.retries < RETRIES
        is_stopped = self.is_stopping and (end.status is RunStatus.CANCELLED or is_retried)
        if not (is_stopped or is_retried):
            stored.runs.end(run.id, fence, end.status, code=end.code, message=end.message, progress=end.progress)
            return
        wait = None if is_stopped else self._store.clock.now() + FIRST_RETRY_SECONDS * 2**run.retries
        code, message = ("", "") if is_stopped else (end.code, end.message)
        stored.runs.send_back(run.id, fence, not_before=wait, code=code, message=message, progress=end.progress)
        self.queue.dispatch(stored, [run.id])


class Ticking:
    """Ticks, and notices when the clock is turned back: a due time that was worked out before may be far away then."""

    def __init__(self, store: Store, queue: Queue) -> None:
        self._store, self._queue = store, queue
        self._latest = store.clock.now()

    def __call__(self) -> None:
        """Make runs of what is due. Raises StoreError."""
        now = self._store.clock.now()
        if now < self._latest - TURNED_BACK_SECONDS:
            LOG.warning("the clock was turned back by %d seconds: due times are worked out anew", self._latest - now)
            plan(self._store)
        self._latest = now
        tick(self._store, self._queue)


def tick(store: Store, queue: Queue) -> int:
    """A run for every flow that is due, and when each is due again. Gives how many flows were due. Raises StoreError.

    A due time that was missed (`MISSED_SECONDS` ago) is caught up by one run for all of them, or skipped, as the flow
    says. A flow has one waiting run at most; one that skips has none while another is under way.
    """
    ticked = 0
    while many := _ticked(store, queue):
        ticked += many
        if many < FLOWS_A_TICK:
            break
    return ticked


def plan(store: Store) -> None:
    """Work out when scheduled flows are due of which nobody has done so yet, or under a clock that was fast.

    What was missed stays due. What comes twice makes no second run: (flow, due time) is unique. Raises StoreError.
    """
    with store.writing() as stored:
        now, anew = store.clock.now(), dict[int, int | None]()
        for flow in stored.flows.scheduled():
            then = _next(flow, now)
            if then != flow.due and (flow.due is None or flow.due > now):
                anew[flow.id] = then
        stored.flows.plan(anew)


@contextmanager
def working(installation: Installation) -> Iterator[Worker]:
    """While the block runs, flows that are due are carried out. It ends when every run is over or back in line.

    Raises StoreError.
    """
    store = installation.store
    worker = Worker(installation)
    plan(store)
    jobs = (
        Job("tick", worker.tick, TICK_SECONDS),
        Job("rescue", lambda: _rescue(worker.queue), RESCUE_SECONDS),
    )
    with scheduled(installation, *jobs):
        worker.start()
        try:
            yield worker
        finally:
            worker.stop()
            worker.join()


def _ticked(store: Store, queue: Queue) -> int:
    with store.reading() as stored:
        if not stored.flows.due(store.clock.now(), 1):
            return 0
    with store.writing() as stored:
        now = store.clock.now()
        due = stored.flows.due(now, FLOWS_A_TICK)
        unfinished = stored.runs.line.unfinished([flow.id for flow in due])
        begin = [flow for flow in due if _runs(flow, now, unfinished.get(flow.id, set()))]
        joined = stored.runs.line.join([Due(flow.id, flow.due or 0) for flow in begin])
        stored.flows.plan({flow.id: _next(flow, max(now, flow.due or 0)) for flow in due})
        queue.dispatch(stored, joined)
    queue.committed()
    return len(due)


def _runs(flow: DueFlow, now: float, unfinished: set[RunStatus]) -> bool:
    if flow.schedule.missed == "skip" and (unfinished or now - (flow.due or 0) > MISSED_SECONDS):
        LOG.info("flow %s skips a due time: it was missed, or its last run is not over", flow.name)
        return False
    return RunStatus.WAITING not in unfinished


def _next(flow: DueFlow, now: float) -> int | None:
    try:
        return next_due(flow.schedule, now)
    except FlowDefinitionError as error:
        LOG.error("flow %s is not started by itself any more: its schedule %s", flow.name, error)
        return None


def _rescue(queue: Queue) -> None:
    if many := queue.rescue():
        LOG.warning("%d runs were left by their process and wait again", many)
