"""However calls interleave, no more of them leave than the system has published."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.throttle import LONGEST_PAUSE_SECONDS, SLOWEST, Budget
from iclients.testing import MovableClock

VAULT = {"other": 4000, "create": 300}


class PlannedClock(MovableClock):
    """Says how long it was asked to wait instead of moving: the plan below lets other workers run meanwhile."""

    asked = 0.0

    def check(self) -> None:
        pass

    def sleep(self, seconds: float) -> None:
        self.asked = seconds

    def move_to(self, seconds: float) -> None:
        self.advance(max(0.0, seconds - self.monotonic()))


def departures(
    limits: dict[str, int], period: float, workers: Iterable[list[tuple[float, str]]]
) -> list[tuple[float, str]]:
    """When which call leaves, for workers that each pause before every call of theirs and wait their turn."""
    clock = PlannedClock()
    budget = Budget(limits, period, clock)
    plan = [(calls[0][0], number, 0, calls) for number, calls in enumerate(workers) if calls]
    heapq.heapify(plan)
    left = []
    while plan:
        time, number, index, calls = heapq.heappop(plan)
        clock.move_to(time)
        clock.asked = 0.0
        budget.take(calls[index][1])
        leaves = time + clock.asked
        left.append((leaves, calls[index][1]))
        if index + 1 < len(calls):
            heapq.heappush(plan, (leaves + calls[index + 1][0], number, index + 1, calls))
    return sorted(left)


def most_in_any_window(left: list[tuple[float, str]], period: float, shares: dict[str, float]) -> float:
    """The largest sum of shares over all windows of one period, open at the end."""
    most = total = 0.0
    begin = 0
    for end, (time, kind) in enumerate(left):
        total += shares[kind]
        while left[begin][0] <= time - period + 1e-9:
            total -= shares[left[begin][1]]
            begin += 1
        most = max(most, total)
        assert begin <= end
    return most


PAUSES = st.sampled_from([0.0, 0.0, 0.0, 0.001, 0.04, 0.3, 1.0, 7.0])


@settings(deadline=None, max_examples=60)
@given(
    calls=st.integers(1, 40),
    period=st.sampled_from([0.1, 1.0, 2.0, 10.0, 60.0]),
    workers=st.lists(st.lists(PAUSES, min_size=1, max_size=30), min_size=1, max_size=8),
)
def test_no_window_of_a_period_has_more_calls_than_published(
    calls: int, period: float, workers: list[list[float]]
) -> None:
    plans = [[(pause, "other") for pause in pauses] for pauses in workers]
    left = departures({"other": calls}, period, plans)
    assert most_in_any_window(left, period, {"other": 1}) <= calls


@settings(deadline=None, max_examples=20)
@given(
    workers=st.lists(
        st.tuples(st.sampled_from(["other", "create"]), PAUSES, st.integers(1, 400)), min_size=1, max_size=16
    )
)
def test_kinds_of_calls_share_one_budget(workers: list[tuple[str, float, int]]) -> None:
    plans = [[(pause, kind)] + [(0.0, kind)] * count for kind, pause, count in workers]
    left = departures(VAULT, 10.0, plans)
    shares = {kind: 1 / calls for kind, calls in VAULT.items()}
    assert most_in_any_window(left, 10.0, shares) <= 1.0


@pytest.mark.parametrize(("kind", "calls"), VAULT.items())
def test_a_full_period_uses_nearly_all_that_is_published(kind: str, calls: int) -> None:
    left = departures(VAULT, 10.0, [[(0.0, kind)] * calls] * 2)
    most = most_in_any_window(left, 10.0, {kind: 1})
    assert calls * 0.98 <= most <= calls


def test_a_call_that_comes_after_a_quiet_time_does_not_wait() -> None:
    clock = MovableClock()
    budget = Budget(VAULT, 10.0, clock)
    clock.advance(100)
    budget.take("other")
    assert clock.slept == []


def test_a_quiet_time_is_not_saved_up() -> None:
    left = departures({"other": 100}, 1.0, [[(1000.0, "other")] + [(0.0, "other")] * 300])
    assert most_in_any_window(left, 1.0, {"other": 1}) <= 100


def test_an_expensive_call_takes_its_share() -> None:
    clock = MovableClock()
    budget = Budget(VAULT, 10.0, clock)
    for _ in range(301):
        budget.take("create")
    assert 10.0 < clock.monotonic() < 10.2


# --- after a 429 ---


def busy_budget(calls: int = 100, period: float = 10.0) -> tuple[PlannedClock, Budget]:
    clock = PlannedClock()
    clock.advance(50)
    return clock, Budget({"other": calls}, period, clock)


def waits(clock: PlannedClock, budget: Budget, count: int) -> list[float]:
    """What so many workers are asked to wait who all come now."""
    asked = []
    for _ in range(count):
        clock.asked = 0.0
        budget.take("other")
        asked.append(clock.asked)
    return asked


def test_a_429_pauses_everybody_as_long_as_the_server_says() -> None:
    clock, budget = busy_budget()
    budget.throttled(7.0)
    assert min(waits(clock, budget, 20)) >= 7.0


def test_after_the_pause_nobody_comes_in_a_herd() -> None:
    clock, budget = busy_budget()
    budget.throttled(7.0)
    after = waits(clock, budget, 20)
    assert all(later - sooner >= 0.1 for sooner, later in pairwise(after))


def test_those_who_come_when_the_pause_is_over_do_not_herd_either() -> None:
    clock, budget = busy_budget()
    budget.throttled(7.0)
    clock.advance(1000)
    after = waits(clock, budget, 20)
    assert all(later - sooner >= 0.1 for sooner, later in pairwise(after[2:]))


def test_many_429_at_once_are_one_pause() -> None:
    clock, budget = busy_budget()
    for _ in range(16):
        budget.throttled(None)
    assert waits(clock, budget, 1)[0] == pytest.approx(1.0)


def test_pauses_grow_while_429_keep_coming_and_begin_small_after_a_quiet_time() -> None:
    clock, budget = busy_budget(100_000)
    pauses = []
    for _ in range(7):
        budget.throttled(None)
        pauses.append(round(waits(clock, budget, 1)[0], 2))
        clock.advance(pauses[-1])
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 16.0, 16.0]
    clock.advance(LONGEST_PAUSE_SECONDS * 3)
    budget.throttled(None)
    assert waits(clock, budget, 1)[0] == pytest.approx(1.0)


def spacing(clock: PlannedClock, budget: Budget) -> float:
    clock.advance(1000)
    one, other = waits(clock, budget, 6)[-2:]
    return other - one


def test_a_429_slows_the_pace_and_quiet_times_give_it_back() -> None:
    clock, budget = busy_budget()
    usual = spacing(clock, budget)
    budget.throttled(1.0)
    assert spacing(clock, budget) == pytest.approx(usual * 1.1)
    for _ in range(200):
        budget.answered()
    assert spacing(clock, budget) == pytest.approx(usual)


def test_the_pace_never_gets_slower_than_an_eighth() -> None:
    clock, budget = busy_budget()
    usual = spacing(clock, budget)
    for _ in range(100):
        budget.throttled(1.0)
        clock.advance(2)
    assert spacing(clock, budget) == pytest.approx(usual * SLOWEST)


def test_a_kind_that_the_budget_does_not_know_is_our_own_mistake() -> None:
    clock, budget = busy_budget()
    with pytest.raises(KeyError):
        budget.take("unknown")
    assert waits(clock, budget, 1) == [0.0]
