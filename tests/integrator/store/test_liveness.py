from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from integrator.store.liveness import RunLocks

HOLDER = """
import sys
from pathlib import Path
from integrator.store.liveness import RunLocks
with RunLocks(Path(sys.argv[1])).hold(7) as held:
    print(held, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def locks(tmp_path: Path) -> RunLocks:
    return RunLocks(tmp_path)


def test_a_run_that_nobody_holds_is_free(locks: RunLocks) -> None:
    assert not locks.is_held(7)


def test_a_held_run_is_held_for_everybody_else_until_the_end(locks: RunLocks) -> None:
    with locks.hold(7) as held:
        assert held
        assert locks.is_held(7)
        assert not locks.is_held(8)
        with locks.hold(7) as second:
            assert not second
        assert locks.is_held(7)
    assert not locks.is_held(7)


def test_nothing_is_left_behind(locks: RunLocks, tmp_path: Path) -> None:
    with locks.hold(7):
        pass
    assert [*tmp_path.glob("*.lock")] == []


def test_looking_never_takes_the_lock_from_who_wants_it(locks: RunLocks) -> None:
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            locks.is_held(7)

    lookers = [threading.Thread(target=look) for _ in range(3)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(200):
            with locks.hold(7) as held:
                assert held
    finally:
        stop.set()
        for looker in lookers:
            looker.join()


@pytest.mark.kill
def test_the_kernel_frees_the_run_of_a_killed_process(locks: RunLocks, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        assert locks.is_held(7)
        with locks.hold(7) as held:
            assert not held
        holder.kill()
        holder.wait()
    assert not locks.is_held(7)
    with locks.hold(7) as held:
        assert held
