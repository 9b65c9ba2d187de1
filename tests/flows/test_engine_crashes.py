"""Whatever fails, and wherever the power goes out: the right end, every record once, counts that add up."""

from __future__ import annotations

import threading
from typing import Any

from flow_fakes import FragileJournal, Power, PowerCut, Rows, Shelf, add_up, counts, engine, flow, plain, row
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.errors import Conflict, Forbidden, RecordError, Throttled, Unavailable
from connectors.model import BadRecord, Known, Record
from flows.model import RunStatus
from iclients.errors import AnswerLost, NotAuthorized, RemoteError

ERRORS = (
    RecordError("no.", code="expression"),
    Conflict("in the way."),
    Forbidden("no."),
    Throttled("fast."),
    Unavailable("down."),
    AnswerLost("lost."),
)
FATAL = (NotAuthorized("out."), RemoteError("over."))

kinds = st.sampled_from(["new", "same", "changed", "unowned", "foreign-same", "skipped", "bad"])
plans = st.lists(kinds, max_size=17)
cuts = st.lists(st.integers(0, 60), max_size=5)
relaxed = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


class World:
    """A source, a shelf on which an earlier run and somebody else left things, and a ledger."""

    def __init__(self, plan: list[str]) -> None:
        self.records: list[Record | BadRecord] = []
        self.stored: dict[str, dict[str, Any]] = {}
        self.expected: dict[str, dict[str, Any]] = {}
        self.counts: dict[str, int] = {"read": len(plan)} if plan else {}
        self.ledgers: dict[str, dict[str, Known]] = {"shelf": {}}
        before = [
            row(f"n{at:02}", "old", wanted=True, marker="1")
            for at, kind in enumerate(plan)
            if kind in ("same", "changed")
        ]
        first = Shelf(self.stored)
        engine(Rows(before), first, FragileJournal(self.ledgers)).run()
        for at, kind in enumerate(plan):
            self._plant(f"n{at:02}", kind)
        self.before = {name: dict(fields) for name, fields in self.stored.items()}

    def _plant(self, name: str, kind: str) -> None:
        old = plain(row(name, "old", wanted=True).fields)
        if kind == "bad":
            self.records.append(BadRecord(name, None, "cut", "It is cut off."))
        else:
            value = "old" if kind == "same" else "new"
            marker = "1" if kind == "same" else "2"
            self.records.append(row(name, value, wanted=kind != "skipped", marker=marker))
        if kind in ("unowned", "foreign-same"):
            self.stored[name] = {**old, "value": "theirs" if kind == "unowned" else "new"}
        effect = {"new": "created", "same": "unchanged", "changed": "updated", "unowned": "conflicts",
                  "foreign-same": "unchanged", "skipped": "skipped", "bad": "failed"}[kind]  # fmt: skip
        self.counts[effect] = self.counts.get(effect, 0) + 1
        wanted = {"new": "new", "same": "old", "changed": "new", "unowned": "theirs", "foreign-same": "new"}
        if kind in wanted:
            self.expected[name] = {**old, "value": wanted[kind]}


@relaxed
@given(plan=plans, cut_after=cuts, page_size=st.integers(1, 6), width=st.integers(1, 4))
def test_after_power_cuts_anywhere_the_end_is_right_and_every_record_was_written_once(
    plan: list[str], cut_after: list[int], page_size: int, width: int
) -> None:
    world = World(plan)
    journal = FragileJournal(world.ledgers)
    writes = Shelf(world.stored).writes
    status = None
    for steps in [*cut_after, None]:
        power = Power(steps)
        journal.power = power
        shelf = Shelf(world.stored, power=power)
        shelf.writes = writes
        source = Rows(world.records, page_size=page_size, unread=["value"], power=power)
        try:
            status = engine(source, shelf, journal, width=width, flow=flow(where="wanted")).run()
            break
        except PowerCut:
            assert steps is not None
    assert world.stored == world.expected
    assert all(count == 1 for count in writes.values())
    assert counts(journal) == world.counts
    is_clean = not {"failed", "conflicts"} & world.counts.keys()
    assert status is (RunStatus.SUCCEEDED if is_clean else RunStatus.WITH_ERRORS)
    assert not any(entry.intent for entry in world.ledgers["shelf"].values())


@relaxed
@given(plan=plans, cut_after=cuts)
def test_a_run_after_the_last_one_changes_nothing(plan: list[str], cut_after: list[int]) -> None:
    world = World(plan)
    journal = FragileJournal(world.ledgers)
    for steps in [*cut_after, None]:
        journal.power = Power(steps)
        try:
            engine(
                Rows(world.records), Shelf(world.stored, power=journal.power), journal, flow=flow(where="wanted")
            ).run()
            break
        except PowerCut:
            continue
    again, shelf = FragileJournal(world.ledgers), Shelf(world.stored)
    engine(Rows(world.records), shelf, again, flow=flow(where="wanted")).run()
    assert not shelf.writes
    assert not {"created", "updated"} & counts(again).keys()
    assert add_up(again)


scripts = st.dictionaries(st.integers(0, 29), st.sampled_from([*ERRORS, *FATAL]), max_size=12)


@relaxed
@given(reading=scripts, assessing=scripts, writing=scripts, plan=plans, width=st.integers(1, 4))
def test_counts_add_up_whatever_fails(
    reading: dict[int, Exception],
    assessing: dict[int, Exception],
    writing: dict[int, Exception],
    plan: list[str],
    width: int,
) -> None:
    world = World(plan)

    def failing(script: dict[int, Exception]) -> Any:
        def act(record: Record) -> None:
            if error := script.get(int(record.key[1:])):
                raise error

        return act

    journal = FragileJournal(world.ledgers)
    shelf = Shelf(world.stored, on_assess=failing(assessing), on_write=failing(writing))
    source = Rows(world.records, on_read=failing(reading))
    try:
        engine(source, shelf, journal, width=width, flow=flow(where="wanted")).run()
        assert counts(journal).get("read", 0) == len(plan)
    except RemoteError:
        assert counts(journal).get("read", 0) <= len(plan)
    assert all(page.progress.counts["read"] == sum(
        count for name, count in page.progress.counts.items() if name != "read"
    ) for page in journal.commits)  # fmt: skip
    assert all(world.stored[name] in (world.before.get(name), world.expected[name]) for name in world.stored)
    calm = FragileJournal(world.ledgers)
    engine(Rows(world.records), Shelf(world.stored), calm, flow=flow(where="wanted")).run()
    assert world.stored == world.expected


def test_an_engine_leaves_no_thread_behind() -> None:
    engine(Rows([row("a"), row("b")]), Shelf()).run()
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name == "lister" or name.startswith("record-")]
