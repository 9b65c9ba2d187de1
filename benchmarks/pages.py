"""`python -m benchmarks.pages`: how long the server takes for each page of a house that has worked for a year.

The application is asked in this process, as the server asks it: what is measured is our own work and the database's, not
the network. The house is made by `benchmarks.seed`, or was made before (`--home`).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from http import HTTPStatus
from pathlib import Path
from typing import Final

from flask.testing import FlaskClient

from benchmarks.seed import SHARED, USER, Sizes, seed
from integrator.bootstrap import Installation
from integrator.config import Config
from integrator.store.account_rows import writing_accounts
from integrator.web.app import create_app

SESSION: Final = "integrator-session"
TO_REACH_MS: Final = 150
ROUNDS: Final = 15

_LISTS: Final = (
    ("Flows", "/flows"),
    ("Flows, last page", "/flows?page=20"),
    ("Flows, searched", "/flows?q=copy-09"),
    ("Flows that are paused", "/flows?state=paused"),
    ("Flows by name, downwards", "/flows?sort=-name"),
    ("Flows of one connection", f"/flows?q={SHARED}"),
    ("Runs", "/runs"),
    ("Runs, last page", "/runs?page=2000"),
    ("Runs that failed", "/runs?status=failed"),
    ("Runs with errors, last page", "/runs?status=completed+with+errors&page=250"),
    ("Runs of a flow", "/runs?flow=nightly-copy-0007"),
    ("Runs, searched", "/runs?q=copy-0500"),
    ("Runs, searched, found nowhere", "/runs?q=nowhere"),
    ("Runs by beginning", "/runs?sort=started"),
    ("Runs by flow", "/runs?sort=flow"),
    ("Connections", "/connections"),
    ("Connections, last page", "/connections?page=20"),
    ("Connections, searched", "/connections?q=09"),
    ("Connections that need authorization", "/connections?state=needs+authorization"),
    ("Connections by state", "/connections?sort=-since"),
    ("iClients", "/iclients"),
    ("iClients by expiry", "/iclients?sort=expires"),
    ("iClients, searched", "/iclients?q=19"),
    ("Audit", "/audit"),
    ("Audit, last page", "/audit?page=200"),
    ("Audit, searched", "/audit?q=owner7"),
    ("Audit of connections", "/audit?noun=connection"),
    ("Notices", "/notices"),
    ("Notices, all", "/notices?seen=yes"),
    ("Search", "/search?q=vault-09"),
)
_THINGS: Final = (
    ("Home", "/"),
    ("A flow", "/flows/nightly-copy-0007"),
    ("A connection", "/connections/contoso-vault-0007"),
    ("The connection of every flow", f"/connections/{SHARED}"),
    ("Deleting that connection", f"/connections/{SHARED}/delete"),
    ("Editing a flow", "/flows/nightly-copy-0007/edit"),
    ("Editing a connection", "/connections/contoso-vault-0007/edit"),
    ("A new connection", "/new/connection?connector=azure-key-vault"),
    ("An iClient", "/iclients/contoso-app-007"),
    ("Account", "/account"),
    ("Health", "/health"),
    ("Health, the slow checks", "/health/checks"),
    ("/health/live", "/health/live"),
    ("/health/ready", "/health/ready"),
)
_RUN: Final = (
    ("The run with the most errors", ""),
    ("  its last page", "?page={last}"),
    ("  one cause", "?code=forbidden"),
    ("  searched", "?q=secret-0000"),
    ("  by line", "?sort=line"),
    ("  steps", "?tab=steps"),
    ("  events", "?tab=events"),
    ("  document", "?tab=document"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="a home that benchmarks.seed has made")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    print(section(Sizes(), options.rounds, options.home))


def section(sizes: Sizes, rounds: int = ROUNDS, home: Path | None = None) -> str:
    """The table of all pages, as docs/benchmarks.md has it."""
    with tempfile.TemporaryDirectory(prefix="integrator-bench-") as folder:
        if home is None:
            home = Path(folder) / "home"
            seed(home, sizes)
        with Installation(Config.from_environment({"INTEGRATOR_HOME": str(home)}), waited_for=True) as here:
            browser = _signed_in(here)
            rows = [(title, *_asked(browser, path, rounds)) for title, path in _pages(sizes)]
    rows.sort(key=lambda row: -row[1])
    lines = [f"| {title} | {median:.1f} | {slowest:.1f} | {cpu:.1f} |" for title, median, slowest, cpu in rows]
    return "\n".join(
        [
            "## Pages",
            "",
            f"Server time in milliseconds with {sizes.connections:,} connections, {sizes.flows:,} flows, {sizes.runs:,} "
            f"runs, {sizes.errors:,} errors of records in SQLite; {rounds} times each after a first one. To reach: under "
            f"{TO_REACH_MS} ms.",
            "",
            "| page | median | slowest | of the processor |",
            "| --- | ---: | ---: | ---: |",
            *lines,
            "",
        ]
    )


def _pages(sizes: Sizes) -> list[tuple[str, str]]:
    last = max(1, sizes.errors // 10 // 50)
    run = [(title, f"/runs/{sizes.runs}{query.format(last=last)}") for title, query in _RUN]
    return [*_THINGS, *_LISTS, *run]


def _signed_in(here: Installation) -> FlaskClient:
    now = here.clock.now()
    with writing_accounts(here.store) as rows:
        token = rows.sessions.begin(rows.users.get(USER), now)
    browser = create_app(here).test_client()
    browser.set_cookie(SESSION, token)
    return browser


def _asked(browser: FlaskClient, path: str, rounds: int) -> tuple[float, float, float]:
    """Median and slowest of so many answers, and the processor's part of the median; the very first one is left out."""
    taken = [_timed(browser, path) for _ in range(rounds + 1)][1:]
    walls, cpus = zip(*taken, strict=True)
    return statistics.median(walls), max(walls), statistics.median(cpus)


def _timed(browser: FlaskClient, path: str) -> tuple[float, float]:
    started, cpu = time.perf_counter(), time.process_time()
    answer = browser.get(path)
    taken = (time.perf_counter() - started) * 1000, (time.process_time() - cpu) * 1000
    if answer.status_code != HTTPStatus.OK:
        raise SystemExit(f"{path} is answered with {answer.status_code}")
    return taken


if __name__ == "__main__":
    main()
