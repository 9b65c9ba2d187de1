"""The page of one run and the list of runs: what is told, what can be done, and never a value."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select, update
from web_house import WebHouse

from flows.model import RunStatus
from integrator.access import READER
from integrator.store import tables
from integrator.store.run_events import MOST_EVENTS, Happened, events_of, note

COUNTS = {"read": 10, "skipped": 1, "created": 4, "failed": 4, "conflicts": 1}


@pytest.fixture
def runs(web: WebHouse) -> Runs:
    return Runs(web)


class Runs:
    """Runs of a flow between two vaults, put into the database as a worker would have left them."""

    def __init__(self, web: WebHouse) -> None:
        self.web = web
        import_ = {"connection": "fabrikam", "resource": "secrets", "operation": "upsert"}
        flow = {"name": "nightly", "exports": [{"connection": "contoso", "resource": "secrets", "values": True}]}
        web.apply({"version": 1, "flows": [{**flow, "steps": [{"import": import_}]}]})
        self.browser = web.signed_in()

    def add(self, status: RunStatus, **values: Any) -> int:
        with self.web.installation.store.database.writing() as db:
            flow_id = db.scalar(select(tables.flows.c.id).where(tables.flows.c.name == "nightly"))
            told = {"counts": COUNTS, "calls": {"list": 2, "get": 9}, "seconds": 5.0}
            row = {"flow_id": flow_id, "status": status.value, "started_at": 1.0, "progress": json.dumps(told)}
            over = {"ended_at": 2.0} if status not in (RunStatus.WAITING, RunStatus.RUNNING) else {}
            made = insert(tables.runs).values({**row, **over, **values}).returning(tables.runs.c.id)
            return int(db.execute(made).scalar_one())

    def wrong(self, run_id: int, *records: tuple[str, str], line: int = 0) -> None:
        with self.web.installation.store.database.writing() as db:
            for key, code in records:
                told = {"code": code, "recovery": "skip", "message": f"{key} has {code}.", "at": 1.0, "line": line}
                db.execute(
                    insert(tables.outcomes).values(run_id=run_id, key=key, effect="failed", step="import x", **told)
                )

    def set(self, run_id: int, **values: Any) -> None:
        with self.web.installation.store.database.writing() as db:
            db.execute(update(tables.runs).where(tables.runs.c.id == run_id).values(values))

    def text(self, path: str, browser: FlaskClient | None = None) -> str:
        answer = (browser or self.browser).get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def failed(self) -> int:
        run_id = self.add(RunStatus.WITH_ERRORS)
        self.wrong(run_id, ("one", "too_long"), ("two", "too_long"), ("three", "managed"))
        return run_id

    def events(self, run_id: int) -> list[tuple[str, str]]:
        with self.web.installation.store.database.reading() as db:
            return [(event.event, event.detail) for event in events_of(db, run_id)]


def words(text: str) -> str:
    """What a person reads."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_errors_stand_by_cause_and_then_record_by_record(runs: Runs) -> None:
    run_id = runs.failed()
    told = words(runs.text(f"/runs/{run_id}"))
    assert "2 causes" in told
    assert re.search(r"2 (one|two) has too_long\. Mend the record where it comes from", told)
    assert "1–3 of 3 records" in told
    one = words(runs.text(f"/runs/{run_id}?code=managed"))
    assert "1–1 of 1 records" in one
    assert "Show all causes" in one
    assert "1–1 of 1 records" in words(runs.text(f"/runs/{run_id}?q=tw"))


def test_a_run_without_errors_says_what_was_left_out(runs: Runs) -> None:
    done = runs.add(RunStatus.SUCCEEDED)
    assert "Every other record arrived: 1 of 10 was left out by the flow's filter" in words(runs.text(f"/runs/{done}"))
    again = runs.add(RunStatus.SUCCEEDED, retry_of=done)
    assert "Every record that was tried again arrived. The others were left alone." in words(
        runs.text(f"/runs/{again}")
    )
    everything = runs.add(RunStatus.SUCCEEDED, progress=json.dumps({"counts": {"read": 2, "created": 2}}))
    assert "Every record arrived." in words(runs.text(f"/runs/{everything}"))


def test_a_run_that_was_throttled_is_to_wait(runs: Runs) -> None:
    why = {"error_code": "throttled", "error_message": "contoso.vault.azure.net asks for fewer calls (HTTP 429)."}
    told = words(runs.text(f"/runs/{runs.add(RunStatus.FAILED, **why)}"))
    assert "The system takes no more calls for now." in told
    assert "Resume the run in some minutes." in told


