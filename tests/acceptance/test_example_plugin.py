"""The plug-in of CONTRIBUTING works: installed beside the product, a flow goes through it, and the kit judges it.

What pip would put into a folder is put there by hand, from the example's own pyproject.toml: building it needs a
network, and tests have none.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from acceptance_house import House, csv_text

pytestmark = pytest.mark.acceptance

PLUGIN = Path(__file__).parents[2] / "examples" / "connector_plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plug-in, as `pip install --target` would leave it."""
    folder = tmp_path_factory.mktemp("installed")
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text())
    ignored = shutil.ignore_patterns("__pycache__")
    for package in project["tool"]["setuptools"]["packages"]:
        shutil.copytree(PLUGIN / package, folder / package, ignore=ignored)
    about = project["project"]
    info = folder / f"{about['name'].replace('-', '_')}-{about['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {about['name']}\nVersion: {about['version']}\n")
    groups = [
        "\n".join([f"[{group}]", *(f"{name} = {where}" for name, where in entries.items())])
        for group, entries in about["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups) + "\n")
    return folder


@pytest.fixture
def furnished(new_house: House, installed: Path) -> House:
    """An installation with the plug-in and its document."""
    new_house.environ["PYTHONPATH"] = str(installed)
    shutil.copy(PLUGIN / "document.yaml", new_house.files.parent / "document.yaml")
    new_house("apply", new_house.files.parent / "document.yaml")
    return new_house


def test_without_the_plugin_its_document_is_refused_with_the_names_that_there_are(new_house: House) -> None:
    sentence = new_house("apply", PLUGIN / "document.yaml", code=2).sentence
    assert "environment-file, which is not installed" in sentence
    assert "azure-key-vault, files" in sentence


def test_a_flow_goes_through_the_plugin_and_a_second_run_writes_nothing(furnished: House) -> None:
    furnished.file("settings.csv", csv_text("db-password,it's 1 $", "db-host,localhost"))
    assert furnished.run("csv-to-env")["counts"]["created"] == 2
    path = furnished.files / "app.env"
    assert path.read_text() == 'DB_PASSWORD="it\'s 1 \\$"\nDB_HOST=localhost\n'
    assert path.stat().st_mode & 0o777 == 0o600
    assert furnished.run("csv-to-env")["counts"]["unchanged"] == 2
    assert furnished.run("env-to-jsonl")["counts"]["created"] == 2
    rows = [json.loads(line) for line in (furnished.files / "app.jsonl").read_text().splitlines()]
    assert rows[0] == {"name": "DB_PASSWORD", "value": "it's 1 $"}


def test_lines_that_no_flow_wrote_stay_as_they_are(furnished: House) -> None:
    furnished.file("app.env", "# by hand\nDB_HOST=elsewhere\n")
    furnished.file("settings.csv", csv_text("db-password,new", "db-host,localhost"))
    run = furnished.run("csv-to-env", code=3)
    assert run["counts"]["conflicts"] == 1
    assert (furnished.files / "app.env").read_text() == "# by hand\nDB_HOST=elsewhere\nDB_PASSWORD=new\n"
    (error,) = furnished("runs", "errors", str(run["run"]), "--json").json
    assert error["code"] == "unowned"


def test_a_line_of_ours_that_somebody_changed_is_put_back(furnished: House) -> None:
    furnished.file("settings.csv", csv_text("db-host,localhost"))
    furnished.run("csv-to-env")
    furnished.file("app.env", "DB_HOST=elsewhere\nMINE=1\n")
    assert furnished.run("csv-to-env")["counts"]["updated"] == 1
    assert (furnished.files / "app.env").read_text() == "DB_HOST=localhost\nMINE=1\n"


def test_its_own_tests_pass(installed: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(PLUGIN)]
    ended = subprocess.run(
        [*command, "-p", "no:cacheprovider", str(PLUGIN / "tests")],
        env={**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_doctor_knows_it(furnished: House) -> None:
    (finding,) = [item for item in furnished("doctor", "--json").json if item["subject"] == "connection environment"]
    assert finding["is_ok"]
