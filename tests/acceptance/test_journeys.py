"""The journeys that people make, through the command line alone."""

from __future__ import annotations

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from acceptance_house import COMMAND, House, Lab, check_run, csv_text, finish, undisturbed, until

from integrator.cli import root

pytestmark = pytest.mark.acceptance


def test_the_demo_tells_the_whole_story_and_leaves_nothing_behind(new_house: House, tmp_path: Path) -> None:
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    new_house.environ["TMPDIR"] = str(scratch)
    started = time.monotonic()
    runs = new_house("demo", "--json").json
    assert time.monotonic() - started < 60
    assert [run["flow"] for run in runs] == ["vault-to-file", "file-to-vault", "file-to-vault"]
    assert [check_run(run)["status"] for run in runs] == ["succeeded"] * 3
    assert runs[0]["counts"]["read"] == 500
    assert runs[1]["counts"]["created"] == runs[0]["counts"]["created"] > 400
    assert runs[2]["counts"]["unchanged"] == runs[1]["counts"]["created"]
    assert set(runs[2]["calls"]) == {"list"}
    assert not list(scratch.iterdir())
    assert not new_house.home.exists() or not list(new_house.home.iterdir())


def test_the_demo_for_people_says_what_it_did_and_what_to_try_next(new_house: House) -> None:
    ended = new_house("demo")
    assert ended.out.count("succeeded in") == 3
    assert "Proof" in ended.out
    after = ended.out.split("Try next:")[1].strip().splitlines()
    assert len(after) == 3
    assert all("integrator " in line for line in after)


def test_applying_the_same_document_twice_changes_nothing(house: House, lab: Lab) -> None:
    dumped = house("dump", "--json").json
    first = yaml.safe_load(house("dump").out)
    assert first == dumped
    again = house.apply(dumped).out
    assert "created" not in again
    assert "updated" not in again
    assert house("dump", "--json").json == dumped


def test_a_dump_makes_the_same_house_again_and_says_which_credential_is_missing(
    house: House, lab: Lab, tmp_path: Path
) -> None:
    path = tmp_path / "dump.yaml"
    assert house("dump", path).out == ""
    assert lab.client_secret not in path.read_text()
    other = House(tmp_path / "other", house.files)
    assert other("apply", path, "--json").json["iclients"]["created"] == ["sandbox-app"]
    assert other("dump", "--json").json == house("dump", "--json").json
    asked = other("connections", "test", "contoso", code=4)
    assert "sandbox-app" in asked.sentence
    assert "client_secret" in asked.sentence


def test_a_document_without_a_credential_keeps_what_is_stored(house: House, lab: Lab) -> None:
    house.apply(house("dump", "--json").json)
    assert house("connections", "test", "contoso", "--json").json["ok"] is True


def test_apply_says_in_json_what_became_of_each_noun(house: House, lab: Lab) -> None:
    document = house("dump", "--json").json
    document["connections"] = [{"name": "there", "connector": "files", "settings": {"folder": "there"}}]
    document["flows"][0]["exports"][0]["where"] = "managed"
    path = house.home.parent / "changed.yaml"
    path.write_text(yaml.safe_dump(document))
    applied = house("apply", path, "--json").json
    assert list(applied) == ["clouds", "iclients", "connections", "flows"]
    assert all(list(kind) == ["created", "updated", "unchanged"] for kind in applied.values())
    assert applied["connections"]["created"] == ["there"]
    assert applied["flows"]["updated"] == [document["flows"][0]["name"]]
    assert len(applied["flows"]["unchanged"]) == len(document["flows"]) - 1


@pytest.mark.parametrize("noun", ["iclients", "connections", "flows"])
def test_a_list_is_an_array_of_what_show_prints(house: House, lab: Lab, noun: str) -> None:
    listed = house(noun, "list", "--json").json
    assert [thing["name"] for thing in listed] == sorted(thing["name"] for thing in listed)
    assert house(noun, "show", listed[0]["name"], "--json").json == listed[0]
    assert lab.client_secret not in json.dumps(listed)
    assert listed[0]["name"] in house(noun, "list").out


