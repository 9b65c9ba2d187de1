"""Bad input: one clear sentence that names the thing and the next step, the right exit code, and nothing lost."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from acceptance_house import House, Lab, csv_text, flow, undisturbed

pytestmark = pytest.mark.acceptance

OBEYS_PERMISSIONS = """
import ctypes, os, sys
if os.geteuid() == 0:
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def errors(house: House, run: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = house("runs", "errors", str(run["run"]), "--json").json
    return found


def changed(lab: Lab, **keys: str) -> dict[str, Any]:
    """A document with the iClient changed."""
    return {"version": 1, "clouds": [lab.cloud], "iclients": [{**lab.iclient, **keys}]}


def test_a_wrong_client_secret_is_told_with_the_iclient_and_needs_authorization(house: House, lab: Lab) -> None:
    wrong = {"client_secret": "not-the-secret"}
    house.apply({**changed(lab), "iclients": [{**lab.iclient, "credential": wrong}]})
    tested = house("connections", "test", "contoso", "--json", code=4)
    assert "sandbox-app" in tested.sentence
    assert "apply it again" in tested.sentence
    assert "not-the-secret" not in tested.out + tested.err
    ended = house("flows", "run", "export-csv", "--json", code=4)
    assert ended.json["status"] == "needs authorization"
    assert not list(house.files.iterdir())
    house.apply(changed(lab))
    resumed = house("runs", "resume", str(ended.json["run"]), "--json").json
    assert resumed["status"] == "succeeded"


def test_an_unknown_tenant_is_named(house: House, lab: Lab) -> None:
    house.apply(changed(lab, tenant="99999999-9999-9999-9999-999999999999"))
    told = house("connections", "test", "contoso", code=4).sentence
    assert "99999999-9999-9999-9999-999999999999" in told
    assert "sandbox-app" in told


def test_an_unknown_app_is_named(house: House, lab: Lab) -> None:
    house.apply(changed(lab, client_id="99999999-9999-9999-9999-999999999998"))
    assert "99999999-9999-9999-9999-999999999998" in house("connections", "test", "contoso", code=4).sentence


def test_a_vault_that_the_cloud_does_not_list_gets_no_request_and_no_token(house: House, lab: Lab) -> None:
    vaults = [lab.urls["fabrikam"].removeprefix("https://")]
    house.apply({"version": 1, "clouds": [{**lab.cloud, "vaults": vaults}]})
    lab.control("POST", "calls/reset")
    ended = house("flows", "run", "export-csv", "--json", code=1)
    assert lab.urls["contoso"] in ended.sentence
    assert "vault_url" in ended.sentence
    assert house("connections", "test", "contoso", code=1).sentence
    assert not lab.calls("contoso")
    assert not lab.calls("entra")
    assert not list(house.files.iterdir())


@pytest.mark.parametrize(("rbac", "said"), [(True, "Key Vault Secrets User"), (False, "secret permission Get")])
def test_a_missing_right_to_read_names_the_role_or_the_permission(
    house: House, lab: Lab, rbac: bool, said: str
) -> None:
    lab.settings(vault="contoso", rbac=rbac)
    lab.deny("contoso", "get")
    assert said in house("flows", "run", "export-csv", "--json", code=1).sentence
    assert not (house.files / "out.csv").exists()


def test_a_missing_right_to_list_names_the_role(house: House, lab: Lab) -> None:
    lab.deny("contoso", "list")
    assert "Key Vault Secrets User" in house("connections", "test", "contoso", code=1).sentence
    assert "list" in house("flows", "run", "export-csv", code=1).sentence


def test_a_missing_right_to_write_names_the_role_and_a_resume_completes_it(house: House, lab: Lab) -> None:
    undisturbed(house)
    lab.deny("fabrikam", "set")
    ended = house("flows", "run", "back-csv", "--json", code=1)
    assert "Key Vault Secrets Officer" in ended.sentence
    lab.deny("fabrikam")
    house("runs", "resume", str(ended.json["run"]), "--json")
    assert lab.secrets("fabrikam") == {name: one for name, one in lab.secrets("contoso").items() if one["enabled"]}


def test_a_firewall_is_told_as_a_firewall(house: House, lab: Lab) -> None:
    lab.settings(vault="contoso", firewall=True)
    assert "firewall" in house("connections", "test", "contoso", code=1).sentence


def test_records_that_a_vault_would_refuse_are_told_and_the_others_arrive(house: House, lab: Lab) -> None:
    rows = ["good,1", "bad_name,2", f"too-large,{'x' * 25_601}", "no-value,", ",nameless", "largest," + "y" * 25_600]
    house.file("in.csv", csv_text(*rows))
    run = house.run("import-csv", code=3)
    told = {error["line"]: error for error in errors(house, run)}
    assert {line: error["code"] for line, error in told.items() if line in (3, 4, 6)} == {
        3: "invalid_name",
        4: "value_too_large",
        6: "invalid_name",
    }
    assert "25,600" in told[4]["message"]
    assert "letters, digits and -" in told[3]["message"]
    assert "xxx" not in json.dumps([*told.values()])
    assert {"good", "largest"} <= set(lab.names("fabrikam"))
    assert run["counts"]["created"] + run["counts"]["failed"] == 6


def test_names_that_differ_only_in_case_are_one_name(house: House, lab: Lab) -> None:
    house.file("in.csv", csv_text("Twin,1", "other,2", "tWIN,3"))
    run = house.run("import-csv", code=3)
    [error] = errors(house, run)
    assert (error["code"], error["line"]) == ("duplicate_name", 4)
    assert "line 2" in error["message"]
    assert lab.secret("fabrikam", "Twin")["value"] == "1"
    assert lab.versions("fabrikam", "Twin") == 1


def test_a_mapped_column_that_the_file_lacks_is_named_with_those_that_it_has(house: House, lab: Lab) -> None:
    house.file("in.csv", csv_text("a,1", head="name,secret"))
    told = house("flows", "run", "import-csv", code=1).sentence
    assert "value" in told
    assert "name, secret" in told
    assert not lab.calls("fabrikam").get("put")


def test_a_csv_that_ends_inside_a_cell_loses_only_that_row(house: House, lab: Lab) -> None:
    house.file("in.csv", csv_text("one,1", "two,2") + 'three,"half')
    run = house.run("import-csv", code=3)
    [error] = errors(house, run)
    assert (error["line"], error["code"]) == (4, "half_written")
    assert set(lab.names("fabrikam")) == {"one", "two"}


def test_json_lines_that_end_half_way_lose_only_that_line(house: House, lab: Lab) -> None:
    house.file("in.jsonl", '{"name": "one", "value": "1"}\n{"name": "two", "va')
    run = house.run("import-jsonl", code=3)
    [error] = errors(house, run)
    assert (error["line"], error["code"]) == (2, "not_json")
    assert set(lab.names("fabrikam")) == {"one"}


def test_a_file_that_is_not_utf8_or_has_no_header_is_told(house: House, lab: Lab) -> None:
    house.file("in.csv", b"name,value\nk\xfcche,1\nfine,2\n")
    assert errors(house, house.run("import-csv", code=3))[0]["code"] == "not_utf8"
    house.file("in.csv", b"")
    assert "header" in house("flows", "run", "import-csv", code=1).sentence


def test_a_file_that_is_not_there_is_named(house: House, lab: Lab) -> None:
    assert "in.csv" in house("flows", "run", "import-csv", code=1).sentence


def test_a_folder_that_is_not_there_is_told_and_where_to_change_it(house: House, lab: Lab) -> None:
    connection = {"name": "here", "connector": "files", "settings": {"folder": str(house.files / "no" / "where")}}
    house.apply({"version": 1, "connections": [connection]})
    told = house("connections", "test", "here", code=1).sentence
    assert str(house.files / "no" / "where") in told
    assert "settings.folder" in told
    assert str(house.files / "no") in house("flows", "run", "export-csv", code=1).sentence


def test_a_folder_that_cannot_be_written_is_named(house: House, lab: Lab) -> None:
    house.prefix = (sys.executable, "-c", OBEYS_PERMISSIONS)
    house.files.chmod(0o500)
    try:
        for arguments in (("connections", "test", "here"), ("flows", "run", "export-csv")):
            assert str(house.files) in house(*arguments, code=1).sentence
    finally:
        house.files.chmod(0o700)
    assert not list(house.files.iterdir())


def test_a_home_that_cannot_be_written_is_named(new_house: House, tmp_path: Path) -> None:
    new_house.prefix = (sys.executable, "-c", OBEYS_PERMISSIONS)
    new_house.home.mkdir(mode=0o500)
    assert str(new_house.home) in new_house("runs", "list", code=1).sentence
    new_house.home = new_house.home / "below"
    assert "INTEGRATOR_HOME" in new_house("runs", "list", code=2).sentence


def test_a_home_that_is_a_file_is_named(new_house: House) -> None:
    new_house.home.write_text("")
    assert "INTEGRATOR_HOME" in new_house("runs", "list", "--json", code=2).sentence


@pytest.mark.parametrize("damage", ["not a database", "torn pages", "emptied", "cut"])
def test_a_damaged_database_is_named_and_left_as_it_is(house: House, lab: Lab, damage: str) -> None:
    database = house.home / "integrator.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    whole = database.read_bytes()
    torn = whole[:4096] + b"\xa5" * (len(whole) - 4096)
    broken = {"not a database": b"hello" * 2000, "torn pages": torn, "emptied": b"", "cut": whole[:6000]}[damage]
    database.write_bytes(broken)
    ended = house("flows", "run", "export-csv", "--json", code=1)
    assert ended.sentence
    if damage != "emptied":
        assert str(database) in ended.sentence
        assert "backup" in ended.sentence
        assert database.read_bytes() == broken
    assert not list(house.files.iterdir())


def test_a_database_of_a_newer_version_is_left_alone(house: House, lab: Lab) -> None:
    with closing(sqlite3.connect(house.home / "integrator.db")) as connection, connection:
        connection.execute("update alembic_version set version_num = '9999'")
    assert "newer" in house("flows", "list", code=1).sentence
    with closing(sqlite3.connect(house.home / "integrator.db")) as connection, connection:
        assert connection.execute("select version_num from alembic_version").fetchall() == [("9999",)]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("flows", "run", "nope"), "nope"),
        (("connections", "test", "nope"), "contoso"),
        (("iclients", "show", "nope"), "sandbox-app"),
        (("runs", "show", "4711"), "runs list"),
        (("runs", "resume", "4711"), "4711"),
        (("runs", "cancel", "4711"), "4711"),
    ],
)
def test_an_unknown_name_is_told_with_those_that_there_are(
    house: House, lab: Lab, arguments: tuple[str, ...], named: str
) -> None:
    ended = house(*arguments, "--json", code=1)
    assert named in ended.sentence
    assert ended.json["error"]["message"] == ended.sentence


