"""What went wrong in a run is tried again, and nothing else is: by key, from the source, page by page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.azure_key_vault.sandbox import Sandbox
from flows.model import RunStatus
from integrator.again import replaces_whole, resume_later, retry_later
from integrator.bootstrap import Installation
from integrator.config import Config
from integrator.documents import apply
from integrator.errors import FlowWaits, NothingToRetry, RunInProgress, RunIsOver
from integrator.runner import Runner
from integrator.store.runs import Run
from integrator.store.wrong_records import Only

GOOD = "db-password,one\napi-key,two\n"
MAPPING = [{"to": "name", "from": "name"}, {"to": "value", "from": "value"}]


class Bench:
    """An installation whose flows go from files to a vault, to another file, and from vault to vault."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder
        self.home = folder / "home"
        self.installation = Installation(Config.from_environment({"INTEGRATOR_HOME": str(self.home)}))
        document: dict[str, Any] = sandbox.document()
        document["connections"].append({"name": "files", "connector": "files", "settings": {"folder": str(folder)}})
        vault, source = {"connection": "fabrikam", "resource": "secrets"}, {"connection": "files", "resource": "in.csv"}
        whole = {"connection": "files", "resource": "out.csv", "plaintext": True}
        document["flows"] = [
            _flow("to-vault", source, {**vault, "adopt": True}),
            _flow("to-file", source, whole),
            _flow("vaults", {"connection": "contoso", "resource": "secrets"}, {**vault, "adopt": True}),
        ]
        path = folder / "document.yaml"
        path.write_text(yaml.safe_dump(document))
        apply(path, self.installation.store, {})

    def rows(self, text: str) -> None:
        (self.folder / "in.csv").write_text("name,value\n" + text)

    def run(self, flow: str = "to-vault") -> Run:
        return Runner(self.installation).run(flow)

    def retry(self, run: Run, **only: Any) -> Run:
        return Runner(self.installation).retry(run.id, Only(**only))

    def wrong(self, run: Run) -> list[str]:
        with self.installation.store.reading() as stored:
            return [error["key"] for error in stored.runs.errors(run.id)]

    def cli(self, *arguments: str) -> tuple[int, Any]:
        command = [sys.executable, "-m", "integrator", *arguments, "--json"]
        environ = {**os.environ, "INTEGRATOR_HOME": str(self.home)}
        ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
        return ended.returncode, json.loads(ended.stdout)


def _flow(name: str, source: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "exports": [{**source, "values": True}],
        "steps": [{"import": {**target, "operation": "upsert", "mapping": MAPPING}}],
    }


@pytest.fixture(scope="module")
def module_sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": 40, "fabrikam": 0}) as started:
        yield started


@pytest.fixture
def bench(module_sandbox: Sandbox, tmp_path: Path) -> Iterator[Bench]:
    module_sandbox.faults.clear()
    module_sandbox.reset_calls()
    made = Bench(module_sandbox, tmp_path)
    yield made
    made.installation.close()


def test_only_what_went_wrong_is_tried_again_and_read_as_it_is_now(bench: Bench) -> None:
    bench.rows(GOOD + f"too-long,{'x' * 26_000}\nbad name,four\n")
    first = bench.run()
    assert (first.status, bench.wrong(first)) == (RunStatus.WITH_ERRORS, ["too-long", "bad name"])
    bench.rows(GOOD.replace("one", "changed") + "too-long,short\nbad name,four\n")
    again = bench.retry(first)
    assert (again.retry_of, again.status) == (first.id, RunStatus.WITH_ERRORS)
    counts = again.progress.counts
    assert (counts["read"], counts["skipped"], counts["created"], counts["failed"]) == (4, 2, 1, 1)
    assert again.progress.calls["put"] == 1
    assert again.document()["retry_of"] == first.id


def test_a_record_that_was_given_another_name_is_found_by_its_line(bench: Bench) -> None:
    bench.rows(GOOD + "bad name,three\n")
    first = bench.run()
    bench.rows(GOOD + "good-name,three\n")
    again = bench.retry(first)
    assert (again.status, again.progress.counts["skipped"]) == (RunStatus.SUCCEEDED, 2)
    assert bench.wrong(first) == ["bad name"]


def test_those_of_one_cause_or_one_record_are_tried_alone(bench: Bench) -> None:
    bench.rows(GOOD + f"too-long,{'x' * 26_000}\nbad name,four\nworse name,five\n")
    first = bench.run()
    assert bench.wrong(bench.retry(first, code="value_too_large")) == ["too-long"]
    assert bench.wrong(bench.retry(first, key="worse name")) == ["worse name"]
    assert bench.wrong(bench.retry(first, key="worse name", line=6)) == ["worse name"]
    for only in ({"code": "other"}, {"key": "db-password"}, {"key": "worse name", "line": 2}):
        with pytest.raises(NothingToRetry, match="went wrong in run"):
            bench.retry(first, **only)


