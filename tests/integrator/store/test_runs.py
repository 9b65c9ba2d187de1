from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from connectors.model import Effect, Known
from flows.errors import Fenced
from flows.journal import Settled
from flows.model import COUNTS, Export, Flow, Import, Outcome, Progress, RunStatus
from integrator.errors import InUse, NotFoundHere, RunInProgress, RunIsOver
from integrator.store.runs import Claim, Run
from integrator.store.store import Store


@pytest.fixture
def run(store: Store, flow: Flow) -> Run:
    with store.writing() as stored:
        return stored.runs.start(flow.name)


@pytest.fixture
def claim(store: Store, run: Run) -> Claim:
    with store.writing() as stored:
        return stored.runs.claim(run.id, "worker-1")


def get(store: Store, run_id: int = 1) -> Run:
    with store.reading() as stored:
        return stored.runs.get(run_id)


def test_a_new_run_waits_and_has_done_nothing(run: Run) -> None:
    assert run.document() == {
        "run": 1,
        "flow": "vault-to-csv",
        "status": "waiting",
        "counts": dict.fromkeys(COUNTS, 0),
        "calls": {},
        "seconds": 0.0,
        "started": None,
        "ended": None,
    }


def test_a_flow_that_is_not_stored_cannot_run(store: Store) -> None:
    with pytest.raises(NotFoundHere, match="no flow nowhere"), store.writing() as stored:
        stored.runs.start("nowhere")


def test_a_flow_has_one_unfinished_run_at_a_time(store: Store, run: Run, flow: Flow) -> None:
    with pytest.raises(RunInProgress, match="run 1") as refused, store.writing() as stored:
        stored.runs.start(flow.name)
    assert refused.value.run_id == run.id


def test_a_claimed_run_is_running_under_a_new_fence(store: Store, claim: Claim) -> None:
    assert (claim.fence, claim.cursor) == (1, None)
    running = get(store)
    assert (running.status, running.worker, running.attempt) == (RunStatus.RUNNING, "worker-1", 1)
    assert running.started_at is not None


def test_claiming_again_raises_the_fence_and_gives_the_cursor(store: Store, claim: Claim) -> None:
    store.journal(claim).commit("t", Settled([], {"source": {"page": 3}}, Progress()))
    with store.writing() as stored:
        again = stored.runs.claim(claim.run_id)
    assert (again.fence, again.cursor) == (2, {"source": {"page": 3}})


def test_the_database_itself_refuses_two_running_runs_of_a_flow(store: Store, claim: Claim, flow: Flow) -> None:
    with store.writing() as stored:
        stored.runs.end(claim.run_id, claim.fence, RunStatus.CANCELLED)
        second = stored.runs.claim(stored.runs.start(flow.name).id)
    with pytest.raises(RunInProgress, match=f"run {second.run_id}"), store.writing() as stored:
        stored.runs.claim(claim.run_id)
    assert get(store, claim.run_id).status is RunStatus.CANCELLED


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.NEEDS_AUTHORIZATION])
def test_a_run_that_stopped_can_go_on_under_its_id(store: Store, claim: Claim, status: RunStatus) -> None:
    with store.writing() as stored:
        stored.runs.end(claim.run_id, claim.fence, status, code="gone", message="It is gone.")
        stored.runs.claim(claim.run_id)
    again = get(store)
    assert (again.status, again.error_code, again.ended_at) == (RunStatus.RUNNING, "", None)


@pytest.mark.parametrize("status", [RunStatus.SUCCEEDED, RunStatus.WITH_ERRORS])
def test_a_run_that_is_over_is_not_claimed(store: Store, claim: Claim, status: RunStatus) -> None:
    with store.writing() as stored:
        stored.runs.end(claim.run_id, claim.fence, status)
    with pytest.raises(RunIsOver, match=status.value), store.writing() as stored:
        stored.runs.claim(claim.run_id)


