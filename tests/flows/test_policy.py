"""Patience: which failures of single records end a run."""

from __future__ import annotations

import pytest

from connectors.errors import BadRequest, Conflict, Forbidden, HostNotAllowed, NotFound, Throttled, Unavailable
from flows.policy import MOST_FAILURES_IN_A_ROW, MOST_REFUSALS_AT_FIRST, Patience
from iclients.errors import NotAuthorized, Recovery, RemoteError


def failures_until_over(patience: Patience, error: RemoteError, most: int = 100) -> int | None:
    return next((number for number in range(1, most + 1) if patience.is_over(error)), None)


def test_ten_failures_in_a_row_mean_that_the_system_is_down() -> None:
    assert failures_until_over(Patience(), Unavailable("down")) == MOST_FAILURES_IN_A_ROW == 10


def test_different_failures_that_may_pass_count_together() -> None:
    patience = Patience()
    errors = [Unavailable("down"), Throttled("fast")] * 5
    assert [patience.is_over(error) for error in errors] == [False] * 9 + [True]


def test_a_record_that_works_begins_the_count_anew() -> None:
    patience = Patience()
    for _ in range(5):
        assert failures_until_over(patience, Unavailable("down"), 9) is None
        patience.worked()


def test_refusals_before_anything_worked_mean_that_the_right_is_missing() -> None:
    assert failures_until_over(Patience(), Forbidden("no")) == MOST_REFUSALS_AT_FIRST == 25


def test_refusals_after_something_worked_are_about_single_records() -> None:
    patience = Patience()
    patience.worked()
    assert failures_until_over(patience, Forbidden("no")) is None


def test_a_disabled_secret_is_no_missing_right() -> None:
    assert failures_until_over(Patience(), Forbidden("disabled", code="secret_disabled")) is None


@pytest.mark.parametrize("error", [BadRequest("x"), NotFound("x"), Conflict("x")])
def test_refusals_of_single_records_never_end_a_run(error: RemoteError) -> None:
    assert failures_until_over(Patience(), error) is None


@pytest.mark.parametrize(
    "error", [HostNotAllowed("x"), NotAuthorized("x"), RemoteError("x"), BadRequest("x", recovery=Recovery.ABORT)]
)
def test_what_no_record_can_help_ends_the_run_at_once(error: RemoteError) -> None:
    assert failures_until_over(Patience(), error) == 1
