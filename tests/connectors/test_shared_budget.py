"""However many processes take stretches, in whatever order and however they die, no more calls leave than are published."""

from __future__ import annotations

import heapq
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.shared_budget import LOOK_SECONDS, MOST_SECONDS, SharedBudget, Stretch, take_stretch
from connectors.throttle import Both, Budget
from connectors.virtual_clock import LONGEST_AHEAD_SECONDS, VirtualClock
from iclients.testing import MovableClock

VAULT = {"other": 4000, "create": 300}
PERIOD = 10.0


class PlannedClock(MovableClock):
    """Says how long it was asked to wait instead of moving: others may call meanwhile."""

    asked = 0.0
    jumped = 0.0

    def now(self) -> float:
        return super().now() + self.jumped

    def check(self) -> None:
        pass

    def sleep(self, seconds: float) -> None:
        self.asked = seconds

    def move_to(self, seconds: float) -> None:
        self.advance(max(0.0, seconds - self.monotonic()))


class Row:
    """A row in memory, as the database keeps it for all; `fails` as a database that is locked."""

    def __init__(self, clock: PlannedClock) -> None:
        self.clock, self.pace, self.asked, self.fails = clock, VirtualClock(clock.now()), 0, False

    def take(self, seconds: float, *, answered: int, owed: float, held_seconds: float) -> Stretch | None:
        if self.fails:
            return None
        self.asked += 1
        now = self.clock.now()
        self.pace.settle(now)
        self.pace.answered(answered)
        return take_stretch(self.pace, now, seconds, now + held_seconds, owed=owed)

    def look(self) -> VirtualClock | None:
        return None if self.fails else replace(self.pace)

    def throttled(self, retry_after_seconds: float | None) -> VirtualClock | None:
        if self.fails:
            return None
        self.pace.settle(self.clock.now())
        self.pace.throttled(self.clock.now(), retry_after_seconds)
        return replace(self.pace)


class Installation:
    """Processes that share a row; `call` is one call of one of them, and gives when it leaves."""

    def __init__(self, processes: int) -> None:
        self.clock = PlannedClock()
        self.row = Row(self.clock)
        self.budgets = [self.new() for _ in range(processes)]

    def new(self) -> SharedBudget:
        return SharedBudget(VAULT, PERIOD, self.clock, self.row)

    def call(self, process: int, kind: str = "other") -> float:
        self.clock.asked = 0.0
        self.budgets[process].take(kind)
        return self.clock.monotonic() + self.clock.asked


def most_in_any_window(left: list[tuple[float, float]], period: float = PERIOD) -> float:
    """The largest sum of shares over all windows of one period."""
    most = total = 0.0
    begin = 0
    left = sorted(left)
    for time, share in left:
        total += share
        while left[begin][0] <= time - period + 1e-9:
            total -= left[begin][1]
            begin += 1
        most = max(most, total)
    return most


WORKER = st.tuples(
    st.integers(0, 3),
    st.sampled_from(["other", "other", "other", "create"]),
    st.sampled_from([0.0, 0.0, 0.005, 0.02, 0.1, 0.7]),
    st.integers(1, 250),
)


@settings(deadline=None, max_examples=25)
@given(workers=st.lists(WORKER, min_size=1, max_size=24), deaths=st.lists(st.integers(0, 3), max_size=4))
def test_processes_together_keep_what_is_published_however_they_interleave_and_die(
    workers: list[tuple[int, str, float, int]], deaths: list[int]
) -> None:
    house = Installation(4)
    plan = [(0.0, number, count) for number, (_, _, _, count) in enumerate(workers)]
    heapq.heapify(plan)
    left: list[tuple[float, float]] = []
    dying = iter(deaths)
    while plan:
        time, number, count = heapq.heappop(plan)
        house.clock.move_to(time)
        process, kind, latency, _ = workers[number]
        if len(left) % 97 == 96 and (dies := next(dying, None)) is not None:
            house.budgets[dies] = house.new()  # what it had taken is nobody's
        leaves = house.call(process, kind)
        left.append((leaves, 1 / VAULT[kind]))
        if count > 1:
            heapq.heappush(plan, (leaves + latency, number, count - 1))
    assert most_in_any_window(left) <= 1.0


def saturated(house: Installation, processes: int, threads: int, latency: float, seconds: float) -> list[int]:
    """How many calls leave of each process, where its threads call again as soon as they are answered."""
    plan = [(0.0, number % processes) for number in range(processes * threads)]
    heapq.heapify(plan)
    made = [0] * processes
    while plan[0][0] < seconds:
        time, process = heapq.heappop(plan)
        house.clock.move_to(time)
        leaves = house.call(process)
        made[process] += leaves < seconds
        heapq.heappush(plan, (leaves + latency, process))
    return made


