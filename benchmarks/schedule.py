"""`python -m benchmarks.schedule`: how late runs begin, what a tick costs, and what a run costs, with 1,000 flows.

Every flow moves a file of one record to another, so what is measured is the schedule and not the moving. Cron knows
whole minutes, so the moments at which flows are due are written into the table: spread over one minute, then all in
one second. Lateness is from the due time to the claim.
"""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.lab import INTEGRATOR
from integrator.config import Config
from integrator.queue import EmbeddedQueue
from integrator.store.store import Store
from integrator.worker import tick

ROUNDS = 200


@dataclass(frozen=True)
class Lateness:
    """How late runs began, from their due time to their claim, and what each took."""

    spread_seconds: int
    median_seconds: float
    percentile_seconds: float
    cpu_ms: float


@dataclass(frozen=True)
class Figures:
    """What a schedule costs."""

    flows: int
    idle_tick_ms: float
    busy_tick_ms: float
    idle_percent: float
    lateness: Sequence[Lateness]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flows", type=int, default=1_000)
    parser.add_argument("--spread", type=int, default=60, help="seconds over which they are due")
    options = parser.parse_args()
    print(section(measured(options.flows, options.spread)))


def measured(flows: int, spread_seconds: int) -> Figures:
    """Furnish an installation with so many flows, and measure."""
    with tempfile.TemporaryDirectory(prefix="integrator-bench-") as folder:
        home = _furnished(Path(folder), flows)
        idle_tick, busy_tick = _ticks(home, flows)
        told = [_lateness_of(home, flows, spread) for spread in (spread_seconds, 1)]
        return Figures(flows, idle_tick, busy_tick, told[0][0], [lateness for _, lateness in told])


def section(figures: Figures) -> str:
    """These figures as docs/benchmarks.md has them."""
    rows = [
        f"| {figures.flows:,} flows due within {one.spread_seconds} s | {one.median_seconds:.2f} | "
        f"{one.percentile_seconds:.2f} | {one.cpu_ms:.0f} |"
        for one in figures.lateness
    ]
    return "\n".join(
        [
            "## The schedule",
            "",
            "`integrator serve` with flows that move a file of one record each. Lateness is from the due time to the claim "
            "by a worker; due times are whole seconds, and eight workers share what is due.",
            "",
            "|  | lateness, median s | 99th percentile s | CPU ms a run |",
            "| --- | ---: | ---: | ---: |",
            *rows,
            "",
            f"A tick costs {figures.idle_tick_ms:.1f} ms where none of {figures.flows:,} flows is due, and "
            f"{figures.busy_tick_ms:.0f} ms where all are. A server that has nothing to do takes "
            f"{figures.idle_percent:.1f} % of one processor.",
            "",
        ]
    )


def _furnished(folder: Path, count: int) -> Path:
    (folder / "in.csv").write_text("name\na\n")
    flows = [
        {
            "name": f"f{number}",
            "exports": [{"connection": "here", "resource": "in.csv"}],
            "steps": [
                {
                    "import": {
                        "connection": "here",
                        "resource": f"{number}.csv",
                        "plaintext": True,
                        "mapping": [{"to": "name", "from": "name"}],
                    }
                }
            ],
            "schedule": {"cron": "0 3 * * mon-fri", "timezone": "Europe/Berlin"},
        }
        for number in range(count)
    ]
    here = {"name": "here", "connector": "files", "settings": {"folder": str(folder)}}
    document = folder / "flows.yaml"
    document.write_text(yaml.safe_dump({"version": 1, "connections": [here], "flows": flows}))
    _call(folder / "home", "apply", str(document))
    return folder / "home"


def _ticks(home: Path, count: int) -> tuple[float, float]:
    with Store.open(Config.from_environment({"INTEGRATOR_HOME": str(home)})) as store:
        queue = EmbeddedQueue(store)
        started = time.perf_counter()
        for _ in range(ROUNDS):
            tick(store, queue)
        idle = (time.perf_counter() - started) / ROUNDS
        with store.writing() as stored:
            stored.flows.plan({flow: int(time.time()) - 1 for flow in range(1, count + 1)})
        started = time.perf_counter()
        assert tick(store, queue) == count
        busy = time.perf_counter() - started
        with store.writing() as stored:
            for run in stored.runs.unfinished():
                stored.runs.request_cancel(run.id)
    return idle * 1000, busy * 1000


def _lateness_of(home: Path, count: int, spread: int) -> tuple[float, Lateness]:
    """What an idle server takes, in percent, and what so many runs take."""
    with _serving(home) as process:
        time.sleep(2)
        idle = _cpu_seconds(process.pid)
        time.sleep(5)
        idle = (_cpu_seconds(process.pid) - idle) / 5
        first, last = int(time.time()) + 2, _newest(home)
        with closing(sqlite3.connect(home / "integrator.db", timeout=30)) as connection, connection:
            connection.execute("update flows set next_due = ? + (id % ?)", (first, spread))
        cpu = _cpu_seconds(process.pid)
        while len(lateness := _lateness(home, last)) < count:
            assert process.poll() is None, (home.parent / "serve.log").read_text()
            time.sleep(1)
        cpu = _cpu_seconds(process.pid) - cpu - idle * (time.time() - first + 2)
    late = Lateness(spread, statistics.median(lateness), _percentile(lateness), cpu / count * 1000)
    print(f"{count:,} flows due within {spread} s: {late}", file=sys.stderr)
    return idle * 100, late


def _newest(home: Path) -> int:
    with closing(sqlite3.connect(home / "integrator.db", timeout=30)) as connection:
        return int(connection.execute("select coalesce(max(id), 0) from runs").fetchone()[0])


def _lateness(home: Path, after: int) -> list[float]:
    query = "select started_at - due from runs where id > ? and status = 'succeeded'"
    with closing(sqlite3.connect(home / "integrator.db", timeout=30)) as connection:
        return [row[0] for row in connection.execute(query, (after,))]


def _percentile(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


@contextmanager
def _serving(home: Path) -> Iterator[subprocess.Popen[str]]:
    command = [*INTEGRATOR, "serve", "--port", "0", "--json"]
    with (home.parent / "serve.log").open("a") as log:
        environment = {**os.environ, "INTEGRATOR_HOME": str(home)}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        assert process.stdout
        assert process.stdout.readline()
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _call(home: Path, *arguments: str) -> None:
    subprocess.run(
        [*INTEGRATOR, *arguments],
        env={**os.environ, "INTEGRATOR_HOME": str(home)},
        check=True,
        stdout=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    main()
