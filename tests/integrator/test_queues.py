"""What every queue promises, whoever stands behind it: one suite for the embedded one and for one in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from schedule_house import HOUR, START, end, runs, save

from connectors.model import Connection
from flows.errors import Fenced
from flows.journal import Settled
from flows.model import Export, Flow, Import, MappingRule, Progress, RunStatus
from iclients.testing import MovableClock
from integrator.bootstrap import Installation
from integrator.config import Config
from integrator.errors import NotFoundHere, RunInProgress, RunIsOver
from integrator.queue import RESCUES, Claimed, EmbeddedQueue, Queue, take_back
from integrator.store.flows import BY_HAND
from integrator.store.store import Store, Transaction
from integrator.worker import Worker, tick


class MemoryQueue:
    """A queue that might be anywhere: of runs it knows what it was handed, of workers what they say of themselves."""

    def __init__(self, store: Store) -> None:
        self.store, self.turn, self.is_closed = store, threading.Condition(), False
        self.waiting: set[int] = set()
        self.alive: set[int] = set()

    def dispatch(self, stored: Transaction, run_ids: Sequence[int]) -> None:
        self.waiting.update(run_ids)

    def committed(self) -> None:
        with self.turn:
            self.turn.notify_all()

    def take(self) -> Claimed | None:
        with self.turn:
            while not self.is_closed:
                for run_id in sorted(self.waiting):
                    with suppress(RunInProgress, RunIsOver, NotFoundHere), self.store.writing() as stored:
                        if claimed := self.claimed(stored, run_id):
                            return claimed
                self.turn.wait(1)
        return None

    def claimed(self, stored: Transaction, run_id: int) -> Claimed | None:
        run = stored.runs.get(run_id)
        if run.flow in stored.flows.paused() or (run.not_before or 0) > self.store.clock.now():
            return None
        claim, held = stored.runs.claim(run_id, only_waiting=True), ExitStack()
        self.waiting.remove(run_id)
        self.alive.add(run_id)
        held.callback(self.alive.remove, run_id)
        return Claimed(stored.runs.get(run_id), claim, held)

    def rescue(self) -> int:
        with self.store.writing() as stored:
            gone = [taken for taken in stored.runs.line.taken() if taken[0] not in self.alive]
            for run_id, fence in gone:
                take_back(self, stored, run_id, fence)
        self.committed()
        return len(gone)

    def close(self) -> None:
        self.is_closed = True
        self.committed()


Made = Callable[[Store], Queue]


@pytest.fixture(params=[EmbeddedQueue, MemoryQueue])
def made(request: pytest.FixtureRequest) -> Made:
    queue: Made = request.param
    return queue


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(START)


@pytest.fixture
def store(config: Config, clock: MovableClock) -> Iterator[Store]:
    with Store.open(config, clock=clock) as opened:
        yield opened


@pytest.fixture
def queue(store: Store, made: Made) -> Queue:
    return made(store)


def taken(queue: Queue) -> Claimed:
    claimed = queue.take()
    assert claimed is not None
    return claimed


def due_once(store: Store, queue: Queue, clock: MovableClock) -> None:
    clock.advance(HOUR)
    tick(store, queue)


def test_what_waits_comes_in_its_order(store: Store, queue: Queue, clock: MovableClock) -> None:
    save(store, "c", "a", "b")
    due_once(store, queue, clock)
    assert [taken(queue).run.flow for _ in range(3)] == ["c", "a", "b"]


def test_each_run_comes_to_one_of_many_takers(store: Store, queue: Queue, clock: MovableClock) -> None:
    save(store, *(f"f{number}" for number in range(12)))
    due_once(store, queue, clock)
    got: list[int] = []

    def take_three() -> None:
        got.extend(taken(queue).run.id for _ in range(3))

    taking = [threading.Thread(target=take_three) for _ in range(4)]
    for thread in taking:
        thread.start()
    for thread in taking:
        thread.join(20)
    assert sorted(got) == list(range(1, 13))


def test_a_flow_has_one_run_at_a_time_and_others_pass_it(store: Store, queue: Queue, clock: MovableClock) -> None:
    save(store, "slow", "other")
    due_once(store, queue, clock)
    slow, other = taken(queue), taken(queue)
    end(store, other)
    due_once(store, queue, clock)
    assert taken(queue).run.flow == "other"
    end(store, slow)
    queue.committed()
    assert taken(queue).run.flow == "slow"


def test_what_is_paused_or_waits_for_its_time_is_passed_and_comes_later(
    store: Store, queue: Queue, clock: MovableClock
) -> None:
    save(store, "paused", "later", "now")
    due_once(store, queue, clock)
    paused, later, now = taken(queue), taken(queue), taken(queue)
    with paused.held, later.held, now.held, store.writing() as stored:
        for claimed, until in ((paused, None), (later, clock.now() + 60), (now, None)):
            stored.runs.send_back(claimed.run.id, claimed.claim.fence, not_before=until)
            queue.dispatch(stored, [claimed.run.id])
        stored.flows.pause("paused", BY_HAND, clock.now())
    queue.committed()
    assert taken(queue).run.flow == "now"
    clock.advance(60)
    assert taken(queue).run.flow == "later"
    with store.writing() as stored:
        stored.flows.resume("paused")
    assert taken(queue).run.flow == "paused"


def test_what_was_dispatched_and_not_committed_never_comes(store: Store, queue: Queue, clock: MovableClock) -> None:
    save(store, "f")
    with suppress(ZeroDivisionError), store.writing() as stored:
        queue.dispatch(stored, [stored.runs.start("f").id])
        raise ZeroDivisionError
    save(store, "g")
    due_once(store, queue, clock)
    assert [taken(queue).run.flow for _ in range(2)] == ["f", "g"]
    assert [run.due for run in runs(store)] == [START + HOUR] * 2


def test_a_run_whose_worker_is_gone_comes_again_first_under_a_higher_fence(
    store: Store, queue: Queue, clock: MovableClock
) -> None:
    save(store, "f")
    due_once(store, queue, clock)
    lost = taken(queue)
    due_once(store, queue, clock)
    assert queue.rescue() == 0, "its worker lives"
    lost.held.close()
    assert queue.rescue() == 1
    assert queue.rescue() == 0
    again = taken(queue)
    assert (again.run.id, again.run.attempt, again.run.retries) == (lost.run.id, 2, 0)
    assert again.claim.fence > lost.claim.fence
    with pytest.raises(Fenced):
        end(store, lost)
    end(store, again)


def test_what_was_to_be_cancelled_is_cancelled_when_its_worker_is_gone(
    store: Store, queue: Queue, clock: MovableClock
) -> None:
    save(store, "f")
    due_once(store, queue, clock)
    lost = taken(queue)
    with store.writing() as stored:
        stored.runs.request_cancel(lost.run.id)
    lost.held.close()
    queue.rescue()
    (run,) = runs(store)
    assert (run.status, run.ended_at is None) == (RunStatus.CANCELLED, False)


def lose(queue: Queue, times: int) -> Claimed:
    for _ in range(times):
        lost = taken(queue)
        lost.held.close()
        queue.rescue()
    return lost


def test_a_run_that_ends_its_worker_again_and_again_fails_and_says_what_to_do(
    store: Store, queue: Queue, clock: MovableClock
) -> None:
    save(store, "f")
    due_once(store, queue, clock)
    lose(queue, RESCUES)
    assert runs(store)[0].status is RunStatus.WAITING
    lose(queue, 1)
    (run,) = runs(store)
    assert (run.status, run.error_code) == (RunStatus.FAILED, "crashed")
    assert f"{RESCUES + 1} times" in run.error_message
    assert f"`integrator runs resume {run.id}`" in run.error_message


def test_a_run_that_stores_a_page_between_two_crashes_goes_on(store: Store, queue: Queue, clock: MovableClock) -> None:
    save(store, "f")
    due_once(store, queue, clock)
    lose(queue, RESCUES)
    getting_on = taken(queue)
    store.journal(getting_on.claim).commit("there", Settled([], {"page": 1}, Progress()))
    getting_on.held.close()
    queue.rescue()
    lose(queue, RESCUES - 1)
    assert runs(store)[0].status is RunStatus.WAITING
    lose(queue, 1)
    assert runs(store)[0].error_code == "crashed"


def test_whoever_goes_on_with_a_crashed_run_begins_to_count_anew(
    store: Store, queue: Queue, clock: MovableClock
) -> None:
    save(store, "f")
    due_once(store, queue, clock)
    lost = lose(queue, RESCUES + 1)
    with store.writing() as stored:
        stored.runs.claim(lost.run.id)  # as `runs resume` does, and then its process is killed
    assert queue.rescue() == 1
    assert runs(store)[0].status is RunStatus.WAITING


def test_a_queue_that_is_closed_gives_nothing_to_anybody_who_waits(queue: Queue) -> None:
    got: list[object] = []
    waiting = [threading.Thread(target=lambda: got.append(queue.take())) for _ in range(4)]
    for thread in waiting:
        thread.start()
    queue.close()
    for thread in waiting:
        thread.join(10)
    assert got == [None] * 4


def test_a_worker_works_with_any_queue(made: Made, config: Config, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("name\na\n")
    mapping = (MappingRule("name", from_="name"),)
    flow = Flow("f", (Export("here", "in.csv"),), (Import("here", "out.csv", plaintext=True, mapping=mapping),))
    with Installation(config) as installation:
        store = installation.store
        queue = made(store)
        worker = Worker(installation, threads=2, queue=queue)
        with store.writing() as stored:
            stored.connections.save(Connection("here", "files", settings={"folder": str(tmp_path)}))
            stored.flows.save(flow)
            queue.dispatch(stored, [stored.runs.start("f", "somebody").id])
        worker.execute(taken(queue))
        (run,) = runs(store)
    assert (run.status, run.started_by) == (RunStatus.SUCCEEDED, "somebody")
    assert (tmp_path / "out.csv").read_text() == "name\na\n"
