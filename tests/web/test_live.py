"""A run that is watched: what the stream tells over a real server, how it ends, and what holds a thread."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from test_server import running
from web_house import SESSION, WebHouse

from flows.model import Progress, RunStatus
from integrator.errors import DatabaseUnusable
from integrator.store import tables
from integrator.store.account_rows import writing_accounts
from integrator.store.web_sessions import IDLE_SECONDS
from integrator.web.current import STREAMS_KEY
from integrator.web.live import ASKED_AGAIN_SECONDS, Streams, Watched, event
from integrator.web.server import Server


class Watching:
    """A run in the database, and a browser that watches it over a real server."""

    def __init__(self, web: WebHouse, **streams: Any) -> None:
        self.web = web
        self.streams = Streams(**{"tick_seconds": 0.01, "most": 2, **streams})
        web.app.extensions[STREAMS_KEY] = self.streams
        flow = {"name": "nightly", "exports": [{"connection": "contoso", "resource": "secrets"}]}
        target = {"connection": "fabrikam", "resource": "secrets", "operation": "upsert"}
        web.apply({"version": 1, "flows": [{**flow, "steps": [{"import": target}]}]})
        with web.installation.store.database.writing() as db:
            flow_id = db.scalar(select(tables.flows.c.id))
            for status, read in (("succeeded", 200), ("running", 50)):
                told = json.dumps({"counts": {"read": read}, "calls": {"list": 5}, "seconds": 10.0})
                db.execute(insert(tables.runs).values(flow_id=flow_id, status=status, progress=told, started_at=1.0))
        user = web.user()
        with writing_accounts(web.installation.store) as rows:
            self.token = rows.sessions.begin(user, web.installation.clock.now())

    def set(self, **values: Any) -> None:
        with self.web.installation.store.database.writing() as db:
            db.execute(update(tables.runs).where(tables.runs.c.id == 2).values(values))

    def read(self, many: int) -> None:
        self.set(progress=json.dumps({"counts": {"read": many}, "calls": {"list": 5}, "seconds": 10.0}))

    def open(self, server: Server, *, token: str = "") -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(server.url.removeprefix("http://").rstrip("/"), timeout=30)
        connection.request("GET", "/runs/2/live", headers={"Cookie": f"{SESSION}={token or self.token}"})
        answer = connection.getresponse()
        answer.connection = connection  # type: ignore[attr-defined]
        return answer


@pytest.fixture
def watching(web: WebHouse) -> Watching:
    return Watching(web)


def told(answer: http.client.HTTPResponse) -> Iterator[tuple[str, str]]:
    """The events that come: name and text."""
    name, lines = "", []
    while line := answer.readline().decode():
        line = line.rstrip("\n")
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            lines.append(line[6:])
        elif not line and name:
            yield name, "\n".join(lines)
            name, lines = "", []


def close(answer: http.client.HTTPResponse) -> None:
    answer.close()
    answer.connection.close()  # type: ignore[attr-defined]


def test_the_parts_of_the_page_come_whenever_they_change_until_the_run_is_over(watching: Watching) -> None:
    with running(watching.web.app) as server:
        answer = watching.open(server)
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert (answer.headers["Cache-Control"], answer.headers["X-Accel-Buffering"]) == ("no-store", "no")
        events = told(answer)
        name, text = next(events)
        assert name == "moved"
        assert "50 of about 200 records" in text
        assert [
            part for part in ("run-state", "run-progress", "run-funnel", "run-wrong") if f'id="{part}"' not in text
        ] == []
        watching.read(120)
        assert any("120 of about 200 records" in text for _, text in events)
        watching.set(status=RunStatus.SUCCEEDED.value, ended_at=2.0)
        assert [name for name, _ in events][-1] == "over"
        close(answer)


def test_whoever_finds_no_place_is_sent_away_and_a_place_is_free_when_a_stream_ends(watching: Watching) -> None:
    with running(watching.web.app) as server:
        first, second = watching.open(server), watching.open(server)
        third = watching.open(server)
        assert (third.status, third.read()) == (204, b"")
        close(third)
        watching.set(status=RunStatus.SUCCEEDED.value, ended_at=2.0)
        for answer in (first, second):
            assert [name for name, _ in told(answer)][-1] == "over"
            close(answer)
        gone = threading.Event()
        while not gone.is_set():
            if (leave := watching.streams.take()) is not None:
                leave()
                gone.set()


def test_a_browser_that_is_gone_gives_its_place_back(web: WebHouse) -> None:
    watching = Watching(web, most=1, heartbeat_seconds=0.0)
    with running(web.app) as server:
        answer = watching.open(server)
        next(told(answer))
        close(answer)
        leave = None
        while leave is None:
            leave = watching.streams.take()
        leave()


def test_a_server_that_is_to_end_ends_every_stream_at_once(watching: Watching) -> None:
    server = Server(watching.web.app, "127.0.0.1", 0, watching.streams.end)
    thread = threading.Thread(target=server.run)
    thread.start()
    answer = watching.open(server)
    next(told(answer))
    server.stop()
    assert [name for name, _ in told(answer)] in ([], ["moved"])
    thread.join(10)
    assert not thread.is_alive()
    close(answer)
    server.close()


def test_a_stream_ends_by_itself_after_a_while_so_that_the_browser_comes_again(web: WebHouse) -> None:
    watching = Watching(web, longest_seconds=0.0)
    with running(web.app) as server:
        answer = watching.open(server)
        assert answer.read() == b"retry: 1000\n\n"
        close(answer)


def test_nobody_watches_who_is_not_signed_in(watching: Watching) -> None:
    with running(watching.web.app) as server:
        answer = watching.open(server, token="other")
        assert answer.status == 303
        close(answer)
    assert watching.web.signed_in().get("/runs/99/live").status_code == 404


def test_between_two_looks_no_connection_to_the_database_is_held(watching: Watching) -> None:
    with running(watching.web.app) as server:
        answer = watching.open(server)
        next(told(answer))
        watching.read(51)  # a writer is not kept waiting
        assert any("51 of about 200" in text for _, text in told(answer))
        pool = watching.web.installation.store.database.engine.pool
        watching.set(status=RunStatus.SUCCEEDED.value, ended_at=2.0)
        answer.read()
        close(answer)
    assert pool.checkedout() == 0  # type: ignore[attr-defined]


def test_a_database_that_cannot_be_read_ends_the_stream_without_a_word() -> None:
    def look() -> str:
        raise DatabaseUnusable("It is busy.")

    assert list(Streams().told(look, lambda: True)) == ["retry: 1000\n\n"]


class Hand:
    """A clock that is moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_stream_asks_every_few_seconds_whether_it_may_go_on_and_ends_where_it_may_not() -> None:
    clock, looks, asked = Hand(), 0, []

    def look() -> str:
        nonlocal looks
        looks, clock.now = looks + 1, clock.now + 1
        return f"look {looks}"

    def may_watch() -> bool:
        asked.append(clock.now)
        return len(asked) < 3

    streams = Streams(tick_seconds=0.0, clock=clock)
    assert len([*streams.told(look, may_watch)]) == 1 + looks
    assert asked == [1000.0 + ASKED_AGAIN_SECONDS * many for many in (1, 2, 3)]
    assert looks == 3 * ASKED_AGAIN_SECONDS


