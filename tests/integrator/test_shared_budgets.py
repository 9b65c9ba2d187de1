"""Real processes that call one vault under Azure's throttle share its budget through the database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import text

from connectors.azure_key_vault.sandbox import Sandbox
from connectors.throttle import Whole
from integrator import documents
from integrator.config import Config
from integrator.store.budgets import BudgetRows
from integrator.store.store import Store

pytestmark = pytest.mark.kill

CALLER = Path(__file__).with_name("budget_callers.py")
THREADS = 16
PUBLISHED = 400.0


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": 3}, latency_seconds=0.02, throttle=True) as running:
        yield running


@pytest.fixture
def home(sandbox: Sandbox, config: Config, tmp_path: Path) -> Path:
    made = sandbox.document()
    made["clouds"][0]["ca_file"] = str(sandbox.ca_file)
    path = tmp_path / "document.yaml"
    path.write_text(yaml.safe_dump(made))
    with Store.open(config) as store:
        documents.apply(path, store, {})
    return config.home


class Caller:
    """One process; `told` waits for its end."""

    def __init__(self, home: Path, seconds: float) -> None:
        command = [sys.executable, str(CALLER), str(home), "contoso", str(seconds), str(THREADS)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._line() == "READY\n"

    def begin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("begin\n")
        self.process.stdin.flush()

    def told(self) -> Any:
        return json.loads(self._line())

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@contextmanager
def callers(home: Path, count: int, seconds: float) -> Iterator[list[Caller]]:
    """So many processes, which begin at once and are gone afterwards."""
    made: list[Caller] = []
    try:
        made += [Caller(home, seconds) for _ in range(count)]
        for one in made:
            one.begin()
        yield made
    finally:
        for one in made:
            one.end()


def throttled(sandbox: Sandbox) -> int:
    return int(sandbox.calls()["contoso"].get("throttled", 0))


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor does not make 400 calls a second")
def test_two_processes_use_one_budget_each_its_half(sandbox: Sandbox, home: Path) -> None:
    seconds = 12.0
    with callers(home, 2, seconds) as both:
        made = [len(one.told()["answered"]) for one in both]
    assert sum(made) >= 0.85 * PUBLISHED * seconds  # a busy machine takes some
    assert min(made) >= 0.8 * max(made)
    assert throttled(sandbox) <= 0.005 * sum(made)


def test_what_is_left_of_four_goes_on_at_full_speed_when_one_is_killed(sandbox: Sandbox, home: Path) -> None:
    seconds = 8.0
    with callers(home, 4, seconds) as four:
        begun = time.time()
        while sandbox.calls()["contoso"].get("versions", 0) < 1200:
            assert time.time() - begun < seconds
        four[0].process.kill()
        died = time.time()
        left = sorted(at for one in four[1:] for at in one.told()["answered"])
    ends = begun + seconds
    after = [at for at in left if died + 0.5 < at < ends]
    assert len(after) >= 0.8 * PUBLISHED * (ends - died - 0.5)
    assert throttled(sandbox) <= 0.005 * len(left)


def test_a_429_of_one_process_stops_the_others_within_three_tenths_of_a_second(sandbox: Sandbox, home: Path) -> None:
    with callers(home, 3, 6.0) as three:
        begun = time.time()
        while sandbox.calls()["contoso"].get("versions", 0) < 600:
            assert time.time() - begun < 6.0
        sandbox.faults.add(429, host="contoso", times=1, retry_after=2)
        struck = time.time()
        answered = sorted(at for one in three for at in one.told()["answered"])
    late = [at for at in answered if struck + 0.5 < at < struck + 1.9]  # 0.3, and what was on its way
    assert late == []
    again = [at for at in answered if at >= struck + 1.9]
    assert again, "they go on after the pause"
    first = [at for at in again if at < again[0] + 0.2]
    assert len(first) <= 0.2 * PUBLISHED * 1.5, "nobody comes in a herd"


# --- the rows ---


def test_a_place_that_is_asked_for_twice_gives_two_stretches(store: Store) -> None:
    rows = BudgetRows(store.database, store.clock)
    one, other = rows.share("vault"), rows.share("vault")
    first = one.take(0.1, answered=0, owed=0.0, held_seconds=0.0)
    second = other.take(0.1, answered=0, owed=0.0, held_seconds=0.0)
    assert first and second
    assert second.start >= first.end - 1e-6
    rows.close()


def test_six_vaults_of_one_directory_share_what_five_have(store: Store) -> None:
    rows = BudgetRows(store.database, store.clock)
    whole = Whole("vaults of contoso", 5.0)
    shares = [rows.share(f"vault{number}", whole) for number in range(10)]
    begun = store.clock.now()
    ends = 0.0
    for _ in range(20):
        for share in shares:
            stretch = share.take(0.2, answered=0, owed=0.0, held_seconds=0.0)
            assert stretch
            ends = max(ends, stretch.end)
    assert ends - begun >= 10 * 20 * 0.2 / 5 - 0.5
    rows.close()


def test_nobody_waits_for_a_database_that_others_keep(store: Store) -> None:
    rows = BudgetRows(store.database, store.clock)
    share = rows.share("vault")
    begun = time.monotonic()
    with store.database.writing() as connection:
        connection.execute(text("update flows set name = name"))
        assert share.take(0.1, answered=0, owed=0.0, held_seconds=0.0) is None
        assert share.throttled(1.0) is None
        assert share.look() is not None
    assert time.monotonic() - begun < 2.0
    assert share.take(0.1, answered=0, owed=0.0, held_seconds=0.0) is not None
    rows.close()


def test_places_that_nobody_has_called_for_a_day_are_forgotten(store: Store) -> None:
    rows = BudgetRows(store.database, store.clock)
    rows.share("old").take(0.1, answered=0, owed=0.0, held_seconds=0.0)
    with store.database.writing() as connection:
        connection.execute(text("update budgets set at = at - 100000"))
    rows.share("new").take(0.1, answered=0, owed=0.0, held_seconds=0.0)
    with store.database.reading() as connection:
        assert connection.execute(text("select place from budgets")).scalars().all() == ["new"]
    rows.close()
