"""Processes that write at once, and processes that are killed: what was settled stays, nothing is settled by halves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from connectors.model import Known
from flows.model import Flow
from integrator.config import Config
from integrator.store.store import Store

WRITER = """
import sys
from pathlib import Path
from collections import Counter
from connectors.model import Effect, Known
from flows.journal import Settled
from flows.model import Export, Flow, Import, Outcome, Progress
from integrator.config import Config
from integrator.store.store import Store

name, pages = sys.argv[1], int(sys.argv[2])
with Store.open(Config.from_environment()) as store:
    with store.writing() as stored:
        stored.flows.save(Flow(name, (Export("a", "b"),), (Import("c", "d"),)))
        unfinished = [run.id for run in stored.runs.unfinished() if run.flow == name]
        claim = stored.runs.claim(unfinished[0] if unfinished else stored.runs.start(name).id)
    journal = store.journal(claim)
    cursor, progress = journal.start()
    for page in range((cursor or {"page": 0})["page"], pages):
        keys = [f"{page}-{number}" for number in range(5)]
        journal.intend("t", {key: "f" for key in keys})
        progress.counts["read"] += len(keys)
        outcomes = [Outcome(key, Effect.CREATED, target_key=key) for key in keys]
        entries = {key: Known("f", owned=True) for key in keys}
        journal.commit("t", Settled(outcomes, {"page": page + 1}, progress, entries))
        print(page, flush=True)
"""


def _writer(config: Config, name: str, pages: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", WRITER, name, str(pages)],
        env={"INTEGRATOR_HOME": str(config.home)},
        stdout=subprocess.PIPE,
        text=True,
    )


def _wait(writer: subprocess.Popen[str]) -> int:
    with writer:
        writer.communicate()
    return writer.returncode


def test_processes_that_write_at_once_lose_nothing(config: Config) -> None:
    names = ["first", "second", "third"]
    writers = [_writer(config, name, 60) for name in names]
    assert [_wait(writer) for writer in writers] == [0, 0, 0]
    with Store.open(config) as store, store.reading() as stored:
        assert {run.progress.counts["read"] for run in stored.runs.newest()} == {300}


@pytest.mark.kill
@pytest.mark.parametrize("lines", [1, 7, 23])
def test_a_killed_run_goes_on_after_its_last_whole_page(config: Config, lines: int) -> None:
    writer = _writer(config, "first", 100_000)
    with writer:
        assert writer.stdout is not None
        for _ in range(lines):
            writer.stdout.readline()
        writer.kill()
    with Store.open(config) as store:
        with store.reading() as stored:
            (run,) = stored.runs.newest()
        assert run.status == "running"
        with store.writing() as stored:
            claim = stored.runs.claim(run.id)
        journal = store.journal(claim)
        settled = set(journal.keys())
        assert claim.cursor is not None
        pages = claim.cursor["page"]
        assert pages >= lines
        assert run.progress.counts["read"] == len(settled) == pages * 5
        begun = [f"{pages}-{number}" for number in range(5)]
        assert all(entry == Known(intent="f") for entry in journal.known("t", begun).values())
    assert _wait(_writer(config, "first", pages + 3)) == 0
    with Store.open(config) as store, store.reading() as stored:
        assert stored.runs.get(run.id).progress.counts["read"] == (pages + 3) * 5


def test_an_intent_survives_the_process_that_noted_it(config: Config, tmp_path: Path) -> None:
    flow = Flow("f", (), ())
    with Store.open(config) as store:
        with store.writing() as stored:
            stored.flows.save(flow)
            run = stored.runs.start("f")
            claim = stored.runs.claim(run.id)
        store.journal(claim).intend("t", {"one": "fingerprint"})
    with Store.open(config) as store:
        with store.writing() as stored:
            claim = stored.runs.claim(run.id)
        assert store.journal(claim).known("t", ["one"]) == {"one": Known(intent="fingerprint")}
