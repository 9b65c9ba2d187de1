"""Who comes in: every request is asked here who sends it, whether a page of ours sent it, and whether they may.

A view that nobody has thought about wants somebody who is signed in, and refuses a change without our proof.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final
from urllib.parse import quote

from flask import Flask, Response, abort, g, request, url_for

from integrator.access import API, PUBLIC, User, may, verb_of
from integrator.errors import DatabaseUnusable
from integrator.store.account_rows import noting_accounts, reading_accounts, writing_accounts
from integrator.store.web_sessions import TOUCH_SECONDS, WebSession
from integrator.web import unsent
from integrator.web.browsers import is_our_page, remember_new_browser, session_token
from integrator.web.current import installation, person
from integrator.web.messages import Message, page
from integrator.web.redirects import see_other

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_PROOF: Final = frozenset({"consent.begun"})
"""Views whose forms have a purpose of their own, which they check themselves."""
NEXT: Final = "next"
_STRANGE_FORM: Final = Message(
    400,
    "This form did not come from our page",
    "It was opened before you signed in, or in another browser, or cookies are not allowed here. Nothing was changed.",
    "Go back, open the page anew, and send it again.",
)


def let_in(app: Flask) -> None:
    """Ask every request of this application."""

    @app.before_request
    def ask() -> Response | None:
        view = request.endpoint
        if view == "static" or request.blueprint == API:  # that one asks for a token, by itself
            return None
        g.session = _session()
        g.person = g.session.user if g.session else None
        return _refusal(view) if view is not None else None  # there is no such page, whoever asks

    app.after_request(remember_new_browser)


def is_still_let_in() -> bool:
    """Whether who sent this request is signed in still, and may still do this: for an answer that takes long.

    It is no use of the session: who only watches becomes idle.
    """
    with reading_accounts(installation().store) as rows:
        found = rows.sessions.find(session_token(), installation().clock.now())
    return found is not None and _may(found.user, request.endpoint or "")


def local_path(path: str) -> str:
    """The path, where it is one of this server: whatever could lead elsewhere becomes the first page."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if is_local and len(path) <= 2000 else "/"


def toast(text: str) -> None:
    """Tell this on the next page."""
    session: WebSession | None = g.get("session")
    if session is not None:
        with writing_accounts(installation().store) as rows:
            rows.sessions.leave_toast(session.id, text)


def take_toast() -> str:
    """What is to be told on this page, once."""
    session: WebSession | None = g.get("session")
    if told_here := g.get("told_here"):
        return str(told_here)
    if session is None or not session.toast or request.method not in SAFE:
        return ""
    with suppress(DatabaseUnusable), noting_accounts(installation().store) as rows:  # else it is told once more
        rows.sessions.leave_toast(session.id, "")
    return session.toast


def _session() -> WebSession | None:
    token, now = session_token(), installation().clock.now()
    if not token:
        return None
    with reading_accounts(installation().store) as rows:
        found = rows.sessions.find(token, now)
    if found is not None and now - found.seen_at > TOUCH_SECONDS:
        with suppress(DatabaseUnusable), noting_accounts(installation().store) as rows:  # else the next request does it
            rows.sessions.touch(found, now)
    return found


def _refusal(view: str) -> Response | None:
    user, is_change = person(), request.method not in SAFE
    if view not in PUBLIC and user is None:
        return _to_sign_in(is_change)
    if is_change and view not in OWN_PROOF and not is_our_page():
        return page(_STRANGE_FORM)
    if view not in PUBLIC and user is not None and not _may(user, view):
        abort(403)
    return None


def _may(user: User, view: str) -> bool:
    return may(user, verb_of(view, request.method), *_what(view))


def _what(view: str) -> tuple[str, str]:
    """Noun and name of what a view is about: its blueprint, and what stands in its path."""
    arguments = request.view_args or {}
    return view.partition(".")[0], str(arguments.get("name") or arguments.get("run_id") or "")


def _to_sign_in(is_change: bool) -> Response:
    """Where one signs in, and comes back to the page, or to the form that was sent; a part of a page that is asked for by
    itself is told so."""
    where = local_path(unsent.keep() if is_change else request.full_path.rstrip("?"))
    address = url_for("sign_in.form") + (f"?{NEXT}={quote(where, safe='/')}" if where not in ("", "/") else "")
    if request.headers.get("HX-Request"):
        return Response(status=401, headers={"HX-Redirect": address})
    return see_other(address)