def test_what_is_used_cannot_be_deleted_and_what_is_not_can(house: House, lab: Lab) -> None:
    assert "contoso" in house("iclients", "delete", "sandbox-app", code=1).sentence
    assert "is used by flow" in house("connections", "delete", "contoso", code=1).sentence
    assert house("flows", "delete", "copy", "--json").json == {"deleted": "copy"}
    assert "copy" not in [thing["name"] for thing in house("flows", "list", "--json").json]
    house("connections", "delete", "arm")
    assert "arm" in house("connections", "show", "arm", code=1).sentence


def test_a_connection_is_tested_on_both_planes(house: House, lab: Lab) -> None:
    tested = house("connections", "test", "contoso", "--json").json
    assert tested["connection"] == "contoso"
    assert tested["ok"] is True
    assert "arm" in house("connections", "test", "arm").out
    asked = {kind: many for kind, many in lab.calls("contoso").items() if kind in ("list", "get")}
    assert asked == {"list": 1, "get": 1}, "of a name that nobody has: the answer tells the right, and holds no value"


def test_secrets_go_into_a_csv_file_and_from_there_into_another_vault(house: House, lab: Lab) -> None:
    there = {name: secret for name, secret in lab.secrets("contoso").items() if secret["enabled"]}
    lab.control("POST", "calls/reset")
    exported = house.run("export-csv")
    assert exported["status"] == "succeeded"
    assert exported["counts"]["created"] == len(there) == exported["calls"]["get"] == lab.calls("contoso")["get"]
    assert exported["counts"]["skipped"] == 60 - len(there)
    assert (house.files / "out.csv").stat().st_mode & 0o777 == 0o600
    imported = house.run("back-csv")
    assert imported["counts"]["created"] == imported["calls"]["put"] == len(there)
    assert lab.secrets("fabrikam") == there


def test_secrets_go_into_a_json_lines_file_and_from_there_into_another_vault(house: House, lab: Lab) -> None:
    there = {name: secret for name, secret in lab.secrets("contoso").items() if secret["enabled"]}
    house.run("export-jsonl")
    lines = [json.loads(line) for line in (house.files / "out.jsonl").read_text("utf-8").split("\n") if line]
    assert {line["name"]: line["value"] for line in lines} == {name: one["value"] for name, one in there.items()}
    house.run("back-jsonl")
    assert lab.secrets("fabrikam") == there


def test_secrets_go_straight_from_vault_to_vault_and_a_second_time_cost_lists_alone(house: House, lab: Lab) -> None:
    house.run("copy")
    assert lab.secrets("fabrikam") == {name: one for name, one in lab.secrets("contoso").items() if one["enabled"]}
    time.sleep(3.1)  # what was touched within the lag window counts as changed
    lab.control("POST", "calls/reset")
    again = house.run("copy")
    assert set(again["calls"]) == {"list"}
    assert again["counts"]["unchanged"] == again["counts"]["read"] - again["counts"]["skipped"]
    assert not {"get", "put", "patch"} & set(lab.calls("contoso")) | {"get", "put", "patch"} & set(
        lab.calls("fabrikam")
    )


def test_a_change_at_the_source_is_all_that_is_written(house: House, lab: Lab) -> None:
    house.file("in.csv", csv_text("one,1", "two,2", "three,3"))
    house.run("import-csv")
    house.file("in.csv", csv_text("one,1", "two,CHANGED", "three,3"))
    lab.control("POST", "calls/reset")
    counts = house.run("import-csv")["counts"]
    assert (counts["updated"], counts["unchanged"]) == (1, 2)
    assert lab.calls("fabrikam").get("put") == 1
    assert lab.secret("fabrikam", "two")["value"] == "CHANGED"


