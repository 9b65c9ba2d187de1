"""The first page: what needs somebody, what runs, what was done; and, where nothing is set up yet, the first steps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from flask import Blueprint, render_template, request

from flows.model import RunStatus
from integrator.standing import NEEDS_AUTHORIZATION
from integrator.store.listing_audit import notices_page
from integrator.store.listing_connections import connections_page
from integrator.store.listing_home import found, sizes
from integrator.store.listing_iclients import ending_credentials
from integrator.store.listing_runs import recent_runs
from integrator.store.pages import Asked
from integrator.web.current import installation, reading_pages

views: Final = Blueprint("home", __name__)

ENDING_DAYS: Final = 30
FEW: Final = 5


@views.get("/")
def shown() -> str:
    """What needs somebody, or how to begin."""
    today = datetime.fromtimestamp(installation().clock.now(), UTC).date()
    few = Asked(rows=FEW)
    with reading_pages() as db:
        here = {
            "sizes": sizes(db),
            "running": recent_runs(db, (RunStatus.RUNNING, RunStatus.WAITING), FEW),
            "recent": recent_runs(db, (), 8),
            "waiting": connections_page(db, Asked(filters={"state": NEEDS_AUTHORIZATION}, rows=FEW)),
            "ending": ending_credentials(db, today, today + timedelta(days=ENDING_DAYS), FEW),
            "notices": notices_page(db, few),
        }
    return render_template("home.html", **here)


@views.get("/search")
def searched() -> str:
    """Everything that has this in its name."""
    search = request.args.get("q", "").strip()[:200]
    with reading_pages() as db:
        results = found(db, search) if search else []
    return render_template("search.html", search=search, results=results)
