"""One's own account: the password, and where one is signed in."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, make_response, render_template, request, url_for

from iclients.secret import Secret
from integrator.access import User
from integrator.accounts import SHORTEST_PASSWORD, Accounts, SignInRefused
from integrator.errors import BadUsage
from integrator.store.account_rows import reading_accounts, writing_accounts
from integrator.web.browsers import drop_session, keep_session
from integrator.web.current import installation, person
from integrator.web.fields import PASSWORD, Field, missing, with_errors
from integrator.web.redirects import see_other

views: Final = Blueprint("account", __name__)


@views.get("/account")
def shown() -> Response:
    """Who one is here."""
    return _page({})


@views.post("/account/password")
def password_changed() -> Response:
    """Change the password; every other browser is signed out."""
    errors = _errors()
    if errors:
        return _page(errors)
    old, new = (Secret(request.form.get(name, "")) for name in ("old", "password"))
    try:
        signed_in = Accounts(installation()).change_password(_me(), old, new)
    except SignInRefused as error:
        wait = f" Wait {error.wait_seconds} seconds before you try again." if error.wait_seconds else ""
        return _page({"old": f"This is not your password.{wait}"})
    except BadUsage as error:
        return _page({"password": str(error)})
    answer = see_other(url_for("account.shown"))
    keep_session(answer, signed_in)
    return answer


@views.post("/account/sign-out")
def out_everywhere() -> Response:
    """End every session of this user, this one too."""
    with writing_accounts(installation().store, _me().actor) as rows:
        rows.sessions.end_all(_me())
    answer = see_other(url_for("sign_in.form"))
    drop_session(answer)
    return answer


def _errors() -> dict[str, str]:
    errors = missing(_fields(), request.form)
    if not errors and request.form.get("password") != request.form.get("again"):
        errors["again"] = "This is another password than the one above: type it again."
    return errors


def _fields() -> list[Field]:
    help_text = f"{SHORTEST_PASSWORD} characters or more. You are signed out in every other browser."
    return [
        Field("old", "Current password", PASSWORD, required=True, autocomplete="current-password"),
        Field("password", "New password", PASSWORD, required=True, help=help_text, autocomplete="new-password"),
        Field("again", "New password, once more", PASSWORD, required=True, autocomplete="new-password"),
    ]


def _page(errors: dict[str, str]) -> Response:
    with reading_accounts(installation().store) as rows:
        sessions = rows.sessions.count_of(_me(), installation().clock.now())
    fields = with_errors(_fields(), errors)
    text = render_template("account.html", user=_me(), fields=fields, sessions=sessions)
    return make_response(text, 422 if errors else 200)


def _me() -> User:
    user = person()
    assert user is not None
    return user
