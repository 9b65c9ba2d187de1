"""Runs: the list, one of them with its counts and what went wrong, as it moves, and what can be done about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from flask import (
    Blueprint,
    Response,
    abort,
    make_response,
    render_template,
    request,
    stream_with_context,
    url_for,
)

from flows.model import COUNTS, Flow, RunStatus
from integrator.again import replaces_whole, resume_later, retry_later
from integrator.errors import FlowWaits, NothingToRetry, RunInProgress, RunIsOver
from integrator.runner import cancel
from integrator.store.listing_errors import causes, errors_page, marks, retries_of, wrong_by_step
from integrator.store.listing_runs import RunNow, flows_to_filter, read_last_time, run_now, runs_page
from integrator.store.run_events import events_of
from integrator.store.runs import OVER, UNFINISHED, Run
from integrator.store.wrong_records import Only
from integrator.web import run_words
from integrator.web.current import installation, reading_pages, streams, watched
from integrator.web.entering import is_still_let_in, toast
from integrator.web.lists import asked
from integrator.web.redirects import see_other

views: Final = Blueprint("runs", __name__)

REFRESH_SECONDS: Final = 3
HIGHEST_ID: Final = 2**63 - 1
TABS: Final = ("errors", "steps", "events", "document")
_CANNOT: Final = (FlowWaits, NothingToRetry, RunInProgress, RunIsOver)


@views.get("/runs")
def listed() -> str:
    """Runs, the newest first, page by page."""
    wanted = asked("status", "flow")
    with reading_pages() as db:
        found, flows = runs_page(db, wanted), flows_to_filter(db)
    named = wanted.filters.get("flow")
    if named and named not in flows:
        flows = []  # it stays in the address, and in the heading
    words = {"statuses": [*RunStatus], "flows": flows, "started_by": run_words.started_by}
    return render_template("runs.html", page=found, **words)


@views.get("/runs/<int:run_id>")
def shown(run_id: int) -> str:
    """One run; while it is not over, the page follows it."""
    return _page(run_id)


@views.get("/runs/<int:run_id>/live")
def live(run_id: int) -> Response:
    """The run as it moves, as server-sent events; 204 where no more of them can be had: then the page asks again."""
    run = _run(run_id)
    look = _looking(run, _flow(run))  # what can fail comes before a place is taken
    leave = streams().take()
    if leave is None:
        return make_response("", 204)
    told = streams().told(look, is_still_let_in)
    answer = Response(stream_with_context(told), mimetype="text/event-stream")
    answer.headers["X-Accel-Buffering"] = "no"
    answer.call_on_close(leave)
    return answer


@views.post("/runs/<int:run_id>/cancel")
def cancelled(run_id: int) -> Response:
    """Ask the run to stop after the page of records that it is at."""
    _run(run_id)
    return _tried(run_id, lambda: cancel(installation(), run_id), _told_cancelled)


@views.post("/runs/<int:run_id>/resume")
def resumed(run_id: int) -> Response:
    """The run goes on where it stopped, under its id."""
    _run(run_id)
    return _tried(
        run_id, lambda: resume_later(installation(), run_id), lambda run: f"Run {run.id} goes on where it stopped."
    )


@views.post("/runs/<int:run_id>/retry")
def retried(run_id: int) -> Response:
    """What went wrong in this run is tried again in a new one: all, of one cause, or one record."""
    _run(run_id)
    line = request.form.get("line", "")
    only = Only(
        request.form.get("code", ""),
        request.form.get("key", ""),
        int(line) if line.isdecimal() and len(line) < 18 else 0,
    )
    return _tried(
        run_id, lambda: retry_later(installation(), run_id, only), lambda run: f"Run {run.id} tries that again."
    )


def _tried(run_id: int, act: Callable[[], Run], words: Callable[[Run], str]) -> Response:
    """Do it and go to the run that it concerns; where it cannot be done, this run's page says why."""
    try:
        run = act()
    except _CANNOT as error:
        busy = error.run_id if isinstance(error, RunInProgress) else 0
        return make_response(_page(run_id, "" if busy else str(error), busy), 409)
    toast(words(run))
    return see_other(url_for("runs.shown", run_id=run.id))


