"""The page behind a one-time link: the first administrator is made, or a user chooses a password."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, make_response, render_template, request, url_for

from iclients.secret import Secret
from integrator.access import User
from integrator.accounts import LINK_PATH, SHORTEST_PASSWORD, Accounts
from integrator.errors import BadUsage, LinkRefused
from integrator.store.account_rows import reading_accounts
from integrator.web.browsers import keep_session
from integrator.web.current import installation
from integrator.web.fields import PASSWORD, Field, filled, missing, with_errors
from integrator.web.messages import Message, page
from integrator.web.redirects import see_other

views: Final = Blueprint("setting_up", __name__)

_REFUSED: Final = (
    "Whoever runs this installation makes a new one: `integrator users reset NAME`, or, while there is no user at all, "
    "by starting `integrator serve` again."
)


@views.get(f"{LINK_PATH}<token>")
def form(token: str) -> Response:
    """The form. Nothing is used up."""
    try:
        return _shown(_look(token), {})
    except LinkRefused as error:
        return _refused(error)


@views.post(f"{LINK_PATH}<token>")
def done(token: str) -> Response:
    """Use the link up, and sign in."""
    try:
        user = _look(token)
        if errors := _errors(user):
            return _shown(user, errors)
        password = Secret(request.form.get("password", ""))
        signed_in = Accounts(installation()).set_up(token, request.form.get("name", ""), password)
    except LinkRefused as error:
        return _refused(error)
    except BadUsage as error:
        return _shown(user, {"name" if "name has" in str(error) else "password": str(error)})
    answer = see_other(url_for("home.shown"))
    keep_session(answer, signed_in)
    return answer


def _look(token: str) -> User | None:
    with reading_accounts(installation().store) as rows:
        return rows.links.look(token, installation().clock.now())


def _errors(user: User | None) -> dict[str, str]:
    errors = missing(_fields(user), request.form)
    if not errors and request.form.get("password") != request.form.get("again"):
        errors["again"] = "This is another password than the one above: type it again."
    return errors


def _fields(user: User | None) -> list[Field]:
    name = Field(
        "name",
        "Your name here",
        required=True,
        help="What you sign in with: letters, digits and . _ @ + -, such as ada or ada@contoso.com.",
        autocomplete="username",
        attributes={"autocapitalize": "none"},
    )
    help_text = f"{SHORTEST_PASSWORD} characters or more. A sentence, or what a password manager makes."
    chosen = Field("password", "Password", PASSWORD, required=True, help=help_text, autocomplete="new-password")
    again = Field("again", "Password, once more", PASSWORD, required=True, autocomplete="new-password")
    return [chosen, again] if user else [name, chosen, again]


def _shown(user: User | None, errors: dict[str, str]) -> Response:
    fields = with_errors(filled(_fields(user), request.form), errors)
    text = render_template("set_up.html", user=user, fields=fields)
    return make_response(text, 422 if errors else 200)


def _refused(error: LinkRefused) -> Response:
    return page(Message(410, "This link does not work any more", str(error), _REFUSED))
