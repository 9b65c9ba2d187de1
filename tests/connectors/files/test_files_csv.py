"""What a CSV file gives: cells byte for byte, and a sentence for each row that is broken."""

from __future__ import annotations

import pytest

from connectors.errors import SettingsError
from connectors.model import BadRecord, ReadOptions, Record
from iclients.secret import Secret


def test_values_hide_themselves_whatever_the_flow_asked_for(folder) -> None:
    folder.put("x.csv", "name,value,Value\na,s3cret,s3cret\n")
    (record,) = folder.read("x.csv")
    assert isinstance(record.fields["value"], Secret)
    assert isinstance(record.fields["Value"], Secret)
    assert "s3cret" not in f"{record} {record.fields}"


def test_a_record_is_named_by_its_name_or_else_by_its_line(folder) -> None:
    folder.put("x.csv", "name,note\na,1\n,2\n")
    assert [record.key for record in folder.read("x.csv")] == ["a", "line 3"]


def test_cells_of_many_lines_are_kept_and_counted(folder) -> None:
    folder.put("x.csv", 'name,note\r\na,"1\r\n2\r3\n\n4"\r\nb,2\r\n')
    first, second = folder.read("x.csv")
    assert first.fields["note"] == "1\r\n2\r3\n\n4"
    assert (first.line, second.line) == (2, 6)


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_what_unicode_calls_a_line_end_stays_in_its_cell(folder, separator: str) -> None:
    folder.put("x.csv", f"name,note\na,1{separator}2\n")
    assert folder.rows("x.csv") == [{"name": "a", "note": f"1{separator}2"}]


def test_a_byte_order_mark_is_no_part_of_the_first_column(folder) -> None:
    folder.put("x.csv", b"\xef\xbb\xbfname\na\n")
    assert folder.files.source("x.csv", ReadOptions()).fields() == ("name",)
    assert folder.rows("x.csv") == [{"name": "a"}]


def test_one_apostrophe_is_taken_away_only_before_what_would_be_a_formula(folder) -> None:
    folder.put("x.csv", "name,note\na,'=1+1\nb,'tis\nc,''\nd,'\ne,''x\nf,=1\n")
    assert [row["note"] for row in folder.rows("x.csv")] == ["=1+1", "'tis", "'", "'", "'x", "=1"]


def test_empty_lines_are_no_records(folder) -> None:
    folder.put("x.csv", "name,note\n\na,1\n\n\n")
    assert [(record.key, record.line) for record in folder.read("x.csv")] == [("a", 3)]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "has no header"),
        (b"\xef\xbb\xbf", "has no header"),
        (b"\na,b\n", "has no header"),
        (b"name,,value,\n", "columns without a name: number 2, 4"),
        (b"name,a,value,a\n", "names columns twice: a"),
        (b'name,"a\n', "header of x.csv cannot be read"),
        (b"name\ra\rb\r", "header of x.csv cannot be read"),
        ("naïve\n".encode("latin-1"), "is not UTF-8"),
        ("name\n".encode("utf-16"), "is not UTF-8"),
    ],
)
def test_a_header_that_cannot_work_is_refused_in_a_sentence(folder, content: bytes, sentence: str) -> None:
    folder.put("x.csv", content)
    with pytest.raises(SettingsError, match=sentence):
        folder.files.source("x.csv", ReadOptions()).fields()
    with pytest.raises(SettingsError, match=sentence):
        folder.read("x.csv")


@pytest.mark.parametrize(
    ("row", "code", "sentence"),
    [
        (b"b", "wrong_cells", "row in line 3 has 1 cell, the header has 2"),
        (b"b,1,2", "wrong_cells", "row in line 3 has 3 cells, the header has 2"),
        (b'b,"1"2', "broken_row", "in line 3 are broken"),
        (b'b,"1\n"2', "broken_row", "in lines 3 to 4 are broken"),
        (b"b\rc,1", "broken_row", "in line 3 are broken"),
        (b"b,caf\xe9", "not_utf8", "in line 3 is not UTF-8"),
        (b'b,"caf\xe9\n2"', "not_utf8", "in line 3 is not UTF-8"),
        (b"b," + b"x" * (1024 * 1024 + 1), "too_long", "note of the row in line 3 is longer than 1 MB"),
        (b'b,"' + b"x,y\n" * (1024 * 300) + b'"', "too_long", "note of the row in line 3 is longer than 1 MB"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_broken_row_is_told_by_its_line_and_reading_goes_on(folder, row: bytes, code: str, sentence: str) -> None:
    folder.put("x.csv", b"name,note\na,1\n" + row + b"\nc,3\n")
    first, broken, last = folder.read("x.csv")
    assert isinstance(broken, BadRecord)
    assert (first.key, broken.key, broken.line, broken.code, last.key) == ("a", "line 3", 3, code, "c")
    assert sentence in broken.message


def test_a_last_line_that_is_half_written_is_told(folder) -> None:
    folder.put("x.csv", 'name,value\na,1\nb,"s3cret and th')
    first, broken = folder.read("x.csv")
    assert isinstance(first, Record)
    assert (broken.line, broken.code) == (3, "half_written")
    assert broken.message == "The file ends inside a quoted cell that began in line 3: line 3 cannot be read."


def test_the_lines_of_a_value_that_never_ends_become_no_records(folder) -> None:
    folder.put("x.csv", 'name,value\nb,"key\ns3cret,s3cret\nmore')
    (broken,) = folder.read("x.csv")
    assert (broken.line, broken.code) == (2, "half_written")
    assert "lines 2 to 4" in broken.message


def test_nothing_is_read_behind_a_row_that_has_no_end(folder) -> None:
    folder.put("x.csv", b'name,value\na,1\nb,"' + b"x,y\n" * (5 * 1024 * 1024))
    first, broken = folder.read("x.csv")
    assert (first.key, broken.line, broken.code) == ("a", 3, "too_long")


def test_no_checkpoint_stands_inside_a_row_that_has_no_end(folder) -> None:
    folder.put("x.csv", b"name,value\n" + b"a,1\n" * 99 + b'b,"' + b"x,y\n" * (5 * 1024 * 1024))
    (page,) = folder.files.source("x.csv", ReadOptions()).pages(None)
    assert (len(page.records), page.checkpoint) == (100, None)


def test_a_cell_of_one_megabyte_is_read(folder) -> None:
    folder.put("x.csv", b"name\n" + b"x" * 1024 * 1024 + b"\n")
    assert len(folder.rows("x.csv")[0]["name"]) == 1024 * 1024
