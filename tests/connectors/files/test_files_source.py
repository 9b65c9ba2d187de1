"""Pages, checkpoints, and a file that changes under the reader."""

from __future__ import annotations

import json
import os
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest

from connectors.errors import SettingsError
from connectors.model import ReadOptions
from iclients.errors import RemoteError

ROWS = "name,note\n" + "".join(f'n{number},"a\nb"\n' for number in range(250))


def test_a_page_has_a_hundred_records_and_the_last_no_checkpoint(folder) -> None:
    path = folder.put("x.csv", ROWS)
    pages = list(folder.files.source("x.csv", ReadOptions()).pages(None))
    assert [len(page.records) for page in pages] == [100, 100, 50]
    status = path.stat()
    offset = len(ROWS.split("n100")[0])
    expected = {"offset": offset, "line": 202, "size": status.st_size, "mtime_ns": status.st_mtime_ns}
    assert pages[0].checkpoint == expected
    assert pages[2].checkpoint is None


def test_lines_are_right_after_a_resume(folder) -> None:
    folder.put("x.csv", ROWS)
    first, *rest = folder.files.source("x.csv", ReadOptions()).pages(None)
    resumed = list(folder.files.source("x.csv", ReadOptions()).pages(json.loads(json.dumps(first.checkpoint))))
    expected = [(record.key, record.line) for page in rest for record in page.records]
    assert [(record.key, record.line) for page in resumed for record in page.records] == expected
    assert expected[0] == ("n100", 202)


@pytest.mark.parametrize(("name", "content"), [("x.csv", "name\n"), ("x.jsonl", ""), ("x.jsonl", "\n\n")])
def test_a_file_without_records_is_one_empty_page(folder, name: str, content: str) -> None:
    folder.put(name, content)
    (page,) = folder.files.source(name, ReadOptions()).pages(None)
    assert (list(page.records), page.checkpoint) == ([], None)


def test_a_resume_refuses_a_file_that_has_changed(folder) -> None:
    path = folder.put("x.csv", ROWS)
    page = next(folder.files.source("x.csv", ReadOptions()).pages(None))
    path.write_text(ROWS + "more,1\n")
    with pytest.raises(SettingsError, match=r"x\.csv in .* has changed since the run started; start a new run\."):
        next(folder.files.source("x.csv", ReadOptions()).pages(page.checkpoint))


def test_a_resume_refuses_a_file_that_was_only_touched(folder) -> None:
    path = folder.put("x.csv", ROWS)
    page = next(folder.files.source("x.csv", ReadOptions()).pages(None))
    os.utime(path, ns=(1, 1))
    with pytest.raises(SettingsError, match="has changed"):
        next(folder.files.source("x.csv", ReadOptions()).pages(page.checkpoint))


def test_a_file_that_changes_while_it_is_read_stops_the_reading(folder) -> None:
    path = folder.put("x.csv", ROWS)
    with closing(folder.files.source("x.csv", ReadOptions())) as source:
        pages = source.pages(None)
        next(pages)
        with path.open("a") as file:
            file.write("more,1\n")
        with pytest.raises(SettingsError, match="has changed"):
            next(pages)


def test_a_file_that_is_replaced_while_it_is_read_is_read_to_its_own_end(folder) -> None:
    path = folder.put("x.csv", ROWS)
    with closing(folder.files.source("x.csv", ReadOptions())) as source:
        pages = source.pages(None)
        next(pages)
        folder.put("y.csv", "name,note\n").replace(path)
        assert sum(len(page.records) for page in pages) == 150


def test_a_file_that_vanishes_before_it_is_opened_is_told(folder) -> None:
    path = folder.put("x.csv", ROWS)
    source = folder.files.source("x.csv", ReadOptions())
    path.unlink()
    with pytest.raises(RemoteError, match="cannot be read: No such file") as caught:
        source.fields()
    assert caught.value.code == "file_error"


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl"])
def test_memory_stays_flat_over_fifty_thousand_rows(folder, name: str) -> None:
    _fifty_thousand(folder.path / name)
    source = folder.files.source(name, ReadOptions())
    tracemalloc.start()
    try:
        count = sum(len(page.records) for page in source.pages(None))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 50_000
    assert peak_bytes < 2_000_000


def _fifty_thousand(path: Path) -> None:
    with path.open("w") as file:
        if path.suffix == ".csv":
            file.write("name,value\n")
        for number in range(50_000):
            row = f"n{number},{'v' * 50}" if path.suffix == ".csv" else json.dumps({"name": f"n{number}", "value": "v"})
            file.write(row + "\n")
