"""What a file format can do, and what all formats share: hiding what is read, opening what is written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, TypeGuard

from connectors.errors import RecordError, RunRefused
from connectors.files.lines import Lines
from connectors.model import BadRecord, Record
from iclients.secret import Secret

LONGEST_KEY: Final = 127
HIDDEN_FIELD: Final = "value"


class Format(Protocol):
    """One way of putting records into a file, without any state of its own."""

    def columns(self, lines: Lines, name: str) -> tuple[str, ...] | None:
        """Read the head of the file called `name`; None where it has none. Raises SettingsError for a bad one."""

    def records(self, lines: Lines, columns: tuple[str, ...] | None) -> Iterator[Record | BadRecord]:
        """The records from where `lines` stand. After each, `lines` stand at the next one."""

    def head(self, columns: Sequence[str], name: str) -> bytes:
        """What the file called `name` begins with. Raises SettingsError for columns that it cannot have."""

    def row(self, fields: Mapping[str, Any], columns: Sequence[str]) -> bytes:
        """One record as it stands in the file. Raises RecordError for one that cannot."""


def as_record(fields: dict[str, Any], line: int) -> Record:
    """The record of these fields; a value hides itself, whatever the flow asked for."""
    for field in fields:
        if field.lower() == HIDDEN_FIELD:
            fields[field] = _hidden(fields[field])
    name = fields.get("name")
    return Record(name if _may_be_shown(name) else _key(line), fields, line=line)


def _may_be_shown(name: object) -> TypeGuard[str]:
    """Whether this can be a name: what stands in that column may be a value that slipped by a column."""
    return isinstance(name, str) and 0 < len(name) <= LONGEST_KEY and name.isprintable()


def bad_record(line: int, code: str, message: str) -> BadRecord:
    """A record that cannot be read, named by its line."""
    return BadRecord(_key(line), line, code, message)


def opened(fields: Mapping[str, Any], plaintext: bool) -> dict[str, Any]:
    """The fields with every Secret revealed. Raises RunRefused, naming the field, unless `plaintext` allows it."""
    return {name: _opened(value, name, plaintext) for name, value in fields.items()}


def compact_json(value: Any, field: str | None = None) -> str:
    """JSON without spaces; text stays readable where UTF-8 can hold it. Raises RecordError for what JSON is not."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text if is_utf8(text) else json.dumps(value, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        what = f"The field {field}" if field else "The record"
        raise RecordError(f"{what} cannot be written as JSON: map it to a text.", code="not_writable") from None


def is_utf8(text: str) -> bool:
    """Whether UTF-8 can hold the text: a lone surrogate it cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _key(line: int) -> str:
    return f"line {line}"


def _hidden(value: Any) -> Secret | None:
    if value is None:
        return None
    return Secret(value if isinstance(value, str) else compact_json(value))


def _opened(value: Any, field: str, plaintext: bool) -> Any:
    if isinstance(value, Secret):
        if not plaintext:
            raise RunRefused(
                f"The field {field} holds secret values: set plaintext: true to make a file of readable values, "
                "or leave the field out of the mapping."
            )
        return value.reveal()
    if isinstance(value, Mapping):
        return {key: _opened(inner, field, plaintext) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_opened(inner, field, plaintext) for inner in value]
    return value
