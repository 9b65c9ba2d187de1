"""Reads a file lazily, a page at a time, and goes on at a byte offset as long as the file is what it was."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

from connectors.connector import Source
from connectors.errors import SettingsError
from connectors.files.format import Format
from connectors.files.lines import Lines
from connectors.model import BadRecord, Checkpoint, Page, Record
from iclients.errors import RemoteError

PAGE_RECORDS: Final = 100
PAGE_BYTES: Final = 4 * 1024 * 1024


class FileSource(Source):
    """One file. A checkpoint is `{offset, line, size, mtime_ns}`: the place, and the state it belongs to."""

    def __init__(self, path: Path, form: Format) -> None:
        self.identity = f"file:{path}"
        self._path = path
        self._form = form
        self._open_files: list[BinaryIO] = []

    def fields(self) -> Sequence[str] | None:
        with self._open() as file:
            return self._form.columns(Lines(file), self._path.name)

    def pages(self, checkpoint: Checkpoint | None) -> Iterator[Page]:
        """Raises SettingsError where the file is not what it was when the run started."""
        with self._open() as file:
            self._open_files.append(file)
            state = dict(checkpoint) if checkpoint else _state(file)
            lines = Lines(file)
            columns = self._form.columns(lines, self._path.name)
            if checkpoint:
                lines.seek(checkpoint["offset"], checkpoint["line"])
            records = self._form.records(lines, columns)
            while True:
                self._refuse_changed(file, state)
                page = _page(records, lines)
                self._refuse_changed(file, state)
                if not page or lines.offset >= state["size"]:
                    yield Page(page, None)
                    return
                yield Page(page, {**state, "offset": lines.offset, "line": lines.number})

    def close(self) -> None:
        for file in self._open_files:
            file.close()
        self._open_files.clear()

    def _open(self) -> BinaryIO:
        try:
            return os.fdopen(os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW), "rb")
        except OSError as error:
            raise RemoteError(
                f"{self._path.name} in {self._path.parent} cannot be read: {error.strerror}.", code="file_error"
            ) from error

    def _refuse_changed(self, file: BinaryIO, state: dict[str, Any]) -> None:
        now = _state(file)
        if (now["size"], now["mtime_ns"]) != (state["size"], state["mtime_ns"]):
            raise SettingsError(
                f"{self._path.name} in {self._path.parent} has changed since the run started; start a new run."
            )


def _page(records: Iterator[Record | BadRecord], lines: Lines) -> list[Record | BadRecord]:
    """The next records: a hundred, or fewer where they are large."""
    page: list[Record | BadRecord] = []
    begins_at = lines.offset
    while len(page) < PAGE_RECORDS and lines.offset - begins_at < PAGE_BYTES:
        record = next(records, None)
        if record is None:
            break
        page.append(record)
    return page


def _state(file: BinaryIO) -> dict[str, Any]:
    status = os.fstat(file.fileno())
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
