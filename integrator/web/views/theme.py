"""Light, dark, or as the system is: remembered in a cookie, chosen by a form that needs no script."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, request

from integrator.web.entering import local_path
from integrator.web.layout import THEME_COOKIE, THEMES
from integrator.web.redirects import see_here

views: Final = Blueprint("theme", __name__)
_YEAR_SECONDS: Final = 365 * 86_400


@views.post("/theme")
def chosen() -> Response:
    """Remember what was chosen, and go back to the page."""
    where = local_path(request.form.get("back", "/"))
    answer = see_here(where)
    theme = request.form.get("theme", "")
    if theme in THEMES:
        answer.set_cookie(THEME_COOKIE, theme, max_age=_YEAR_SECONDS, httponly=True, samesite="Lax")
    else:
        answer.delete_cookie(THEME_COOKIE)
    return answer
