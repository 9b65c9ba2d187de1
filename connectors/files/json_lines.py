"""JSON Lines: one object a line, types kept, nothing guessed: what is not exactly one object is no record.

Source: jsonlines.org; RFC 8259 (§4: names should be unique; here they must be).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn

from connectors.files.format import as_record, bad_record, compact_json
from connectors.files.lines import Lines, RecordTooLong
from connectors.model import BadRecord, Record

DEEPEST: Final = 64
"""How deep a record may be nested."""


class JsonLines:
    """One object a line."""

    def columns(self, lines: Lines, name: str) -> tuple[str, ...] | None:
        return None

    def records(self, lines: Lines, columns: tuple[str, ...] | None) -> Iterator[Record | BadRecord]:
        while True:
            number = lines.begin_record()
            try:
                line = next(lines)
            except StopIteration:
                return
            except RecordTooLong:
                yield bad_record(number, "too_long", f"Line {number} is longer than 16 MB.")
                continue
            if line.strip():
                yield _record(line, number)

    def head(self, columns: Sequence[str], name: str) -> bytes:
        return b""

    def row(self, fields: Mapping[str, Any], columns: Sequence[str]) -> bytes:
        return compact_json(fields).encode() + b"\n"


class _NotOneObject(Exception):
    """Valid JSON that we do not take; says why."""


def _record(line: bytes, number: int) -> Record | BadRecord:
    try:
        value = json.loads(line.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        return bad_record(number, "not_utf8", f"Line {number} is not UTF-8.")
    except _NotOneObject as error:
        return bad_record(number, "not_json", f"Line {number} {error}.")
    except (ValueError, RecursionError):
        return bad_record(number, "not_json", f"Line {number} is not a whole JSON object: it may be half-written.")
    if b"\\u" in line and not _is_text(value):
        return bad_record(number, "not_utf8", f"Line {number} holds half a character (a lone surrogate).")
    if line.count(b"[") + line.count(b"{") > DEEPEST and _depth(value) > DEEPEST:
        return bad_record(number, "not_json", f"Line {number} is nested more than {DEEPEST} deep.")
    if not isinstance(value, dict):
        return bad_record(number, "not_json", f"Line {number} is JSON but not an object: each line holds one record.")
    return as_record(value, number)


def _is_text(value: Any) -> bool:
    try:
        compact_json(value).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True


def _depth(value: Any) -> int:
    depth, inner = 0, [value]
    while inner:
        depth += 1
        inner = [part for whole in inner for part in _parts(whole)]
    return depth


def _parts(whole: Any) -> list[Any]:
    if isinstance(whole, dict):
        return list(whole.values())
    return whole if isinstance(whole, list) else []


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name, times in Counter(names).items() if times > 1)
        raise _NotOneObject(f"names {twice!r} twice in one object")
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise _NotOneObject(f"holds {name}, which is not JSON")
