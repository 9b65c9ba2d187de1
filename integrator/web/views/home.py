"""The first page: what needs somebody, what runs, what was moved; and, where nothing is set up yet, the first steps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from flask import Blueprint, Response, abort, render_template, request, url_for

from flows.model import RunStatus
from integrator.access import CHANGE, may
from integrator.local_azure import FILES, FLOW, Stands
from integrator.store.listing_audit import notices_page
from integrator.store.listing_home import failures, found, sizes, waiting_connections
from integrator.store.listing_iclients import ending_credentials
from integrator.store.listing_runs import recent_runs
from integrator.store.moved import moved_since
from integrator.store.pages import Asked
from integrator.web.charts import by_day, first_hour, moved_chart
from integrator.web.current import installation, local_azure, person, reading_pages
from integrator.web.entering import toast
from integrator.web.moments import zone
from integrator.web.redirects import see_other

views: Final = Blueprint("home", __name__)

ENDING_DAYS: Final = 30
FEW: Final = 5


@views.get("/")
def shown() -> str:
    """What needs somebody, or how to begin."""
    now = installation().clock.now()
    today = datetime.fromtimestamp(now, UTC).date()
    few = Asked(rows=FEW)
    with reading_pages() as db:
        here = {
            "sizes": sizes(db),
            "running": recent_runs(db, (RunStatus.RUNNING, RunStatus.WAITING), FEW),
            "failed": failures(db, now, FEW),
            "recent": recent_runs(db, (), 8),
            "waiting": waiting_connections(db, FEW),
            "ending": ending_credentials(db, today, today + timedelta(days=ENDING_DAYS), FEW),
            "notices": notices_page(db, few),
        }
        days = by_day(moved_since(db, first_hour(now, zone())), now, zone())
    return render_template("home.html", **here, **_moved(days), **_azure())


@views.post("/local-azure")
def azure_begun() -> Response:
    """Start a local Azure, where nothing else is set up, or where it was there before."""
    azure = local_azure()
    if azure is None:
        abort(404)
    with reading_pages() as db:
        is_new = sizes(db).connections == 0
    if azure.state().stands is Stands.ABSENT and not is_new:
        toast("Connections are here already: `integrator sandbox` starts a local Azure beside them.")
    else:
        azure.begin(installation())
    return see_other(url_for("home.shown"))


@views.get("/search")
def searched() -> str:
    """Everything that has this in its name."""
    search = request.args.get("q", "").strip()[:200]
    with reading_pages() as db:
        results = found(db, search) if search else []
    return render_template("search.html", search=search, results=results)


def _moved(days: list[Any]) -> dict[str, Any]:
    is_any = any(day.moved or day.failed for day in days)
    return {
        "days": days,
        "moved": sum(day.moved for day in days),
        "moved_wrong": sum(day.failed for day in days),
        "chart": moved_chart(days) if is_any else [],
    }


def _azure() -> dict[str, Any]:
    """How the local Azure stands, and whether whoever looks may start it."""
    azure, user = local_azure(), person()
    state = azure.state() if azure else None
    return {
        "azure": state,
        "azure_connections": azure.connections() if azure and state and state.stands is not Stands.ABSENT else [],
        "azure_flow": FLOW,
        "azure_files": FILES,
        "may_change": user is not None and may(user, CHANGE, "home"),
    }
