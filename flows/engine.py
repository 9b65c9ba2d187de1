"""The engine: pages from a source, record by record through the mapping, to a target.

Listing, reading, comparing and writing overlap; pages end in the order in which they came, each in one transaction.
So memory stays flat, and after a crash at any line the run goes on with the page that had not ended:

    listed → left out? → known? → read → actions → map → assess → intent noted → write → settle → commit

A record that fails is told and the run goes on; a refusal of a safety limit, a lost authorization or a system that is
down end it, after the pages that were complete.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from queue import SimpleQueue
from typing import Any, Final

from connectors.connector import Source, Target
from connectors.model import Effect, Known, Page
from flows.acting import Performer
from flows.journal import WHOLE, Journal, Settled
from flows.model import Cursor, Flow, Outcome, Progress, RunStatus
from flows.mover import Mover
from flows.retried import Retried
from flows.under_way import Item, PageUnderWay
from flows.workers import Lister, Workers
from iclients.clock import Clock, Stopped

RECORDS_UNDER_WAY_PER_WORKER: Final = 8
FEWEST_RECORDS_UNDER_WAY: Final = 100


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
        retried: Retried | None = None,
        acts: Sequence[Performer] = (),
    ) -> None:
        """`acts` are the flow's action steps. With `retried` it moves only those records; a target that is replaced as a whole gets all of them.

        Raises FlowDefinitionError where filter or mapping cannot work with this source.
        """
        self._source, self._target, self._journal, self._clock = source, target, journal, clock
        self._mover = Mover(flow, source, target, acts)
        self._width = width
        self._most = max(FEWEST_RECORDS_UNDER_WAY, width * RECORDS_UNDER_WAY_PER_WORKER)
        self._count_calls = calls
        self._report = report
        self._retried = retried if target.remembers else None
        self._events: SimpleQueue[_Event] = SimpleQueue()
        self._fatal: BaseException | None = None
        self._stopping = False
        self._has_begun = False
        self._progress, self._before = Progress(), Progress()
        self._started = clock.monotonic()
        self._pages: list[PageUnderWay] = []

    @property
    def progress(self) -> Progress | None:
        """What the run has done by now; None while it has not begun."""
        return self._progress if self._has_begun else None

    def stop(self) -> None:
        """End the run after the pages that are complete; it can be resumed."""
        self._stop()
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
            self._source.close()
            self._target.close()
            self._count_effort()

    def _stop(self) -> None:
        self._stopping = True
        self._mover.stop()

    def _begin(self) -> Cursor | None:
        cursor, progress = self._journal.start()
        self._started = self._clock.monotonic()
        self._has_begun = True
        self._progress, self._before = progress, progress.copy()
        known = self._journal.known(self._target.identity, [WHOLE]).get(WHOLE)
        is_the_same = cursor is None or cursor.get("of") == self._mover.digest
        if not is_the_same or not self._target.begin(cursor.get("target") if cursor else None, known):
            self._start_over(known)
            cursor = None
        self._cursor: Cursor = cursor or {"of": self._mover.digest, "read_all": False}
        if cursor and self._target.remembers:
            self._mover.has_moved(self._journal.keys())
        return cursor

    def _start_over(self, known: Known | None) -> None:
        """What was done is of another flow, of other places, or is gone: begin anew, under the same id."""
        self._journal.restart()
        self._progress = Progress(calls=self._progress.calls, seconds=self._progress.seconds)
        self._target.begin(None, known)

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
                self._stop()
            self._commit_what_is_done(all_listed)
            if self._stopping or (self._fatal is not None and all(page.is_done for page in self._pages)):
                return

    def _on_listed(self, page: Page) -> None:
        under_way = PageUnderWay(len(page.records), page.checkpoint)
        self._pages.append(under_way)
        self._sort(page, under_way)
        self._look_up(under_way)
        under_way.pending = len(under_way.items)
        if not under_way.items:
            under_way.is_done = True
        for item in under_way.items:
            self._workers.put(partial(self._prepare, item, under_way))

    def _sort(self, page: Page, under_way: PageUnderWay) -> None:
        are_wanted = self._retried.among(page.records) if self._retried else [True] * len(page.records)
        for record, is_wanted in zip(page.records, are_wanted, strict=True):
            if is_wanted:
                self._mover.sort(record, under_way)
            else:
                self._mover.pass_by(record, under_way)

    def _look_up(self, page: PageUnderWay) -> None:
        keys = [item.key for item in page.items if item.key is not None]
        if not keys:
            return
        known = self._journal.known(self._target.identity, keys)
        for item in page.items:
            item.known = known.get(item.key or "")

    def _prepare(self, item: Item, page: PageUnderWay) -> None:
        self._mover.prepare(item)
        if page.one_less():
            self._events.put(("assessed", page))

    def _write(self, item: Item, page: PageUnderWay) -> None:
        self._mover.write(item)
        if page.one_less():
            self._events.put(("written", page))

    def _on_assessed(self, page: PageUnderWay) -> None:
        writing = [item for item in page.items if item.writes]
        if not writing or not self._target.remembers:
            page.is_done = True
            return
        keys = {self._mover.key(item): item.change.fingerprint for item in writing if item.change}
        self._journal.intend(self._target.identity, keys)
        page.pending = len(writing)
        for item in writing:
            item.is_intended = True
            self._workers.put(partial(self._write, item, page))

    def _commit_what_is_done(self, all_listed: bool) -> None:
        """Failures that may end the run wait for what follows: a resume then tries their records again."""
        while self._pages and self._pages[0].is_done:
            ends = self._stopping or self._fatal is not None
            if self._pages[0].is_in_doubt and (ends or self._may_learn_more(all_listed)):
                return
            self._commit(self._pages.pop(0))

    def _may_learn_more(self, all_listed: bool) -> bool:
        """Whether work is under way that will show whether the system is well."""
        if not all(page.is_done for page in self._pages):
            return True
        return not all_listed and sum(page.size for page in self._pages) < self._most

    def _commit(self, page: PageUnderWay) -> None:
        state = self._target.settle([item.change for item in page.items if item.writes and item.change is not None])
        outcomes = page.outcomes + [self._mover.outcome(item) for item in page.items]
        progress = self._counted(page, outcomes)
        cursor: Cursor = {
            "of": self._mover.digest,
            "source": page.checkpoint,
            "target": state,
            "read_all": page.checkpoint is None,
        }
        go_on = self._journal.commit(
            self._target.identity,
            Settled(
                outcomes=[outcome for outcome in outcomes if outcome.effect is not Effect.SKIPPED],
                cursor=cursor,
                progress=progress,
                entries=self._entries(page.items),
            ),
        )
        self._cursor, self._progress = cursor, progress.copy()
        self._lister.done(page.size)
        self._report(self._progress)
        if not go_on:
            self._stop()

    def _entries(self, items: Sequence[Item]) -> dict[str, Known]:
        """What the ledger learns from a page."""
        if not self._target.remembers:
            return {}
        found = ((item, self._mover.entry(item)) for item in items)
        return {self._mover.key(item): entry for item, entry in found if entry is not None and entry != item.known}

    def _counted(self, page: PageUnderWay, outcomes: Sequence[Outcome]) -> Progress:
        """What the run has done once this page is stored; it counts only then."""
        self._count_effort()
        progress = self._progress.copy()
        progress.counts["read"] += page.size
        progress.counts[Effect.SKIPPED] += page.skipped
        progress.counts.update(outcome.effect for outcome in outcomes)
        return progress

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
