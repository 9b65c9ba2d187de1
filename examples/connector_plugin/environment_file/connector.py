"""The connector, its source and its target."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from connectors.connector import Connector, Source, Target
from connectors.descriptor import Descriptor, load
from connectors.errors import RecordError, RunRefused, SettingsError
from connectors.model import (
    BadRecord,
    Change,
    Checkpoint,
    Effect,
    Known,
    Page,
    Ping,
    ReadOptions,
    Record,
    WriteOptions,
)
from environment_file.lines import NAME, parse, render
from iclients.errors import RemoteError
from iclients.secret import Secret, revealed

PAGE_LINES: Final = 100

_UNWRITABLE: Final = re.compile("[\0\ud800-\udfff]")

Fingerprint = Callable[[bytes], str]


class EnvironmentFile(Connector):
    """One folder. A resource is the name of a `.env` file in it."""

    descriptor: ClassVar[Descriptor] = load("environment_file")

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self.access.folder / str(self.connection.settings["folder"])

    def ping(self) -> Ping:
        if not self.folder.is_dir():
            raise RemoteError(f"There is no folder {self.folder}: make it, or change the setting.", code="no_folder")
        return Ping(f"{self.folder} is there.")

    def source(self, resource: str, options: ReadOptions) -> EnvironmentSource:
        return EnvironmentSource(self._path(resource), self.access.fingerprint)

    def target(self, resource: str, options: WriteOptions) -> EnvironmentTarget:
        return EnvironmentTarget(self._path(resource), options, self.access.fingerprint)

    def _path(self, resource: str) -> Path:
        if not resource.endswith(".env") or "/" in resource:
            raise SettingsError(f"{resource} is not the name of a .env file in {self.folder}.")
        return self.folder / resource


class EnvironmentSource(Source):
    """Every `KEY=value` line is a record. A checkpoint is the next line's number, and which file it was counted in."""

    def __init__(self, path: Path, fingerprint: Fingerprint) -> None:
        self._path = path
        self._fingerprint = fingerprint

    def fields(self) -> Sequence[str]:
        return ("name", "value")

    def pages(self, checkpoint: Checkpoint | None) -> Iterator[Page]:
        text = _text(self._path)
        state = self._fingerprint(text.encode())
        if checkpoint and checkpoint["state"] != state:
            raise SettingsError(f"{self._path} has changed since the run started; start a new run.")
        lines = text.split("\n")
        for start in range(checkpoint["line"] if checkpoint else 0, len(lines), PAGE_LINES):
            end = start + PAGE_LINES
            numbered = enumerate(lines[start:end], start + 1)
            records = [record for number, line in numbered if (record := self._record(line, number))]
            yield Page(records, {"line": end, "state": state} if end < len(lines) else None)

    def _record(self, line: str, number: int) -> Record | BadRecord | None:
        try:
            found = parse(line)
        except ValueError as error:
            return BadRecord(f"line {number}", number, "broken_line", f"Line {number} cannot be read: {error}.")
        if found is None:
            return None
        name, value = found
        marker = self._fingerprint(line.encode())  # keyed: it tells whether the line changed, and nothing else
        return Record(name, {"name": name, "value": Secret(value)}, line=number, marker=marker)


class EnvironmentTarget(Target):
    """One key is one record: what no flow of ours wrote is left alone, unless the import adopts it."""

    def __init__(self, path: Path, options: WriteOptions, fingerprint: Fingerprint) -> None:
        if options.operation != "upsert":
            raise SettingsError(f"{path.name} cannot take operation: {options.operation}; use upsert.")
        self.identity = f"environment-file:{path}"
        self._path = path
        self._options = options
        self._fingerprint = fingerprint
        self._there: dict[str, str] = {}

    def begin(self, resume: Mapping[str, Any] | None, known: Known | None) -> bool:
        if not self._options.plaintext:
            raise RunRefused(f"{self._path.name} is a file of readable values: set plaintext: true to write it.")
        self._there = {name: value for name, value in map(_parsed, _lines(self._path)) if name}
        return True

    def is_current(self, key: str, known: Known) -> bool:
        return key in self._there and self._print(key, self._there[key]) == known.fingerprint

    def assess(self, record: Record, known: Known | None) -> Change:
        name, value = _checked(record)
        known = known or Known()
        fingerprint = self._print(name, value)
        change = Change(Effect.CREATED, fingerprint, owned=True, payload=(name, value))
        if name not in self._there:
            return change
        if self._there[name] != value:
            change.effect = Effect.UPDATED
            return change if known.owned or self._options.adopt else self._conflict(name)
        if known.intent == fingerprint:  # a run that was killed had written it, and could not say so any more
            return Change(Effect.UPDATED if known.owned else Effect.CREATED, fingerprint, owned=True)
        return Change(Effect.UNCHANGED, fingerprint, owned=known.owned)

    def write(self, record: Record, change: Change) -> Change:
        return change  # `settle` writes a whole page at once

    def settle(self, changes: Sequence[Change]) -> None:
        new = dict(change.payload for change in changes if change.payload)
        if not new:
            return
        named = [(_parsed(line)[0], line) for line in _lines(self._path)]
        kept = [render(name, new[name]) if name in new else line for name, line in named]
        added = new.keys() - {name for name, _ in named}
        _replace(self._path, [*kept, *(render(name, new[name]) for name in new if name in added)])

    def _print(self, name: str, value: str) -> str:
        return self._fingerprint(f"{name}={value}".encode())

    def _conflict(self, name: str) -> Change:
        reason = f"{name} is in {self._path.name} already and no flow of ours wrote it: set adopt: true to replace it."
        return Change(Effect.CONFLICT, code="unowned", reason=reason)


def _checked(record: Record) -> tuple[str, str]:
    name, value = record.fields.get("name"), revealed(record.fields.get("value"))
    if not isinstance(name, str) or not NAME.fullmatch(name):
        message = f"{name} is no name of a variable: map it, to {{{{ name | upper | replace('-', '_') }}}} say."
        raise RecordError(message, code="invalid_name")
    if not isinstance(value, str) or _UNWRITABLE.search(value):
        raise RecordError(f"The value of {name} is not a text that a .env file can hold.", code="invalid_value")
    return name, value


def _parsed(line: str) -> tuple[str, str]:
    """A line's name and value; no name for a line that is not ours to touch."""
    try:
        return parse(line) or ("", "")
    except ValueError:
        return "", ""


def _lines(path: Path) -> list[str]:
    text = _text(path) if path.exists() else ""
    return text.removesuffix("\n").split("\n") if text else []


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise RemoteError(f"{path} cannot be read: {error.strerror}.", code="file_error") from error
    except UnicodeDecodeError:
        raise RemoteError(f"{path} is not UTF-8: save it as UTF-8.", code="file_error") from None  # it holds the text


def _replace(path: Path, lines: Sequence[str]) -> None:
    """Whole or not at all, and on the disk before anybody says so. Only its owner can read it."""
    part = path.with_name(f".{path.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write("".join(f"{line}\n" for line in lines).encode())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    except OSError as error:
        raise RemoteError(f"{path} cannot be written: {error.strerror}.", code="file_error") from error
