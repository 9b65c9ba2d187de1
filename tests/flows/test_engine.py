"""The engine: what becomes of records, in which order, and what ends a run."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest
from flow_fakes import FragileJournal, PowerCut, Rows, Shelf, add_up, counts, engine, flow, plain, row, rows

from connectors.connector import Target
from connectors.errors import Forbidden, HostNotAllowed, RecordError, Unavailable
from connectors.model import BadRecord, Change, Effect, Known, Record
from flows.errors import Fenced, FlowDefinitionError
from flows.journal import WHOLE, JournalInMemory, Settled
from flows.model import MappingRule, Outcome, Progress, RunStatus
from iclients.clock import Stopped, SystemClock
from iclients.errors import NotAuthorized
from iclients.secret import Secret


def errors_of(journal: JournalInMemory) -> dict[str, Outcome]:
    return {outcome.key: outcome for outcome in journal.outcomes.values() if outcome.is_error}


def raising(error: BaseException, *keys: str) -> Any:
    """What raises for these records, for all of them where none is named."""

    def act(record: Record) -> None:
        if not keys or record.key in keys:
            raise error

    return act


def test_every_record_arrives_and_is_counted_once() -> None:
    journal, shelf = JournalInMemory(), Shelf()
    assert engine(Rows(rows(12)), shelf, journal).run() is RunStatus.SUCCEEDED
    assert counts(journal) == {"read": 12, "created": 12}
    assert shelf.stored == {record.key: plain(record.fields) for record in rows(12)}
    assert max(shelf.writes.values()) == 1


def test_an_empty_source_succeeds_without_a_write() -> None:
    journal, shelf = JournalInMemory(), Shelf()
    assert engine(Rows([]), shelf, journal).run() is RunStatus.SUCCEEDED
    assert counts(journal) == {}
    assert not shelf.stored


def test_pages_are_committed_in_the_order_in_which_they_were_listed() -> None:
    first_page_may_go = threading.Event()
    written = threading.Semaphore(0)

    def slow_first_page(record: Record) -> None:
        if record.key == "name-000":
            for _ in range(9):
                written.acquire()
            first_page_may_go.wait(5)
        else:
            written.release()
            first_page_may_go.set()

    journal = FragileJournal()
    assert engine(Rows(rows(10), page_size=2), Shelf(on_write=slow_first_page), journal).run() is RunStatus.SUCCEEDED
    assert [[outcome.key for outcome in page.outcomes] for page in journal.commits[:-1]] == [
        [f"name-{number:03}", f"name-{number + 1:03}"] for number in range(0, 10, 2)
    ]
    assert [page.cursor["source"] for page in journal.commits] == [
        {"at": 2},
        {"at": 4},
        {"at": 6},
        {"at": 8},
        None,
        None,
    ]


def test_every_commit_tells_counts_that_add_up() -> None:
    journal = FragileJournal()
    engine(Rows(rows(23)), Shelf(), journal).run()
    assert [page.progress.counts["read"] for page in journal.commits] == [5, 10, 15, 20, 23, 23]
    assert all(page.progress.counts["read"] == page.progress.counts["created"] for page in journal.commits)


def test_calls_and_seconds_are_told_and_go_on_after_a_resume() -> None:
    journal = JournalInMemory()
    journal.progress = Progress(seconds=100.0)
    journal.progress.calls.update(list=7)
    engine(Rows(rows(3)), Shelf(), journal, calls=lambda: {"list": 1, "put": 3}).run()
    assert journal.progress.calls == {"list": 8, "put": 3}
    assert journal.progress.seconds >= 100.0


def test_progress_is_reported_page_by_page() -> None:
    seen: list[int] = []
    engine(Rows(rows(12)), Shelf(), report=lambda progress: seen.append(progress.counts["read"])).run()
    assert seen == [5, 10, 12]


def test_what_the_filter_leaves_out_counts_as_skipped_and_is_never_read() -> None:
    journal = JournalInMemory()
    source = Rows(
        [row("a", wanted=True), row("b", wanted=False), Record("c", {}, left_out="managed")], unread=["value"]
    )
    engine(source, Shelf(), journal, flow=flow(where="wanted")).run()
    assert counts(journal) == {"read": 3, "created": 1, "skipped": 2}
    assert source.reads == 1
    assert [key for key, _ in journal.outcomes] == ["a"]


def test_a_record_that_the_filter_does_not_suit_fails_alone() -> None:
    journal = JournalInMemory()
    source = Rows([row("a", kind="json"), row("b", kind=None), row("c", kind="json")])
    status = engine(source, Shelf(), journal, flow=flow(where="contains(kind, 'json')")).run()
    assert status is RunStatus.WITH_ERRORS
    assert counts(journal) == {"read": 3, "created": 2, "failed": 1}
    assert errors_of(journal)["b"].step == "export"
    assert errors_of(journal)["b"].recovery == "skip"


def test_a_record_that_could_not_be_read_is_told_with_its_line() -> None:
    journal = JournalInMemory()
    source = Rows([row("a", line=2), BadRecord("line 3", 3, "too_few_cells", "Line 3 has too few cells.")])
    assert engine(source, Shelf(), journal).run() is RunStatus.WITH_ERRORS
    assert errors_of(journal)["line 3"] == Outcome(
        "line 3", Effect.FAILED, 3, "export", "too_few_cells", "skip", "Line 3 has too few cells."
    )


def test_a_record_that_the_target_cannot_take_fails_alone_with_step_code_and_recovery() -> None:
    journal = JournalInMemory()
    shelf = Shelf(on_assess=raising(RecordError("name-001: too large.", code="value_too_large"), "name-001"))
    assert engine(Rows(rows(3)), shelf, journal).run() is RunStatus.WITH_ERRORS
    assert counts(journal) == {"read": 3, "created": 2, "failed": 1}
    failed = errors_of(journal)["name-001"]
    assert (failed.step, failed.code, failed.recovery) == ("import b/shelf", "value_too_large", "skip")


def test_a_conflict_is_no_failure_and_no_success() -> None:
    journal, shelf = JournalInMemory(), Shelf({"name-001": {"name": "name-001", "value": "theirs"}})
    assert engine(Rows(rows(3)), shelf, journal).run() is RunStatus.WITH_ERRORS
    assert counts(journal) == {"read": 3, "created": 2, "conflicts": 1}
    assert errors_of(journal)["name-001"].recovery == "skip"
    assert shelf.stored["name-001"]["value"] == "theirs"


def test_names_that_differ_in_case_alone_are_refused_with_the_line_of_the_first() -> None:
    journal, shelf = JournalInMemory(), Shelf()
    source = Rows([row("Db", line=2), row("other", line=3), row("dB", line=4), row("DB", line=5)], page_size=2)
    engine(source, shelf, journal).run()
    assert counts(journal) == {"read": 4, "created": 2, "failed": 2}
    assert errors_of(journal)["dB"].message == (
        "dB has the same name as line 2 (names are compared without case): keep one of them."
    )
    assert errors_of(journal)["DB"].code == "duplicate_name"
    assert shelf.stored["db"]["name"] == "Db"


def test_a_repeated_name_is_recognised_across_a_resume_too() -> None:
    journal, shelf = FragileJournal(), Shelf()
    records = [row("db", "first"), row("x"), row("DB", "second"), row("y")]
    source = Rows(records, page_size=2, broken_after=1, error=Unavailable("The source is down."))
    with pytest.raises(Unavailable):
        engine(source, shelf, journal).run()
    engine(Rows(records, page_size=2), shelf, journal).run()
    assert counts(journal) == {"read": 4, "created": 3, "failed": 1}
    assert errors_of(journal)["DB"].code == "duplicate_name"
    assert shelf.stored["db"]["value"] == "first"


def test_a_repeated_name_is_recognised_across_a_resume_when_the_mapping_renames() -> None:
    journal, shelf = FragileJournal(), Shelf()
    rules = (MappingRule("name", "alias"), MappingRule("value", "value"))
    records = [row("a", "first", alias="db"), row("b", alias="x"), row("c", "second", alias="DB"), row("db", alias="y")]
    source = Rows(records, page_size=2, broken_after=1, error=Unavailable("The source is down."))
    with pytest.raises(Unavailable):
        engine(source, shelf, journal, flow=flow(*rules)).run()
    engine(Rows(records, page_size=2), shelf, journal, flow=flow(*rules)).run()
    assert counts(journal) == {"read": 4, "created": 3, "failed": 1}
    assert errors_of(journal)["c"].code == "duplicate_name"
    assert shelf.stored["db"]["value"] == "first"


def test_a_target_without_memory_takes_repeated_names() -> None:
    class File(Shelf):
        remembers = False

    journal = JournalInMemory()
    engine(Rows([row("a"), row("A")]), File(), journal).run()
    assert counts(journal) == {"read": 2, "created": 2}
    assert set(journal.ledgers.get("shelf", {})) <= {WHOLE}


def test_the_mapping_stands_between_source_and_target() -> None:
    shelf = Shelf()
    rules = (MappingRule("name", template="copy-{{ name }}"), MappingRule("value", "upper(value)"))
    engine(Rows([row("a", Secret("x"))]), shelf, flow=flow(*rules)).run()
    assert shelf.stored == {"copy-a": {"name": "copy-a", "value": "X"}}


def test_a_mapping_that_needs_a_field_the_source_lacks_is_refused_before_anything_moves() -> None:
    source = Rows(rows(3), header=["name", "value"])
    with pytest.raises(FlowDefinitionError, match="takes nme"):
        engine(source, Shelf(), flow=flow(MappingRule("name", "nme")))
    with pytest.raises(FlowDefinitionError, match="where cannot use value"):
        engine(Rows(rows(3), unread=["value"]), Shelf(), flow=flow(where="value"))


# What has not changed


def test_what_has_not_changed_on_either_side_is_not_read() -> None:
    ledgers: dict[str, dict[str, Known]] = {}
    shelf = Shelf()
    engine(Rows(rows(7, marker="1"), unread=["value"]), shelf, JournalInMemory(ledgers)).run()
    source, journal = Rows(rows(7, marker="1"), unread=["value"]), JournalInMemory(ledgers)
    assert engine(source, shelf, journal).run() is RunStatus.SUCCEEDED
    assert counts(journal) == {"read": 7, "unchanged": 7}
    assert source.reads == 0
    assert sum(shelf.writes.values()) == 7


def test_what_changed_on_either_side_is_read_and_put_right() -> None:
    ledgers: dict[str, dict[str, Known]] = {}
    shelf = Shelf()
    engine(Rows(rows(3, marker="1"), unread=["value"]), shelf, JournalInMemory(ledgers)).run()
    shelf.stored["name-001"]["value"] = "touched by somebody"
    changed = [row("name-000", "new", marker="2"), *rows(3, marker="1")[1:]]
    source, journal = Rows(changed, unread=["value"]), JournalInMemory(ledgers)
    engine(source, shelf, journal).run()
    assert counts(journal) == {"read": 3, "updated": 2, "unchanged": 1}
    assert source.reads == 2
    assert [shelf.stored[name]["value"] for name in sorted(shelf.stored)] == ["new", "v1", "v2"]


def test_a_source_without_a_settled_state_is_read_each_time() -> None:
    ledgers: dict[str, dict[str, Known]] = {}
    shelf = Shelf()
    for _ in range(2):
        source, journal = Rows(rows(3), unread=["value"]), JournalInMemory(ledgers)
        engine(source, shelf, journal).run()
        assert source.reads == 3
    assert counts(journal) == {"read": 3, "unchanged": 3}


def test_a_changed_mapping_invalidates_what_was_known_to_be_unchanged() -> None:
    ledgers: dict[str, dict[str, Known]] = {}
    shelf = Shelf()
    rules = (MappingRule("name", "name"), MappingRule("value", "value"))
    engine(Rows(rows(3, marker="1")), shelf, JournalInMemory(ledgers), flow=flow(*rules)).run()
    louder = (MappingRule("name", "name"), MappingRule("value", "upper(value)"))
    journal = JournalInMemory(ledgers)
    engine(Rows(rows(3, marker="1")), shelf, journal, flow=flow(*louder)).run()
    assert counts(journal) == {"read": 3, "updated": 3}
    assert shelf.stored["name-001"]["value"] == "V1"


def test_what_was_only_compared_is_remembered_and_stays_unowned() -> None:
    ledgers: dict[str, dict[str, Known]] = {}
    shelf = Shelf({"a": {"name": "a", "value": "v"}})
    engine(Rows([row("a", marker="1")]), shelf, JournalInMemory(ledgers)).run()
    assert not ledgers["shelf"]["a"].owned
    source = Rows([row("a", marker="1")])
    engine(source, shelf, JournalInMemory(ledgers)).run()
    assert source.reads == 0


# What ends a run


def test_a_source_that_breaks_midway_commits_what_was_complete_and_then_raises() -> None:
    journal, shelf = JournalInMemory(), Shelf()
    source = Rows(rows(20), broken_after=2, error=Unavailable("The source is down."))
    with pytest.raises(Unavailable, match="The source is down"):
        engine(source, shelf, journal).run()
    assert counts(journal) == {"read": 10, "created": 10}
    assert journal.cursor is not None
    assert (journal.cursor["source"], journal.cursor["read_all"]) == ({"at": 10}, False)
    assert engine(Rows(rows(20)), shelf, journal).run() is RunStatus.SUCCEEDED
    assert counts(journal) == {"read": 20, "created": 20}
    assert set(shelf.writes.values()) == {1}


@pytest.mark.parametrize("step", ["read", "assess", "write"])
def test_a_lost_authorization_ends_the_run_and_is_no_failure_of_a_record(step: str) -> None:
    act = raising(NotAuthorized("The app is not let in any more."), "name-007")
    source = Rows(rows(20), on_read=act if step == "read" else lambda record: None)
    shelf = Shelf(**({f"on_{step}": act} if step != "read" else {}))
    journal = JournalInMemory()
    with pytest.raises(NotAuthorized):
        engine(source, shelf, journal, width=1).run()
    assert add_up(journal)
    assert not errors_of(journal)
    assert source.closed == shelf.closed == 1


def test_a_system_that_is_down_ends_the_run_after_ten_records() -> None:
    journal = JournalInMemory()
    with pytest.raises(Unavailable):
        engine(Rows(rows(60), page_size=3), Shelf(on_write=raising(Unavailable("down"))), journal, width=1).run()
    assert "failed" not in counts(journal), "a resume could not try these records again"


def test_a_missing_right_to_write_ends_the_run_after_twenty_five_records() -> None:
    journal = JournalInMemory()
    with pytest.raises(Forbidden):
        engine(Rows(rows(80)), Shelf(on_write=raising(Forbidden("no"))), journal, width=2).run()
    assert "failed" not in counts(journal), "a resume could not try these records again"


def test_a_missing_right_to_read_ends_the_run_after_twenty_five_records() -> None:
    journal = JournalInMemory()
    with pytest.raises(Forbidden):
        engine(Rows(rows(80), on_read=raising(Forbidden("no"))), Shelf(), journal, width=2).run()
    assert "failed" not in counts(journal), "a resume could not try these records again"


def test_a_host_that_is_not_allowed_ends_the_run_at_once() -> None:
    journal = JournalInMemory()
    with pytest.raises(HostNotAllowed):
        engine(Rows(rows(30), on_read=raising(HostNotAllowed("elsewhere"))), Shelf(), journal).run()
    assert "failed" not in counts(journal)


@pytest.mark.parametrize("step", ["read", "assess", "write", "settle", "list"])
def test_a_bug_is_raised_and_never_becomes_a_failed_record(step: str) -> None:
    class Buggy(Shelf):
        def settle(self, changes: Any) -> None:
            if step == "settle":
                raise ZeroDivisionError

    bug = raising(ZeroDivisionError(), "name-003")
    source = Rows(rows(9), on_read=bug if step == "read" else lambda record: None)
    if step == "list":
        source = Rows(rows(9), broken_after=1, error=ZeroDivisionError())
    journal = JournalInMemory()
    target = Buggy(**({f"on_{step}": bug} if step in ("assess", "write") else {}))
    with pytest.raises(ZeroDivisionError):
        engine(source, target, journal).run()
    assert not errors_of(journal)
    assert source.closed == target.closed == 1


def test_a_run_that_cannot_begin_lets_go_of_what_is_open() -> None:
    class Closed(Shelf):
        def begin(self, resume: Mapping[str, Any] | None, known: Known | None) -> bool:
            raise Unavailable("The target is down.")

    source, target = Rows(rows(3)), Closed()
    with pytest.raises(Unavailable):
        engine(source, target).run()
    assert source.closed == target.closed == 1
    assert source.listed == 0


def test_a_target_that_cannot_go_on_makes_the_run_start_over() -> None:
    class Forgetful(Shelf):
        def begin(self, resume: Mapping[str, Any] | None, known: Known | None) -> bool:
            return resume is None

        def settle(self, changes: Any) -> Mapping[str, Any]:
            return {"bytes": len(changes)}

    journal = JournalInMemory()
    source = Rows(rows(10), broken_after=1, error=Unavailable("down"))
    with pytest.raises(Unavailable):
        engine(source, Forgetful(), journal, calls=lambda: {"list": 2}).run()
    assert counts(journal) == {"read": 5, "created": 5}
    journal.ledgers.clear()
    engine(Rows(rows(10)), Forgetful(), journal, calls=lambda: {"list": 3}).run()
    assert counts(journal) == {"read": 10, "created": 10}
    assert journal.progress.calls == {"list": 5}


# Stopping and being stopped


def test_cancelling_ends_after_complete_pages_and_a_resume_completes() -> None:
    journal, shelf = FragileJournal(), Shelf()
    journal.cancel = True
    assert engine(Rows(rows(200), page_size=10), shelf, journal).run() is RunStatus.CANCELLED
    read = counts(journal)["read"]
    assert 0 < read < 200
    assert read % 10 == 0
    assert add_up(journal)
    journal.cancel = False
    assert engine(Rows(rows(200), page_size=10), shelf, journal).run() is RunStatus.SUCCEEDED
    assert counts(journal)["read"] == 200
    assert len(shelf.stored) == 200


def test_stopping_in_the_middle_loses_nothing() -> None:
    journal, shelf = JournalInMemory(), Shelf()
    runs = [engine(Rows(rows(60)), shelf, journal) for _ in range(2)]
    shelf.on_write = lambda record: runs[0].stop() if record.key == "name-020" else None
    assert runs[0].run() is RunStatus.CANCELLED
    assert add_up(journal)
    assert runs[1].run() is RunStatus.SUCCEEDED
    assert counts(journal) == {"read": 60, "created": 60}
    assert set(shelf.writes.values()) == {1}


def test_a_run_that_was_stopped_before_it_began_moves_nothing() -> None:
    shelf = Shelf()
    run = engine(Rows(rows(30)), shelf)
    run.stop()
    assert run.run() is RunStatus.CANCELLED
    assert not shelf.stored


def test_a_run_that_was_stopped_after_the_last_page_is_completed_without_listing_again() -> None:
    journal = JournalInMemory()
    journal.cancel = True
    shelf = Shelf()
    assert engine(Rows(rows(3)), shelf, journal).run() is RunStatus.CANCELLED
    journal.cancel = False
    source = Rows(rows(3))
    assert engine(source, shelf, journal).run() is RunStatus.SUCCEEDED
    assert source.listed == 0
    assert counts(journal) == {"read": 3, "created": 3}


@pytest.mark.parametrize("where", ["list", "read", "write"])
def test_a_clock_that_was_stopped_cancels_the_run_wherever_it_waits(where: str) -> None:
    clock = SystemClock()
    clock.stop()

    def waiting(record: Record) -> None:
        clock.sleep(60)

    source = Rows(rows(9), on_read=waiting if where == "read" else lambda record: None)
    if where == "list":
        source = Rows(rows(9), broken_after=1, error=Stopped())
    shelf = Shelf(on_write=waiting) if where == "write" else Shelf()
    assert engine(source, shelf, clock=clock).run() is RunStatus.CANCELLED


@pytest.mark.parametrize("step", ["intend", "commit", "known"])
def test_a_run_that_was_taken_over_stops_writing(step: str) -> None:
    class Fencing(JournalInMemory):
        fenced = False

        def _check(self, now: str) -> None:
            self.fenced = self.fenced or now == step
            if self.fenced:
                raise Fenced

        def known(self, target: str, keys: Any) -> Mapping[str, Known]:
            if WHOLE not in keys:
                self._check("known")
            return super().known(target, keys)

        def intend(self, target: str, fingerprints: Mapping[str, str]) -> None:
            self._check("intend")
            super().intend(target, fingerprints)

        def commit(self, target: str, page: Settled) -> bool:
            self._check("commit")
            return super().commit(target, page)

    journal = Fencing()
    late: list[str] = []

    def note(record: Record) -> None:
        if journal.fenced:
            late.append(record.key)

    with pytest.raises(Fenced):
        engine(Rows(rows(300)), Shelf(on_write=note), journal, width=2).run()
    assert len(late) <= 2 * 2
    assert not journal.outcomes
    before = len(late)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("record-")]
    assert len(late) == before


def test_writes_that_nobody_has_begun_are_dropped_when_the_run_was_taken_over() -> None:
    second_page_began, fenced, never = threading.Event(), threading.Event(), threading.Event()
    late: list[str] = []

    class Fencing(JournalInMemory):
        def commit(self, target: str, page: Settled) -> bool:
            fenced.set()
            raise Fenced

    def write(record: Record) -> None:
        if record.key == "name-000":
            second_page_began.wait(5)
            return
        second_page_began.set()
        fenced.wait(5)
        late.append(record.key)
        never.wait(0.2)

    with pytest.raises(Fenced):
        engine(Rows(rows(51), page_size=1), Shelf(on_write=write), Fencing(), width=2).run()
    assert len(late) <= 4


# Memory


@pytest.mark.parametrize("width", [1, 4, 32])
def test_no_more_than_a_bounded_number_of_records_is_under_way(width: int) -> None:
    most = max(100, width * 8) + 25
    source = Rows(rows(1_000), page_size=25)
    committed = 0
    under_way: list[int] = []

    class Watching(JournalInMemory):
        def commit(self, target: str, page: Settled) -> bool:
            nonlocal committed
            under_way.append(source.listed - committed)
            committed = page.progress.counts["read"]
            return super().commit(target, page)

    engine(source, Shelf(), Watching(), width=width).run()
    assert committed == 1_000
    assert max(under_way) <= most


def test_one_page_may_be_larger_than_what_is_held_at_once() -> None:
    journal = JournalInMemory()
    engine(Rows(rows(450), page_size=300), Shelf(), journal).run()
    assert counts(journal) == {"read": 450, "created": 450}


# What plug-ins may do


def test_a_change_without_a_payload_is_carried_out_all_the_same() -> None:
    class Plain(Target):
        identity = "plain"

        def __init__(self) -> None:
            self.written: list[str] = []

        def assess(self, record: Record, known: Known | None) -> Change:
            return Change(Effect.CREATED, "f")

        def write(self, record: Record, change: Change) -> Change:
            self.written.append(record.key)
            return change

    target = Plain()
    engine(Rows(rows(4)), target).run()
    assert sorted(target.written) == [f"name-{number:03}" for number in range(4)]


def test_a_write_that_turns_out_a_conflict_counts_as_one_and_is_not_owned() -> None:
    class Blocked(Shelf):
        def write(self, record: Record, change: Change) -> Change:
            return Change(Effect.CONFLICT, code="deleted_but_recoverable", reason="A deleted one blocks the name.")

    journal = JournalInMemory()
    assert engine(Rows(rows(2)), Blocked(), journal).run() is RunStatus.WITH_ERRORS
    assert counts(journal) == {"read": 2, "conflicts": 2}
    assert not any(entry.owned for entry in journal.ledgers["shelf"].values())


def test_records_of_a_page_settle_in_their_order() -> None:
    shelf = Shelf()
    engine(Rows(rows(12)), shelf, width=4).run()
    told = [fingerprint for page in shelf.settled for fingerprint in page]
    assert told == sorted(told)


def test_a_power_cut_is_no_failure_of_a_record() -> None:
    with pytest.raises(PowerCut):
        engine(Rows(rows(9)), Shelf(on_write=raising(PowerCut()))).run()
