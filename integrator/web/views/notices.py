"""Notices: what somebody must know, until it was seen."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, render_template, url_for

from integrator.store.listing_audit import notices_page
from integrator.web.current import installation, reading_pages
from integrator.web.lists import asked
from integrator.web.redirects import see_other

views: Final = Blueprint("notices", __name__)


@views.get("/notices")
def listed() -> str:
    """Notices, the newest first, page by page."""
    wanted = asked("seen")
    with reading_pages() as db:
        found = notices_page(db, wanted)
    return render_template("notices.html", page=found)


@views.post("/notices/<int:notice_id>/seen")
def seen(notice_id: int) -> Response:
    """Somebody has seen it: it leaves the list."""
    with installation().store.writing() as stored:
        stored.notices.seen(min(notice_id, 2**63 - 1))
    return see_other(url_for("notices.listed"))