def test_an_end_says_why_and_when(store: Store, claim: Claim) -> None:
    progress = Progress(Counter(read=3, failed=3), Counter(get=3), 1.5)
    with store.writing() as stored:
        stored.runs.end(claim.run_id, claim.fence, RunStatus.FAILED, code="no", message="No.", progress=progress)
    document = get(store).document()
    assert document["error"] == {"code": "no", "message": "No."}
    assert (document["counts"]["failed"], document["calls"], document["seconds"]) == (3, {"get": 3}, 1.5)
    assert document["ended"].endswith("+00:00")


def test_only_the_highest_fence_ends_a_run(store: Store, claim: Claim) -> None:
    with store.writing() as stored:
        newer = stored.runs.claim(claim.run_id)
    with pytest.raises(Fenced), store.writing() as stored:
        stored.runs.end(claim.run_id, claim.fence, RunStatus.FAILED)
    with store.writing() as stored:
        stored.runs.end(claim.run_id, newer.fence, RunStatus.SUCCEEDED)
    assert get(store).status is RunStatus.SUCCEEDED


def test_an_old_holder_is_fenced_off_and_writes_nothing(store: Store, claim: Claim) -> None:
    old = store.journal(claim)
    with store.writing() as stored:
        new = store.journal(stored.runs.claim(claim.run_id))
    for late in (
        lambda: old.commit("t", Settled([Outcome("k", Effect.CREATED)], {"source": 1}, Progress(Counter(read=1)))),
        lambda: old.intend("t", {"k": "f"}),
        lambda: old.known("t", ["k"]),
        old.restart,
        old.start,
        lambda: list(old.keys()),
    ):
        with pytest.raises(Fenced):
            late()
    assert new.start() == (None, Progress())
    assert (list(new.keys()), new.known("t", ["k"])) == ([], {})


def test_a_run_that_has_ended_takes_no_more_pages(store: Store, claim: Claim) -> None:
    with store.writing() as stored:
        stored.runs.end(claim.run_id, claim.fence, RunStatus.SUCCEEDED)
    with pytest.raises(Fenced):
        store.journal(claim).commit("t", Settled([], {}, Progress()))


def test_a_request_to_cancel_is_seen_at_the_next_page(store: Store, claim: Claim) -> None:
    journal = store.journal(claim)
    assert journal.commit("t", Settled([], {}, Progress())) is True
    with store.writing() as stored:
        assert stored.runs.request_cancel(claim.run_id) is RunStatus.RUNNING
    assert journal.commit("t", Settled([], {}, Progress())) is False


def test_a_waiting_run_is_cancelled_at_once_and_a_finished_one_stays_as_it_is(store: Store, run: Run) -> None:
    for _ in range(2):
        with store.writing() as stored:
            assert stored.runs.request_cancel(run.id) is RunStatus.CANCELLED


def test_runs_are_listed_newest_first(store: Store, claim: Claim, flow: Flow) -> None:
    with store.writing() as stored:
        stored.flows.save(Flow("other", flow.exports, flow.steps))
        stored.runs.start("other")
    with store.reading() as stored:
        assert [run.id for run in stored.runs.newest()] == [2, 1]
        assert [run.id for run in stored.runs.newest(limit=1)] == [2]
        assert [run.id for run in stored.runs.newest(flow=flow.name)] == [1]
        assert [run.id for run in stored.runs.unfinished()] == [1, 2]


def test_errors_tell_failures_and_conflicts_in_the_order_of_lines(store: Store, claim: Claim) -> None:
    outcomes = [
        Outcome("late", Effect.FAILED, 12, "import", "too_large", "skip", "It is too large."),
        Outcome("fine", Effect.CREATED, 3),
        Outcome("early", Effect.CONFLICT, 2, "import", "not_owned", "skip", "It is not ours."),
        Outcome("nowhere", Effect.FAILED, None, "export", "forbidden", "skip", "It is forbidden."),
    ]
    store.journal(claim).commit("t", Settled(outcomes, {}, Progress()))
    with store.reading() as stored:
        errors = stored.runs.errors(claim.run_id)
    assert [(error["key"], error["line"]) for error in errors] == [("nowhere", None), ("early", 2), ("late", 12)]
    assert errors[1] == {
        "key": "early",
        "line": 2,
        "step": "import",
        "code": "not_owned",
        "recovery": "skip",
        "message": "It is not ours.",
    }