@pytest.mark.parametrize(
    "arguments", [("flow",), ("flows", "run"), ("runs", "show", "x"), ("flows", "run", "a", "--no"), ("apply",)]
)
def test_wrong_usage_ends_2_and_says_where_help_is(new_house: House, arguments: tuple[str, ...]) -> None:
    ended = new_house(*arguments, "--json", code=2)
    assert "--help" in ended.sentence
    assert ended.json["error"]["code"] == "usage"


def test_a_typo_in_a_document_is_told_with_its_line_and_a_guess_and_nothing_is_changed(house: House, lab: Lab) -> None:
    before = house("dump", "--json").json
    text = "version: 1\nconnections:\n- {name: new, connector: files, settings: {folder: new}}\nflows:\n- name: f\n  exprots: []\n"
    ended = house.apply(text, "typo.yaml", code=2)
    assert "typo.yaml:6: " in ended.sentence
    assert "did you mean exports?" in ended.sentence
    assert house("dump", "--json").json == before


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "empty"),
        ("version: 1\n\tflows: []\n", ":2:"),
        ("version: 1\nversion: 1\n", ":2:"),
        ("- 1\n", "mapping"),
        ("version: 1\nconnections:\n- {name: c, connector: nope}\n", "azure-key-vault"),
        ("version: 1\nconnections:\n- {name: c, connector: files}\n", "folder"),
        (
            "version: 1\niclients:\n- {name: i, provider: entra, client_id: x, credential: {client_secret: {env: NO_SUCH}}}\n",
            "NO_SUCH",
        ),
        (
            "version: 1\niclients:\n- {name: i, provider: entra, client_id: x, credential: {client_secret: {file: no.txt}}}\n",
            "no.txt",
        ),
        (
            "version: 1\nflows:\n- name: f\n  exports: [{connection: nope, resource: x.csv}]\n  steps: [{import: {connection: here, resource: y.csv}}]\n",
            "nope",
        ),
        (
            "version: 1\nflows:\n- name: f\n  exports: [{connection: here, resource: x.csv, where: 'a ||'}]\n  steps: [{import: {connection: here, resource: y.csv}}]\n",
            "JMESPath",
        ),
    ],
)
def test_a_document_that_cannot_be_is_refused_with_file_and_line(house: House, lab: Lab, text: str, named: str) -> None:
    ended = house.apply(text, "bad.yaml", code=2)
    assert "bad.yaml:" in ended.sentence
    assert named in ended.sentence


