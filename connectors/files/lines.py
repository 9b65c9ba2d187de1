"""The physical lines of a file, with the place of the next one, so that reading can go on there later.

Lines end at LF alone: what other characters some parsers take for a line's end stays inside cells.
"""

from __future__ import annotations

import codecs
import os
from typing import BinaryIO, Final

RECORD_BYTES: Final = 16 * 1024 * 1024
"""The longest record, over all its lines."""
_CHUNK_BYTES: Final = 64 * 1024


class RecordTooLong(Exception):
    """A record takes more than RECORD_BYTES; the line in which that showed is passed."""


class Lines:
    """An iterator of lines as bytes; `offset` and `number` (from 1) tell where the next one stands."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._record_offset = 0
        self.offset = 0
        self.number = 1

    def seek(self, offset: int, number: int) -> None:
        """Go to a line whose place is known."""
        self._file.seek(offset)
        self.offset, self.number = offset, number

    def pass_all(self) -> None:
        """Go to the end of the file: what is left of it is not read."""
        self.offset = self._file.seek(0, os.SEEK_END)

    def begin_record(self) -> int:
        """Say that a record begins here; gives its line number."""
        self._record_offset = self.offset
        return self.number

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> bytes:
        line = self._file.readline(RECORD_BYTES + 1)
        if not line:
            raise StopIteration
        is_first = self.offset == 0
        self.offset += len(line)
        self.number += 1
        if self.offset - self._record_offset > RECORD_BYTES:
            self._pass_rest(line)
            raise RecordTooLong
        return line.removeprefix(codecs.BOM_UTF8) if is_first else line

    def _pass_rest(self, line: bytes) -> None:
        while line and not line.endswith(b"\n"):
            line = self._file.readline(_CHUNK_BYTES)
            self.offset += len(line)
