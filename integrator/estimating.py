"""Estimates: how many calls a flow will make and how long that takes, before it runs. No value is read for it.

By its last run, which costs no call; or by a count, which lists both ends within a bound, and sees in the ledger what has
changed since. Listing brings 25 records a call: of a large vault only the beginning is counted where nobody asks for more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.connector import Connector, Source, Target
from connectors.effort import Effort, seconds_of
from connectors.errors import SettingsError
from connectors.model import Page, ReadOptions, Record
from flows.acting import performers
from flows.ends import open_last, open_source
from flows.model import Flow
from flows.mover import Mover
from flows.under_way import Item, PageUnderWay
from integrator.bootstrap import Installation
from integrator.store.moments import iso
from integrator.store.remembered import Remembered
from integrator.store.run_events import Happened
from integrator.store.runs import OVER, Run
from integrator.store.store import Transaction

MOST_CALLS: Final = 400
MOST_SECONDS: Final = 20.0
FEW_CALLS: Final = 8
FEW_SECONDS: Final = 0.5
USUAL_LATENCY_SECONDS: Final = 0.05
_LOOKED_BACK: Final = 5
_WORDS: Final = {"list": "list call", "get": "read", "put": "write", "patch": "update", "versions": "version list call"}


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will take. `by` says how sure that is: `run` (the last one was so), `count`, or `least` (a count that
    ended early, so there is more)."""

    flow: str
    records: int
    calls: Mapping[str, int]
    seconds: float
    by: str
    run: int | None = None
    at: float | None = None

    @property
    def sentence(self) -> str:
        """For people."""
        calls = ", ".join(_told(kind, many) for kind, many in sorted(self.calls.items(), key=_order)) or "no calls"
        about = "At least" if self.by == "least" else "About"
        sure = {"run": f"by run {self.run} of {(iso(self.at) or '')[:10]}", "count": "by a count just now"}
        how = sure.get(self.by, "only the beginning was counted")
        unit = "record" if self.records == 1 else "records"
        return f"{about} {self.records:,} {unit}: {calls}, about {_lasting(self.seconds)}; {how}."

    def document(self) -> dict[str, Any]:
        """As `flows estimate --json` prints it."""
        document = {"flow": self.flow, "records": self.records, "calls": dict(self.calls)}
        document |= {"seconds": round(self.seconds, 1), "by": self.by, "run": self.run, "sentence": self.sentence}
        return document


@dataclass(slots=True)
class _Count:
    """What listing showed."""

    records: int = 0
    wanted: int = 0
    taken: int = 0
    """Those that are read, go through every action, and are compared."""
    created: int = 0
    compared: int = 0
    updated: int = 0
    is_whole: bool = True
    listed_before: int = 0
    lists: Counter[str] = field(default_factory=Counter)
    target: set[str] | None = None


def by_last_run(stored: Transaction, flow: str) -> Estimate | None:
    """What the flow's last whole run took, as the next one's measure; None where there is none. Makes no call.

    After a run that moved everything into a place that remembers it, the next one mostly finds it unchanged.
    """
    runs = [run for run in stored.runs.newest(_LOOKED_BACK, flow) if run.status in OVER and run.retry_of is None]
    if not runs:
        return None
    run, calls = runs[0], Counter(runs[0].progress.calls)
    if _was_the_first(run, len(runs)):
        calls = Counter({kind: many for kind, many in calls.items() if _is_list(kind)})
    before = max(1, sum(run.progress.calls.values()))
    seconds = run.progress.seconds * max(0.1, sum(calls.values()) / before)
    return Estimate(flow, run.progress.counts["read"], dict(calls), seconds, "run", run.id, run.ended_at)


def foretell(stored: Transaction, run: Run, sentence: str = "") -> None:
    """Note beside a run what it will take, as this sentence says, or as the last run was; nothing where none was."""
    told = sentence or ((found := by_last_run(stored, run.flow)) and found.sentence)
    if told and run.retry_of is None:
        stored.note(run.id, Happened.ESTIMATED, told)


def counted(
    installation: Installation, flow: str, most_calls: int = MOST_CALLS, most_seconds: float = MOST_SECONDS
) -> Estimate:
    """List both ends, within a bound, and add up what a run would do with what is there.

    Raises NotFoundHere, SettingsError, FlowDefinitionError, RemoteError: what a run would raise.
    """
    with installation.store.reading() as stored:
        found, flow_id = stored.flows.get(flow), stored.flows.id_of(flow)
    connectors = {name: installation.connector(name) for name in found.connections}
    return _Counting(installation, found, flow_id, connectors, most_calls, most_seconds).estimate()


