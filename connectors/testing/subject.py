"""What the conformance kit is given to judge, and how it moves records without an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from connectors.connector import Connector, Target
from connectors.model import BadRecord, Change, Effect, Known, Page, ReadOptions, Record, WriteOptions
from iclients.errors import Recovery


@dataclass(frozen=True)
class Act:
    """An action that works. `inputs` is given the outputs of the acts before it, by action."""

    action: str
    inputs: Callable[[Mapping[str, Mapping[str, Any]]], Mapping[str, Any]] = lambda given: {}


@dataclass(frozen=True)
class Trouble:
    """A way in which the system fails at everything, from `begin` to `end`, and which recoveries are then right."""

    begin: Callable[[], object]
    end: Callable[[], object]
    recoveries: frozenset[Recovery]


@dataclass(frozen=True)
class Subject:
    """A connector that is connected to a system made for the test, and what the test planted there.

    `resource_to_read` holds `expected_records` records; `resource_to_write` is empty, and `snapshot()` tells what
    somebody else would see there. `planted` are secret texts: those of the records that are read and of `samples`, the
    records to write. None leaves reading or writing out.
    """

    connector: Connector
    planted: Sequence[str]
    resource_to_read: str | None = None
    read_options: ReadOptions = field(default_factory=lambda: ReadOptions(values=True))
    expected_records: int = 0
    resource_to_write: str | None = None
    write_options: WriteOptions = field(default_factory=WriteOptions)
    samples: Sequence[Record] = ()
    snapshot: Callable[[], Any] = lambda: None
    rewrite: Effect = Effect.UNCHANGED
    """What becomes of a record that is written a second time and is the same: CREATED where the whole is replaced."""
    failures: Mapping[str, Callable[[], object]] = field(default_factory=dict)
    """Calls that fail, by what is wrong: each must raise."""
    acts: Sequence[Act] = ()
    """Every action of the connector once, in an order in which each finds what it needs; empty leaves actions out."""
    troubles: Mapping[str, Trouble] = field(default_factory=dict)
    """What can befall the system, by a clause such as "it throttles"."""


@dataclass
class Remembered:
    """What a ledger would hold after a run."""

    whole: Known | None = None
    entries: dict[str, Known] = field(default_factory=dict)


def pages_of(subject: Subject, checkpoint: Mapping[str, Any] | None = None) -> list[Page]:
    """All pages from the checkpoint on, through a source of its own."""
    assert subject.resource_to_read is not None
    with closing(subject.connector.source(subject.resource_to_read, subject.read_options)) as source:
        return list(source.pages(checkpoint))


def records_of(pages: Sequence[Page]) -> list[Record | BadRecord]:
    """The records of these pages."""
    return [record for page in pages for record in page.records]


def target_of(subject: Subject) -> Target:
    """A new target, as a run gets it."""
    assert subject.resource_to_write is not None
    return subject.connector.target(subject.resource_to_write, subject.write_options)


def write_all(subject: Subject, records: Sequence[Record], memory: Remembered) -> list[Effect]:
    """One whole run: what became of each record. `memory` is read and brought up to date."""
    with closing(target_of(subject)) as target:
        assert target.begin(None, memory.whole), "begin(None, …) always starts: there is nothing to go on from."
        changes = write_page(target, records, memory)
        memory.whole = target.finish() or memory.whole
    return [change.effect for change in changes]


def write_page(target: Target, records: Sequence[Record], memory: Remembered) -> list[Change]:
    """Assess and write these records, and settle them as one page."""
    changes = [_write(target, record, memory) for record in records]
    target.settle(changes)
    return changes


def _write(target: Target, record: Record, memory: Remembered) -> Change:
    key = target.key(record.fields) or record.key
    change = target.assess(record, memory.entries.get(key))
    if change.writes:
        change = target.write(record, change)
    if target.remembers and change.owned:
        memory.entries[key] = Known(change.fingerprint, change.marker, owned=True)
    return change
