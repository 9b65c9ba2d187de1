"""The engine: pages from a source, record by record through the mapping, to a target.

Listing, reading, comparing and writing overlap; pages end in the order in which they came, each in one transaction.
So memory stays flat, and after a crash at any line the run goes on with the page that had not ended:

    listed → left out? → known? → read → map → assess → intent noted → write → settle → commit

A record that fails is told and the run goes on; a refusal of a safety limit, a lost authorization or a system that is
down end it, after the pages that were complete.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import Any, Final

from connectors.connector import Source, Target
from connectors.errors import RecordError
from connectors.model import BadRecord, Change, Checkpoint, Effect, Known, Page, Record
from flows.journal import WHOLE, Journal, Settled
from flows.mapping import Mapping as FieldMapping
from flows.mapping import compile_filter
from flows.model import Cursor, Flow, Outcome, Progress, RunStatus
from flows.policy import Patience
from flows.workers import Lister, Workers
from iclients.clock import Clock, Stopped
from iclients.errors import NotAuthorized, RemoteError

RECORDS_UNDER_WAY_PER_WORKER: Final = 8
FEWEST_RECORDS_UNDER_WAY: Final = 100


@dataclass(slots=True)
class _Item:
    """One record on its way through the engine."""

    record: Record
    key: str | None = None
    known: Known | None = None
    mapped: Record | None = None
    change: Change | None = None
    source_marker: str = ""
    outcome: Outcome | None = None
    doubt: Patience | None = None


@dataclass(slots=True)
class _PageUnderWay:
    """A page on its way: what of it is still being worked on, and what is already known of it."""

    size: int
    checkpoint: Checkpoint | None
    items: list[_Item] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    skipped: int = 0
    pending: int = 0
    is_assessed: bool = False
    is_done: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_in_doubt(self) -> bool:
        """Whether records of it failed for what may be no fault of theirs."""
        return any(item.doubt is not None and item.doubt.is_in_doubt for item in self.items)

    def one_less(self) -> bool:
        """One of its tasks has ended; whether it was the last."""
        with self.lock:
            self.pending -= 1
            return self.pending == 0


_Event = tuple[str, Any]


class Engine:
    """Runs one flow once. `stop` may be called from any thread or a signal handler."""

    def __init__(
        self,
        flow: Flow,
        source: Source,
        target: Target,
        journal: Journal,
        clock: Clock,
        *,
        width: int = 1,
        calls: Callable[[], Mapping[str, int]] = dict,
        report: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        """Raises FlowDefinitionError where filter or mapping cannot work with this source."""
        self._source, self._target, self._journal, self._clock = source, target, journal, clock
        self._where = compile_filter(flow.exports[0].where, source.unread)
        self._mapping = FieldMapping(flow.steps[0].mapping)
        if (available := source.fields()) is not None:
            self._mapping.check_source(available)
        self._step = f"import {flow.steps[0].connection}/{flow.steps[0].resource}"
        self._digest = _digest(flow)
        self._width = width
        self._most = max(FEWEST_RECORDS_UNDER_WAY, width * RECORDS_UNDER_WAY_PER_WORKER)
        self._count_calls = calls
        self._report = report
        self._knows_key_early = not self._mapping.depends_on(target.key_field, source.unread)
        self._events: SimpleQueue[_Event] = SimpleQueue()
        self._patience_assessing, self._patience_writing = Patience(), Patience()
        self._fatal: BaseException | None = None
        self._stopping = False
        self._has_begun = False
        self._progress, self._before = Progress(), Progress()
        self._started = clock.monotonic()
        self._pages: list[_PageUnderWay] = []
        self._seen: dict[str, int | None] = {}

    @property
    def progress(self) -> Progress | None:
        """What the run has done by now; None while it has not begun."""
        return self._progress if self._has_begun else None

    def stop(self) -> None:
        """End the run after the pages that are complete; it can be resumed."""
        self._stopping = True
        self._events.put(("stop", None))

    def run(self) -> RunStatus:
        """Move everything. Gives succeeded, completed with errors or cancelled.

        Raises what ended the run otherwise: NotAuthorized, RemoteError, RunRefused, SettingsError, Fenced.
        """
        try:
            cursor = self._begin()
            if not (cursor and cursor.get("read_all")):
                self._move(cursor)
            if self._stopping:
                return RunStatus.CANCELLED
            self._finish()
            return self._verdict()
        except Stopped:
            return RunStatus.CANCELLED
        finally:
            self._count_effort()
            self._source.close()
            self._target.close()

    def _begin(self) -> Cursor | None:
        cursor, progress = self._journal.start()
        self._started = self._clock.monotonic()
        self._has_begun = True
        self._progress, self._before = progress, progress.copy()
        known = self._journal.known(self._target.identity, [WHOLE]).get(WHOLE)
        if not self._target.begin(cursor.get("target") if cursor else None, known):
            self._journal.restart()
            cursor, progress = None, Progress(calls=progress.calls, seconds=progress.seconds)
            self._target.begin(None, known)
            self._progress = progress
        self._cursor: Cursor = cursor or {}
        if cursor and self._target.remembers:
            self._seen = dict.fromkeys(filter(None, self._journal.keys()))
        return cursor

    def _move(self, cursor: Cursor | None) -> None:
        pages = self._source.pages(cursor.get("source") if cursor else None)
        self._workers = Workers(self._width, lambda error: self._events.put(("broken", error)))
        self._lister = Lister(
            pages,
            self._most,
            listed=lambda page: self._events.put(("listed", page)),
            ended=lambda error: self._events.put(("ended", error)),
        )
        self._lister.start()
        try:
            self._handle_events()
        finally:
            self._lister.close()
            self._workers.close()
        if self._fatal is not None:
            raise self._fatal

    def _handle_events(self) -> None:
        all_listed = False
        while not (all_listed and not self._pages):
            kind, what = self._events.get()
            if kind == "listed":
                self._on_listed(what)
            elif kind == "assessed":
                self._on_assessed(what)
            elif kind == "written":
                what.is_done = True
            elif kind == "ended":
                all_listed = True
                self._fatal = self._fatal or what
            elif kind == "broken":
                self._fatal = self._fatal or what
                self._stopping = True
            self._commit_what_is_done(all_listed)
            if self._stopping:
                return

    def _on_listed(self, page: Page) -> None:
        under_way = _PageUnderWay(len(page.records), page.checkpoint)
        self._pages.append(under_way)
        for record in page.records:
            self._sort(record, under_way)
        self._look_up(under_way)
        under_way.pending = len(under_way.items)
        if not under_way.items:
            under_way.is_done = True
        for item in under_way.items:
            self._workers.put(partial(self._prepare, item, under_way))

    def _sort(self, record: Record | BadRecord, page: _PageUnderWay) -> None:
        """Bad, left out, repeated, or on its way."""
        if isinstance(record, BadRecord):
            page.outcomes.append(
                Outcome(record.key, Effect.FAILED, record.line, "export", record.code, "skip", record.message)
            )
            return
        try:
            is_wanted = not record.left_out and self._where(record.fields)
        except RecordError as error:
            page.outcomes.append(
                Outcome(record.key, Effect.FAILED, record.line, "export", error.code, error.recovery, str(error))
            )
            return
        if not is_wanted:
            page.skipped += 1
            return
        item = _Item(record)
        if self._target.remembers and self._knows_key_early:
            item.key = self._early_key(record)
            if item.key is not None and item.key in self._seen:
                page.outcomes.append(self._repeated(item, self._seen[item.key]))
                return
            if item.key is not None:
                self._seen[item.key] = record.line
        page.items.append(item)

    def _early_key(self, record: Record) -> str | None:
        field_name = self._target.key_field
        return self._target.key({field_name: self._mapping.value_of(field_name, record)})

    def _repeated(self, item: _Item, line: int | None) -> Outcome:
        earlier = f"line {line}" if line else "an earlier record"
        return self._failed(
            item,
            "duplicate_name",
            "skip",
            f"{item.record.key} has the same name as {earlier} (names are compared without case): keep one of them.",
        )

    def _look_up(self, page: _PageUnderWay) -> None:
        keys = [item.key for item in page.items if item.key is not None]
        if not keys:
            return
        known = self._journal.known(self._target.identity, keys)
        for item in page.items:
            item.known = known.get(item.key or "")

    def _prepare(self, item: _Item, page: _PageUnderWay) -> None:
        self._guarded(item, self._assess, self._patience_assessing)
        if page.one_less():
            self._events.put(("assessed", page))

    def _write(self, item: _Item, page: _PageUnderWay) -> None:
        self._guarded(item, self._carry_out, self._patience_writing)
        if page.one_less():
            self._events.put(("written", page))

    def _guarded(self, item: _Item, act: Callable[[_Item], None], patience: Patience) -> None:
        """Do it; a failure that concerns this record alone becomes its outcome."""
        if self._stopping:
            raise Stopped
        try:
            act(item)
            patience.worked()
        except RecordError as error:
            item.outcome = self._failed(item, error.code, error.recovery, str(error))
        except RemoteError as error:
            if isinstance(error, NotAuthorized) or patience.is_over(error):
                raise
            item.doubt = patience
            item.outcome = self._failed(item, error.code, error.recovery, str(error))

    def _failed(self, item: _Item, code: str, recovery: str, message: str) -> Outcome:
        return self._told(item, Effect.FAILED, code, str(recovery), message)

    def _told(self, item: _Item, effect: Effect, code: str, recovery: str, message: str) -> Outcome:
        record = item.record
        return Outcome(record.key, effect, record.line, self._step, code, recovery, message, item.key or "")

    def _assess(self, item: _Item) -> None:
        known = item.known
        if known and item.key and self._is_unchanged(item.record, item.key, known):
            item.source_marker = known.source_marker
            item.change = Change(Effect.UNCHANGED, known.fingerprint, known.marker, known.owned)
            return
        record = self._source.read(item.record)
        item.source_marker = self._marker(record)
        item.mapped = self._mapping.apply(record)
        item.change = self._target.assess(item.mapped, known)

    def _is_unchanged(self, record: Record, key: str, known: Known) -> bool:
        """Neither side has moved since the last run: then nothing of this record needs to be read."""
        marker = self._marker(record)
        return bool(marker) and marker == known.source_marker and self._target.is_current(key, known)

    def _marker(self, record: Record) -> str:
        return f"{self._digest}:{record.marker}" if record.marker else ""

    def _on_assessed(self, page: _PageUnderWay) -> None:
        writing = [item for item in page.items if item.outcome is None and _writes(item)]
        if not writing or not self._target.remembers:
            page.is_done = True
            return
        keys = {self._key(item): item.change.fingerprint for item in writing if item.change}
        self._journal.intend(self._target.identity, keys)
        page.pending = len(writing)
        for item in writing:
            self._workers.put(partial(self._write, item, page))

    def _carry_out(self, item: _Item) -> None:
        if item.change is not None and item.mapped is not None:
            item.change = self._target.write(item.mapped, item.change)

    def _key(self, item: _Item) -> str:
        if item.key is not None:
            return item.key
        return (self._target.key(item.mapped.fields) if item.mapped else None) or item.record.key

    def _commit_what_is_done(self, all_listed: bool) -> None:
        """Failures that may end the run wait for what follows: a resume then tries their records again."""
        while self._pages and self._pages[0].is_done:
            if self._pages[0].is_in_doubt and (self._stopping or self._may_learn_more(all_listed)):
                return
            self._commit(self._pages.pop(0))

    def _may_learn_more(self, all_listed: bool) -> bool:
        """Whether work is under way that will show whether the system is well."""
        if not all(page.is_done for page in self._pages):
            return True
        return not all_listed and sum(page.size for page in self._pages) < self._most

    def _commit(self, page: _PageUnderWay) -> None:
        moved = [item for item in page.items if item.outcome is None and item.change is not None]
        changes = [item.change for item in moved if item.change is not None]
        state = self._target.settle([change for change in changes if change.writes])
        outcomes = page.outcomes + [item.outcome or self._outcome(item) for item in page.items]
        self._count(page, outcomes)
        self._cursor = {"source": page.checkpoint, "target": state, "read_all": page.checkpoint is None}
        go_on = self._journal.commit(
            self._target.identity,
            Settled(
                outcomes=[outcome for outcome in outcomes if outcome.effect is not Effect.SKIPPED],
                cursor=self._cursor,
                progress=self._progress.copy(),
                entries=self._entries(moved),
            ),
        )
        self._lister.done(page.size)
        self._report(self._progress)
        if not go_on:
            self._stopping = True

    def _outcome(self, item: _Item) -> Outcome:
        change = item.change or Change(Effect.FAILED)
        recovery = "skip" if change.effect is Effect.CONFLICT else ""
        return self._told(item, change.effect, change.code, recovery, change.reason)

    def _entries(self, moved: Sequence[_Item]) -> dict[str, Known]:
        if not self._target.remembers:
            return {}
        entries = {}
        for item in moved:
            change = item.change
            if change is None or not change.fingerprint:
                continue
            entry = Known(change.fingerprint, change.marker, item.source_marker, change.owned)
            if entry != item.known:
                entries[self._key(item)] = entry
        return entries

    def _count(self, page: _PageUnderWay, outcomes: Sequence[Outcome]) -> None:
        counts = self._progress.counts
        counts["read"] += page.size
        counts[Effect.SKIPPED] += page.skipped
        for outcome in outcomes:
            counts[outcome.effect] += 1
        self._count_effort()

    def _count_effort(self) -> None:
        self._progress.calls = self._before.calls + Counter(self._count_calls())
        self._progress.seconds = self._before.seconds + self._clock.monotonic() - self._started

    def _finish(self) -> None:
        """Put the whole in place, and remember it."""
        whole = self._target.finish()
        self._count_effort()
        entries = {WHOLE: whole} if whole else {}
        self._journal.commit(self._target.identity, Settled([], self._cursor, self._progress.copy(), entries))

    def _verdict(self) -> RunStatus:
        counts = self._progress.counts
        clean = not counts[Effect.FAILED] and not counts[Effect.CONFLICT]
        return RunStatus.SUCCEEDED if clean else RunStatus.WITH_ERRORS


def _writes(item: _Item) -> bool:
    return item.change is not None and item.change.writes


def _digest(flow: Flow) -> str:
    """Changes when what the flow does to a record changes, so that the ledger does not vouch for an older mapping."""
    text = json.dumps([asdict(flow.exports[0]), asdict(flow.steps[0])], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
