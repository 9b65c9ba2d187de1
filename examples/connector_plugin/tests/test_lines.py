"""Every value reads back as it was written, and lines of people read as people mean them."""

import pytest
from environment_file.lines import parse, render


@pytest.mark.parametrize(
    "value", ["", "plain", "a b", "it's", 'a"b', "$HOME", "a\\", "two\nlines\r\n", " # x", "ä'\\n"]
)
def test_a_value_reads_back_as_it_was_written(value):
    assert parse(render("KEY", value)) == ("KEY", value)
    assert "\n" not in render("KEY", value)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("# only words", None),
        ("export KEY = value # why\r", ("KEY", "value")),
        ("KEY='a # b' # why", ("KEY", "a # b")),
        ("KEY=a#b", ("KEY", "a#b")),
    ],
)
def test_a_line_reads_as_it_is_meant(line, found):
    assert parse(line) == found


@pytest.mark.parametrize("line", ["KEY", "2KEY=x", "KEY='x", 'KEY="x'])
def test_a_broken_line_is_told_without_its_text(line):
    with pytest.raises(ValueError) as caught:
        parse(line)
    assert "KEY=" not in str(caught.value).replace("KEY=value", "")
