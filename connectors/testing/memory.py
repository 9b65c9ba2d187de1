"""A connector that lives in memory, for tests of what moves records: it counts calls and fails as it is told.

`failures` maps a record's key to the exceptions that reading or writing it raises, one a call, before it works.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from typing import Any

from connectors.connector import Access, Connector, Source, Target
from connectors.descriptor import Descriptor, ResourceDescriptor
from connectors.model import (
    BadRecord,
    Change,
    Checkpoint,
    Connection,
    Effect,
    Known,
    Page,
    Ping,
    ReadOptions,
    Record,
    WriteOptions,
)
from iclients.secret import revealed

_MARKERS = count(1)

Failures = Mapping[str, Sequence[Exception]]


class MemorySource(Source):
    """Reads the records that it is given; `unread` fields come with `read` alone."""

    def __init__(
        self,
        records: Sequence[Record | BadRecord],
        page_size: int = 25,
        unread: Sequence[str] = (),
        failures: Failures | None = None,
    ) -> None:
        self.records = records
        self.page_size = page_size
        self.unread = frozenset(unread)
        self.calls: Counter[str] = Counter()
        self._script = _Script(failures)

    def pages(self, checkpoint: Checkpoint | None) -> Iterator[Page]:
        start = checkpoint["at"] if checkpoint else 0
        for at in range(start, max(len(self.records), start + 1), self.page_size):
            self.calls["list"] += 1
            following = at + self.page_size
            page = [self._listed(record) for record in self.records[at:following]]
            yield Page(page, {"at": following} if following < len(self.records) else None)

    def read(self, record: Record) -> Record:
        self._script.play(record.key, "get", self.calls)
        return next(whole for whole in self.records if isinstance(whole, Record) and whole.key == record.key)

    def _listed(self, record: Record | BadRecord) -> Record | BadRecord:
        if isinstance(record, BadRecord):
            return record
        fields = {name: value for name, value in record.fields.items() if name not in self.unread}
        return Record(record.key, fields, line=record.line, marker=record.marker, left_out=record.left_out)


@dataclass(slots=True)
class Stored:
    """What a MemoryTarget holds under one key."""

    fields: Mapping[str, Any]
    marker: str


class MemoryTarget(Target):
    """Keeps records by key in `stored`, as a vault would: owned ones are replaced, others stand in the way."""

    identity = "memory:target"

    def __init__(
        self,
        stored: dict[str, Stored] | None = None,
        *,
        adopt: bool = False,
        failures: Failures | None = None,
        fingerprint: Callable[[bytes], str] = lambda data: sha256(data).hexdigest(),
    ) -> None:
        self.stored = stored if stored is not None else {}
        self.calls: Counter[str] = Counter()
        self._adopt = adopt
        self._script = _Script(failures)
        self._fingerprint = fingerprint

    def is_current(self, key: str, known: Known) -> bool:
        return key in self.stored and self.stored[key].marker == known.marker

    def assess(self, record: Record, known: Known | None) -> Change:
        fingerprint = self._fingerprint(_canonical(record.fields))
        there = self.stored.get(self._key(record))
        if there is None:
            return Change(Effect.CREATED, fingerprint, owned=True)
        is_ours = known is not None and known.owned
        if self._fingerprint(_canonical(there.fields)) == fingerprint:
            return Change(Effect.UNCHANGED, fingerprint, there.marker, owned=is_ours)
        if is_ours or self._adopt:
            return Change(Effect.UPDATED, fingerprint, owned=True)
        return Change(Effect.CONFLICT, code="unowned", reason="No flow of ours wrote it: set adopt: true to take it.")

    def write(self, record: Record, change: Change) -> Change:
        self._script.play(record.key, "put", self.calls)
        marker = str(next(_MARKERS))
        self.stored[self._key(record)] = Stored(dict(record.fields), marker)
        return Change(change.effect, change.fingerprint, marker, owned=True)

    def settle(self, changes: Sequence[Change]) -> None:
        self.calls["settle"] += 1

    def _key(self, record: Record) -> str:
        return self.key(record.fields) or record.key


class Memory(Connector):
    """A connector with two resources: `source` to read, `target` to write; `records` and `stored` are its system."""

    descriptor = Descriptor(
        "memory",
        "Memory",
        "Records in memory, for tests.",
        resources=(
            ResourceDescriptor("source", "Records to read", ("read",), ("name", "value"), ("value",)),
            ResourceDescriptor("target", "Records to write", ("upsert",), ("name", "value"), ("value",)),
        ),
    )

    def __init__(self, connection: Connection, access: Access) -> None:
        super().__init__(connection, access)
        self.records: list[Record | BadRecord] = []
        self.stored: dict[str, Stored] = {}
        self.page_size = 25

    def ping(self) -> Ping:
        return Ping(f"{len(self.records)} records are in memory.")

    def source(self, resource: str, options: ReadOptions) -> Source:
        if resource != "source":
            return super().source(resource, options)
        return MemorySource(self.records, self.page_size, unread=("value",))

    def target(self, resource: str, options: WriteOptions) -> Target:
        if resource != "target":
            return super().target(resource, options)
        return MemoryTarget(self.stored, adopt=options.adopt, fingerprint=self.access.fingerprint)


class _Script:
    """Counts calls from many threads, and raises what is scripted for a key."""

    def __init__(self, failures: Failures | None) -> None:
        self._failures = {key: list(errors) for key, errors in (failures or {}).items()}
        self._lock = threading.Lock()

    def play(self, key: str, call: str, calls: Counter[str]) -> None:
        with self._lock:
            calls[call] += 1
            if errors := self._failures.get(key):
                raise errors.pop(0)


def _canonical(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, default=revealed).encode()
