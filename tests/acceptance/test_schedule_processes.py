"""Schedules from outside: a server carries out what is due, and whoever kills, freezes or doubles it changes nothing.

Due times are whole minutes at best, so these tests write the next one into the database themselves.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from acceptance_house import House, Lab, csv_text, finish, flow, running_lab, until

pytestmark = [pytest.mark.acceptance, pytest.mark.kill]

KILLS = int(os.environ.get("INTEGRATOR_KILLS", "20"))
SEED = os.environ.get("INTEGRATOR_KILLS_SEED") or str(random.randrange(1_000_000))
VAULTS, ROWS = 10, 24
LATENCY_SECONDS = 0.02
LONGEST_KILL_SECONDS, LONGEST_RUN_SECONDS = 1.0, 0.4
RESCUES = 5
LOCKED_SECONDS = 12  # longer than anybody waits for the database
YEARLY = {"cron": "0 0 1 1 *"}
READY = "Integrator is at "


class Scheduled:
    """An installation whose flows are due when a test says so, and the servers that carry them out."""

    def __init__(self, house: House, lab: Lab) -> None:
        self.house, self.lab = house, lab
        self.due: dict[str, int] = {}

    def make_due(self, name: str) -> None:
        """This flow is due now."""
        self.due[name] = int(time.time())
        with closing(sqlite3.connect(self.house.home / "integrator.db", timeout=30)) as connection, connection:
            connection.execute("update flows set next_due = ? where name = ?", (self.due[name], name))

    def runs(self, kind: str) -> list[dict[str, Any]]:
        """The runs of these flows, straight from the table."""
        with closing(sqlite3.connect(self.house.home / "integrator.db", timeout=30)) as connection:
            connection.row_factory = sqlite3.Row
            rows = connection.execute(
                "select runs.*, flows.name as flow from runs join flows on flows.id = runs.flow_id where flows.name like ?",
                (f"{kind}-%",),
            )
            return [dict(row) for row in rows]

    def start(self) -> subprocess.Popen[str]:
        """A server that nobody waits for."""
        return self.house.start("serve", "--port", "0")

    @contextmanager
    def serving(self) -> Iterator[subprocess.Popen[str]]:
        """A server that is ready, and ends in order."""
        process = self.start()
        assert process.stderr is not None
        line = ""
        while not line.startswith(READY):
            line = process.stderr.readline()
            assert line
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            ended = finish(process, ("serve",)).ended(0)
            with (self.house.home.parent / "serve.log").open("a") as log:
                log.write(ended.err)

    def all_done(self, kind: str, count: int) -> bool:
        """Whether so many runs are over, and well."""
        return sum(run["status"] == "succeeded" for run in self.runs(kind)) >= count

    def works_on(self, kind: str, attempt: int) -> bool:
        """Whether the only run of these is under way for this time."""
        return [(run["status"], run["attempt"]) for run in self.runs(kind)] == [("running", attempt)]

    def hurried(self, kind: str) -> bool:
        """Whether a run of these waits to be tried again; now it need not wait any longer."""
        waiting = [run["id"] for run in self.runs(kind) if run["not_before"]]
        with closing(sqlite3.connect(self.house.home / "integrator.db", timeout=30)) as connection, connection:
            connection.executemany("update runs set not_before = 1 where id = ?", [(run_id,) for run_id in waiting])
        return bool(waiting)

    def judge(self, kind: str) -> None:
        """Every due time has one run, every row one version."""
        runs = self.runs(kind)
        assert {run["flow"]: run["due"] for run in runs} == {
            name: due for name, due in self.due.items() if name.startswith(f"{kind}-")
        }
        assert len(runs) == KILLS, "a due time was doubled"
        assert {run["status"] for run in runs} == {"succeeded"}
        self.lab.settings(latency_seconds=0)
        written = {
            (number, row): self.lab.versions(f"copy{number % VAULTS}", f"{kind}-{number}-{row}")
            for number in range(KILLS)
            for row in range(ROWS)
        }
        assert written == dict.fromkeys(written, 1), "a version was lost or doubled"
        self.lab.settings(latency_seconds=LATENCY_SECONDS)


@pytest.fixture(scope="module")
def scheduled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduled]:
    folder = tmp_path_factory.mktemp("scheduled")
    with running_lab(folder, **{f"copy{number}": 0 for number in range(VAULTS)}) as lab:
        (folder / "files").mkdir()
        house = House(folder / "home", folder / "files")
        house.apply(_document(house, lab))
        lab.settings(latency_seconds=LATENCY_SECONDS)
        yield Scheduled(house, lab)


def _document(house: House, lab: Lab) -> dict[str, Any]:
    here = {"name": "here", "connector": "files", "settings": {"folder": str(house.files)}}
    flows = []
    for kind, count in {"kill": KILLS, "freeze": KILLS, "beside": KILLS, "stop": 1, "crash": 1, "lock": 2}.items():
        for number in range(count):
            house.file(f"{kind}-{number}.csv", csv_text(*(f"{kind}-{number}-{row},x{row}" for row in range(ROWS))))
            origin, vault = ("here", f"{kind}-{number}.csv"), (f"copy{number % VAULTS}", "secrets")
            moved = flow(f"{kind}-{number}", origin, vault, fields=("name", "value"))
            flows.append({**moved, "schedule": YEARLY})
    document = {**lab.document, "connections": [*lab.document["connections"], here], "flows": flows}
    for connection in document["connections"]:
        if "vault_url" in connection.get("settings", {}):
            connection["limits"] = {"calls": 1_000_000, "period_seconds": 10, "concurrency": 4}
    return document


def _random(kind: str) -> random.Random:
    """Other moments every time: set INTEGRATOR_KILLS_SEED to what this prints to have them again."""
    print(f"INTEGRATOR_KILLS_SEED={SEED}")
    return random.Random(f"{SEED} {kind}")


def _killed(process: subprocess.Popen[str]) -> None:
    process.kill()
    out, err = process.communicate()
    assert "Traceback" not in out + err, err
    assert "unforeseen" not in out + err, err


def test_servers_that_are_killed_neither_lose_nor_double_a_due_run(scheduled: Scheduled) -> None:
    """Every other one is killed while its successor is there already."""
    chance = _random("kill")
    server = scheduled.start()
    for number in range(KILLS):
        scheduled.make_due(f"kill-{number}")
        successor = scheduled.start() if number % 2 else None
        if number % 4 > 1:  # once a run is under way; else also while a server starts
            until(lambda: any(run["status"] == "running" for run in scheduled.runs("kill")), 10)
        time.sleep(chance.uniform(0, LONGEST_KILL_SECONDS if number % 4 < 2 else LONGEST_RUN_SECONDS))
        _killed(server)
        server = successor or scheduled.start()
    try:
        until(lambda: scheduled.all_done("kill", KILLS), 60, every=0.1)
    finally:
        _killed(server)
    scheduled.judge("kill")
    assert sum(run["attempt"] > 1 for run in scheduled.runs("kill")) > 0, "no run was killed while it was worked on"


def test_servers_that_are_frozen_neither_lose_nor_double_a_due_run(scheduled: Scheduled) -> None:
    chance = _random("freeze")
    with scheduled.serving() as one, scheduled.serving() as other:
        for number in range(KILLS):
            scheduled.make_due(f"freeze-{number}")
            frozen = chance.choice((one, other))
            time.sleep(chance.uniform(0, 0.4))
            frozen.send_signal(signal.SIGSTOP)
            time.sleep(chance.uniform(0.05, 0.4))
            frozen.send_signal(signal.SIGCONT)
        until(lambda: scheduled.all_done("freeze", KILLS), 60, every=0.1)
    scheduled.judge("freeze")


def test_two_servers_side_by_side_do_each_due_run_once(scheduled: Scheduled) -> None:
    chance = _random("beside")
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(scheduled.serving())
        for number in range(KILLS):
            scheduled.make_due(f"beside-{number}")
            time.sleep(chance.uniform(0, 0.2))
        until(lambda: scheduled.all_done("beside", KILLS), 60, every=0.1)
    scheduled.judge("beside")
    runs = scheduled.runs("beside")
    assert {run["attempt"] for run in runs} == {1}
    assert len({run["worker"] for run in runs}) == 2, "one server did everything"


def test_a_server_that_is_told_to_end_puts_its_run_back_in_line(scheduled: Scheduled) -> None:
    scheduled.lab.settings(latency_seconds=0.15)
    before = scheduled.lab.calls("copy0").get("put", 0)
    with scheduled.serving() as server:
        scheduled.make_due("stop-0")
        until(lambda: scheduled.lab.calls("copy0").get("put", 0) > before + 3)
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 0
    (run,) = scheduled.runs("stop")
    assert (run["status"], run["not_before"], run["ended_at"]) == ("waiting", None, None)
    scheduled.lab.settings(latency_seconds=0)
    with scheduled.serving():
        until(lambda: scheduled.all_done("stop", 1))
    (run,) = scheduled.house("runs", "list", "--flow", "stop-0", "--json").json
    assert (run["counts"]["created"], run["started_by"]) == (ROWS, "schedule")
    assert {scheduled.lab.versions("copy0", f"stop-0-{row}") for row in range(ROWS)} == {1}
    scheduled.lab.settings(latency_seconds=LATENCY_SECONDS)


def test_a_run_that_takes_its_server_along_again_and_again_is_ended(scheduled: Scheduled) -> None:
    scheduled.lab.settings(latency_seconds=5)  # so no page is stored before the server is gone
    scheduled.make_due("crash-0")
    for attempt in range(1, RESCUES + 2):
        server = scheduled.start()
        until(partial(scheduled.works_on, "crash", attempt), 20)
        _killed(server)
    with scheduled.serving():
        until(lambda: scheduled.runs("crash")[0]["status"] == "failed", 20)
    (run,) = scheduled.house("runs", "list", "--flow", "crash-0", "--json").json
    assert run["error"]["code"] == "crashed"
    assert run["error"]["message"].endswith(f"`integrator runs resume {run['run']}`.")
    scheduled.lab.settings(latency_seconds=0)
    scheduled.house("runs", "resume", str(run["run"]))
    assert {scheduled.lab.versions("copy0", f"crash-0-{row}") for row in range(ROWS)} == {1}
    scheduled.lab.settings(latency_seconds=LATENCY_SECONDS)


def test_a_database_that_is_locked_for_long_loses_and_doubles_nothing(scheduled: Scheduled) -> None:
    scheduled.lab.settings(latency_seconds=0.1)
    with scheduled.serving():
        for number in range(2):
            scheduled.make_due(f"lock-{number}")
        until(lambda: any(run["status"] == "running" for run in scheduled.runs("lock")), 10)
        with closing(sqlite3.connect(scheduled.house.home / "integrator.db", timeout=30)) as other:
            other.execute("begin immediate")
            time.sleep(LOCKED_SECONDS)
        scheduled.lab.settings(latency_seconds=0)
        until(lambda: scheduled.all_done("lock", 2) or scheduled.hurried("lock"), 60, every=0.5)
        until(lambda: scheduled.all_done("lock", 2), 60, every=0.1)
    assert {run["flow"]: run["due"] for run in scheduled.runs("lock")} == {
        name: due for name, due in scheduled.due.items() if name.startswith("lock-")
    }
    for number in range(2):
        assert {scheduled.lab.versions(f"copy{number}", f"lock-{number}-{row}") for row in range(ROWS)} == {1}
    scheduled.lab.settings(latency_seconds=LATENCY_SECONDS)


def test_a_second_server_says_that_it_is_one(scheduled: Scheduled) -> None:
    with scheduled.serving():
        process = scheduled.start()
        assert process.stderr is not None
        lines = [process.stderr.readline() for _ in range(3)]
        process.send_signal(signal.SIGTERM)
        finish(process, ("serve",)).ended(0)
    assert any("Another server works on this database already" in line for line in lines)


def test_a_flow_is_paused_and_resumed_at_the_command_line(new_house: House, tmp_path: Path) -> None:
    files = {"name": "here", "connector": "files", "settings": {"folder": str(new_house.files)}}
    moved = flow("f", ("here", "a.csv"), ("here", "b.csv"), fields=("name",), plaintext=True)
    new_house.apply({"version": 1, "connections": [files], "flows": [{**moved, "schedule": YEARLY}]})
    assert new_house("flows", "show", "f", "--json").json["next_due"].endswith("-01-01T00:00:00+00:00")
    new_house("flows", "pause", "f")
    shown = new_house("flows", "list", "--json").json[0]
    assert (shown["paused"], "next_due" in shown) == ("paused by a person", False)
    assert new_house("flows", "resume", "f", "--json").json == {"flow": "f", "paused": None}
    told = new_house("flows", "next", "f", "--count", "2", "--json").json
    assert (told["schedule"], len(told["next"])) == ("at 00:00, on the 1st, in January (UTC)", 2)


def test_a_flow_whose_time_zone_has_gone_says_so_and_can_be_mended(new_house: House) -> None:
    files = {"name": "here", "connector": "files", "settings": {"folder": str(new_house.files)}}
    moved = flow("f", ("here", "a.csv"), ("here", "b.csv"), fields=("name",), plaintext=True)
    document = {
        "version": 1,
        "connections": [files],
        "flows": [{**moved, "schedule": {**YEARLY, "timezone": "Asia/Tokyo"}}],
    }
    new_house.apply(document)
    with closing(sqlite3.connect(new_house.home / "integrator.db")) as connection, connection:
        connection.execute("update flows set document = replace(document, 'Asia/Tokyo', 'Asia/Bonn')")
    assert new_house("flows", "show", "f", "--json").json["schedule"]["timezone"] == "Asia/Bonn"
    sentence = new_house("flows", "next", "f", code=1).sentence
    assert sentence.startswith("Flow f is not started by itself: its schedule is not a time zone")
    new_house.apply(document)
    assert len(new_house("flows", "next", "f", "--json").json["next"]) == 5