def test_a_document_that_is_not_there_is_named(new_house: House) -> None:
    assert "nowhere.yaml" in new_house("apply", "nowhere.yaml", "--json", code=2).sentence


def test_a_dump_to_a_place_that_cannot_be_written_is_told(house: House, lab: Lab) -> None:
    assert "no/where.yaml" in house("dump", house.files / "no" / "where.yaml", code=1).sentence


def test_a_file_of_values_is_made_only_where_plaintext_says_so(house: House, lab: Lab) -> None:
    ended = house("flows", "run", "export-unsaid", "--json", code=5)
    assert "plaintext: true" in ended.sentence
    assert ended.json["status"] == "failed"
    assert not list(house.files.iterdir())


def test_a_file_that_no_flow_of_ours_wrote_stays_unless_adopted(house: House, lab: Lab) -> None:
    path = house.file("out.csv", "precious")
    ended = house("flows", "run", "export-csv", "--json", code=5)
    assert "out.csv" in ended.sentence
    assert "adopt: true" in ended.sentence
    assert path.read_text() == "precious"
    adopting = flow(
        "export-csv", ("contoso", "secrets"), ("here", "out.csv"), where="enabled", plaintext=True, adopt=True
    )
    house.apply({"version": 1, "flows": [adopting]})
    house.run("export-csv")
    assert path.read_text("utf-8").startswith("name,value,")
    house.run("export-csv")