def test_what_the_mapping_does_not_name_is_carried_forward(house: House, lab: Lab) -> None:
    house.file("in.csv", csv_text("one,1"))
    house.run("import-csv")
    lab.put("fabrikam", "one", "1", tags={"team": "blue"}, contentType="text/plain", attributes={"exp": 4102444800})
    house.file("in.csv", csv_text("one,2"))
    assert house.run("import-csv")["counts"]["updated"] == 1
    secret = lab.secret("fabrikam", "one")
    assert (secret["value"], secret["tags"], secret["exp"]) == ("2", {"team": "blue"}, 4102444800)
    assert secret["contentType"] == "text/plain"


def test_a_file_without_values_needs_no_right_to_read_any(house: House, lab: Lab) -> None:
    lab.deny("contoso", "get")
    assert house.run("export-names")["counts"]["created"] == 60
    assert "get" not in lab.calls("contoso")


def test_runs_are_listed_newest_first_and_shown_as_they_ended(house: House, lab: Lab) -> None:
    first, second = house.run("export-names"), house.run("export-csv")
    listed = house("runs", "list", "--json").json
    assert [run["run"] for run in listed] == [second["run"], first["run"]]
    assert listed[0] == house("runs", "show", str(second["run"]), "--json").json == second
    assert [run["run"] for run in house("runs", "list", "--flow", "export-names", "--json").json] == [first["run"]]
    assert len(house("runs", "list", "--limit", "1", "--json").json) == 1
    assert "export-csv" in house("runs", "list").out
    assert "succeeded" in house("runs", "show", str(second["run"])).out


def test_errors_of_a_run_name_key_line_and_reason_and_never_a_value(house: House, lab: Lab) -> None:
    house.file("in.csv", csv_text("good,HIDE-1", "bad name,HIDE-2"))
    run = house.run("import-csv", code=3)
    assert run["status"] == "completed with errors"
    [error] = house("runs", "errors", str(run["run"]), "--json").json
    assert list(error) == ["key", "line", "step", "code", "recovery", "message"]
    assert (error["key"], error["line"], error["recovery"]) == ("bad name", 3, "skip")
    told = house("runs", "errors", str(run["run"])).out
    assert "bad name" in told
    assert "HIDE" not in told + json.dumps(error)


def test_a_run_that_failed_is_resumed_when_its_cause_is_mended(house: House, lab: Lab) -> None:
    lab.deny("contoso", "get")
    ended = house("flows", "run", "slow-csv", "--json", code=1)
    run = check_run(ended.json)
    assert run["status"] == "failed"
    assert "Key Vault Secrets User" in ended.err
    assert ended.last_line.endswith(f"integrator runs resume {run['run']}")
    assert not (house.files / "slow.csv").exists()
    lab.deny("contoso")
    resumed = check_run(house("runs", "resume", str(run["run"]), "--json").json)
    assert (resumed["run"], resumed["status"]) == (run["run"], "succeeded")
    assert resumed["counts"]["created"] == sum(lab.names("contoso").values())
    assert "over" in house("runs", "resume", str(run["run"]), code=1).sentence


def test_a_run_can_be_cancelled_from_another_process_and_resumed(house: House, lab: Lab) -> None:
    whole = undisturbed(house)
    lab.settings(latency_seconds=0.15)
    lab.control("POST", "calls/reset")
    process = house.start("flows", "run", "slow-csv", "--json")
    until(lambda: lab.calls("contoso").get("get", 0))
    run_id = house("runs", "list", "--limit", "1", "--json").json[0]["run"]
    assert house("runs", "show", str(run_id), "--json").json["status"] == "running"
    house("runs", "cancel", str(run_id))
    ended = finish(process, ("flows", "run", "slow-csv", "--json")).ended(130)
    assert check_run(ended.json)["status"] == "cancelled"
    lab.settings(latency_seconds=0)
    house("runs", "resume", str(run_id))
    assert (house.files / "slow.csv").read_bytes() == whole