class _Counting:
    """One count: the source's pages against the ledger, and the names that the destination has already."""

    def __init__(
        self,
        installation: Installation,
        flow: Flow,
        flow_id: int,
        connectors: Mapping[str, Connector],
        most_calls: int,
        most_seconds: float,
    ) -> None:
        self._flow, self._connectors = flow, connectors
        self._clock = installation.clock
        self._journal = Remembered(installation.store.database, flow_id)
        self._most_calls, self._ends_at = most_calls, self._clock.monotonic() + most_seconds
        self._width = max(connector.concurrency for connector in connectors.values())
        self._latency = USUAL_LATENCY_SECONDS
        self._origin = Effort()

    def estimate(self) -> Estimate:
        acts = performers(self._flow, self._connectors.__getitem__)
        export = self._flow.exports[0]
        connector = self._connectors[export.connection]
        with closing(open_source(export, connector, self._flow.rules)) as source:
            self._origin = connector.effort(export.resource, source.unread)
            target = open_last(self._flow, acts, self._connectors.__getitem__)
            try:
                count = self._count(source, target, Mover(self._flow, source, target, acts))
            finally:
                target.close()
        return self._added_up(count, target)

    def _count(self, source: Source, target: Target, mover: Mover) -> _Count:
        count = _Count()
        if target.remembers:
            self._list_target(target, count)
        for page in self._pages(self._connectors[self._flow.exports[0].connection], source, count):
            under_way = PageUnderWay(len(page.records), page.checkpoint)
            for record in page.records:
                mover.sort(record, under_way)
            count.records += len(page.records)
            count.wanted += len(under_way.items)
            self._judge(under_way.items, target, mover, count)
        return count

    def _list_target(self, target: Target, count: _Count) -> None:
        step = self._flow.destination
        connector = self._connectors[step.connection] if step else None
        if step is None or connector is None or not connector.effort(step.resource).page_size:
            return
        try:
            there = connector.source(step.resource, ReadOptions())
        except SettingsError:
            return
        names: set[str] = set()
        with closing(there):
            for page in self._pages(connector, there, count):
                found = (target.key({target.key_field: one.key}) for one in page.records if isinstance(one, Record))
                names.update(filter(None, found))
        count.target, count.listed_before = names, count.lists.total()

    def _judge(self, items: list[Item], target: Target, mover: Mover, count: _Count) -> None:
        """What becomes of these records, as far as lists and ledger tell. Where the last run met no mark of a record's
        state, as in a file, nothing says whether it has changed: it counts as unchanged."""
        keys = [item.key for item in items if item.key is not None]
        known = self._journal.known(target.identity, keys) if target.remembers else {}
        for item in items:
            item.known = known.get(item.key or "")
            is_there = item.key in count.target if count.target is not None else bool(item.known)
            if is_there and mover.may_be_current(item):
                continue
            if self._origin.opens and item.record.fields.get(self._origin.opens) is False:
                continue
            count.taken += 1
            if not is_there:
                count.created += 1
            elif item.known is None or not item.known.fingerprint:
                count.compared += 1
            elif item.known.source_marker:
                count.updated += 1

    def _pages(self, connector: Connector, source: Source, count: _Count) -> Iterator[Page]:
        """Pages within the bound; what their calls are, and how long one takes, is learnt on the way."""
        before, began = Counter(connector.calls), self._clock.monotonic()
        made: Counter[str] = Counter()
        pages = source.pages(None)
        try:
            for page in pages:
                yield page
                made = Counter(connector.calls) - before
                if page.checkpoint and (made.total() >= self._most_calls or self._clock.monotonic() > self._ends_at):
                    count.is_whole = False
                    return
        finally:
            if close := getattr(pages, "close", None):
                close()
            made = Counter(connector.calls) - before
            count.lists += made
            if made:
                self._latency = (self._clock.monotonic() - began) / made.total()

    def _added_up(self, count: _Count, target: Target) -> Estimate:
        step = self._flow.destination
        other = Effort()
        if step and target.remembers:
            other = self._connectors[step.connection].effort(step.resource, options=step.options)
        made = [
            (self._origin, count.lists + self._origin.reading(count.taken)),
            (other, other.writing(count.created, count.compared, count.updated)),
            *((act, act.acting(count.taken)) for act in self._acts()),
        ]
        calls: Counter[str] = sum((each for _, each in made), Counter())
        places: dict[str, float] = {}
        for effort, each in made:
            places[effort.place] = places.get(effort.place, 0.0) + effort.budget_seconds(each)
        lists = count.listed_before, count.lists.total() - count.listed_before
        seconds = seconds_of(places, calls.total(), lists, count.wanted, self._latency, self._width)
        by = "count" if count.is_whole else "least"
        return Estimate(self._flow.name, count.records, dict(calls), seconds, by)

    def _acts(self) -> list[Effort]:
        steps = self._flow.actions
        named = [(step, {rule.to for rule in step.inputs}) for step in steps]
        return [self._connectors[step.connection].effort_of_action(step.action, names) for step, names in named]


def _was_the_first(run: Run, runs: int) -> bool:
    """Whether it made most of what it wrote, or for the first time carried out what the flow ends in: a place that
    remembers finds that unchanged next time. A file is made anew each time; one that is read tells no changes."""
    counts, calls = run.progress.counts, run.progress.calls
    if not counts["created"]:
        return runs == 1 and any(map(_is_list, calls))
    writes = any(kind in ("put", "cert_import") for kind in calls)
    return writes and counts["created"] > counts["unchanged"] + counts["updated"]


def _is_list(kind: str) -> bool:
    return kind.endswith("list") or kind == "deleted"


def _order(item: tuple[str, int]) -> tuple[int, str]:
    kinds = list(_WORDS)
    return (kinds.index(item[0]) if item[0] in kinds else len(kinds)), item[0]


def _told(kind: str, many: int) -> str:
    word = _WORDS.get(kind, f"{kind.replace('_', ' ')} call")
    return f"{many:,} {word}{'' if many == 1 else 's'}"


def _lasting(seconds: float) -> str:
    if seconds < 1:
        return "a second"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
