"""`make bench`: our figures beside what else you could use, in one run, on this machine; writes docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from benchmarks.budgets import section as shared_budgets
from benchmarks.lab import Lab, lab
from benchmarks.measure import Figures, median
from benchmarks.pages import section as pages_section
from benchmarks.schedule import measured, section
from benchmarks.seed import Sizes

REPORT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
LATENCY = "--latency=20"
READS_A_SECOND, CREATES_A_SECOND = 400, 30

Rows = list[tuple[str, ...]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each contender runs; medians are told")
    parser.add_argument("--quick", action="store_true", help="small vaults, one round, no report: does it work?")
    options = parser.parse_args()
    rounds = 1 if options.quick else options.rounds
    sizes = (100, 200) if options.quick else (2_000, 6_000)
    with tempfile.TemporaryDirectory(prefix="integrator-bench-") as folder:
        sections = [
            _speed(Path(folder), sizes, rounds),
            _throttled(Path(folder), *((400, 60) if options.quick else (12_000, 1_000))),
            shared_budgets(*((100, 2) if options.quick else (1_500, 4))),
            _memory(Path(folder), *((100, 500) if options.quick else (2_000, 50_000))),
            pages_section(Sizes(20, 10, 20, 200, 2_000, 100, 20) if options.quick else Sizes()),
            section(measured(*((50, 5) if options.quick else (1_000, 60)))),
        ]
    text = "\n".join([_head(rounds), *sections])
    if options.quick:
        print(text)
    else:
        REPORT.write_text(text)
        print(f"Wrote {REPORT}")


def _speed(folder: Path, sizes: tuple[int, int], rounds: int) -> str:
    vaults = {f"v{size}": size for size in sizes} | {f"copy{size}": 0 for size in sizes} | {"empty": 0}
    parts = []
    with lab(folder / "speed", vaults, LATENCY) as here:
        start = median([here.run_flow("export-empty")[0] for _ in range(rounds)])
        for size in sizes:
            parts.append(_export_section(here, size, rounds, start))
            parts.append(_import_section(here, size, start))
    return "\n".join(parts)


def _export_section(here: Lab, size: int, rounds: int, start: Figures) -> str:
    vault = f"v{size}"
    contenders: dict[str, Callable[[], Figures]] = {
        "Integrator, export to JSON Lines": lambda: here.run_flow(f"export-{vault}")[0],
        "plain requests script, 32 threads": lambda: here.contender("plain_requests", vault, 32),
        "official SDK, 8 threads": lambda: here.contender("sdk", vault, 8),
        "official SDK, 16 threads": lambda: here.contender("sdk", vault, 16),
        "official SDK, 32 threads, pool of 32": lambda: here.contender("sdk", vault, 32),
        "official aio SDK, 32 tasks": lambda: here.contender("sdk_aio", vault, 32),
    }
    taken: dict[str, list[Figures]] = {name: [] for name in contenders}
    for _ in range(rounds):  # in turn, so that a machine that slows down slows all of them
        for name, run in contenders.items():
            taken[name].append(_said(name, size, run()))
    figures = {name: median(runs) for name, runs in taken.items()}
    sequential = "official SDK, sequential"
    figures[sequential] = _said(sequential, size, here.contender("sdk", vault, 1))
    ours = next(iter(figures.values()))
    records = here.run_flow(f"export-{vault}")[1]["counts"]["created"]
    best_sdk = min(one.wall_seconds for name, one in figures.items() if "official" in name)
    plain = figures["plain requests script, 32 threads"].wall_seconds
    cpu_ms = (ours.cpu_seconds - start.cpu_seconds) / records * 1000
    rows: Rows = [
        (name, f"{one.wall_seconds:.2f}", f"{one.wall_seconds / ours.wall_seconds:.2f} ×", f"{one.cpu_seconds:.2f}",
         f"{one.cpu_seconds / records * 1000:.2f}", f"{one.peak_mib:.0f}")
        for name, one in figures.items()
    ]  # fmt: skip
    return "\n".join(
        [
            f"## Export of {size:,} secrets ({records:,} enabled), 20 ms latency",
            "",
            _table(("", "wall s", "against ours", "CPU s", "CPU ms a secret", "peak MiB"), rows),
            f"Starting the process and running an empty flow costs {start.wall_seconds:.2f} s and "
            f"{start.cpu_seconds:.2f} s of CPU; that aside ours takes **{cpu_ms:.2f} ms of CPU a secret** (to reach: 0.8). "
            f"Ours is **{plain / ours.wall_seconds:.2f} ×** as fast as the plain script (to reach: 1.0) and "
            f"**{best_sdk / ours.wall_seconds:.2f} ×** as fast as the official SDK at its best (to reach: 1.2), although "
            "it checkpoints, maps and survives kill -9.",
            "",
        ]
    )


def _import_section(here: Lab, size: int, start: Figures) -> str:
    rows: Rows = []
    for name in ("import into an empty vault", "the same again, nothing changed"):
        figures, document = here.run_flow(f"import-v{size}-copy{size}")
        counts, calls = document["counts"], document["calls"]
        records = counts["read"]
        cpu_ms = (figures.cpu_seconds - start.cpu_seconds) / records * 1000
        told = ", ".join(f"{number:,} {kind}" for kind, number in calls.items())
        rows.append((name, f"{figures.wall_seconds:.2f}", f"{cpu_ms:.2f}", f"{figures.peak_mib:.0f}", told))
    return "\n".join(
        [
            f"### Import of {records:,} secrets from JSON Lines, 20 ms latency",
            "",
            _table(("", "wall s", "CPU ms a secret", "peak MiB", "calls"), rows),
        ]
    )


def _throttled(folder: Path, reads: int, creates: int) -> str:
    rows: Rows = []
    vaults = {"many": reads, "few": creates, "copy": 0}
    with lab(folder / "throttled", vaults, LATENCY, "--throttle") as here:
        for name, flow, ceiling, kinds in (
            ("export, against 4,000 reads per 10 s", "export-many", READS_A_SECOND, ("get", "list")),
            ("export that the import needs", "export-few", READS_A_SECOND, ("get", "list")),
            ("import, against 300 creates per 10 s", "import-few-copy", CREATES_A_SECOND, ("put",)),
        ):
            _, document = here.run_flow(flow)
            calls = sum(document["calls"].get(kind, 0) for kind in kinds)
            rate = calls / document["seconds"]
            rows.append(
                (name, f"{calls:,}", f"{document['seconds']:.1f}", f"{rate:.0f}", f"{rate / ceiling:.3f}",
                 str(document["counts"]["failed"]))
            )  # fmt: skip
    return "\n".join(
        [
            "## Under Azure's throttle",
            "",
            "To reach: 0.95 of the ceiling over 30 seconds, no failed record.",
            "",
            _table(("", "calls", "seconds", "calls/s", "of the ceiling", "failed"), [rows[0], rows[2]]),
        ]
    )


def _memory(folder: Path, few: int, many: int) -> str:
    rows: Rows = []
    with lab(folder / "memory", {"few": few, "many": many, "copyfew": 0, "copymany": 0}) as here:
        for name, flows in (
            ("export to JSON Lines", ("export-few", "export-many")),
            ("import into an empty vault", ("import-few-copyfew", "import-many-copymany")),
            ("the same again, nothing changed", ("import-few-copyfew", "import-many-copymany")),
        ):
            small, large = (_said(flow, 0, here.run_flow(flow)[0]).peak_mib for flow in flows)
            rows.append((name, f"{small:.0f}", f"{large:.0f}", f"{large / small:.2f} ×"))
    return "\n".join(
        [
            "## Memory",
            "",
            f"Peak memory of the whole process in MiB, no latency. To reach: at most 1.3 × from {few:,} to {many:,} secrets.",
            "",
            _table(("", f"{few:,}", f"{many:,}", "ratio"), rows),
        ]
    )


def _head(rounds: int) -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("azure-keyvault-secrets", "requests", "aiohttp"))
    return (
        "# Benchmarks\n\n"
        f"Written by `make bench` on Python {platform.python_version()}, {os.cpu_count()} processors, with {packages}. Every "
        f"contender is a whole process; medians of {rounds} rounds in turn (the sequential SDK runs once). The sandbox runs "
        "beside it on the same machine, on loopback TLS. All of them write the same fields of every enabled secret to a "
        "file of JSON Lines.\n"
    )


def _table(heads: tuple[str, ...], rows: Rows) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" + " ---: |" * (len(heads) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows), ""])


def _said(name: str, size: int, figures: Figures) -> Figures:
    print(f"{name} {size or ''}: {figures.wall_seconds:.2f} s, {figures.peak_mib:.0f} MiB", file=sys.stderr)
    return figures


main()
