"""A file in the making, beside the one that it will replace.

It survives a crash and is taken over by copying, never by opening: a process that was frozen and wakes late still holds
the old inode, and what it writes there reaches nobody.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_CHUNK_BYTES: Final = 1024 * 1024
_OWNER_ONLY: Final = 0o600


class Partial:
    """An open temporary file. Every method raises OSError as the system does."""

    def __init__(self, target: Path, path: Path) -> None:
        self._target = target
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _OWNER_ONLY)
        self.path = path
        self.offset = 0

    @classmethod
    def create(cls, target: Path) -> Partial:
        """A new and empty one."""
        return cls(target, target.with_name(f".{target.name}.{secrets.token_hex(8)}.partial"))

    @classmethod
    def take_over(cls, target: Path, state: Mapping[str, Any]) -> Partial | None:
        """The one that `state` tells of, cut back to what it says was settled; None when that is not there."""
        path = target.with_name(str(state["partial"]))
        if not _pattern(target).fullmatch(path.name):
            return None
        origin = path if _size(path) >= state["offset"] else target if is_published(target, state) else None
        if origin is None:
            return None
        taken = cls.create(target)
        try:
            taken._copy(origin, state)
            taken._rename(path)
        except BaseException:
            taken.discard()
            raise
        return taken

    @property
    def state(self) -> dict[str, Any]:
        """What `take_over` needs: plain JSON."""
        mtime_ns = os.fstat(self._descriptor).st_mtime_ns
        return {"partial": self.path.name, "offset": self.offset, "mtime_ns": mtime_ns}

    def append(self, data: bytes) -> None:
        """Write at the end."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self.offset += len(data)

    def sync(self) -> None:
        """Wait until all of it is on the disk."""
        os.fsync(self._descriptor)

    def digest(self) -> bytes:
        """SHA-256 of what it holds."""
        return content_digest(self.path)

    def publish(self, mode: int) -> os.stat_result:
        """Put it in the target's place, durably. Raises FileNotFoundError when another run took it away."""
        if not self._is_in_place():
            raise FileNotFoundError(self.path)
        os.fchmod(self._descriptor, mode)
        self.sync()
        self._rename(self._target)
        return os.fstat(self._descriptor)

    def discard(self) -> None:
        """Remove it, unless another run took it over or it is published."""
        if self.path != self._target and self._is_in_place():
            self.path.unlink()
        self.close()

    def close(self) -> None:
        """Let go of it and leave it where it is."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _is_in_place(self) -> bool:
        try:
            return os.path.samestat(self.path.lstat(), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False

    def _copy(self, origin: Path, state: Mapping[str, Any]) -> None:
        source = os.open(origin, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            while self.offset < state["offset"]:
                self.append(os.read(source, min(_CHUNK_BYTES, state["offset"] - self.offset)))
        finally:
            os.close(source)
        self.sync()
        os.utime(self._descriptor, ns=(state["mtime_ns"], state["mtime_ns"]))  # so that `is_published` knows it

    def _rename(self, path: Path) -> None:
        self.path = self.path.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def content_digest(path: Path) -> bytes:
    """SHA-256 of what a file holds."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def is_published(target: Path, state: Mapping[str, Any]) -> bool:
    """Whether the target is what `state` tells of: the run ended, and died before anybody noted it."""
    if _size(target) != state["offset"]:
        return False
    return bool(target.lstat().st_mtime_ns == state["mtime_ns"])


def remove_others(target: Path, kept: Partial | None) -> None:
    """Remove what earlier runs left of the same target."""
    pattern = _pattern(target)
    for path in target.parent.iterdir():
        if pattern.fullmatch(path.name) and (kept is None or path != kept.path):
            path.unlink(missing_ok=True)


def _pattern(target: Path) -> re.Pattern[str]:
    return re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{16}}\.partial")


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return -1