def test_the_errors_of_a_run_that_is_not_there_are_refused(store: Store) -> None:
    with pytest.raises(NotFoundHere, match="no run 9"), store.reading() as stored:
        stored.runs.errors(9)


def test_another_flows_entry_tells_only_that_it_is_owned(store: Store, claim: Claim) -> None:
    from connectors.model import Known

    with store.writing() as stored:
        stored.flows.save(Flow("other", (Export("a", "b"),), (Import("c", "d"),)))
        other = store.journal(stored.runs.claim(stored.runs.start("other").id))
    other.commit("t", Settled([], {}, Progress(), {"one": Known("f", "m", "s", owned=True), "seen": Known("f")}))
    other.intend("t", {"one": "again"})
    journal = store.journal(claim)
    assert journal.known("t", ["one", "seen"]) == {"one": Known(owned=True)}
    journal.commit("t", Settled([], {}, Progress(), {"one": Known("mine", "n", "s")}))
    assert journal.known("t", ["one"]) == {"one": Known("mine", "n", "s", owned=True)}


def test_a_flow_that_runs_cannot_be_deleted(store: Store, claim: Claim, flow: Flow) -> None:
    with pytest.raises(InUse, match=rf"run {claim.run_id}, which is not over"), store.writing() as stored:
        stored.flows.delete(flow.name)


def test_deleting_a_flow_deletes_its_runs(store: Store, claim: Claim, flow: Flow) -> None:
    store.journal(claim).commit("t", Settled([Outcome("k", Effect.CREATED)], {}, Progress()))
    with store.writing() as stored:
        stored.runs.end(claim.run_id, claim.fence, RunStatus.SUCCEEDED)
        stored.flows.delete(flow.name)
    with store.reading() as stored:
        assert stored.runs.newest() == []


def test_a_run_that_is_over_keeps_only_what_went_wrong(store: Store, claim: Claim) -> None:
    outcomes = [Outcome("fine", Effect.CREATED), Outcome("bad", Effect.FAILED, code="x", message="It is bad.")]
    journal = store.journal(claim)
    journal.commit("t", Settled(outcomes, {}, Progress()))
    assert len(list(journal.keys())) == 2
    with store.writing() as stored:
        stored.runs.end(claim.run_id, claim.fence, RunStatus.WITH_ERRORS)
        assert [error["key"] for error in stored.runs.errors(claim.run_id)] == ["bad"]


def test_a_new_run_that_was_cancelled_before_it_began_does_not_begin(store: Store, flow: Flow) -> None:
    with store.writing() as stored:
        run = stored.runs.start(flow.name)
        stored.runs.request_cancel(run.id)
    with pytest.raises(RunIsOver), store.writing() as stored:
        stored.runs.claim(run.id, only_waiting=True)


def test_a_file_that_another_flow_of_ours_replaced_is_still_ours(store: Store, claim: Claim, flow: Flow) -> None:
    whole = {"": Known(fingerprint="one", marker="1", owned=True)}
    store.journal(claim).commit("file", Settled([], {}, Progress(), whole))
    with store.writing() as stored:
        stored.flows.save(replace(flow, name="other"))
        other = stored.runs.claim(stored.runs.start("other").id)
    store.journal(other).commit("file", Settled([], {}, Progress(), {"": Known(fingerprint="two", owned=True)}))
    assert store.journal(claim).known("file", [""]) == {"": Known(owned=True)}
