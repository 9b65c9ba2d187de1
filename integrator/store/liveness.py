"""Whether the process of a run is still there: it holds a lock on a file for as long as it lives.

The kernel lets go of the lock when the process ends, however it ends; a process id in a table would be somebody
else's by tomorrow. Source: flock(2).
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_TRIES: Final = 1_000
_BETWEEN_SECONDS: Final = 0.001


class RunLocks:
    """The locks of all runs of one database: `<id>.lock` in this folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def hold(self, run_id: int) -> Iterator[bool]:
        """Hold the run's lock while the block runs. Gives False, without a lock, where a living process holds it."""
        descriptor = self._take(run_id)
        try:
            yield descriptor is not None
        finally:
            if descriptor is not None:
                self._path(run_id).unlink(missing_ok=True)
                os.close(descriptor)

    def is_held(self, run_id: int) -> bool:
        """Whether a living process, this one included, holds the run."""
        try:
            descriptor = os.open(self._path(run_id), os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            return not _lock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def _take(self, run_id: int) -> int | None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for _ in range(_TRIES):
            descriptor = os.open(self._path(run_id), os.O_RDWR | os.O_CREAT, 0o600)
            if _lock(descriptor, fcntl.LOCK_EX):
                if self._is_the_file(descriptor, run_id):
                    return descriptor
            elif not _lock(descriptor, fcntl.LOCK_SH):
                os.close(descriptor)
                return None
            os.close(descriptor)
            time.sleep(_BETWEEN_SECONDS)  # somebody only looked, or the file was just taken away: once more
        return None

    def _is_the_file(self, descriptor: int, run_id: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._path(run_id).stat())
        except FileNotFoundError:
            return False

    def _path(self, run_id: int) -> Path:
        return self._folder / f"{run_id}.lock"


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