def test_keys_are_looked_at_and_rotated(house: House, lab: Lab) -> None:
    report = house("keys", "doctor", "--json").json
    assert report["mode"] == "0600"
    assert report["problems"] == []
    rotated = house("keys", "rotate", "--json").json["key"]
    assert house("keys", "doctor", "--json").json["keys"][0] == rotated
    house("connections", "test", "contoso")


def test_a_missing_key_file_is_never_made_anew(house: House, lab: Lab) -> None:
    key = house.home / "seal.key"
    content = key.read_bytes()
    key.unlink()
    for arguments in (("connections", "test", "contoso"), ("flows", "run", "export-csv"), ("keys", "rotate")):
        ended = house(*arguments, code=1)
        assert str(key) in ended.err
        assert "backup" in ended.err
        assert not key.exists()
    assert str(key) in house("keys", "doctor", "--json", code=1).out
    house("doctor", code=1)
    key.write_bytes(content)
    key.chmod(0o600)
    house("connections", "test", "contoso")


def test_the_doctor_finds_nothing_in_a_sound_house_and_names_the_next_step_otherwise(house: House, lab: Lab) -> None:
    findings = house("doctor", "--json").json
    assert all(finding["is_ok"] for finding in findings)
    house.home.chmod(0o755)
    (house.home / "seal.key").chmod(0o644)
    wrong = [one for one in house("doctor", "--json", code=1).json if not one["is_ok"]]
    assert {one["subject"] for one in wrong} == {"data folder", "keys"}
    assert all("chmod" in one["sentence"] for one in wrong)


def test_a_new_house_says_what_to_do_first(new_house: House) -> None:
    for noun in ("iclients", "connections", "flows"):
        assert "integrator apply" in new_house(noun, "list").out
    assert "integrator flows run" in new_house("runs", "list").out
    assert new_house("runs", "list", "--json").json == []
    new_house("doctor")
    assert new_house("dump", "--json").json == {"version": 1}
    assert new_house.home.stat().st_mode & 0o777 == 0o700
    assert (new_house.home / "integrator.db").stat().st_mode & 0o777 == 0o600


def test_every_command_takes_json_and_its_help_has_a_sentence(new_house: House) -> None:
    commands = dict(_commands(root, ()))
    assert len(commands) > 20
    for path, command in commands.items():
        takes = {option for parameter in command.params for option in parameter.opts}
        assert isinstance(command, click.Group) or "--json" in takes, path
    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(lambda path: new_house(*path, "--help"), commands))
    for ended in ends:
        sentence = ended.out.split("\n\n")[1].strip()
        assert sentence[0].isupper(), ended.arguments
        assert "." in sentence, ended.arguments


def test_help_is_there_at_once(new_house: House) -> None:
    def seconds() -> float:
        started = time.monotonic()
        new_house("--help")
        return time.monotonic() - started

    assert min(seconds() for _ in range(3)) < 0.5


def test_the_contract_document_is_taken_as_far_as_this_version_goes(new_house: House, lab: Lab) -> None:
    (new_house.files.parent / "lab-ca.pem").write_bytes(Path(lab.cloud["ca_file"]).read_bytes())
    new_house.environ["CONTOSO_SECRET"] = lab.client_secret
    new_house.apply(_contract(lab))
    stored = new_house("flows", "show", "vault-to-csv", "--json").json
    assert stored["schedule"] == {"cron": "0 3 * * mon-fri", "timezone": "Europe/Berlin"}
    run = new_house.run("vault-to-csv")
    assert run["counts"]["created"] == sum(lab.names("contoso").values())
    assert (new_house.files.parent / "out" / "contoso.csv").stat().st_mode & 0o777 == 0o600
    assert lab.client_secret not in new_house("dump").out


