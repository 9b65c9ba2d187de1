"""CSV: a header and one record a row, UTF-8, formulas guarded.

A cell that a spreadsheet would run (it begins with `= + - @`, tab or CR), and one that begins with `'`, gets one `'` in
front; on reading one `'` is taken away only before one of these, so every text reads back as it was written.
After a broken row reading goes on behind it, never inside: the lines of a multi-line cell must not become records.
Sources: RFC 4180; OWASP, "CSV Injection".
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from connectors.errors import RecordError, SettingsError
from connectors.files.format import as_record, bad_record, compact_json, is_utf8
from connectors.files.lines import RECORD_BYTES, Lines, RecordTooLong
from connectors.model import BadRecord, Record

MOST_COLUMNS: Final = 1_000
CELL_CHARACTERS: Final = 1024 * 1024

_GUARDED: Final = frozenset("=+-@\t\r'")
_NEEDS_QUOTES: Final = re.compile('[",\r\n\ufeff]')

csv.field_size_limit(max(csv.field_size_limit(), RECORD_BYTES))  # cells are measured when their row is whole


class CsvFormat:
    """Rows under a header that names the columns."""

    def columns(self, lines: Lines, name: str) -> tuple[str, ...] | None:
        text = _Text(lines)
        try:
            header = next(csv.reader(text, strict=True), [])
        except (csv.Error, RecordTooLong) as error:
            raise SettingsError(f"The header of {name} cannot be read: its quotes or line ends are broken.") from error
        if text.is_broken:
            raise SettingsError(f"{name} is not UTF-8: save it as CSV UTF-8.")
        return _checked([_unguarded(cell) for cell in header], name)

    def records(self, lines: Lines, columns: tuple[str, ...] | None) -> Iterator[Record | BadRecord]:
        text = _Text(lines)
        rows = csv.reader(text, strict=True)
        while True:
            line = text.begin_record()
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield _broken(line, lines.number - 1, str(error))
                continue
            except RecordTooLong:
                lines.pass_all()
                yield bad_record(
                    line, "too_long", f"The row in line {line} has no end within 16 MB: the rest was not read."
                )
                return
            if row:
                yield _record(row, columns or (), line, text.is_broken)

    def head(self, columns: Sequence[str], name: str) -> bytes:
        try:
            return _joined([_cell(_guarded(column)) for column in _checked(columns, name)]).encode()
        except UnicodeEncodeError as error:
            raise SettingsError(f"A column of {name} has a name that UTF-8 cannot hold.") from error

    def row(self, fields: Mapping[str, Any], columns: Sequence[str]) -> bytes:
        texts = [_text(fields.get(column), column) for column in columns]
        try:
            return _joined([_cell(text) for text in texts]).encode()
        except UnicodeEncodeError:
            raise _not_utf8(texts, columns) from None


class _Text:
    """Lines as text. Bytes that are not UTF-8 keep their place, so that the row is still read to its end."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.is_broken = False

    def begin_record(self) -> int:
        self.is_broken = False
        return self._lines.begin_record()

    def __iter__(self) -> _Text:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        try:
            return line.decode()
        except UnicodeDecodeError:
            self.is_broken = True
            return line.decode(errors="surrogateescape")


def _checked(columns: Sequence[str], name: str) -> tuple[str, ...]:
    if not columns:
        raise SettingsError(f"{name} has no header: the first line of a CSV file names its columns.")
    unnamed = [str(place) for place, column in enumerate(columns, 1) if not column]
    if unnamed:
        raise SettingsError(f"The header of {name} has columns without a name: number {', '.join(unnamed)}.")
    if len(columns) > MOST_COLUMNS:
        raise SettingsError(f"The header of {name} has {len(columns):,} columns; {MOST_COLUMNS:,} are the most.")
    twice = sorted(column for column, times in Counter(columns).items() if times > 1)
    if twice:
        raise SettingsError(f"The header of {name} names columns twice: {', '.join(twice)}.")
    return tuple(columns)


def _record(row: list[str], columns: tuple[str, ...], line: int, is_broken: bool) -> Record | BadRecord:
    if is_broken:
        return bad_record(line, "not_utf8", f"The row in line {line} is not UTF-8: save the file as CSV UTF-8.")
    if len(row) != len(columns):
        return bad_record(
            line,
            "wrong_cells",
            f"The row in line {line} has {_cells(len(row))}, the header has {len(columns)}: "
            "it may be half-written, or a comma lacks its quotes.",
        )
    for column, cell in zip(columns, row, strict=True):
        if len(cell) > CELL_CHARACTERS:
            return bad_record(line, "too_long", f"The cell {column} of the row in line {line} is longer than 1 MB.")
    return as_record(dict(zip(columns, map(_unguarded, row), strict=True)), line)


def _broken(first: int, last: int, reason: str) -> BadRecord:
    where = f"line {first}" if first >= last else f"lines {first} to {last}"
    if reason == "unexpected end of data":
        message = f"The file ends inside a quoted cell that began in line {first}: {where} cannot be read."
        return bad_record(first, "half_written", message)
    return bad_record(first, "broken_row", f"The quotes or line ends in {where} are broken: mend the row.")


def _guarded(text: str) -> str:
    return "'" + text if text[:1] in _GUARDED else text


def _unguarded(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:2] in _GUARDED else cell


def _text(value: Any, column: str) -> str:
    text = _plain(value, column)
    if len(text) >= CELL_CHARACTERS:
        raise RecordError(f"The field {column} is longer than 1 MB: leave it out.", code="too_long")
    return _guarded(text)


def _plain(value: Any, column: str) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return compact_json(value, column)


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text


def _joined(cells: Sequence[str]) -> str:
    return (",".join(cells) or '""') + "\n"  # a row of one empty cell is no empty line


def _not_utf8(texts: Sequence[str], columns: Sequence[str]) -> RecordError:
    column = next(column for column, text in zip(columns, texts, strict=True) if not is_utf8(text))
    return RecordError(f"The field {column} holds text that UTF-8 cannot hold: mend it at its source.", code="not_utf8")


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"
