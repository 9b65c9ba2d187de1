"""What a JSON Lines file gives: objects with their types, and a sentence for each line that is none."""

from __future__ import annotations

import pytest

from connectors.model import BadRecord, ReadOptions
from iclients.secret import Secret


def test_types_are_kept_and_values_hide_themselves(folder) -> None:
    folder.put("x.jsonl", '{"name": "a", "n": 1, "f": 1.5, "t": {"x": [true, null]}, "value": "s3cret"}\n')
    (record,) = folder.read("x.jsonl")
    assert record.fields == {"name": "a", "n": 1, "f": 1.5, "t": {"x": [True, None]}, "value": Secret("s3cret")}
    assert record.key == "a"


@pytest.mark.parametrize(("value", "text"), [('{"user":"u"}', '{"user":"u"}'), ("12", "12"), ("true", "true")])
def test_a_value_that_is_no_text_hides_as_json(folder, value: str, text: str) -> None:
    folder.put("x.jsonl", f'{{"value": {value}}}\n')
    assert folder.read("x.jsonl")[0].fields == {"value": Secret(text)}


def test_the_fields_are_not_known_before_reading(folder) -> None:
    folder.put("x.jsonl", '{"a": 1}\n')
    assert folder.files.source("x.jsonl", ReadOptions()).fields() is None


def test_byte_order_mark_empty_lines_and_windows_line_ends_are_tolerated(folder) -> None:
    folder.put("x.jsonl", b'\xef\xbb\xbf{"name": "a"}\r\n\r\n  \n{"name": "b"}')
    assert [(record.key, record.line) for record in folder.read("x.jsonl")] == [("a", 1), ("b", 4)]


@pytest.mark.parametrize(
    ("line", "code", "sentence"),
    [
        (b'{"name": "s3cret', "not_json", "is not a whole JSON object"),
        (b'{"name": "a"} s3cret', "not_json", "is not a whole JSON object"),
        (b'["s3cret"]', "not_json", "but not an object"),
        (b'"s3cret"', "not_json", "but not an object"),
        (b'{"n": 1, "n": 2}', "not_json", "names 'n' twice"),
        (b'{"t": {"n": 1, "n": 2}}', "not_json", "names 'n' twice"),
        (b'{"n": NaN}', "not_json", "holds NaN, which is not JSON"),
        (b'{"n": -Infinity}', "not_json", "holds -Infinity"),
        (b'{"name": "caf\xe9"}', "not_utf8", "is not UTF-8"),
        (b'{"n":' * 100_000, "not_json", "is not a whole JSON object"),
        (b'{"n": "' + b"x" * 17 * 1024 * 1024 + b'"}', "too_long", "longer than 16 MB"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_line_that_is_no_object_is_told_and_reading_goes_on(folder, line: bytes, code: str, sentence: str) -> None:
    folder.put("x.jsonl", b'{"name": "a"}\n' + line + b'\n{"name": "c"}\n')
    first, broken, last = folder.read("x.jsonl")
    assert isinstance(broken, BadRecord)
    assert (first.key, broken.key, broken.line, broken.code, last.key) == ("a", "line 2", 2, code, "c")
    assert sentence in broken.message
    assert "s3cret" not in broken.message
