"""Writes a file: a partial beside it takes page after page, and takes its place when the run is complete."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from connectors.connector import Target
from connectors.errors import RecordError, RunRefused
from connectors.files.format import Format, opened
from connectors.files.lines import RECORD_BYTES
from connectors.files.partial import Partial, content_digest, is_published, remove_others
from connectors.model import Change, Effect, Known, Record, WriteOptions
from iclients.errors import RemoteError

_DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FOLDER_MODE: Final = 0o700
_PLAINTEXT_MODE: Final = 0o600
_OPEN_MODE: Final = 0o644


class FileTarget(Target):
    """One file, replaced whole. Until `finish` it is as it was."""

    remembers = False

    def __init__(self, path: Path, form: Format, options: WriteOptions, fingerprint: Callable[[bytes], str]) -> None:
        """Raises SettingsError where the format cannot have these fields."""
        self.identity = f"file:{path}"
        self._path = path
        self._form = form
        self._options = options
        self._fingerprint = fingerprint
        self._head = form.head(options.fields, path.name)
        self._partial: Partial | None = None
        self._resume: Mapping[str, Any] | None = None
        self._known = Known()
        self._is_resumable = False

    def begin(self, resume: Mapping[str, Any] | None, known: Known | None) -> bool:
        """Raises RunRefused where a file is in the way that no flow of ours wrote, or that was changed since."""
        with self._explaining():
            self._path.parent.mkdir(mode=_FOLDER_MODE, exist_ok=True)
            self._resume, self._known = resume, known or Known()
            self._refuse_unowned()
            return self._start() if resume is None else self._go_on(resume)

    def assess(self, record: Record, known: Known | None) -> Change:
        """Raises RecordError for what the file cannot hold, RunRefused for a secret that `plaintext` does not allow."""
        fields = opened(record.fields, self._options.plaintext)
        row = self._form.row(fields, self._options.fields)
        if len(row) > RECORD_BYTES:
            raise RecordError("The record is longer than 16 MB: leave fields out of the mapping.", code="too_long")
        return Change(Effect.CREATED, payload=row, owned=True)

    def write(self, record: Record, change: Change) -> Change:
        """Nothing yet: `settle` writes the page."""
        return change

    def settle(self, changes: Sequence[Change]) -> Mapping[str, Any]:
        """Raises RemoteError `disk_full`; the file itself is then as it was."""
        partial = self._begun()
        with self._explaining():
            partial.append(b"".join(change.payload for change in changes if change.writes))
            partial.sync()
            self._is_resumable = True
            return partial.state

    def finish(self) -> Known:
        """Raises RunRefused where in the meantime a file appeared or was changed by somebody else."""
        partial = self._begun()
        with self._explaining():
            self._refuse_unowned()
            fingerprint = self._fingerprint(partial.digest())
            status = partial.publish(self._mode())
        self._partial = None
        partial.close()
        return Known(owned=True, fingerprint=fingerprint, marker=_marker(status))

    def close(self) -> None:
        """What was settled stays for a resume; what was not is removed."""
        partial, self._partial = self._partial, None
        if partial is not None and self._is_resumable:
            partial.close()
        elif partial is not None:
            partial.discard()

    def _refuse_unowned(self) -> None:
        name, folder = self._path.name, self._path.parent
        if self._path.is_dir():
            raise RunRefused(f"{name} in {folder} is a folder: move it away, or choose another name.")
        if self._options.adopt or not os.path.lexists(self._path) or self._is_as_we_left_it():
            return
        what = (
            f"{name} in {folder} was changed since a flow of ours wrote it"
            if self._known.owned
            else f"{name} exists in {folder} and no flow of ours wrote it"
        )
        raise RunRefused(f"{what}: move it away, or set adopt: true.")

    def _is_as_we_left_it(self) -> bool:
        """By size and time, else by content: touching alone takes nothing away. Of a file that another flow wrote the
        ledger tells only whose it is."""
        if self._resume is not None and is_published(self._path, self._resume):
            return True
        known = self._known
        if not (known.owned and self._path.is_file()):
            return False
        if not known.fingerprint or known.marker == _marker(self._path.lstat()):
            return True
        return known.fingerprint == self._fingerprint(content_digest(self._path))

    def _start(self) -> bool:
        remove_others(self._path, None)
        self._partial = Partial.create(self._path)
        self._is_resumable = False
        self._partial.append(self._head)
        return True

    def _go_on(self, resume: Mapping[str, Any]) -> bool:
        self._partial = Partial.take_over(self._path, resume)
        self._is_resumable = self._partial is not None
        if self._partial is not None:
            remove_others(self._path, self._partial)
        return self._is_resumable

    def _begun(self) -> Partial:
        if self._partial is None:
            raise RuntimeError("the target has not begun, or is closed")
        return self._partial

    def _mode(self) -> int:
        return _PLAINTEXT_MODE if self._options.plaintext else _OPEN_MODE & ~_umask()

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._explained(error) from error

    def _explained(self, error: OSError) -> RemoteError:
        name, folder = self._path.name, self._path.parent
        if error.errno in _DISK_FULL:
            if self._partial is not None:
                self._partial.discard()
                self._partial = None
            message = f"The disk of {folder} is full: free space, then run it again; {name} is as it was."
            return RemoteError(message, code="disk_full")
        if isinstance(error, FileNotFoundError) and self._partial is not None:
            message = f"Another run took over {name} in {folder}: let it end, then run this one again."
            return RemoteError(message, code="taken_over")
        return RemoteError(f"{name} cannot be written in {folder}: {error.strerror}.", code="file_error")


def _marker(status: os.stat_result) -> str:
    return f"{status.st_size}:{status.st_mtime_ns}"


def _umask() -> int:
    """The process's umask: it can only be read by setting it, for a moment to one that opens nothing to others."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
