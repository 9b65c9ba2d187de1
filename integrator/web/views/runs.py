"""Runs: the list, one of them with its counts and what went wrong, and asking it to stop."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, abort, redirect, render_template, url_for

from flows.model import COUNTS, RunStatus
from integrator.store.listing_runs import causes, errors_page, runs_page
from integrator.store.runs import UNFINISHED, Run
from integrator.web.current import installation, reading_pages
from integrator.web.entering import toast
from integrator.web.lists import asked

views: Final = Blueprint("runs", __name__)

REFRESH_SECONDS: Final = 3
HIGHEST_ID: Final = 2**63 - 1


@views.get("/runs")
def listed() -> str:
    """Runs, the newest first, page by page."""
    wanted = asked("status", "flow")
    with reading_pages() as db:
        found = runs_page(db, wanted)
    return render_template("runs.html", page=found, statuses=[*RunStatus])


@views.get("/runs/<int:run_id>")
def shown(run_id: int) -> str:
    """One run; while it is not over, the page asks for itself again."""
    run = _run(run_id)
    wanted = asked("code")
    with reading_pages() as db:
        found, why = errors_page(db, run_id, wanted), causes(db, run_id)
    is_over = run.status not in UNFINISHED
    return render_template(
        "run.html",
        run=run,
        counts={name: run.progress.counts.get(name, 0) for name in COUNTS},
        page=found,
        causes=why,
        now=installation().clock.now(),
        refresh_seconds=0 if is_over else REFRESH_SECONDS,
    )


@views.post("/runs/<int:run_id>/cancel")
def cancelled(run_id: int) -> Response:
    """Ask the run to stop after the page of records that it is at."""
    _run(run_id)
    with installation().store.writing() as stored:
        status = stored.runs.request_cancel(run_id)
    toast(f"Run {run_id} stops after this page of records." if status in UNFINISHED else f"Run {run_id} is {status}.")
    answer: Response = redirect(url_for("runs.shown", run_id=run_id), 303)  # type: ignore[assignment]
    return answer


def _run(run_id: int) -> Run:
    if run_id > HIGHEST_ID:
        abort(404)
    with installation().store.reading() as stored:
        return stored.runs.get(run_id)
