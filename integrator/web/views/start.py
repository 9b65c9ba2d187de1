"""The start page: what is served here, and how a connection is authorized."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, render_template

from integrator.preflight import redirect_uri_of
from integrator.web.current import installation

views: Final = Blueprint("start", __name__)


@views.get("/")
def home() -> str:
    """What this is. Nothing of what is stored is shown: nobody has signed in."""
    public_url = installation().config.public_url
    return render_template("start.html", public_url=public_url, redirect_uri=redirect_uri_of(installation()))
