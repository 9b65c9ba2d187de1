"""Due times become runs, runs come to workers, and nothing is lost or doubled on the way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.connector import Connector
from connectors.model import Connection
from flows.model import Export, Flow, Import, MappingRule, RunStatus, Schedule
from iclients.errors import NotAuthorized, Recovery, RemoteError
from iclients.testing import MovableClock
from integrator.bootstrap import Installation
from integrator.cli.serve import _stopped_by_signals
from integrator.config import Config
from integrator.errors import RunInProgress
from integrator.queue import EmbeddedQueue
from integrator.runner import Runner
from integrator.standing import ConnectionStanding
from integrator.store.flows import BY_HAND
from integrator.store.runs import Run
from integrator.store.store import Store
from integrator.vitals import the_only_server
from integrator.worker import FLOWS_A_TICK, RETRIES, Worker, plan, tick, working

START = 1_800_000_000.0
"""A whole hour in UTC."""
HOURLY = Schedule("0 * * * *")
ONCE = Flow("once", (Export("here", "in.csv"),), (Import("here", "out.csv"),), HOURLY)
SKIP = replace(ONCE, name="skip", schedule=replace(HOURLY, missed="skip"))


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(START)


@pytest.fixture
def store(config: Config, clock: MovableClock) -> Iterator[Store]:
    with Store.open(config, clock=clock) as opened:
        yield opened


@pytest.fixture
def queue(store: Store) -> EmbeddedQueue:
    return EmbeddedQueue(store, "here")


@pytest.fixture
def scheduled(store: Store) -> None:
    save(store, ONCE, SKIP)


def save(store: Store, *flows: Flow) -> None:
    with store.writing() as stored:
        for flow in flows:
            stored.flows.save(flow)


def due(store: Store, name: str = "once") -> int | None:
    with store.reading() as stored:
        return stored.flows.next_due().get(name)


def runs(store: Store, flow: str = "once") -> list[Run]:
    with store.reading() as stored:
        return stored.runs.newest(flow=flow)


def finish(queue: EmbeddedQueue, store: Store) -> list[str]:
    """End every run that may begin; gives their flows in order."""
    done = []
    while queue._first() is not None and (claimed := queue.take()):
        with claimed.held, store.writing() as stored:
            stored.runs.end(claimed.run.id, claimed.claim.fence, RunStatus.SUCCEEDED)
        done.append(claimed.run.flow)
    return done


def test_a_flow_is_due_from_the_moment_it_is_applied(store: Store, scheduled: None) -> None:
    assert due(store) == START + 3600
    save(store, replace(ONCE, exports=(Export("here", "other.csv"),)))
    assert due(store) == START + 3600
    save(store, replace(ONCE, schedule=Schedule("30 * * * *")))
    assert due(store) == START + 1800
    save(store, replace(ONCE, schedule=None))
    assert due(store) is None


def test_a_due_time_makes_one_run_whoever_ticks(store: Store, scheduled: None, clock: MovableClock) -> None:
    clock.advance(3600)
    first, second = EmbeddedQueue(store), EmbeddedQueue(store)
    ticking = [threading.Thread(target=tick, args=(store, queue)) for queue in (first, second) * 4]
    for thread in ticking:
        thread.start()
    for thread in ticking:
        thread.join()
    (run,) = runs(store)
    assert (run.due, run.started_by, run.status) == (START + 3600, "schedule", RunStatus.WAITING)
    assert due(store) == START + 7200


def test_before_its_time_nothing_runs(store: Store, scheduled: None, queue: EmbeddedQueue, clock: MovableClock) -> None:
    clock.advance(3599.5)
    assert tick(store, queue) == 0
    assert runs(store) == []


def test_what_was_missed_is_caught_up_once_or_skipped(
    store: Store, scheduled: None, queue: EmbeddedQueue, clock: MovableClock
) -> None:
    clock.advance(5 * 3600 + 120)
    assert tick(store, queue) == 2
    assert [run.due for run in runs(store)] == [START + 3600]
    assert runs(store, "skip") == []
    assert due(store) == due(store, "skip") == START + 6 * 3600


def test_what_is_a_little_late_is_not_missed(
    store: Store, scheduled: None, queue: EmbeddedQueue, clock: MovableClock
) -> None:
    clock.advance(3600 + 30)
    tick(store, queue)
    assert [run.due for run in runs(store, "skip")] == [START + 3600]


def test_one_run_waits_while_another_is_under_way_and_one_that_skips_has_none(
    store: Store, scheduled: None, queue: EmbeddedQueue, clock: MovableClock
) -> None:
    clock.advance(3600)
    tick(store, queue)
    under_way = [queue.take(), queue.take()]
    for _ in range(3):
        clock.advance(3600)
        tick(store, queue)
    assert [run.status for run in runs(store)] == [RunStatus.WAITING, RunStatus.RUNNING]
    assert [run.status for run in runs(store, "skip")] == [RunStatus.RUNNING]
    assert queue._first() is None  # one run of a flow at a time
    for claimed in under_way:
        assert claimed is not None
        with claimed.held, store.writing() as stored:
            stored.runs.end(claimed.run.id, claimed.claim.fence, RunStatus.SUCCEEDED)
    assert finish(queue, store) == ["once"]


def test_more_flows_than_a_tick_takes_at_once_are_all_done(
    store: Store, queue: EmbeddedQueue, clock: MovableClock
) -> None:
    save(store, *(replace(ONCE, name=f"f{number}") for number in range(FLOWS_A_TICK + 5)))
    clock.advance(3600)
    assert tick(store, queue) == FLOWS_A_TICK + 5
    with store.reading() as stored:
        assert len(stored.runs.newest()) == FLOWS_A_TICK + 5


def test_a_paused_flow_gets_no_runs_and_goes_on_from_now(
    store: Store, scheduled: None, queue: EmbeddedQueue, clock: MovableClock
) -> None:
    with store.writing() as stored:
        stored.flows.pause("once", BY_HAND, clock.now())
    assert due(store) is None
    clock.advance(10 * 3600 + 5)
    tick(store, queue)
    assert runs(store) == []
    with store.writing() as stored:
        stored.flows.resume("once")
    assert due(store) == START + 11 * 3600
    assert tick(store, queue) == 0


def test_a_run_that_waits_waits_on_while_its_flow_is_paused(
    store: Store, scheduled: None, queue: EmbeddedQueue, clock: MovableClock
) -> None:
    clock.advance(3600)
    tick(store, queue)
    with store.writing() as stored:
        stored.flows.pause("once", BY_HAND, clock.now())
    assert finish(queue, store) == ["skip"]
    with store.writing() as stored:
        stored.flows.resume("once")
    assert finish(queue, store) == ["once"]


def test_flows_whose_connection_is_online_again_go_on_without_a_flood(
    store: Store, queue: EmbeddedQueue, clock: MovableClock
) -> None:
    with store.writing() as stored:
        stored.connections.save(Connection("here", "files"))
    save(store, ONCE)
    standing = ConnectionStanding(store, "here", clock)
    standing.refused(NotAuthorized("It is refused.", code="invalid_grant", recovery=Recovery.REAUTHORIZE))
    clock.advance(100 * 3600 + 5)
    tick(store, queue)
    assert runs(store) == []
    standing.let_in()
    tick(store, queue)
    assert (runs(store), due(store)) == ([], START + 101 * 3600)


def test_a_pause_that_a_person_asked_for_keeps_its_reason(store: Store, scheduled: None, clock: MovableClock) -> None:
    with store.writing() as stored:
        assert stored.flows.pause("once", BY_HAND, clock.now())
        assert not stored.flows.pause("once", "needs authorization", clock.now())
        assert stored.flows.paused() == {"once": BY_HAND}


def test_flows_of_an_older_version_are_planned_when_a_server_starts(store: Store, scheduled: None) -> None:
    with store.writing() as stored:
        stored.flows.plan({1: None})
    assert due(store) is None
    plan(store)
    assert due(store) == START + 3600


def test_a_second_server_is_told_that_it_is_not_alone(store: Store) -> None:
    with the_only_server(store) as first, the_only_server(store) as second:
        assert (first, second) == (True, False)
    with the_only_server(store) as again:
        assert again


class Broken(Installation):
    """An installation whose systems are down."""

    def connector(self, name: str) -> Connector:
        raise RemoteError("It is down.", code="unreachable", recovery=Recovery.RETRY)


@pytest.fixture
def broken(config: Config, clock: MovableClock) -> Iterator[Broken]:
    with Broken(config) as installation:
        installation.store.clock = clock
        yield installation


def test_a_system_that_is_down_is_asked_again_later_and_later_and_then_the_run_fails(
    broken: Broken, clock: MovableClock
) -> None:
    store, worker = broken.store, Worker(broken)
    save(store, ONCE)
    clock.advance(3600)
    tick(store, worker.queue)
    waits = []
    for _ in range(RETRIES):
        claimed = worker.queue.take()
        assert claimed is not None
        worker.execute(claimed)
        (run,) = runs(store)
        assert (run.status, run.error_code) == (RunStatus.WAITING, "unreachable")
        assert run.not_before is not None
        waits.append(run.not_before - clock.now())
        assert worker.queue._first() is None
        clock.advance(waits[-1])
    assert waits == [60, 120, 240, 480, 960]
    claimed = worker.queue.take()
    assert claimed is not None
    worker.execute(claimed)
    assert runs(store)[0].status is RunStatus.FAILED


def test_a_worker_that_stops_sends_its_run_back_at_once_and_not_as_a_retry(broken: Broken, clock: MovableClock) -> None:
    store, worker = broken.store, Worker(broken)
    save(store, ONCE)
    clock.advance(3600)
    tick(store, worker.queue)
    claimed = worker.queue.take()
    assert claimed is not None
    worker.stop()
    worker.execute(claimed)
    (run,) = runs(store)
    assert (run.status, run.not_before, run.retries, run.error_code) == (RunStatus.WAITING, None, 0, "")


@pytest.fixture
def installation(config: Config, tmp_path: Path) -> Iterator[Installation]:
    (tmp_path / "in.csv").write_text("name\na\nb\n")
    with Installation(config) as opened:
        with opened.store.writing() as stored:
            stored.connections.save(Connection("here", "files", settings={"folder": str(tmp_path)}))
        yield opened


def moving(name: str, schedule: Schedule | None = None) -> Flow:
    mapping = (MappingRule("name", from_="name"),)
    return Flow(
        name, (Export("here", "in.csv"),), (Import("here", f"{name}.csv", plaintext=True, mapping=mapping),), schedule
    )


def test_due_flows_are_carried_out_while_the_block_runs(installation: Installation, tmp_path: Path) -> None:
    store = installation.store
    save(store, *(moving(f"f{number}", HOURLY) for number in range(12)))
    with store.writing() as stored:
        now = int(store.clock.now())
        stored.flows.plan(dict.fromkeys(range(1, 13), now - 1))
    all_done = threading.Event()

    with working(installation) as worker:
        original = worker.queue.committed

        def committed() -> None:
            original()
            with store.reading() as stored:
                if {run.status for run in stored.runs.newest()} == {RunStatus.SUCCEEDED}:
                    all_done.set()

        worker.queue.committed = committed  # type: ignore[method-assign]
        assert all_done.wait(20)
    assert sorted(run.flow for run in runs_of_all(store)) == sorted(f"f{number}" for number in range(12))
    assert all((tmp_path / f"f{number}.csv").read_text() == "name\na\nb\n" for number in range(12))
    assert [thread for thread in threading.enumerate() if thread.name.startswith("worker-")] == []


def runs_of_all(store: Store) -> list[Run]:
    with store.reading() as stored:
        return stored.runs.newest()


def test_by_hand_a_flow_runs_beside_the_schedule_but_not_while_it_runs(installation: Installation) -> None:
    store, queue = installation.store, EmbeddedQueue(installation.store)
    save(store, moving("f", HOURLY))
    run = Runner(installation).run("f")
    assert (run.status, run.due, run.started_by) == (RunStatus.SUCCEEDED, None, store.actor)
    with store.writing() as stored:
        stored.flows.plan({1: int(store.clock.now()) - 1})
    tick(store, queue)
    with pytest.raises(RunInProgress, match="run 2"):
        Runner(installation).run("f")
    claimed = queue.take()
    assert claimed is not None
    with pytest.raises(RunInProgress, match="run 2"):
        Runner(installation).run("f")
    claimed.held.close()


def test_a_run_by_hand_is_never_seen_waiting(installation: Installation) -> None:
    store, queue = installation.store, EmbeddedQueue(installation.store)
    save(store, moving("f"))
    seen: list[int | None] = []
    runner = Runner(installation, started=lambda engine: seen.append(queue._first()))
    runner.run("f")
    assert seen == [None]


class Stoppable:
    """A server or a worker that only remembers that it was stopped."""

    def __init__(self) -> None:
        self.stopped = threading.Event()

    def stop(self) -> None:
        self.stopped.set()


def test_a_signal_that_another_thread_gets_stops_server_and_worker_all_the_same() -> None:
    server, worker = Stoppable(), Stoppable()
    before = signal.getsignal(signal.SIGTERM)
    with _stopped_by_signals(server, worker):  # type: ignore[arg-type]
        sender = threading.Thread(target=lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM))
        sender.start()
        assert server.stopped.wait(10)
        assert worker.stopped.wait(10)
        sender.join()
    assert signal.getsignal(signal.SIGTERM) is before
