"""A vault of a few lines that knows its own intents, a machine whose power goes out, and flows between them."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from connectors.connector import Source, Target
from connectors.model import BadRecord, Change, Checkpoint, Effect, Known, Page, Record
from flows.engine import Engine
from flows.journal import JournalInMemory, Settled
from flows.model import COUNTS, Cursor, Export, Flow, Import, MappingRule, Progress
from iclients.clock import SystemClock
from iclients.secret import revealed


class PowerCut(BaseException):
    """The machine is off: nothing happens any more."""


class Power:
    """Goes out at one of the steps that are counted; from then on every step fails."""

    def __init__(self, steps: int | None = None) -> None:
        self.left = steps
        self.is_out = False
        self._lock = threading.Lock()

    def step(self) -> None:
        with self._lock:
            if self.left is not None and not self.is_out:
                self.left -= 1
                self.is_out = self.left < 0
            if self.is_out:
                raise PowerCut


class Rows(Source):
    """Records in pages. `broken_after` pages it raises `error`; `read` calls `on_read` first."""

    def __init__(
        self,
        records: Sequence[Record | BadRecord],
        *,
        page_size: int = 5,
        unread: Sequence[str] = (),
        header: Sequence[str] | None = None,
        power: Power | None = None,
        broken_after: int | None = None,
        error: BaseException | None = None,
        on_read: Callable[[Record], None] = lambda record: None,
    ) -> None:
        self.records, self.page_size, self.unread = records, page_size, frozenset(unread)
        self.header, self.power = header, power or Power()
        self.broken_after, self.error, self.on_read = broken_after, error, on_read
        self.closed = 0
        self.listed = self.reads = 0
        self._lock = threading.Lock()

    def fields(self) -> Sequence[str] | None:
        return self.header

    def pages(self, checkpoint: Checkpoint | None) -> Iterator[Page]:
        start = checkpoint["at"] if checkpoint else 0
        for number, at in enumerate(range(start, max(len(self.records), start + 1), self.page_size)):
            self.power.step()
            if number == self.broken_after and self.error is not None:
                raise self.error
            following = at + self.page_size
            page = [self._short(record) for record in self.records[at:following]]
            self.listed += len(page)
            yield Page(page, {"at": following} if following < len(self.records) else None)

    def read(self, record: Record) -> Record:
        with self._lock:
            self.reads += 1
        self.on_read(record)
        for whole in self.records:
            if isinstance(whole, Record) and (whole.key, whole.line) == (record.key, record.line):
                return whole
        raise AssertionError("read was asked for a record that was never listed")

    def close(self) -> None:
        self.closed += 1

    def _short(self, record: Record | BadRecord) -> Record | BadRecord:
        if isinstance(record, BadRecord) or not self.unread:
            return record
        fields = {name: value for name, value in record.fields.items() if name not in self.unread}
        return Record(record.key, fields, line=record.line, marker=record.marker, left_out=record.left_out)


class Shelf(Target):
    """Keeps fields by lower-case name, counts writes, and takes an equal record that it meant to write for its own."""

    identity = "shelf"

    def __init__(
        self,
        stored: dict[str, dict[str, Any]] | None = None,
        *,
        power: Power | None = None,
        on_assess: Callable[[Record], None] = lambda record: None,
        on_write: Callable[[Record], None] = lambda record: None,
    ) -> None:
        self.stored = stored if stored is not None else {}
        self.power = power or Power()
        self.on_assess, self.on_write = on_assess, on_write
        self.writes: Counter[str] = Counter()
        self.settled: list[list[str]] = []
        self.closed = 0
        self._lock = threading.Lock()

    def key(self, fields: Mapping[str, Any]) -> str | None:
        key = super().key(fields)
        return key.lower() if key else None

    def is_current(self, key: str, known: Known) -> bool:
        return key in self.stored and known.marker == digest(self.stored[key])

    def assess(self, record: Record, known: Known | None) -> Change:
        self.power.step()
        self.on_assess(record)
        known = known or Known()
        wanted = plain(record.fields)
        there = self.stored.get(wanted["name"].lower())
        fingerprint = digest(wanted)
        if there is None:
            return Change(Effect.CREATED, fingerprint, owned=True)
        if digest(there) == fingerprint:
            if known.intent == fingerprint:
                return Change(Effect.UPDATED if known.owned else Effect.CREATED, fingerprint, fingerprint, owned=True)
            return Change(Effect.UNCHANGED, fingerprint, fingerprint, known.owned)
        if known.owned:
            return Change(Effect.UPDATED, fingerprint, owned=True)
        return Change(Effect.CONFLICT, code="unowned", reason="Nobody of ours wrote it.")

    def write(self, record: Record, change: Change) -> Change:
        self.power.step()
        self.on_write(record)
        wanted = plain(record.fields)
        key = wanted["name"].lower()
        if digest(wanted) != digest(self.stored.get(key, {})):
            with self._lock:
                self.writes[key] += 1
                self.stored[key] = wanted
        self.power.step()
        return Change(change.effect, change.fingerprint, change.fingerprint, owned=True)

    def settle(self, changes: Sequence[Change]) -> None:
        self.power.step()
        self.settled.append([change.fingerprint for change in changes])

    def finish(self) -> None:
        self.power.step()

    def close(self) -> None:
        self.closed += 1


class FragileJournal(JournalInMemory):
    """A journal on the machine whose power goes out: before a transaction, or right after it."""

    def __init__(self, ledgers: dict[str, dict[str, Known]] | None = None) -> None:
        super().__init__(ledgers)
        self.power = Power()
        self.commits: list[Settled] = []

    def start(self) -> tuple[Cursor | None, Progress]:
        self.power.step()
        return super().start()

    def known(self, target: str, keys: Sequence[str]) -> Mapping[str, Known]:
        self.power.step()
        return super().known(target, keys)

    def intend(self, target: str, fingerprints: Mapping[str, str]) -> None:
        self.power.step()
        super().intend(target, fingerprints)
        self.power.step()

    def commit(self, target: str, page: Settled) -> bool:
        self.power.step()
        go_on = super().commit(target, page)
        self.commits.append(page)
        self.power.step()
        return go_on


def flow(*mapping: MappingRule, where: str | None = None) -> Flow:
    return Flow("a-flow", (Export("a", "rows", where=where),), (Import("b", "shelf", mapping=mapping),))


def engine(source: Source, target: Target, journal: JournalInMemory | None = None, **options: Any) -> Engine:
    options = {"width": 3, "flow": flow(), "clock": SystemClock(), **options}
    return Engine(options.pop("flow"), source, target, journal or JournalInMemory(), options.pop("clock"), **options)


def row(name: str, value: Any = "v", *, line: int | None = None, marker: str | None = None, **fields: Any) -> Record:
    return Record(name, {"name": name, "value": value, **fields}, line=line, marker=marker)


def rows(count: int, **options: Any) -> list[Record]:
    return [row(f"name-{number:03}", f"v{number}", **options) for number in range(count)]


def counts(journal: JournalInMemory) -> dict[str, int]:
    """The counts that are not nothing."""
    return {name: journal.progress.counts[name] for name in COUNTS if journal.progress.counts[name]}


def add_up(journal: JournalInMemory) -> bool:
    told = journal.progress.counts
    return told["read"] == sum(told[name] for name in COUNTS if name != "read")


def plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: revealed(value) for name, value in fields.items()}


def digest(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, sort_keys=True)
