"""What targets say of records that went well all the same: told among the events of the run, and no error."""

from __future__ import annotations

import pytest
from test_runs import claim, run

from connectors.model import Effect
from flows.journal import Settled
from flows.model import Flow, Outcome, Progress, RunStatus
from integrator.store.run_events import events_of
from integrator.store.runs import Claim
from integrator.store.store import Store
from integrator.web.run_words import event_words

__all__ = ["claim", "run"]  # fixtures


def outcome(key: str, effect: Effect = Effect.UPDATED, code: str = "version_budget") -> Outcome:
    return Outcome(key, effect, code=code, message=f"{key} has more than 400 versions." if code else "")


@pytest.mark.parametrize(
    ("outcomes", "told"),
    [
        ([outcome("a", code="")], []),
        ([outcome("a", Effect.FAILED, "forbidden"), outcome("b", Effect.CONFLICT, "unowned")], []),
        ([outcome("a"), outcome("b", code="")], ["a has more than 400 versions."]),
        (
            [outcome("b"), outcome("a"), outcome("c", Effect.CREATED), outcome("d", code="other")],
            ["d has more than 400 versions.", "3 records, such as: a has more than 400 versions."],
        ),
    ],
)
def test_a_run_that_ends_tells_its_warnings_by_kind(
    store: Store, flow: Flow, claim: Claim, outcomes: list[Outcome], told: list[str]
) -> None:
    store.journal(claim).commit("t", Settled(outcomes, {}, Progress()))
    with store.writing() as stored:
        stored.runs.end(claim.run_id, claim.fence, RunStatus.SUCCEEDED)
    with store.database.reading() as db:
        events = events_of(db, claim.run_id)
    assert [event.detail for event in events if event.event == "warned"] == told
    assert events[-1].event == "ended"
    assert [event_words(event) for event in events if event.event == "warned"] == [("It warns", "waits")] * len(told)
    with store.reading() as stored:
        assert [error["key"] for error in stored.runs.errors(claim.run_id)] == [
            one.key for one in outcomes if one.is_error
        ]


def test_a_run_that_will_be_resumed_tells_them_when_it_is_over(store: Store, flow: Flow, claim: Claim) -> None:
    store.journal(claim).commit("t", Settled([outcome("a")], {}, Progress()))
    with store.writing() as stored:
        stored.runs.end(claim.run_id, claim.fence, RunStatus.FAILED)
    with store.database.reading() as db:
        assert not [event for event in events_of(db, claim.run_id) if event.event == "warned"]
    with store.writing() as stored:
        again = stored.runs.claim(claim.run_id)
        stored.runs.end(claim.run_id, again.fence, RunStatus.SUCCEEDED)
    with store.database.reading() as db:
        assert [event.detail for event in events_of(db, claim.run_id) if event.event == "warned"] == [
            "a has more than 400 versions."
        ]
