"""Flows: the list, one of them with its runs, whether it starts by itself, and running it now."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, render_template, request, url_for

from flows.model import RunStatus
from integrator.errors import FlowWaits, RunInProgress
from integrator.estimating import by_last_run
from integrator.starting import run_now
from integrator.step_words import cautions
from integrator.store.flows import BY_HAND
from integrator.store.listing_flows import NEVER, STATES, flows_page, neighbours
from integrator.store.listing_runs import runs_page
from integrator.store.pages import Asked
from integrator.web import flow_words
from integrator.web.current import installation, reading_pages
from integrator.web.entering import toast
from integrator.web.fields import Choice
from integrator.web.lists import asked
from integrator.web.messages import Message, page
from integrator.web.redirects import see_other
from integrator.web.states import word_of

views: Final = Blueprint("flows", __name__)

RUNS: Final = 10
LIST: Final = "list"
"""Where the form of a row comes from: one goes back to the list."""


@views.get("/flows")
def listed() -> str:
    """Every flow, page by page."""
    wanted = asked("state", "last")
    with reading_pages() as db:
        found = flows_page(db, wanted)
    states = [Choice(state, word_of(state)) for state in STATES]
    results = [*(Choice(str(status), word_of(status)) for status in RunStatus), Choice(NEVER, "Has not run")]
    return render_template("flows.html", page=found, states=states, results=results, words=flow_words)


@views.get("/flows/<name>")
def shown(name: str) -> str:
    """One flow: from where to where, when, and how its last runs went."""
    with installation().store.reading() as stored:
        flow, states = stored.flows.get(name), stored.connections.states()
        paused, estimate = stored.flows.paused().get(name, ""), by_last_run(stored, name)
        kinds = {one: found.connector for one in flow.connections if (found := stored.connections.find(one))}
    with reading_pages() as db:
        recent = runs_page(db, Asked(filters={"flow": name}, rows=RUNS))
        goes_to = flow.destination
        meets = neighbours(db, name, goes_to.connection, goes_to.resource) if goes_to else []
    return render_template(
        "flow.html",
        flow=flow,
        states=states,
        paused=paused,
        estimate=estimate,
        is_paused_by_hand=paused == BY_HAND,
        sources=[flow_words.source(export, kinds.get(export.connection, "")) for export in flow.exports],
        steps=[(step, flow_words.step(flow, step, kinds.get(step.connection, ""))) for step in flow.steps],
        cautions=cautions(installation(), flow) if flow.actions else [],
        next_runs=[] if paused else flow_words.next_runs(flow, installation().clock.now()),
        runs=recent,
        under_way=next((run for run in reversed(recent.rows) if flow_words.is_unfinished(run)), None),
        last=next((run for run in recent.rows if not flow_words.is_unfinished(run)), None),
        bars=flow_words.bars(recent.rows),
        neighbours=meets,
        words=flow_words,
    )


@views.get("/flows/<name>/runs")
def runs_of(name: str) -> Response:
    """The runs of this flow stand in the list of runs."""
    return see_other(url_for("runs.listed", flow=name))


@views.post("/flows/<name>/run")
def started(name: str) -> Response:
    """Run it now, and go to the run's page; refused where a run is not over or a connection must be authorized."""
    try:
        run = run_now(installation(), name)
    except RunInProgress as error:
        return page(_busy(name, error.run_id))
    except FlowWaits as error:
        return page(_waits(name, str(error)))
    return see_other(url_for("runs.shown", run_id=run.id))


@views.post("/flows/<name>/pause")
def paused(name: str) -> Response:
    """The flow does not start by itself from now on."""
    with installation().store.writing() as stored:
        stored.flows.pause(name, BY_HAND, installation().clock.now())
    toast(f"Flow {name} is paused: it starts by itself again when you resume it.")
    return _back(name)


@views.post("/flows/<name>/resume")
def resumed(name: str) -> Response:
    """The flow starts by itself again."""
    with installation().store.writing() as stored:
        stored.flows.resume(name)
    toast(f"Flow {name} is on.")
    return _back(name)


def _busy(name: str, run_id: int) -> Message:
    return Message(
        409,
        f"{name} has a run that is not over",
        f"Run {run_id} waits or runs, and a flow has one run at a time. Nothing new was begun.",
        "Watch that run, or cancel it; then run the flow again.",
        actions=((f"See run {run_id}", url_for("runs.shown", run_id=run_id)), _to_flow(name)),
    )


def _waits(name: str, sentence: str) -> Message:
    needing = url_for("connections.listed", state="needs authorization")
    return Message(
        409,
        f"{name} waits for a connection",
        sentence,
        "Authorize the connection: the flow goes on by itself then, and can be run by hand, too.",
        actions=(("See which connection", needing), _to_flow(name)),
    )


def _to_flow(name: str) -> tuple[str, str]:
    return "Back to the flow", url_for("flows.shown", name=name)


def _back(name: str) -> Response:
    """To the list, where the button stands in one of its rows; else to the flow's page."""
    is_list = request.form.get("back", "") == LIST
    return see_other(url_for("flows.listed") if is_list else url_for("flows.shown", name=name))
