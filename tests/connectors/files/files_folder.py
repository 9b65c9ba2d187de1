"""A folder, the connector that speaks it, and the shortest way through each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from connectors.connector import Access
from connectors.files import Files
from connectors.files.target import FileTarget
from connectors.model import BadRecord, Connection, Known, ReadOptions, Record, WriteOptions
from iclients.clock import SystemClock
from iclients.secret import revealed


class Folder:
    """A folder under test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        access = Access(SystemClock(), lambda data: hashlib.sha256(data).hexdigest(), path)
        self.files = Files(Connection("here", "files", settings={"folder": str(path)}), access)

    def put(self, name: str, content: bytes | str) -> Path:
        path = self.path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def read(self, name: str) -> list[Record | BadRecord]:
        with closing(self.files.source(name, ReadOptions())) as source:
            return [record for page in source.pages(None) for record in page.records]

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The fields of every record, secrets revealed; a bad record fails the test."""
        records = self.read(name)
        assert all(isinstance(record, Record) for record in records), records
        return [{key: revealed(value) for key, value in record.fields.items()} for record in records]

    @contextmanager
    def target(self, name: str, fields: Sequence[str] = ("name", "value"), **options: Any) -> Iterator[FileTarget]:
        options.setdefault("plaintext", True)
        with closing(self.files.target(name, WriteOptions(fields=tuple(fields), **options))) as target:
            yield target

    def write(self, name: str, rows: Sequence[dict[str, Any]], known: Known | None = None, **options: Any) -> Known:
        fields = options.pop("fields", tuple(rows[0]) if rows else ("name", "value"))
        with self.target(name, fields, **options) as target:
            assert target.begin(None, known)
            settle(target, rows)
            return target.finish()

    @property
    def partials(self) -> list[Path]:
        return sorted(self.path.glob(".*.partial"))


def settle(target: FileTarget, rows: Sequence[dict[str, Any]]) -> Any:
    """One page, as the engine writes it."""
    records = [Record("x", row) for row in rows]
    return target.settle([target.write(record, target.assess(record, None)) for record in records])
