"""Signing in and out."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, make_response, render_template, request, url_for

from iclients.secret import Secret
from integrator.accounts import Accounts, SignInRefused
from integrator.store.account_rows import writing_accounts
from integrator.store.passwords import PasswordsBusy
from integrator.web import unsent
from integrator.web.addresses import caller
from integrator.web.browsers import drop_session, keep_session, known_mark, session_token
from integrator.web.current import installation, person
from integrator.web.entering import NEXT, local_path
from integrator.web.fields import HIDDEN, PASSWORD, Field, filled
from integrator.web.redirects import see_here, see_other

views: Final = Blueprint("sign_in", __name__)

BUSY_SECONDS: Final = 5
_WRONG: Final = "Name and password do not belong together. Check both; capital letters count in the password."


@views.get("/sign-in")
def form() -> Response:
    """The form; who is signed in already goes on."""
    where = local_path(request.args.get(NEXT, "/"))
    return see_here(where) if person() else _shown(where)


@views.post("/sign-in")
def begun() -> Response:
    """Begin a session that nobody knew before."""
    where = local_path(request.form.get(NEXT, "/"))
    password = Secret(request.form.get("password", ""))
    try:
        signed_in = Accounts(installation()).sign_in(request.form.get("name", ""), password, caller(), known_mark())
    except SignInRefused as error:
        return _shown(where, _too_often(error.wait_seconds) if error.wait_seconds else _WRONG, error.wait_seconds)
    except PasswordsBusy as error:
        return _shown(where, str(error), BUSY_SECONDS)
    answer = see_here(where)
    keep_session(answer, signed_in)
    return answer


@views.post("/sign-out")
def out() -> Response:
    """End this browser's session."""
    with writing_accounts(installation().store) as rows:
        rows.sessions.end(session_token())
    answer = see_other(url_for("sign_in.form"))
    drop_session(answer)
    return answer


def _shown(where: str, error: str = "", wait_seconds: int = 0) -> Response:
    fields = [
        Field("name", "Name", required=True, autocomplete="username", attributes={"autocapitalize": "none"}),
        Field("password", "Password", PASSWORD, required=True, autocomplete="current-password"),
        Field(NEXT, "", HIDDEN),
    ]
    fields = filled(fields, {"name": request.form.get("name", "")[:100], NEXT: where})
    text = render_template("sign_in.html", fields=fields, error=error, waits=unsent.waits(where))
    answer = make_response(text, _status(error, wait_seconds))
    if wait_seconds:
        answer.headers["Retry-After"] = str(wait_seconds)
    return answer


def _status(error: str, wait_seconds: int) -> int:
    return 429 if wait_seconds else 422 if error else 200


def _too_often(wait_seconds: int) -> str:
    wait = f"{wait_seconds} seconds" if wait_seconds < 100 else f"{-(-wait_seconds // 60)} minutes"
    return f"That was tried too often. Wait {wait}, then try again."