def test_a_secret_that_no_flow_of_ours_wrote_stays_unless_adopted(house: House, lab: Lab) -> None:
    lab.put("fabrikam", "theirs", "precious")
    house.file("in.csv", csv_text("theirs,ours", "new,1"))
    run = house.run("import-csv", code=3)
    assert (run["counts"]["conflicts"], run["counts"]["created"]) == (1, 1)
    [error] = errors(house, run)
    assert (error["key"], error["code"]) == ("theirs", "unowned")
    assert lab.secret("fabrikam", "theirs")["value"] == "precious"
    adopting = flow("import-csv", ("here", "in.csv"), ("fabrikam", "secrets"), fields=("name", "value"), adopt=True)
    house.apply({"version": 1, "flows": [adopting]})
    assert house.run("import-csv")["counts"]["updated"] == 1
    assert lab.secret("fabrikam", "theirs")["value"] == "ours"


def test_a_deleted_secret_that_blocks_its_name_is_a_conflict_with_the_way_out(house: House, lab: Lab) -> None:
    lab.put("fabrikam", "gone", "old")
    lab.delete("fabrikam", "gone", purge=False)
    house.file("in.csv", csv_text("gone,new", "here,1"))
    run = house.run("import-csv", code=3)
    [error] = errors(house, run)
    assert error["key"] == "gone"
    assert "recover or purge" in error["message"]
    assert set(lab.names("fabrikam")) == {"here"}


def test_a_full_disk_leaves_the_file_as_it_was_and_a_resume_completes_it(
    house: House, lab: Lab, tmp_path: Path
) -> None:
    whole = undisturbed(house)
    with _small_disk(tmp_path / "disk") as disk:
        here = {"name": "here", "connector": "files", "settings": {"folder": str(disk)}}
        house.apply({"version": 1, "connections": [here]})
        filler = disk / "filler"
        filler.write_bytes(b"x" * (1024 * 1024 - len(whole) // 2))
        ended = house("flows", "run", "export-csv", "--json", code=1)
        assert "full" in ended.sentence
        assert str(disk) in ended.sentence
        assert not (disk / "out.csv").exists()
        filler.unlink()
        house("runs", "resume", str(ended.json["run"]))
        assert (disk / "out.csv").read_bytes() == whole
        assert [path.name for path in disk.iterdir()] == ["out.csv"]


@contextmanager
def _small_disk(path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    path.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(path)]
    if not mount or subprocess.run([mount, *options], capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)
