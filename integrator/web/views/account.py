"""One's own account: the password, where one is signed in, and the API tokens by which programs act as oneself."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, make_response, render_template, request, url_for

from iclients.secret import Secret, revealed
from integrator.access import User
from integrator.accounts import SHORTEST_PASSWORD, Accounts, SignInRefused
from integrator.errors import BadUsage
from integrator.store.account_rows import reading_accounts, writing_accounts
from integrator.store.api_tokens import DAYS
from integrator.web.browsers import drop_session, keep_session
from integrator.web.current import installation, person
from integrator.web.entering import toast
from integrator.web.fields import PASSWORD, SELECT, Choice, Field, filled, missing, with_errors
from integrator.web.redirects import see_other

views: Final = Blueprint("account", __name__)

LIFETIMES: Final = {"7": "7 days", "30": "30 days", str(DAYS): f"{DAYS} days", "365": "1 year"}


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


@views.post("/account/tokens")
def token_made() -> Response:
    """Make an API token; it is shown on this page alone."""
    fields = filled(_token_fields(), request.form)
    errors, days = missing(fields, request.form), request.form.get("days", "")
    if days not in LIFETIMES:
        errors["days"] = "Valid for is none of these: choose one."
    if errors:
        return _page({}, with_errors(fields, errors))
    try:
        with writing_accounts(installation().store, _me().actor) as rows:
            token = rows.tokens.make(_me(), request.form["name"], int(days), installation().clock.now())
    except BadUsage as error:
        return _page({}, with_errors(fields, {"name": str(error)}))
    return _page({}, made=token)


@views.post("/account/tokens/take-back")
def token_taken_back() -> Response:
    """This API token lets nobody in any more."""
    name = request.form.get("name", "")
    with writing_accounts(installation().store, _me().actor) as rows:
        rows.tokens.take_back(_me(), name)
    toast(f"The token {name} is taken back.")
    return see_other(url_for("account.shown"))


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


def _token_fields() -> list[Field]:
    choices = [Choice(days, words) for days, words in LIFETIMES.items()]
    help_text = "What it is for, such as nightly-backup: the list and the audit show this name."
    return [
        Field("name", "Name", required=True, help=help_text),
        Field("days", "Valid for", SELECT, str(DAYS), choices=choices),
    ]


def _page(errors: dict[str, str], token_fields: list[Field] | None = None, made: Secret | None = None) -> Response:
    now = installation().clock.now()
    with reading_accounts(installation().store) as rows:
        sessions, tokens = rows.sessions.count_of(_me(), now), rows.tokens.of(_me())
    text = render_template(
        "account.html",
        user=_me(),
        fields=with_errors(_fields(), errors),
        sessions=sessions,
        tokens=tokens,
        token_fields=token_fields or _token_fields(),
        made=revealed(made),
        now=now,
    )
    return make_response(text, 422 if errors or token_fields else 200)


def _me() -> User:
    user = person()
    assert user is not None
    return user
