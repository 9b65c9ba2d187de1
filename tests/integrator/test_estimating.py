"""What a run will take is told before it begins, and is near what it then takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from connectors.azure_key_vault.sandbox import Sandbox
from connectors.effort import Effort, seconds_of
from integrator import documents
from integrator.bootstrap import Installation
from integrator.cli.flows import flows
from integrator.config import Config
from integrator.estimating import Estimate, by_last_run, counted
from integrator.runner import Runner
from integrator.starting import run_now
from integrator.store.line import Due
from integrator.store.run_events import events_of
from integrator.store.runs import Run
from integrator.worker import Worker

SECRETS = 120
RULES = [{"to": name, "from": name} for name in ("name", "value")]
INPUTS = [{"to": "secretName", "from": "name"}, {"to": "value", "from": "value"}]
CREATING = {"connection": "fabrikam", "action": "create_secret", "inputs": INPUTS, "repeat": "accept"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": SECRETS, "fabrikam": 0}) as running:
        yield running


@pytest.fixture
def installation(sandbox: Sandbox, config: Config, tmp_path: Path) -> Iterator[Installation]:
    made = sandbox.document()
    made["clouds"][0]["ca_file"] = str(sandbox.ca_file)
    export = {"connection": "contoso", "resource": "secrets", "values": True, "where": "enabled"}
    here = {"connection": "here", "resource": "out.jsonl", "plaintext": True, "mapping": RULES}
    there = {"connection": "fabrikam", "resource": "secrets", "mapping": RULES}
    made["connections"].append({"name": "here", "connector": "files", "settings": {"folder": "files"}})
    made["flows"] = [
        {"name": "save", "exports": [export], "steps": [{"import": here}]},
        {"name": "copy", "exports": [export], "steps": [{"import": there}]},
        {"name": "touch", "exports": [export], "steps": [{"action": CREATING}]},
    ]
    path = tmp_path / "document.yaml"
    path.write_text(yaml.safe_dump(made))
    with Installation(config) as opened:
        documents.apply(path, opened.store, {})
        yield opened


def ran(installation: Installation, flow: str) -> Run:
    with Installation(installation.config) as other:
        return Runner(other).run(flow)


def assert_near(estimate: Estimate, run: Run) -> None:
    """Calls within a factor of 1.5, each kind of them, and the records exactly."""
    assert estimate.records == run.progress.counts["read"]
    for kind in {*estimate.calls, *run.progress.calls}:
        told, made = estimate.calls.get(kind, 0), run.progress.calls.get(kind, 0)
        assert made / 1.5 - 2 <= told <= made * 1.5 + 2, (kind, told, made)


def last(installation: Installation, flow: str) -> Estimate | None:
    with installation.store.reading() as stored:
        return by_last_run(stored, flow)


@pytest.mark.parametrize("flow", ["save", "copy"])
def test_a_first_run_and_one_that_finds_nothing_changed_take_what_was_counted(
    installation: Installation, sandbox: Sandbox, flow: str
) -> None:
    sandbox.clock.advance(1000)
    assert last(installation, flow) is None
    first = counted(installation, flow)
    assert first.by == "count"
    assert_near(first, ran(installation, flow))
    again, by_run = counted(installation, flow), last(installation, flow)
    second = ran(installation, flow)
    assert_near(again, second)
    assert by_run is not None
    assert by_run.calls.get("put", 0) == second.progress.calls.get("put", 0) == 0


def test_a_run_after_a_tenth_was_changed_takes_what_was_counted(installation: Installation, sandbox: Sandbox) -> None:
    sandbox.clock.advance(1000)
    ran(installation, "copy")
    contoso = installation.connector("contoso")
    items = contoso.act("list_secrets", {})["items"]
    for one in [one["name"] for one in items if one["isEnabled"]][:12]:
        contoso.act("create_secret", {"secretName": one, "value": "another"})
    told = counted(installation, "copy")
    run = ran(installation, "copy")
    assert run.progress.counts["updated"] == 12
    assert_near(told, run)
    assert told.calls["put"] == 12


def test_no_value_is_read_for_an_estimate(installation: Installation, sandbox: Sandbox) -> None:
    sandbox.reset_calls()
    counted(installation, "copy")
    assert set(sandbox.calls()["contoso"]) <= {"list", "challenge"}
    assert set(sandbox.calls()["fabrikam"]) <= {"list", "challenge"}


def test_a_count_that_ends_early_says_at_least(installation: Installation) -> None:
    told = counted(installation, "save", most_calls=2)
    assert told.by == "least"
    assert told.records < SECRETS
    assert told.sentence.startswith("At least ")


def test_a_run_begins_with_what_it_will_take(installation: Installation) -> None:
    ran(installation, "save")
    run = run_now(installation, "save")
    with installation.store.database.reading() as connection:
        events = events_of(connection, run.id)
    assert [one.event for one in events] == ["queued", "estimated"]
    assert events[1].detail.startswith(f"About {SECRETS} records: ")


def test_a_run_of_the_schedule_tells_what_it_will_take_and_calls_nothing_for_it(installation: Installation) -> None:
    last_calls = ran(installation, "save").progress.calls
    with installation.store.writing() as stored:
        flow_id = stored.flows.id_of("save")
        stored.runs.line.join([Due(flow_id, 3600)])
    claimed = installation.queue.take()
    assert claimed is not None
    Worker(installation).execute(claimed)
    with installation.store.reading() as stored:
        assert stored.runs.get(claimed.run.id).progress.calls == last_calls
    with installation.store.database.reading() as connection:
        events = events_of(connection, claimed.run.id)
    assert [one.event for one in events] == ["queued", "started", "estimated", "ended"]
    assert f"by run {claimed.run.id - 1} of " in events[2].detail


def test_a_scheduled_flow_that_never_ran_tells_nothing(installation: Installation) -> None:
    with installation.store.writing() as stored:
        stored.runs.line.join([Due(stored.flows.id_of("save"), 3600)])
    claimed = installation.queue.take()
    assert claimed is not None
    Worker(installation).execute(claimed)
    with installation.store.database.reading() as connection:
        assert "estimated" not in [one.event for one in events_of(connection, claimed.run.id)]


def test_after_an_action_was_carried_out_for_everybody_the_next_run_mostly_lists(installation: Installation) -> None:
    first = ran(installation, "touch")
    assert first.progress.calls["put"] > 100
    told, second = last(installation, "touch"), ran(installation, "touch")
    assert told is not None
    assert told.calls == second.progress.calls == {"list": first.progress.calls["list"]}


def test_the_command_tells_it_as_a_sentence_and_as_a_document(installation: Installation) -> None:
    environ = {"INTEGRATOR_HOME": str(installation.config.home)}
    said = CliRunner(env=environ).invoke(flows, ["estimate", "save"])
    assert said.exit_code == 0, said.output
    assert said.output.startswith(f"About {SECRETS} records: ")
    document: dict[str, Any] = json.loads(CliRunner(env=environ).invoke(flows, ["estimate", "save", "--json"]).stdout)
    assert document["calls"]["get"] > 100
    assert document["by"] == "count"
    run = CliRunner(env=environ).invoke(flows, ["run", "save"])
    assert "About" not in run.output  # nothing is counted where nobody looks
    run = CliRunner(env=environ).invoke(flows, ["run", "save"])
    assert f"by run {1} of " in run.output


# --- the arithmetic ---

VAULT = Effort(
    "vault", 25, (), ("get",), ("put",), ("get",), ("get", "put"), usual_seconds=0.0025, seconds={"put": 1 / 30}
)


def test_the_slowest_of_budget_list_and_calls_decides() -> None:
    calls = VAULT.reading(100) + VAULT.writing(30, 0, 0)
    assert calls == {"get": 100, "put": 30}
    assert VAULT.budget_seconds(calls) == pytest.approx(1.25)
    assert seconds_of({"vault": 1.25}, 134, (0, 4), 100, 0.02, 16) == pytest.approx(1.45)
    assert seconds_of({"vault": 1.25}, 134, (0, 4), 100, 0.5, 16) == pytest.approx(0.2 + 134 * 0.5 / 16)


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "a second"), (41.6, "42 s"), (600, "10 min"), (9000, "2.5 h")])
def test_times_are_told_as_people_tell_them(seconds: float, words: str) -> None:
    told = Estimate("f", 1, {"get": 1, "list": 1, "key_get": 2}, seconds, "count").sentence
    assert told == f"About 1 record: 1 list call, 1 read, 2 key get calls, about {words}; by a count just now."
