"""What a schedule does when the machine is not well: clocks that jump, zones that go, a database that is busy."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from schedule_house import FLOW, HOUR, HOURLY, START, due, end, runs, save
from sqlalchemy import insert, select

from connectors.model import Connection
from flows.model import RunStatus, Schedule
from iclients.clock import SystemClock
from iclients.errors import NotAuthorized, Recovery
from iclients.testing import MovableClock
from integrator import scheduler
from integrator.bootstrap import Installation
from integrator.config import Config
from integrator.errors import DatabaseUnusable
from integrator.queue import EmbeddedQueue
from integrator.scheduler import Job, _Beat, scheduled
from integrator.standing import NEEDS_AUTHORIZATION, ConnectionStanding
from integrator.store.flows import BY_HAND
from integrator.store.store import Store
from integrator.store.tables import flows
from integrator.worker import Ticking, plan, tick

YEAR = 366 * 24 * HOUR


class WallClock(MovableClock):
    """A clock that others turn."""

    turned = 0.0

    def now(self) -> float:
        return super().now() + self.turned


@pytest.fixture
def clock() -> WallClock:
    return WallClock(START)


@pytest.fixture
def store(config: Config, clock: MovableClock) -> Iterator[Store]:
    with Store.open(config, clock=clock) as opened:
        yield opened


@pytest.fixture
def queue(store: Store) -> EmbeddedQueue:
    return EmbeddedQueue(store, "here")


@pytest.fixture
def ticking(store: Store, queue: EmbeddedQueue) -> Ticking:
    return Ticking(store, queue)


def finished(store: Store, queue: EmbeddedQueue) -> list[float]:
    """End what may begin; gives the due times, as hours after the start."""
    done = []
    while queue._first() is not None and (claimed := queue.take()):
        end(store, claimed)
        done.append(((claimed.run.due or 0) - START) / HOUR)
    return done


def test_an_hour_that_comes_twice_is_due_once(
    store: Store, queue: EmbeddedQueue, ticking: Ticking, clock: WallClock
) -> None:
    save(store, "f")
    done = []
    for turned, passed in ((0, HOUR), (0, HOUR), (-HOUR - 1, 0), (0, 1), (0, HOUR), (0, HOUR)):
        clock.turned += turned
        clock.advance(passed)
        ticking()
        done += finished(store, queue)
    assert done == [1, 2, 3]


def test_a_clock_that_was_fast_for_a_year_does_not_keep_a_flow_waiting_for_a_year(
    store: Store, queue: EmbeddedQueue, ticking: Ticking, clock: WallClock
) -> None:
    save(store, "f")
    clock.turned = YEAR + 1
    ticking()
    assert finished(store, queue) == [1], "missed times are caught up once"
    assert due(store, "f") == START + YEAR + HOUR
    clock.turned = 1
    ticking()
    assert due(store, "f") == START + HOUR
    clock.advance(HOUR)
    ticking()
    assert finished(store, queue) == [], "that time has had its run"
    clock.advance(HOUR)
    ticking()
    assert finished(store, queue) == [2]


def test_a_server_that_starts_after_the_clock_was_mended_plans_anew_and_keeps_what_was_missed(
    store: Store, clock: MovableClock
) -> None:
    save(store, "far", "missed", "near")
    with store.writing() as stored:
        stored.flows.plan({1: int(START) + YEAR, 2: int(START) - HOUR})
    plan(store)
    assert [due(store, name) for name in ("far", "missed", "near")] == [START + HOUR, START - HOUR, START + HOUR]


def test_a_beat_that_was_missed_for_a_year_is_one_beat() -> None:
    now = datetime(2026, 11, 21, 12, 0, 0, 400_000, tzinfo=UTC)
    for seconds in (0.5, 5.0, 3600.0):
        beat = _Beat(seconds)
        later = beat.get_next_fire_time(now - timedelta(days=366), now)
        assert timedelta(0) < later - now <= timedelta(seconds=seconds)
        assert beat.get_next_fire_time(later, later) == later + timedelta(seconds=seconds)


class Beats:
    """A job that counts."""

    def __init__(self) -> None:
        self.came = threading.Semaphore(0)
        self.many = 0

    def __call__(self) -> None:
        self.many += 1
        self.came.release()
        if self.many == 1:
            raise DatabaseUnusable("The database is busy.")


def test_jobs_go_on_when_the_clock_was_turned_back_by_an_hour(
    config: Config, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """For whoever waits for a time on the clock it is the same whether the clock is slow or the time is late."""
    monkeypatch.setattr(scheduler, "WATCH_SECONDS", 0.1)
    late = datetime.now(UTC) + timedelta(hours=1)
    first = _Beat.first
    monkeypatch.setattr(_Beat, "first", lambda beat, now: late if beat.seconds == 0.5 else first(beat, now))
    beats = Beats()
    with Installation(config) as installation, scheduled(installation, Job("beats", beats, 0.5)):
        assert all(beats.came.acquire(timeout=10) for _ in range(3))
    assert [record.message for record in caplog.records if record.levelno >= 40] == ["beats: The database is busy."]


def test_a_tick_that_meets_a_busy_database_makes_its_runs_the_next_time(
    config: Config, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrator.store.database._PRAGMAS", ("pragma busy_timeout = 50", "pragma foreign_keys = on"))
    with Store.open(config, clock=clock) as store:
        queue = EmbeddedQueue(store)
        save(store, "f")
        clock.advance(HOUR)
        with closing(sqlite3.connect(config.home / "integrator.db", isolation_level=None)) as other:
            other.execute("begin immediate")
            with pytest.raises(DatabaseUnusable, match="another process keeps it busy"):
                tick(store, queue)
        assert tick(store, queue) == 1
        assert len(runs(store)) == 1


def lose_zone(store: Store, name: str = "f") -> None:
    """As where a database comes to a machine that has fewer zones."""
    with store.database.writing() as connection:
        connection.exec_driver_sql("update flows set document = replace(document, '\"cron\"', '\"timezone\":\"Asia/Bonn\",\"cron\"') where name = ?", (name,))  # fmt: skip


def test_a_flow_whose_zone_has_gone_is_told_and_the_others_go_on(
    store: Store, queue: EmbeddedQueue, clock: MovableClock, caplog: pytest.LogCaptureFixture
) -> None:
    save(store, "f", "g")
    lose_zone(store)
    clock.advance(HOUR)
    assert tick(store, queue) == 2
    assert finished(store, queue) == [1, 1], "what was due is done"
    assert (due(store, "f"), due(store, "g")) == (None, START + 2 * HOUR)
    assert "flow f is not started by itself any more: its schedule is not a time zone" in caplog.text
    with store.reading() as stored:
        assert [flow.schedule for flow in stored.flows.all()] == [replace(HOURLY, timezone="Asia/Bonn"), HOURLY]


def test_a_flow_whose_zone_has_gone_can_be_resumed_and_keeps_no_connection_from_working(
    store: Store, clock: MovableClock
) -> None:
    with store.writing() as stored:
        stored.connections.save(Connection("here", "files"))
    save(store, "f", "g")
    standing = ConnectionStanding(store, "here", clock)
    standing.refused(NotAuthorized("It is refused.", code="invalid_grant", recovery=Recovery.REAUTHORIZE))
    lose_zone(store)
    standing.let_in()
    with store.reading() as stored:
        assert stored.flows.paused() == {}
    assert (due(store, "f"), due(store, "g")) == (None, START + HOUR)
    save(store, "f")
    assert due(store, "f") == START + HOUR, "another zone was chosen"


def test_ten_thousand_flows_that_are_due_at_once_have_one_run_each(
    store: Store, queue: EmbeddedQueue, clock: MovableClock
) -> None:
    save(store, "f0")
    with store.database.writing() as connection:
        row = connection.execute(select(flows)).one()._asdict()
        del row["id"]
        connection.execute(insert(flows), [{**row, "name": f"f{number}"} for number in range(1, 10_000)])
    clock.advance(HOUR)
    started = time.monotonic()
    assert tick(store, queue) == 10_000
    assert time.monotonic() - started < 20
    assert tick(store, queue) == 0
    with store.database.reading() as connection:
        count = "select count(*), count(distinct flow_id), min(due), max(due) from runs"
        assert [*connection.exec_driver_sql(count).one()] == [10_000, 10_000, START + HOUR, START + HOUR]
    assert [claimed.run.flow for claimed in (queue.take(), queue.take()) if claimed] == ["f0", "f1"]


def test_runs_that_wait_for_their_time_keep_nobody_waiting(
    store: Store, queue: EmbeddedQueue, clock: MovableClock
) -> None:
    save(store, *(f"later{number}" for number in range(20)), "f")
    clock.advance(HOUR)
    tick(store, queue)
    for _ in range(20):
        claimed = queue.take()
        assert claimed is not None
        with claimed.held, store.writing() as stored:
            stored.runs.send_back(claimed.run.id, claimed.claim.fence, not_before=clock.now() + 60, code="unreachable")
    assert finished(store, queue) == [1]
    for _ in range(3):
        clock.advance(HOUR)
        tick(store, queue)
    assert len(runs(store, "later0")) == 1, "a flow has one waiting run at most"
    assert finished(store, queue) == [1] * 20 + [2]
    assert due(store, "later0") == START + 5 * HOUR


def test_a_run_that_waits_while_its_flow_is_paused_is_shown_as_waiting_and_can_be_cancelled(
    store: Store, queue: EmbeddedQueue, clock: MovableClock
) -> None:
    save(store, "f")
    clock.advance(HOUR)
    tick(store, queue)
    with store.writing() as stored:
        stored.flows.pause("f", BY_HAND, clock.now())
    assert queue._first() is None
    assert runs(store)[0].document()["status"] == "waiting"
    with store.writing() as stored:
        assert stored.runs.request_cancel(1) is RunStatus.CANCELLED
        stored.flows.resume("f")
    assert queue._first() is None


def refuse(store: Store, clock: MovableClock, *names: str) -> None:
    with store.writing() as stored:
        for name in ("here", "elsewhere"):
            stored.connections.save(Connection(name, "files"))
    save(store, "f")
    for name in names:
        refused = NotAuthorized("It is refused.", code="invalid_grant", recovery=Recovery.REAUTHORIZE)
        ConnectionStanding(store, name, clock).refused(refused)


def change(store: Store, origin: str, destination: str, schedule: Schedule = HOURLY) -> str:
    """Save the flow with these connections; gives what it waits for."""
    with store.writing() as stored:
        flow = replace(FLOW, schedule=schedule)
        export, step = replace(flow.exports[0], connection=origin), replace(flow.steps[0], connection=destination)
        stored.flows.save(replace(flow, exports=(export,), steps=(step,)))
        return stored.flows.paused().get("f", "")


def test_a_flow_that_no_longer_needs_the_refused_connection_goes_on(store: Store, clock: MovableClock) -> None:
    refuse(store, clock, "here")
    assert change(store, "here", "elsewhere") == NEEDS_AUTHORIZATION
    clock.advance(10 * HOUR)
    assert change(store, "elsewhere", "elsewhere") == ""
    assert due(store, "f") == START + 11 * HOUR


def test_a_flow_that_is_changed_waits_on_for_what_it_waited_for(store: Store, clock: MovableClock) -> None:
    refuse(store, clock, "here", "elsewhere")
    assert change(store, "here", "here", Schedule("30 * * * *")) == NEEDS_AUTHORIZATION
    assert change(store, "elsewhere", "elsewhere") == NEEDS_AUTHORIZATION
    ConnectionStanding(store, "elsewhere", clock).let_in()
    assert change(store, "elsewhere", "elsewhere") == ""


def test_a_flow_that_a_person_has_paused_is_paused_until_a_person_resumes_it(store: Store, clock: MovableClock) -> None:
    refuse(store, clock)
    with store.writing() as stored:
        stored.flows.pause("f", BY_HAND, clock.now())
    refuse(store, clock, "here")
    assert change(store, "elsewhere", "here", Schedule("30 * * * *")) == BY_HAND
    ConnectionStanding(store, "here", clock).let_in()
    assert change(store, "elsewhere", "elsewhere") == BY_HAND
    assert due(store, "f") is None
    with store.writing() as stored:
        assert stored.flows.resume("f")
    assert due(store, "f") == START + HOUR


def test_what_ends_a_watch_ends_it_at_once(config: Config) -> None:
    with Installation(config) as installation:
        assert isinstance(installation.clock, SystemClock)
        with scheduled(installation):
            assert "clock" in [thread.name for thread in threading.enumerate()]
        assert "clock" not in [thread.name for thread in threading.enumerate()]