_NOT_YET: dict[str, tuple[str, str, str]] = {
    "a credential of a store": ("{env: CONTOSO_SECRET}", "{credential: contoso-secret}", "credential"),
    "settings of a provider": (
        "    scopes: [",
        "    settings: {issuer: 'https://login.acme.test'}\n    scopes: [",
        "issuer",
    ),
    "delta": ("type: all", "type: delta", "delta"),
    "deleting secrets": (
        "connection: here\n          resource: contoso.csv\n          operation: upsert",
        "connection: contoso-vault\n          resource: secrets\n          operation: delete",
        "operation",
    ),
    "deleting a file's records": ("operation: upsert", "operation: delete", "operation"),
    "wings": ("resource: secrets", "resource: wings", "wings"),
    "two exports": ("    steps:", "      - {connection: here, resource: b.csv}\n    steps:", "one entry"),
    "a deletion policy": ("adopt: false", "deletions: mirror", "deletions"),
    "stores": ("flows:", "stores: [{name: main}]\nflows:", "stores"),
    "another version": ("version: 1", "version: 2", "version"),
}


def test_what_the_contract_has_and_this_version_does_not_is_refused_by_name(new_house: House, lab: Lab) -> None:
    new_house.environ["CONTOSO_SECRET"] = lab.client_secret
    (new_house.files.parent / "lab-ca.pem").write_bytes(Path(lab.cloud["ca_file"]).read_bytes())
    new_house("doctor")
    contract = _contract(lab)

    def refused(case: str) -> tuple[str, str]:
        before, after, named = _NOT_YET[case]
        assert before in contract, case
        ended = new_house.apply(contract.replace(before, after, 1), f"{case}.yaml".replace(" ", "-"), code=None)
        return case, "" if ended.code == 2 and named in ended.sentence else f"{case}: {ended.code} {ended.err}"

    with ThreadPoolExecutor(2) as pool:
        wrong = [told for _, told in pool.map(refused, _NOT_YET) if told]
    assert not wrong, "\n".join(wrong)
    assert new_house("dump", "--json").json == {"version": 1}


def test_the_sandbox_prints_one_line_when_it_is_ready_and_ends_on_sigterm(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [COMMAND, "sandbox", "--vault", "small=1"], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert process.stdout
    assert "ready" in process.stdout.readline()
    process.terminate()
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "")


def _commands(command: Any, path: tuple[str, ...]) -> Any:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from _commands(command.get_command(context, name), (*path, name))


def _contract(lab: Lab) -> str:
    """Design §5, with the sandbox's addresses."""
    hosts = ", ".join(f'"{url.removeprefix("https://")}"' for url in lab.urls.values())
    return f"""version: 1
clouds:
  - name: lab
    authority: {lab.cloud["authority"]}
    arm: {lab.cloud["arm"]}
    vaults: [{hosts}, "*.vault.lab.test"]
    vault_audience: https://vault.azure.net
    arm_audience: https://management.azure.com
    ca_file: lab-ca.pem
iclients:
  - name: contoso-app
    provider: entra
    cloud: lab
    tenant: {lab.iclient["tenant"]}
    client_id: {lab.iclient["client_id"]}
    credential: {{client_secret: {{env: CONTOSO_SECRET}}}}
    scopes: ["https://vault.azure.net/.default"]
connections:
  - name: contoso-vault
    connector: azure-key-vault
    api_type: data
    auth: client_credentials
    iclient: contoso-app
    settings: {{vault_url: "{lab.urls["contoso"]}", api_version: "2025-07-01"}}
    limits: {{calls: 2000, period_seconds: 60, concurrency: 32}}
  - {{name: here, connector: files, settings: {{folder: ./out}}}}
flows:
  - name: vault-to-csv
    exports:
      - {{connection: contoso-vault, resource: secrets, values: true, type: all, where: "enabled"}}
    steps:
      - import:
          connection: here
          resource: contoso.csv
          operation: upsert
          plaintext: true
          adopt: false
          mapping: [{{to: name, from: name}}, {{to: value, from: value}}]
    schedule: {{cron: "0 3 * * mon-fri", timezone: Europe/Berlin}}
"""