def _told_cancelled(run: Run) -> str:
    if run.status is RunStatus.RUNNING:
        return f"Run {run.id} stops after this page of records."
    return f"Run {run.id} is {run.status}."


def _page(run_id: int, problem: str = "", busy: int = 0) -> str:
    """The page of a run; with `problem`, or the run that is `busy`, it says why what was asked for was not done."""
    run = _run(run_id)
    flow, wanted = _flow(run), asked("code")
    tab = request.args.get("tab", "")
    tab = tab if tab in TABS else TABS[0]
    is_over = run.status not in UNFINISHED
    with reading_pages() as db:
        now = run_now(db, run_id) or abort(404)
        why, retries = causes(db, run_id), retries_of(db, run_id, run.flow_id)
        here: dict[str, Any] = {"causes": why, "retrying": [one.id for one in retries if one.status in UNFINISHED]}
        if tab == "errors":
            page = errors_page(db, run_id, wanted)
            here |= {"page": page, "marks": marks(db, retries, page.rows)}
        elif tab == "steps":
            here["steps"] = run_words.steps(flow, _counts(now), dict(wrong_by_step(db, run_id)))
        elif tab == "events":
            here["events"] = [(event, *run_words.event_words(event)) for event in events_of(db, run_id)]
            here["moment_of"] = run_words.moment_of
    here |= {"tab": tab, "problem": problem, "busy": busy, "document": json.dumps(run.document(), indent=2)}
    here |= {"trouble": run_words.trouble(run.status, run.error_code, run.error_message)}
    here |= {"can_resume": is_over and run.status not in OVER, "can_retry": is_over and bool(why)}
    here["is_whole"] = bool(here["can_retry"]) and replaces_whole(installation(), run.flow)
    here |= {"recoveries": run_words.RECOVERIES, "refresh_seconds": 0 if is_over else REFRESH_SECONDS}
    return render_template("run.html", **here, **_moving(run, flow, now))


def _moving(run: Run, flow: Flow, now: RunNow, total: int | None = None, allowed: int | None = None) -> dict[str, Any]:
    """What moves on the page of a run."""
    told: dict[str, Any] = {"run": run, "stands": now, "counts": _counts(now), "now": installation().clock.now()}
    told |= {"by": run_words.started_by(run.started_by, run.due), "moving": None, "waits_for": ""}
    if now.status not in UNFINISHED:
        watched().forget(run.id)
        return told
    if now.status == RunStatus.WAITING:
        told["waits_for"] = _waits_for(run)
    else:
        if total is None:
            total, allowed = _expected(run), run_words.calls_a_minute(installation(), flow)
        pace = watched().pace(run.id, now.progress)
        told["moving"] = run_words.moving(now, pace, total, allowed or 0)
    return told


def _looking(run: Run, flow: Flow) -> Callable[[], str | None]:
    """How a stream looks at the run: one row by its number each time, and no transaction in between."""
    total, allowed = _expected(run), run_words.calls_a_minute(installation(), flow)

    def look() -> str | None:
        with reading_pages() as db:
            now = run_now(db, run.id)
        if now is None or now.status not in UNFINISHED:
            watched().forget(run.id)
            return None
        return render_template("run_live.html", **_moving(run, flow, now, total, allowed))

    return look


def _expected(run: Run) -> int:
    with reading_pages() as db:
        return read_last_time(db, run.flow_id, run.id)


def _waits_for(run: Run) -> str:
    """Why a run that waits does not begin: empty where it only waits for a free worker."""
    with installation().store.reading() as stored:
        paused = stored.flows.paused().get(run.flow, "")
        busy = stored.runs.line.unfinished([run.flow_id]).get(run.flow_id, set())
    if paused == RunStatus.NEEDS_AUTHORIZATION.value:
        return "authorization"
    if paused and run.due is not None:
        return "pause"
    return "another" if RunStatus.RUNNING in busy else ""


def _counts(now: RunNow) -> dict[str, int]:
    return {name: now.progress.counts.get(name, 0) for name in COUNTS}


def _flow(run: Run) -> Flow:
    with installation().store.reading() as stored:
        return stored.flows.get(run.flow)


def _run(run_id: int) -> Run:
    if run_id > HIGHEST_ID:
        abort(404)
    with installation().store.reading() as stored:
        return stored.runs.get(run_id)
