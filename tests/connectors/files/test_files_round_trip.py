"""Whatever text goes in comes out again."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path

from files_folder import Folder
from hypothesis import given, settings
from hypothesis import strategies as st

_AWKWARD = st.sampled_from(
    ["", "'", "''", "=", "'=1", '"', '""', ",", "\r", "\n", "\r\n", "\0", "\ufeff", "\t", "@x", "\x85"]
)
TEXT = st.one_of(_AWKWARD, st.text(st.characters(exclude_categories=["Cs"])), st.text("=+-@\t\r\n'\",\0 a\ufeff"))
COLUMNS = st.lists(TEXT.filter(bool), min_size=1, max_size=4, unique=True)
TABLES = COLUMNS.flatmap(
    lambda columns: st.lists(st.fixed_dictionaries({column: st.none() | TEXT for column in columns}), max_size=5).map(
        lambda rows: (columns, rows)
    )
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
# The field `value` always comes back as a text: a vault holds nothing else.
OBJECTS = st.lists(
    st.dictionaries(st.text().filter(lambda name: name.lower() != "value"), JSON, max_size=4), max_size=5
)


@given(TABLES)
@settings(deadline=None)
def test_csv_reads_back_as_it_was_written(table) -> None:
    columns, rows = table
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(Path(path))
        folder.write("x.csv", rows, fields=tuple(columns))
        assert folder.rows("x.csv") == [{key: value or "" for key, value in row.items()} for row in rows]


@given(TABLES)
@settings(deadline=None)
def test_no_cell_of_a_csv_file_is_a_formula(table) -> None:
    columns, rows = table
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(Path(path))
        folder.write("x.csv", rows, fields=tuple(columns))
        text = (Path(path) / "x.csv").read_bytes().decode()
    read = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert len(read) == len(rows) + 1
    assert not any(cell[:1] in tuple("=+-@\t\r") for row in read for cell in row if cell)


@given(OBJECTS)
@settings(deadline=None)
def test_json_lines_read_back_as_they_were_written(rows) -> None:
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(Path(path))
        folder.write("x.jsonl", rows)
        assert json.dumps(folder.rows("x.jsonl")) == json.dumps(rows)
