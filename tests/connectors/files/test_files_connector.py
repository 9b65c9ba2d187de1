"""Which names are files of the folder, and what the ping says."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors import registry
from connectors.connector import Access
from connectors.errors import SettingsError
from connectors.files import Files
from connectors.model import Connection, ReadOptions, WriteOptions
from iclients.clock import SystemClock
from iclients.errors import RemoteError


def test_the_connector_is_found_by_its_name() -> None:
    assert registry.connector("files") is Files


def test_ping_counts_the_files_that_can_be_read(folder) -> None:
    for name in ("a.csv", "b.jsonl", "c.txt"):
        folder.put(name, "x\n")
    assert folder.files.ping().message == f"{folder.path} can be written; 2 files in it can be read."


def test_ping_says_that_there_is_no_folder(tmp_path: Path) -> None:
    access = Access(SystemClock(), lambda data: "", tmp_path)
    files = Files(Connection("here", "files", settings={"folder": "far/out"}), access)
    with pytest.raises(RemoteError, match=f"There is no folder {tmp_path}/far/out: .* connection here"):
        files.ping()


def test_ping_says_that_the_first_run_makes_the_folder(tmp_path: Path) -> None:
    access = Access(SystemClock(), lambda data: "", tmp_path)
    files = Files(Connection("here", "files", settings={"folder": "out"}), access)
    assert files.ping().message == f"{tmp_path}/out is not there yet: the first run that writes to it makes it."


@pytest.mark.parametrize("name", ["notes.txt", "csv", ".csv", "contoso.csv.bak", "contoso"])
def test_a_name_with_another_ending_is_refused_and_both_endings_are_named(folder, name: str) -> None:
    with pytest.raises(SettingsError, match=r"must end in \.csv or \.jsonl"):
        folder.files.target(name, WriteOptions(fields=("name",)))


@pytest.mark.parametrize("name", ["../x.csv", "/etc/x.csv", "sub/x.csv", "..", "", "x\0.csv", "..\\x.csv"])
def test_a_name_that_leaves_the_folder_is_refused(folder, name: str) -> None:
    with pytest.raises(SettingsError, match="is not the name of a file in"):
        folder.files.target(name, WriteOptions(fields=("name",)))
    with pytest.raises(SettingsError, match="is not the name of a file in"):
        folder.files.source(name, ReadOptions())


def test_a_link_out_of_the_folder_is_refused(folder, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "x.csv"
    outside.write_text("name\na\n")
    (folder.path / "x.csv").symlink_to(outside)
    with pytest.raises(SettingsError, match="a link that leaves"):
        folder.files.source("x.csv", ReadOptions())
    with pytest.raises(SettingsError, match="a link that leaves"):
        folder.files.target("x.csv", WriteOptions(fields=("name",)))


def test_a_link_inside_the_folder_means_the_file_behind_it(folder) -> None:
    folder.put("real.csv", "name\na\n")
    (folder.path / "alias.csv").symlink_to("real.csv")
    assert folder.rows("alias.csv") == [{"name": "a"}]
    target = folder.files.target("alias.csv", WriteOptions(fields=("name",)))
    assert target.identity == f"file:{folder.path}/real.csv"


def test_a_link_to_a_file_that_is_no_table_is_refused(folder) -> None:
    (folder.path / "x.csv").symlink_to("x.txt")
    with pytest.raises(SettingsError, match=r"must end in"):
        folder.files.target("x.csv", WriteOptions(fields=("name",)))


def test_a_file_that_is_not_there_is_named(folder) -> None:
    with pytest.raises(SettingsError, match=r"There is no file none\.csv in"):
        folder.files.source("none.csv", ReadOptions())


@pytest.mark.parametrize("operation", ["update", "delete"])
def test_an_operation_on_single_records_is_refused(folder, operation: str) -> None:
    with pytest.raises(SettingsError, match="replaced whole"):
        folder.files.target("x.csv", WriteOptions(operation=operation, fields=("name",)))


def test_csv_needs_columns_and_json_lines_do_not(folder) -> None:
    with pytest.raises(SettingsError, match="needs a mapping"):
        folder.files.target("x.csv", WriteOptions())
    folder.files.target("x.jsonl", WriteOptions())