@pytest.mark.parametrize(("processes", "latency"), [(1, 0.02), (2, 0.02), (4, 0.02), (4, 0.1)])
def test_processes_use_nearly_all_of_it_and_each_its_part(processes: int, latency: float) -> None:
    house = Installation(processes)
    made = saturated(house, processes, 16, latency, 30.0)
    assert sum(made) >= 0.93 * 400 * 30
    assert min(made) >= 0.8 * max(made)


def test_nothing_is_asked_for_each_call() -> None:
    house = Installation(1)
    made = saturated(house, 1, 16, 0.02, 30.0)
    assert house.row.asked < 0.06 * sum(made)


def test_a_call_that_comes_alone_does_not_wait() -> None:
    house = Installation(2)
    house.clock.advance(100)
    assert house.call(0) == 100
    assert house.row.asked == 1


def test_what_a_killed_process_had_taken_is_over_within_its_stretches() -> None:
    house = Installation(2)
    saturated(house, 2, 16, 0.02, 5.0)
    assert house.row.pace.next - house.clock.now() <= 4 * MOST_SECONDS


# --- pauses ---


def test_a_pause_reaches_the_others_before_their_next_calls_leave() -> None:
    house = Installation(3)
    saturated(house, 3, 8, 0.02, 2.0)
    house.budgets[0].throttled(7.0)
    ends = house.clock.monotonic() + 7.0
    house.clock.advance(LOOK_SECONDS + 0.01)
    for process in range(3):
        for _ in range(20):
            assert house.call(process) >= ends - 0.001


def test_after_a_pause_everybody_has_a_slot_of_his_own() -> None:
    house = Installation(4)
    saturated(house, 4, 8, 0.02, 2.0)
    house.budgets[2].throttled(3.0)
    house.clock.advance(LOOK_SECONDS + 0.01)
    slots = sorted(house.call(number % 4) for number in range(60))
    assert all(later - sooner >= 0.0024 for sooner, later in pairwise(slots))


def test_429_of_several_processes_are_one_pause() -> None:
    house = Installation(3)
    for budget in house.budgets:
        budget.throttled(None)
    assert house.row.pace.pauses == 1
    assert house.row.pace.slowdown == pytest.approx(1.1)


def test_the_pace_that_one_lost_all_have_lost_and_answers_of_all_give_it_back() -> None:
    house = Installation(2)
    house.budgets[0].throttled(1.0)
    house.clock.advance(2)
    for _ in range(120):
        for process, budget in enumerate(house.budgets):
            house.clock.move_to(house.call(process))
            budget.answered()
    assert house.row.pace.slowdown < 1.01


# --- when there is no database, and when clocks jump ---


def test_calls_go_on_at_half_the_pace_where_nobody_can_be_asked_and_are_paid_for() -> None:
    house = Installation(1)
    saturated(house, 1, 16, 0.02, 5.0)
    house.row.fails = True
    begun = house.clock.monotonic()
    leaves = [house.call(0) for _ in range(400)]
    assert 1.7 <= max(leaves) - begun <= 3.5
    house.row.fails = False
    house.clock.move_to(max(leaves) + 1)
    before = house.row.pace.next
    house.call(0)
    assert house.row.pace.next - max(before, house.clock.now()) > 0.9


@pytest.mark.parametrize("jump", [-86_400.0, -3.0, 3.0, 86_400.0])
def test_a_wall_clock_that_jumps_puts_off_no_call_for_long(jump: float) -> None:
    house = Installation(2)
    saturated(house, 2, 16, 0.02, 3.0)
    house.clock.jumped = jump
    for number in range(50):
        assert house.call(number % 2) - house.clock.monotonic() < 1.5


def test_a_row_that_stands_far_ahead_is_not_believed() -> None:
    pace = VirtualClock(next=1e12, paused_until=1e12)
    pace.settle(1000.0)
    assert pace.next <= 1000 + 120 + LONGEST_AHEAD_SECONDS


# --- two budgets, and calls whose cost is learnt late ---


def test_limits_of_a_connection_hold_besides_those_of_its_vault() -> None:
    clock = MovableClock()
    own, vault = Budget({"other": 10, "create": 10}, 1.0, clock), Budget(VAULT, PERIOD, clock)
    both = Both(own, vault)
    for _ in range(21):
        both.take("other")
    assert clock.monotonic() > 1.9
    for _ in range(101):
        vault.take("create")
    assert clock.monotonic() > 3.3


def test_a_call_that_cost_more_than_was_known_is_paid_for_by_the_next() -> None:
    clock = PlannedClock()
    clock.advance(50)
    budget = SharedBudget({"other": 4000, "large": 250}, PERIOD, clock, Row(clock))
    budget.take("other")
    budget.owe("large", "other")
    clock.asked = 0.0
    budget.take("other")
    assert clock.asked == pytest.approx(PERIOD / 250 / 0.985, rel=0.1)