def test_a_retry_of_a_retry_tries_what_is_left(bench: Bench) -> None:
    bench.rows(GOOD + "bad name,three\nworse name,four\n")
    first = bench.run()
    second = bench.retry(first, key="bad name")
    bench.rows(GOOD + "fine,three\nworse name,four\n")
    third = bench.retry(second)
    assert (third.status, third.retry_of, third.progress.counts["skipped"]) == (RunStatus.SUCCEEDED, second.id, 3)


def test_a_name_that_another_record_has_taken_is_not_overwritten_by_a_retry(bench: Bench) -> None:
    bench.rows("Db-Password,mine\ndb-password,other\n")
    first = bench.run()
    assert bench.wrong(first) == ["db-password"]
    again = bench.retry(first)
    assert bench.wrong(again) == ["db-password"]
    assert again.progress.calls["put"] == 0


def test_a_file_that_is_replaced_whole_gets_every_record_again(bench: Bench) -> None:
    bench.rows(GOOD + '"half,')
    first = bench.run("to-file")
    assert first.status is RunStatus.WITH_ERRORS
    bench.rows(GOOD + "third,three\n")
    again = bench.retry(first)
    assert (again.status, again.progress.counts["skipped"]) == (RunStatus.SUCCEEDED, 0)
    assert (bench.folder / "out.csv").read_text().splitlines()[1:] == ["db-password,one", "api-key,two", "third,three"]
    assert replaces_whole(bench.installation, "to-file")
    assert not replaces_whole(bench.installation, "to-vault")


def test_a_vault_is_listed_and_only_what_is_tried_again_is_read(bench: Bench) -> None:
    first = bench.run("vaults")
    wrong = bench.wrong(first)
    assert wrong
    bench.sandbox.reset_calls()
    again = bench.retry(first, key=wrong[0])
    assert again.progress.counts["skipped"] == 39
    assert again.progress.calls["get"] <= 1


def test_a_flow_that_was_changed_meanwhile_moves_what_it_still_has(bench: Bench) -> None:
    bench.rows(GOOD + "bad name,three\n")
    first = bench.run()
    bench.rows("")
    again = bench.retry(first)
    assert (again.status, again.progress.counts["read"]) == (RunStatus.SUCCEEDED, 0)


def test_the_command_line_retries_at_once_and_ends_as_a_run_does(bench: Bench) -> None:
    bench.rows(GOOD + "bad name,three\n")
    first = bench.run()
    code, document = bench.cli("runs", "retry", str(first.id))
    assert (code, document["status"], document["retry_of"]) == (3, "completed with errors", first.id)
    code, document = bench.cli("runs", "retry", str(first.id), "--code", "nothing")
    assert (code, document["error"]["code"]) == (1, "NothingToRetry")
    bench.rows(GOOD + "good-name,three\n")
    code, document = bench.cli("runs", "retry", str(first.id), "--key", "bad name")
    assert (code, document["retry_only"]) == (0, {"key": "bad name"})


def test_where_workers_are_a_retry_waits_in_line(bench: Bench) -> None:
    bench.rows(GOOD + "bad name,three\n")
    first = bench.run()
    waiting = retry_later(bench.installation, first.id, Only())
    assert (waiting.status, waiting.retry_of) == (RunStatus.WAITING, first.id)
    with pytest.raises(RunInProgress):
        retry_later(bench.installation, first.id, Only())
    with pytest.raises(RunInProgress):
        retry_later(bench.installation, waiting.id, Only())
    with bench.installation.store.reading() as stored:
        assert stored.runs.line.first(bench.installation.clock.now()) == waiting.id


def test_a_run_that_stopped_waits_again_under_its_id(bench: Bench) -> None:
    bench.rows(GOOD)
    done = bench.run()
    with bench.installation.store.writing() as stored:
        run = stored.runs.start("to-vault")
        claim = stored.runs.claim(run.id)
        stored.runs.end(run.id, claim.fence, RunStatus.FAILED, code="no", message="No.")
    waiting = resume_later(bench.installation, run.id)
    assert (waiting.id, waiting.status, waiting.error_message) == (run.id, RunStatus.WAITING, "")
    assert waiting.fence > claim.fence
    assert resume_later(bench.installation, run.id).status is RunStatus.WAITING
    with pytest.raises(RunIsOver):
        resume_later(bench.installation, done.id)


def test_nothing_is_put_in_line_that_waits_for_an_authorization(bench: Bench) -> None:
    bench.rows(GOOD + "bad name,three\n")
    first = bench.run()
    with bench.installation.store.writing() as stored:
        stored.flows.pause("to-vault", "needs authorization", 1.0)
    with pytest.raises(FlowWaits):
        retry_later(bench.installation, first.id, Only())
