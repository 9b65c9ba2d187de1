"""Flows: the list, one of them with its runs, and whether it starts by itself."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, redirect, render_template, url_for

from integrator.store.listing_runs import flows_page, runs_page
from integrator.store.pages import Asked
from integrator.web.current import installation, reading_pages
from integrator.web.entering import toast
from integrator.web.lists import asked

views: Final = Blueprint("flows", __name__)

BY_HAND: Final = "paused by a person"
"""The reason of a pause that somebody asked for."""
RUNS: Final = 10


@views.get("/flows")
def listed() -> str:
    """Every flow, page by page."""
    wanted = asked("state")
    with reading_pages() as db:
        found = flows_page(db, wanted)
    return render_template("flows.html", page=found)


@views.get("/flows/<name>")
def shown(name: str) -> str:
    """One flow: from where to where, when, and how its last runs went."""
    with installation().store.reading() as stored:
        flow, states = stored.flows.get(name), stored.connections.states()
        paused = stored.flows.paused().get(name, "")
    with reading_pages() as db:
        recent = runs_page(db, Asked(filters={"flow": name}, rows=RUNS))
    return render_template("flow.html", flow=flow, states=states, paused=paused, runs=recent)


@views.get("/flows/<name>/runs")
def runs_of(name: str) -> Response:
    """The runs of this flow stand in the list of runs."""
    return _redirected(url_for("runs.listed", flow=name))


@views.post("/flows/<name>/pause")
def paused(name: str) -> Response:
    """The flow does not start by itself from now on."""
    with installation().store.writing() as stored:
        stored.flows.pause(name, BY_HAND, installation().clock.now())
    toast(f"Flow {name} is paused: it starts by itself again when you resume it.")
    return _redirected(url_for("flows.shown", name=name))


@views.post("/flows/<name>/resume")
def resumed(name: str) -> Response:
    """The flow starts by itself again."""
    with installation().store.writing() as stored:
        stored.flows.resume(name)
    toast(f"Flow {name} is on.")
    return _redirected(url_for("flows.shown", name=name))


def _redirected(address: str) -> Response:
    answer: Response = redirect(address, 303)  # type: ignore[assignment]
    return answer