def test_how_long_a_run_took_leaves_out_the_time_before_it_was_resumed(runs: Runs) -> None:
    run_id = runs.add(RunStatus.SUCCEEDED, started_at=1.0, ended_at=500.0)
    assert "took 5.0 s" in words(runs.text(f"/runs/{run_id}"))


@pytest.mark.parametrize(
    ("tab", "told"),
    [
        ("steps", "upsert into fabrikam/secrets"),
        ("events", "not kept"),
        ("document", "completed with errors"),
        ("x", "2 causes"),
    ],
)
def test_every_tab_is_a_page_of_its_own(runs: Runs, tab: str, told: str) -> None:
    run_id = runs.failed()
    shown = words(runs.text(f"/runs/{run_id}?tab={tab}"))
    assert told in shown
    assert "Read 10 Left out 1" in shown


def test_what_ended_a_run_is_told_in_three_parts_with_the_code_below(runs: Runs) -> None:
    run_id = runs.add(RunStatus.NEEDS_AUTHORIZATION, error_code="invalid_grant", error_message="The consent has ended.")
    told = words(runs.text(f"/runs/{run_id}"))
    assert "The consent has ended. A connection does not let us in any more." in told
    assert "Authorize the connection again, then resume the run" in told
    assert "Details Code invalid_grant" in told


@pytest.mark.parametrize(
    ("status", "offered", "not_offered"),
    [
        (RunStatus.RUNNING, "cancel", ("resume", "retry")),
        (RunStatus.WAITING, "cancel", ("resume", "retry")),
        (RunStatus.FAILED, "resume", ("cancel",)),
        (RunStatus.CANCELLED, "resume", ("cancel",)),
        (RunStatus.NEEDS_AUTHORIZATION, "resume", ("cancel",)),
        (RunStatus.WITH_ERRORS, "retry", ("cancel", "resume")),
    ],
)
def test_what_can_be_done_is_offered_and_nothing_else(
    runs: Runs, status: RunStatus, offered: str, not_offered: tuple[str, ...]
) -> None:
    run_id = runs.add(status)
    runs.wrong(run_id, ("one", "too_long"))
    shown = runs.text(f"/runs/{run_id}")
    assert f'action="/runs/{run_id}/{offered}"' in shown
    assert not [act for act in not_offered if f'action="/runs/{run_id}/{act}"' in shown]


def test_a_retry_is_a_new_run_that_waits_and_names_the_old_one(runs: Runs) -> None:
    run_id = runs.failed()
    answer = runs.web.post(runs.browser, f"/runs/{run_id}/retry", code="too_long")
    new = answer.headers["Location"]
    assert (answer.status_code, new) == (303, f"/runs/{run_id + 1}")
    assert f"tries again what went wrong with too_long in run {run_id}" in words(runs.text(new))
    assert f"Retrying in run {run_id + 1}" in words(runs.text(f"/runs/{run_id}"))
    assert runs.events(run_id + 1) == [("queued", "web:ada")]


def test_records_that_a_later_run_has_tried_again_say_so(runs: Runs) -> None:
    run_id = runs.failed()
    runs.wrong(run_id, ("waits", "later"))
    again = runs.add(RunStatus.WITH_ERRORS, retry_of=run_id, retry_only='{"code":"too_long"}')
    runs.wrong(again, ("two", "too_long"))
    last = runs.add(RunStatus.WAITING, retry_of=run_id, retry_only='{"key":"waits"}', started_at=None)
    told = words(runs.text(f"/runs/{run_id}"))
    assert f"one has too_long. too_long · import x Retried in run {again}" in told
    assert f"two has too_long. too_long · import x Went wrong again in run {again}" in told
    assert f"Being retried in run {last}" in told
    assert told.count("etried in run") == 2


def test_what_cannot_be_done_is_told_on_the_page_itself(runs: Runs) -> None:
    run_id = runs.failed()
    answer = runs.web.post(runs.browser, f"/runs/{run_id}/retry", code="other")
    assert (answer.status_code, "No such record went wrong" in answer.text) == (409, True)
    assert runs.web.post(runs.browser, f"/runs/{run_id}/resume").status_code == 409
    assert runs.web.post(runs.browser, f"/runs/{run_id}/cancel").status_code == 409
    busy = runs.add(RunStatus.RUNNING)
    answer = runs.web.post(runs.browser, f"/runs/{run_id}/retry")
    assert (answer.status_code, f"See run {busy}" in answer.text) == (409, True)
    assert runs.web.post(runs.browser, "/runs/99/retry").status_code == 404
    assert runs.web.post(runs.browser, "/runs/99/resume").status_code == 404


