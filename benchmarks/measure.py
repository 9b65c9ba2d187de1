"""Measuring a whole process: wall clock, CPU seconds and peak memory, by the operating system's own account."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figures:
    """One process, or the medians of several."""

    wall_seconds: float
    cpu_seconds: float
    peak_mib: float


def measure(
    command: Sequence[str], log: Path, environment: dict[str, str] | None = None, ok: Sequence[int] = (0,)
) -> Figures:
    """Run a command to its end; what it prints goes to the log."""
    with log.open("ab") as output:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **(environment or {})})
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in ok:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{log.read_text()[-2000:]}")
    return Figures(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def median(figures: Sequence[Figures]) -> Figures:
    """The median of each figure by itself."""
    return Figures(
        statistics.median(one.wall_seconds for one in figures),
        statistics.median(one.cpu_seconds for one in figures),
        statistics.median(one.peak_mib for one in figures),
    )