def test_who_signs_out_elsewhere_or_loses_the_account_sees_no_more(web: WebHouse) -> None:
    clock, user = Hand(), web.user()
    watching = Watching(web, clock=clock)
    with running(web.app) as server:
        answer = watching.open(server)
        events = told(answer)
        next(events)
        clock.now += ASKED_AGAIN_SECONDS
        watching.read(51)
        assert any("51 of about 200" in text for _, text in events), "who is signed in still goes on watching"
        with writing_accounts(web.installation.store) as rows:
            rows.sessions.end_all(user)
        clock.now += ASKED_AGAIN_SECONDS
        assert "over" not in [name for name, _ in events]
        close(answer)
        again = watching.open(server)
        assert (again.status, again.headers["Location"]) == (303, "/sign-in?next=/runs/2/live")
        close(again)


def test_to_watch_is_no_use_of_a_session_and_an_idle_one_ends_the_stream(web: WebHouse) -> None:
    clock = Hand()
    watching = Watching(web, clock=clock)
    with running(web.app) as server:
        answer = watching.open(server)
        next(told(answer))
        now = web.installation.clock.now()
        web.installation.clock.now = lambda: now + IDLE_SECONDS  # type: ignore[method-assign]
        clock.now += ASKED_AGAIN_SECONDS
        assert "over" not in [name for name, _ in told(answer)]
        close(answer)


def test_a_text_of_many_lines_is_one_event() -> None:
    assert event("moved", "one\ntwo") == "event: moved\ndata: one\ndata: two\n\n"
    assert event("over", "") == "event: over\ndata: \n\n"


def progress(read: int, calls: int, seconds: float) -> Progress:
    return Progress(Counter(read=read), Counter(get=calls), seconds)


def test_the_first_look_tells_what_the_run_has_done_on_the_whole() -> None:
    pace = Watched(Hand()).pace(1, progress(100, 30, 10.0))
    assert (pace.records_a_second, pace.calls_this_minute) == (10.0, 30)
    assert Watched(Hand()).pace(1, progress(1000, 600, 600.0)).calls_this_minute == 60
    assert Watched(Hand()).pace(1, progress(0, 0, 0.0)).records_a_second == 0


def test_later_looks_tell_what_has_grown_of_late() -> None:
    clock = Hand()
    watched = Watched(clock)
    for second in range(120):
        clock.now = 1000.0 + second
        pace = watched.pace(1, progress(5 * second, 2 * second, float(second)))
    assert pace.records_a_second == pytest.approx(5)
    assert pace.calls_this_minute == 120
    for second in range(120, 140):
        clock.now = 1000.0 + second
        pace = watched.pace(1, progress(5 * 119, 2 * 119, float(second)))
    assert pace.records_a_second == 0


def test_a_run_that_begins_anew_or_was_not_seen_for_long_is_measured_anew(tmp_path: Path) -> None:
    clock = Hand()
    watched = Watched(clock)
    watched.pace(1, progress(500, 100, 10.0))
    clock.now += 5
    assert watched.pace(1, progress(50, 10, 5.0)).records_a_second == 10
    clock.now += 600
    assert watched.pace(1, progress(600, 100, 60.0)).records_a_second == 10
    watched.forget(1)
    assert watched.pace(1, progress(600, 100, 60.0)).calls_this_minute == 100
