"""What was moved by the hour: each record counts once, however often its run ends, stops or is killed."""

from __future__ import annotations

from collections import Counter

import pytest

from flows.errors import Fenced
from flows.journal import Settled
from flows.model import Export, Flow, Import, Progress, RunStatus
from integrator.queue import EmbeddedQueue
from integrator.store.moved import moved_since
from integrator.store.runs import Claim
from integrator.store.store import Store

FLOW = Flow("copy", (Export("here", "a.csv"),), (Import("here", "b.csv"),))


@pytest.fixture
def run_id(store: Store) -> int:
    with store.writing() as stored:
        stored.flows.save(FLOW)
        return stored.runs.start("copy").id


def claim(store: Store, run_id: int) -> Claim:
    with store.writing() as stored:
        return stored.runs.claim(run_id)


def did(**counts: int) -> Progress:
    return Progress(Counter(counts))


def page(store: Store, claimed: Claim, **counts: int) -> None:
    store.journal(claimed).commit("there", Settled([], {"source": 1}, did(**counts)))


def end(store: Store, claimed: Claim, status: RunStatus, progress: Progress | None = None) -> None:
    with store.writing() as stored:
        stored.runs.end(claimed.run_id, claimed.fence, status, progress=progress)


def counted(store: Store) -> tuple[int, int, int, int]:
    with store.database.reading() as db:
        hours = moved_since(db, 0)
    sums = [(hour.runs, hour.moved, hour.unchanged, hour.failed) for hour in hours]
    runs, moved, unchanged, failed = (sum(parts) for parts in zip(*sums, strict=True)) if sums else (0, 0, 0, 0)
    return runs, moved, unchanged, failed


def test_a_run_counts_when_it_ends(store: Store, run_id: int) -> None:
    claimed = claim(store, run_id)
    page(store, claimed, created=3)
    assert counted(store) == (0, 0, 0, 0)
    end(store, claimed, RunStatus.SUCCEEDED, did(created=3, updated=2, deleted=1, unchanged=4, failed=1, conflicts=1))
    assert counted(store) == (1, 6, 4, 2)


def test_a_run_that_is_resumed_counts_only_what_it_did_since(store: Store, run_id: int) -> None:
    end(store, claim(store, run_id), RunStatus.FAILED, did(created=3))
    end(store, claim(store, run_id), RunStatus.FAILED, did(created=3))
    end(store, claim(store, run_id), RunStatus.SUCCEEDED, did(created=10, unchanged=1))
    assert counted(store) == (1, 10, 1, 0)


def test_a_run_whose_process_was_killed_counts_once(store: Store, run_id: int) -> None:
    killed = claim(store, run_id)
    page(store, killed, created=5)
    queue = EmbeddedQueue(store)
    assert queue.rescue() == 1
    assert counted(store) == (1, 5, 0, 0)
    taken = queue.take()
    assert taken is not None
    with taken.held:
        page(store, taken.claim, created=8)
        with pytest.raises(Fenced):
            end(store, killed, RunStatus.SUCCEEDED, did(created=7))
        end(store, taken.claim, RunStatus.SUCCEEDED, did(created=9))
    assert counted(store) == (1, 9, 0, 0)


def test_a_run_that_begins_anew_takes_back_what_it_counted(store: Store, run_id: int) -> None:
    end(store, claim(store, run_id), RunStatus.FAILED, did(created=5))
    again = claim(store, run_id)
    store.journal(again).restart()
    end(store, again, RunStatus.SUCCEEDED, did(unchanged=5))
    assert counted(store) == (1, 0, 5, 0)


def test_what_is_rolled_back_is_not_counted(store: Store, run_id: int) -> None:
    claimed = claim(store, run_id)
    with pytest.raises(RuntimeError), store.writing() as stored:
        stored.runs.end(run_id, claimed.fence, RunStatus.SUCCEEDED, progress=did(created=5))
        raise RuntimeError
    assert counted(store) == (0, 0, 0, 0)


def test_runs_of_one_hour_are_added_up_and_stay_when_they_are_deleted(store: Store, run_id: int) -> None:
    end(store, claim(store, run_id), RunStatus.SUCCEEDED, did(created=5))
    with store.writing() as stored:
        other = stored.runs.start("copy").id
    end(store, claim(store, other), RunStatus.SUCCEEDED, did(created=7))
    with store.writing() as stored:
        stored.flows.delete("copy")
    assert counted(store) == (2, 12, 0, 0)
