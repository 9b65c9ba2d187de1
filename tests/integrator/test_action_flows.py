"""Action steps against the sandbox: there and back, many at once, killed and resumed, on a bad day, and what is refused."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.azure_key_vault.sandbox import Sandbox
from connectors.model import Need
from flows.model import RunStatus
from iclients.errors import NotAuthorized, RemoteError
from iclients.testing import MovableClock
from integrator import documents
from integrator.acting import act
from integrator.bootstrap import Installation
from integrator.config import Config
from integrator.documents import apply
from integrator.errors import BadDocument, InUse
from integrator.pinging import needs_of, pinged
from integrator.preview import LATER, preview
from integrator.rehearsal import rehearsed
from integrator.runner import Runner
from integrator.standing import ConnectionStanding
from integrator.step_words import cautions, steps_in_words
from integrator.store.runs import Run

EXAMPLES = Path(__file__).parents[2] / "examples"
HERE = {"connection": "files", "resource": "in.csv"}
KEY = "columns"


class Bench:
    """An installation with files, a vault with a key, and a flow for each test."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.folder, self.home = sandbox, folder, folder / "home"
        self.installation = Installation(Config.from_environment({"INTEGRATOR_HOME": str(self.home)}))
        self.document: dict[str, Any] = sandbox.document()
        self.document["connections"].append(
            {"name": "files", "connector": "files", "settings": {"folder": str(folder)}}
        )
        self.apply()
        self.rows({f"row-{number}": f"value {number}" for number in range(5)})

    def apply(self, *flows: dict[str, Any]) -> None:
        path = self.folder / "document.yaml"
        path.write_text(yaml.safe_dump({**self.document, "flows": list(flows)}))
        apply(path, self.installation.store, {})

    def rows(self, found: dict[str, str]) -> None:
        with (self.folder / "in.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("name", "value"), *found.items()])

    def written(self, name: str) -> dict[str, str]:
        with (self.folder / name).open(newline="") as file:
            return {row["name"]: row["text"] for row in csv.DictReader(file)}

    def run(self, flow: str) -> Run:
        return Runner(self.installation).run(flow)

    def wrong(self, run: Run) -> list[dict[str, Any]]:
        with self.installation.store.reading() as stored:
            return stored.runs.errors(run.id)

    def flow(self, name: str) -> Any:
        with self.installation.store.reading() as stored:
            return stored.flows.get(name)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "integrator", *arguments]
        environ = {**os.environ, "INTEGRATOR_HOME": str(self.home)}
        return subprocess.Popen(command, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def acting(
    action: str, into: str | None, *, connection: str = "contoso", repeat: bool = False, **inputs: str
) -> dict[str, Any]:
    """An action step; an input with `=` in front is a fixed text."""
    rules = [
        {"to": to, "template": text[1:]} if text.startswith("=") else {"to": to, "from": text}
        for to, text in inputs.items()
    ]
    step = {
        "connection": connection,
        "action": action,
        "inputs": rules,
        "into": into,
        "repeat": "accept" if repeat else None,
    }
    return {"action": {key: value for key, value in step.items() if value}}


def encrypting(name: str = "sealing", target: str = "sealed.csv", **inputs: str) -> dict[str, Any]:
    step = acting("encrypt", "sealed", keyName=f"={KEY}", algorithm="=RSA-OAEP-256", rawData="value", **inputs)
    return through(name, step, to=target, text="sealed.encryptedData")


def decrypting(name: str = "opening") -> dict[str, Any]:
    step = acting("decrypt", "opened", keyName=f"={KEY}", algorithm="=RSA-OAEP-256", encryptedData="text")
    made = through(name, step, to="opened.csv", text="opened.rawData", plaintext=True)
    return {**made, "exports": [{"connection": "files", "resource": "sealed.csv"}]}


def through(name: str, *steps: dict[str, Any], to: str, text: str, **more: Any) -> dict[str, Any]:
    mapping = [{"to": "name", "from": "name"}, {"to": "text", "from": text}]
    end = {"import": {"connection": "files", "resource": to, "mapping": mapping, **more}}
    return {"name": name, "exports": [HERE], "steps": [*steps, end]}


def each(name: str, step: dict[str, Any], resource: str = "in.csv", connection: str = "files") -> dict[str, Any]:
    return {"name": name, "exports": [{"connection": connection, "resource": resource}], "steps": [step]}


@pytest.fixture(scope="module")
def module_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": 0, "fabrikam": 0}) as started:
        first = Bench(started, tmp_path_factory.mktemp("key"))
        act(first.installation, "contoso", "create_key", {"keyName": KEY, "keyType": "RSA"})
        first.installation.close()
        yield started


@pytest.fixture
def bench(module_sandbox: Sandbox, tmp_path: Path) -> Iterator[Bench]:
    module_sandbox.faults.clear()
    module_sandbox.reset_calls()
    made = Bench(module_sandbox, tmp_path)
    yield made
    made.installation.close()
    module_sandbox.faults.clear()
    module_sandbox.vault("contoso").allow()


def test_what_is_encrypted_by_one_flow_is_decrypted_by_another(bench: Bench) -> None:
    bench.apply(encrypting(), decrypting())
    texts = {"plain": "correct horse", "empty of sense": "Ümlaut\n'\"", "long": "x" * 150}
    bench.rows(texts)
    sealed = bench.run("sealing")
    assert (sealed.status, sealed.progress.counts["created"]) == (RunStatus.SUCCEEDED, 3)
    assert sealed.progress.calls == {"key_encrypt": 3, "key_get": 3}
    assert not set(bench.written("sealed.csv").values()) & set(texts.values())
    assert bench.run("opening").status is RunStatus.SUCCEEDED
    assert bench.written("opened.csv") == texts


def test_a_secret_that_an_action_gives_is_written_readably_only_where_that_is_said(bench: Bench) -> None:
    opening = decrypting()
    opening["steps"][-1]["import"].pop("plaintext")
    bench.apply(encrypting(), opening)
    bench.run("sealing")
    run = bench.run("opening")
    assert (run.status, run.error_code) == (RunStatus.FAILED, "refused")
    assert not (bench.folder / "opened.csv").exists()


def test_a_thousand_records_are_encrypted_on_sixteen_threads(bench: Bench) -> None:
    bench.document["connections"][0]["limits"] = {"calls": 1_000_000, "period_seconds": 10, "concurrency": 16}
    bench.apply(encrypting(), decrypting())
    texts = {f"row-{number}": f"value {number}" for number in range(1000)}
    bench.rows(texts)
    assert bench.run("sealing").progress.counts["created"] == 1000
    assert bench.run("opening").progress.counts["created"] == 1000
    assert bench.written("opened.csv") == texts


def test_deleted_secrets_are_purged_each_by_its_own_action(bench: Bench) -> None:
    for name in ("old-a", "old-b", "kept"):
        act(bench.installation, "fabrikam", "create_secret", {"secretName": name, "value": "x"})
        act(bench.installation, "fabrikam", "delete_secret", {"secretName": name})
    purge = each(
        "purging", acting("purge_secret", None, connection="fabrikam", secretName="name"), "deleted_secrets", "fabrikam"
    )
    purge["exports"][0]["where"] = "starts_with(name, 'old-') && timestamp(deleted) < now()"
    bench.apply(purge)
    run = bench.run("purging")
    counts = run.progress.counts
    assert (run.status, counts["updated"], counts["skipped"]) == (RunStatus.SUCCEEDED, 2, 1)
    left = act(bench.installation, "fabrikam", "list_deleted_secrets", {})["items"]
    assert [one["name"] for one in left] == ["kept"]
    assert bench.run("purging").progress.counts["read"] == 1


def test_an_unchanged_record_costs_no_action(bench: Bench) -> None:
    bench.sandbox.vault("contoso").put("from-here", "hunter2")
    step = acting("get_secret_metadata", "told", secretName="name")
    mapping = [
        {"to": "name", "from": "name"},
        {"to": "value", "from": "value"},
        {"to": "tags", "from": "{version: told.version}"},
    ]
    flow = {
        "name": "copy",
        "exports": [{"connection": "contoso", "resource": "secrets", "values": True}],
        "steps": [
            step,
            {"import": {"connection": "fabrikam", "resource": "secrets", "adopt": True, "mapping": mapping}},
        ],
    }
    bench.apply(flow)
    assert bench.run("copy").progress.counts["created"] == 1
    bench.installation.clock = MovableClock(time.time() + 60)  # type: ignore[assignment]
    assert bench.run("copy").progress.counts["unchanged"] == 1  # once the clock has moved on, markers can be trusted
    bench.sandbox.reset_calls()
    again = bench.run("copy")
    assert again.progress.counts["unchanged"] == 1
    assert set(again.progress.calls) <= {"list"}


@pytest.mark.parametrize("kind", ["429", "503", "lost", "reset"])
def test_what_passes_is_waited_out(kind: str, bench: Bench) -> None:
    bench.apply(encrypting())
    bench.sandbox.faults.add(kind, host="contoso", path="/encrypt")
    run = bench.run("sealing")
    assert (run.status, run.progress.counts["created"]) == (RunStatus.SUCCEEDED, 5)


def test_a_right_that_is_missing_is_each_records_failure_at_its_step(bench: Bench) -> None:
    bench.apply(encrypting())
    bench.sandbox.vault("contoso").deny("keys/encrypt")
    run = bench.run("sealing")
    wrong = bench.wrong(run)
    assert (run.status, len(wrong)) == (RunStatus.WITH_ERRORS, 5)
    assert {(one["step"], one["code"], one["recovery"]) for one in wrong} == {
        ("action contoso/encrypt", "forbidden", "skip")
    }
    assert not any("value" in one["message"] for one in wrong)


def test_a_lost_answer_of_what_makes_something_new_is_told_and_not_repeated(bench: Bench) -> None:
    bench.apply(each("making", acting("create_key", None, repeat=True, keyName="name", keyType="=EC")))
    bench.rows({"made-here": "x"})
    bench.sandbox.faults.add("lost", host="contoso", path="/create")
    run = bench.run("making")
    assert [one["code"] for one in bench.wrong(run)] == ["answer_lost"]
    versions = act(bench.installation, "contoso", "list_key_versions", {"keyName": "made-here"})["items"]
    assert len(versions) == 1


def test_a_killed_run_goes_on_and_every_record_is_there_once(bench: Bench) -> None:
    bench.document["connections"][0]["limits"] = {"calls": 1_000_000, "period_seconds": 10, "concurrency": 4}
    bench.apply(encrypting(), decrypting())
    texts = {f"row-{number}": f"value {number}" for number in range(1200)}
    bench.rows(texts)
    process = bench.start("flows", "run", "sealing")
    limit = time.monotonic() + 60
    while bench.sandbox.calls()["contoso"].get("key_encrypt", 0) < 400:
        assert time.monotonic() < limit
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with bench.installation.store.reading() as stored:
        [left] = stored.runs.unfinished()
    run = Runner(bench.installation).resume(left.id)
    assert (run.status, run.progress.counts["created"]) == (RunStatus.SUCCEEDED, 1200)
    bench.run("opening")
    assert bench.written("opened.csv") == texts


def test_a_killed_purge_goes_on_without_a_failed_record(bench: Bench) -> None:
    names = [f"gone-{number}" for number in range(60)]
    for name in names:
        bench.sandbox.vault("contoso").put(name, "x")
        act(bench.installation, "contoso", "delete_secret", {"secretName": name})
    bench.rows(dict.fromkeys(names, "x"))
    bench.document["connections"][0]["limits"] = {"concurrency": 2}
    bench.apply(each("purging", acting("purge_secret", None, secretName="name")))
    process = bench.start("flows", "run", "purging")
    limit = time.monotonic() + 60
    while bench.sandbox.calls()["contoso"].get("purge", 0) < 20:
        assert time.monotonic() < limit
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with bench.installation.store.reading() as stored:
        [left] = stored.runs.unfinished()
    run = Runner(bench.installation).resume(left.id)
    assert (run.status, bench.wrong(run)) == (RunStatus.SUCCEEDED, [])
    assert run.progress.counts["updated"] == 60


REFUSED = [
    (acting("encyrpt", None), "steps[0].action.action is encyrpt, and there is no action of connection contoso"),
    (acting("encrypt", None, connection="nowhere"), "steps[0].action.connection is nowhere, and there is no connection"),
    (acting("encrypt", None, keyNmae="name"), "steps[0].action.inputs[0].to is keyNmae, and there is no parameter of action"),
    (acting("encrypt", None, keyName="name", algorithm="=RSA-OAEP"), "steps[0].action needs an input rawData"),
    (acting("encrypt", None, connection="arm", keyName="name"), "which needs a connection with api_type data; arm has control"),
    (acting("sign", None, keyName="name", algorithm="=RS1", digest="value"), "inputs[1] cannot be used: algorithm is none of"),
    (acting("create_secret", None, repeat=True, secretName="name", value="=x"), "inputs[1] is secret, and would stand in this"),
    (acting("rotate_key", None, keyName="name"), "is rotate_key, which must not be carried out twice"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "said"), REFUSED, ids=[said[:40] for _, said in REFUSED])
def test_a_step_that_cannot_work_is_refused_with_its_place(step: dict[str, Any], said: str, bench: Bench) -> None:
    with pytest.raises(BadDocument) as refused:
        bench.apply(each("wrong", step))
    assert said in str(refused.value)
    assert "document.yaml:" in str(refused.value)


def test_a_field_that_the_source_has_cannot_hold_what_an_action_gives(bench: Bench) -> None:
    step = acting("get_secret_metadata", "tags", secretName="name")
    flow = through("wrong", step, to="out.csv", text="tags.version")
    flow["exports"] = [{"connection": "contoso", "resource": "secrets"}]
    with pytest.raises(BadDocument, match="tags, which is a field of secrets already"):
        bench.apply(flow)


def test_repetition_that_is_accepted_is_told_where_the_flow_is_shown(bench: Bench) -> None:
    bench.apply(each("rotating", acting("rotate_key", None, repeat=True, keyName="name")), encrypting())
    [told] = cautions(bench.installation, bench.flow("rotating"))
    assert "rotate_key on contoso changes something each time" in told
    assert not cautions(bench.installation, bench.flow("sealing"))
    assert steps_in_words(bench.flow("sealing")) == [
        "export files/in.csv",
        "action contoso/encrypt, what it gives into sealed",
        "import files/sealed.csv",
    ]
    shown, _ = bench.start("flows", "show", "rotating").communicate(timeout=60)
    assert "# 2. action contoso/rotate_key\n# rotate_key on contoso changes something each time" in shown


def test_a_connection_is_tested_for_what_its_actions_need(bench: Bench) -> None:
    bench.apply(encrypting())
    assert needs_of(bench.installation, "contoso") == {Need(right="keys/encrypt"), Need(right="keys/get")}
    assert {check.name for check in pinged(bench.installation, "contoso").checks} >= {"keys encrypt", "keys get"}
    bench.sandbox.vault("contoso").deny("keys/encrypt")
    with pytest.raises(RemoteError, match="Key Vault Crypto User"):
        pinged(bench.installation, "contoso")


def test_a_connection_that_an_action_uses_is_not_deleted(bench: Bench) -> None:
    bench.apply(encrypting())
    with bench.installation.store.writing() as stored, pytest.raises(InUse, match="sealing"):
        stored.connections.delete("contoso")


def test_a_flow_waits_for_the_connection_of_its_action(bench: Bench) -> None:
    bench.apply(encrypting())
    standing = ConnectionStanding(bench.installation.store, "contoso", bench.installation.clock)
    standing.refused(NotAuthorized("Authorize it."))
    with bench.installation.store.reading() as stored:
        assert "sealing" in stored.flows.paused()
    standing.let_in()
    with bench.installation.store.reading() as stored:
        assert not stored.flows.paused()


def test_a_preview_carries_nothing_out_and_says_what_is_made_later(bench: Bench) -> None:
    bench.apply(encrypting(), each("rotating", acting("rotate_key", None, repeat=True, keyName="name")))
    found = preview(bench.installation, bench.flow("sealing"))
    assert {(row.cells["text"].kind, row.cells["text"].text) for row in found.rows} == {
        (LATER, "made when the flow runs")
    }
    assert found.rows[0].cells["name"].text == "row-0"
    assert preview(bench.installation, bench.flow("rotating")).rows[0].cells["keyName"].text == "row-0"
    assert not bench.sandbox.calls().get("contoso")


def test_a_rehearsal_looks_at_the_inputs_of_actions(bench: Bench) -> None:
    bench.apply(encrypting(), encrypting("other", rawDataEncoding="kind"))
    assert rehearsed(bench.installation, bench.flow("sealing")) is None
    refusal = rehearsed(bench.installation, bench.flow("other"))
    assert refusal is not None
    assert refusal.part == "actions"
    assert refusal.sentence.startswith("Step action contoso/encrypt: The mapping to rawDataEncoding takes kind")


def test_the_example_encrypts_a_column(bench: Bench) -> None:
    document = documents.read("encrypt-column.yaml", (EXAMPLES / "encrypt-column.yaml").read_bytes()).data
    lab = bench.sandbox.document()
    document["clouds"] = lab["clouds"]
    document["iclients"] = [{**lab["iclients"][0], "name": "contoso-crypto"}]
    folder, vault = document["connections"]
    folder["settings"]["folder"] = str(bench.folder)
    vault["settings"]["vault_url"] = bench.sandbox.vault_url("contoso")
    (bench.folder / "accounts.csv").write_text("name,value\ndb-password,correct horse\n")
    path = bench.folder / "example.yaml"
    path.write_text(documents.text(document))
    apply(path, bench.installation.store, {})
    run = bench.run("encrypt-column")
    assert run.status is RunStatus.SUCCEEDED, run.error_message
    text = (bench.folder / "sealed.csv").read_text()
    assert text.startswith("name,cipher,key_version\n")
    assert "correct horse" not in text
