"""Audit: who changed what, and when."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, render_template

from integrator.store.listing_audit import audit_page
from integrator.web.current import reading_pages
from integrator.web.lists import asked
from integrator.web.run_words import started_by

views: Final = Blueprint("audit", __name__)

NOUNS: Final = ("connection", "iClient", "flow", "cloud", "user")
ACTS: Final = {"state": "changed state", "consent ended": "came back from a consent"}
"""What people read where the word that is kept is short."""


@views.get("/audit")
def listed() -> str:
    """Rows, the newest first, page by page."""
    wanted = asked("noun", "name")
    with reading_pages() as db:
        found = audit_page(db, wanted)
    return render_template("audit.html", page=found, nouns=NOUNS, acts=ACTS, started_by=started_by)
