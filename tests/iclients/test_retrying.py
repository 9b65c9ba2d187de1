"""Retrying decides when to ask again; it never asks more often, or longer, than it says."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iclients.clock import Stopped, SystemClock
from iclients.errors import AnswerLost, NotAuthorized, Recovery, RemoteError, TransportError
from iclients.retrying import Retrying
from iclients.testing import MovableClock


class Failing:
    """Fails with these errors, then gives `done`; every attempt takes a while."""

    def __init__(self, clock: MovableClock, errors: list[RemoteError], *, seconds: float = 0.0) -> None:
        self.clock, self.errors, self.seconds = clock, errors, seconds
        self.tries = 0

    def __call__(self) -> str:
        self.tries += 1
        self.clock.advance(self.seconds)
        if self.tries <= len(self.errors):
            raise self.errors[self.tries - 1]
        return "done"


def busy(count: int = 1, retry_after_seconds: float | None = None) -> list[RemoteError]:
    return [TransportError("busy", retry_after_seconds=retry_after_seconds) for _ in range(count)]


def test_the_first_good_result_is_given(clock: MovableClock) -> None:
    attempt = Failing(clock, busy(2))
    assert Retrying().call(attempt, clock) == "done"
    assert (attempt.tries, len(clock.slept)) == (3, 2)


def test_waits_double(clock: MovableClock) -> None:
    Retrying(attempts=6, base_seconds=1.0).call(Failing(clock, busy(5)), clock)
    for wait, least in zip(clock.slept, (1, 2, 4, 8, 16), strict=True):
        assert least <= wait <= least * 1.25


def test_the_server_says_how_long_to_wait(clock: MovableClock) -> None:
    Retrying().call(Failing(clock, busy(2, retry_after_seconds=7.0)), clock)
    assert clock.slept == [7.0, 7.0]


def test_the_last_error_is_raised_when_the_tries_are_used_up(clock: MovableClock) -> None:
    errors = busy(9)
    attempt = Failing(clock, errors)
    with pytest.raises(TransportError) as caught:
        Retrying(attempts=4).call(attempt, clock)
    assert caught.value is errors[3]
    assert attempt.tries == 4


def test_a_wait_that_would_end_too_late_is_not_begun(clock: MovableClock) -> None:
    attempt = Failing(clock, busy(1, retry_after_seconds=121.0))
    with pytest.raises(TransportError):
        Retrying(total_seconds=120.0).call(attempt, clock)
    assert (attempt.tries, clock.slept) == (1, [])


@pytest.mark.parametrize("recovery", [Recovery.ABORT, Recovery.SKIP, Recovery.REAUTHORIZE])
def test_only_what_may_pass_is_asked_again(clock: MovableClock, recovery: Recovery) -> None:
    attempt = Failing(clock, [RemoteError("no", recovery=recovery)])
    with pytest.raises(RemoteError):
        Retrying().call(attempt, clock)
    assert attempt.tries == 1


def test_the_caller_may_judge_for_itself(clock: MovableClock) -> None:
    attempt = Failing(clock, [NotAuthorized("no"), AnswerLost("lost")])
    with pytest.raises(AnswerLost):
        Retrying().call(attempt, clock, lambda error: isinstance(error, NotAuthorized))
    assert attempt.tries == 2


def test_what_one_loop_has_given_up_the_loop_around_it_does_not_ask_again(clock: MovableClock) -> None:
    attempt = Failing(clock, busy(99))
    with pytest.raises(TransportError):
        Retrying(attempts=3).call(lambda: Retrying(attempts=3).call(attempt, clock), clock)
    assert attempt.tries == 3


def test_other_errors_pass_through(clock: MovableClock) -> None:
    def attempt() -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        Retrying().call(attempt, clock)


def test_a_stopped_clock_ends_the_waiting(clock: MovableClock) -> None:
    clock.stop()
    with pytest.raises(Stopped):
        Retrying().call(Failing(clock, busy(5)), clock)
    stopped = SystemClock()
    stopped.stop()
    with pytest.raises(Stopped):
        stopped.sleep(60.0)


@given(
    attempts=st.integers(1, 12),
    total=st.floats(0.0, 300.0),
    base=st.floats(0.01, 10.0),
    longest=st.floats(0.01, 60.0),
    seconds=st.floats(0.0, 30.0),
    asked=st.lists(st.none() | st.floats(0.0, 100.0), max_size=14),
)
def test_tries_and_waits_never_exceed_what_was_said(
    attempts: int, total: float, base: float, longest: float, seconds: float, asked: list[float | None]
) -> None:
    clock = MovableClock()
    retrying = Retrying(attempts, total, base, longest)
    attempt = Failing(clock, [TransportError("busy", retry_after_seconds=wait) for wait in asked], seconds=seconds)
    with suppress(TransportError):
        retrying.call(attempt, clock)
    assert attempt.tries <= attempts
    assert clock.monotonic() <= max(total, 0.0) + seconds + 1e-6
    for wait, said in zip(clock.slept, asked, strict=False):
        assert wait == said or (said is None and wait <= longest + 1e-9)