def test_a_run_is_resumed_and_cancelled_and_its_events_tell_by_whom(runs: Runs) -> None:
    run_id = runs.add(RunStatus.FAILED, error_code="no", error_message="No.")
    assert runs.web.post(runs.browser, f"/runs/{run_id}/resume").status_code == 303
    assert "It begins as soon as a worker is free" in words(runs.text(f"/runs/{run_id}"))
    assert runs.web.post(runs.browser, f"/runs/{run_id}/cancel").status_code == 303
    assert runs.events(run_id) == [("resumed", "web:ada"), ("cancel asked", "web:ada"), ("ended", "cancelled")]
    told = words(runs.text(f"/runs/{run_id}?tab=events"))
    assert re.search(r"Ended Cancelled .* ada asked it to stop .* Resumed by ada", told)


def test_a_run_whose_process_is_gone_is_cancelled_at_once(runs: Runs) -> None:
    run_id = runs.add(RunStatus.RUNNING)
    assert runs.web.post(runs.browser, f"/runs/{run_id}/cancel").status_code == 303
    assert "Cancelled" in words(runs.text(f"/runs/{run_id}"))


def test_whoever_may_only_read_changes_nothing(runs: Runs) -> None:
    run_id = runs.failed()
    reader = runs.web.signed_in("bob", READER)
    for act in ("cancel", "resume", "retry"):
        assert runs.web.post(reader, f"/runs/{run_id}/{act}").status_code == 403
    assert "2 causes" in words(runs.text(f"/runs/{run_id}", reader))


def test_a_run_that_waits_says_what_for(runs: Runs) -> None:
    run_id = runs.add(RunStatus.WAITING, started_at=None, due=1)
    for reason, told in (
        ("needs authorization", "until a connection"),
        ("paused by a person", "because its flow is paused"),
    ):
        with runs.web.installation.store.writing() as stored:
            stored.flows.pause("nightly", reason, 1.0)
        assert told in words(runs.text(f"/runs/{run_id}"))
        with runs.web.installation.store.writing() as stored:
            stored.flows.resume("nightly")
    runs.add(RunStatus.RUNNING)
    assert "when the flow's other run is over" in words(runs.text(f"/runs/{run_id}"))


def test_a_run_keeps_its_first_event_and_the_newest_ones(runs: Runs) -> None:
    run_id = runs.add(RunStatus.RUNNING)
    with runs.web.installation.store.database.writing() as db:
        note(db, run_id, Happened.QUEUED, "schedule")
        for number in range(MOST_EVENTS + 5):
            note(db, run_id, Happened.STARTED, f"worker {number}")
    kept = runs.events(run_id)
    assert len(kept) == MOST_EVENTS
    assert (kept[0], kept[-1]) == (("queued", "schedule"), ("started", f"worker {MOST_EVENTS + 4}"))


def test_runs_are_found_by_state_flow_and_number(runs: Runs) -> None:
    failed, done = runs.add(RunStatus.FAILED), runs.add(RunStatus.SUCCEEDED, due=60, started_by="schedule")
    told = words(runs.text("/runs"))
    assert told.index(f" {done} nightly") < told.index(f" {failed} nightly")
    assert "the schedule, due 1 Jan 1970" in told
    assert "1–1 of 1 runs" in words(runs.text("/runs?status=failed&flow=nightly"))
    assert "1–1 of 1 runs" in words(runs.text(f"/runs?q={done}"))
    assert "1–2 of 2 runs" in words(runs.text("/runs?q=night"))
    assert "No run here" in words(runs.text("/runs?q=nobody"))


def test_nobody_counts_more_than_ten_thousand(runs: Runs) -> None:
    run_id = runs.add(RunStatus.WITH_ERRORS)
    with runs.web.installation.store.database.writing() as db:
        told = {"run_id": run_id, "effect": "failed", "step": "x", "recovery": "skip", "message": "No.", "at": 1.0}
        db.execute(insert(tables.outcomes), [{**told, "key": f"k{number}", "code": "no"} for number in range(10_050)])
    shown = words(runs.text(f"/runs/{run_id}"))
    assert "1–50 of more than 10,000 records" in shown
    assert "10,000+" in shown
