"""Which browser this is, and who is signed in there: random secrets in cookies that no script reads and no other site sends.

A consent that begins in a browser ends in that browser only, so that nobody can slip somebody a callback of theirs. The
same secrets let a form prove that it came from a page of ours. Signing in and out replaces both, so that whatever was
known before serves no more; what stays is a mark that lets nobody in (`integrator.known_browsers`).
Sources: RFC 6265bis §4.1.3, §5.6; RFC 9700 §4.7; OWASP, session management.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

from flask import Response, current_app, g, request

from integrator.accounts import SignedIn
from integrator.bootstrap import Installation
from integrator.web.current import KEY

FORM_FIELD: Final = "form"
FORM_HEADER: Final = "X-Integrator-Form"
PAGES: Final = "pages"
"""The purpose of every form that has none of its own."""

_BROWSER: Final = "integrator-browser"
_SESSION: Final = "integrator-session"
_KNOWN: Final = "integrator-known"
KNOWN_SECONDS: Final = 365 * 24 * 3600
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def browser_secret() -> str:
    """The secret of the browser that asks; empty where it has none."""
    return _secret(_BROWSER)


def new_browser() -> str:
    """A secret for a browser that has none: 32 random bytes."""
    return secrets.token_urlsafe(32)


def remember(answer: Response, browser: str) -> None:
    """Let the browser keep its secret until it is closed."""
    _keep(answer, _BROWSER, browser)


def session_token() -> str:
    """The token of the session that the browser names; empty where it names none."""
    return _secret(_SESSION)


def known_mark() -> str:
    """What the browser keeps since somebody signed in there; empty where it has nothing, and not proven to be ours."""
    return request.cookies.get(_name(_KNOWN), "")


def keep_session(answer: Response, signed_in: SignedIn) -> None:
    """Somebody has signed in: this session from now on, a new secret of the browser, and, for long, that it is known."""
    _keep(answer, _SESSION, signed_in.token)
    _keep(answer, _KNOWN, signed_in.mark, KNOWN_SECONDS)
    remember(answer, new_browser())


def drop_session(answer: Response) -> None:
    """Somebody has signed out: neither session nor secret of the browser serve any more."""
    answer.delete_cookie(_name(_SESSION), path="/", secure=_is_https(), httponly=True, samesite="Lax")
    answer.delete_cookie(_name(_BROWSER), path="/", secure=_is_https(), httponly=True, samesite="Lax")


def form_proof(browser: str, purpose: str) -> str:
    """What a form of ours holds: only this browser's forms for this purpose have it."""
    served: Installation = current_app.extensions[KEY]
    return served.store.seal.fingerprint(f"integrator form {browser} {purpose}".encode())


def is_our_form(purpose: str) -> bool:
    """Whether the form that was sent came from a page that this browser was given for this purpose."""
    return _proves(request.form.get(FORM_FIELD, ""), browser_secret(), purpose)


def page_proof() -> str:
    """What every form of the page that is being made holds; a browser without a secret gets one with it."""
    bound_to = session_token() if g.get("person") else browser_secret()
    if not bound_to:
        bound_to = g.new_browser = g.get("new_browser") or new_browser()
    return form_proof(bound_to, PAGES)


def is_our_page() -> bool:
    """Whether a request that changes something came from a page of ours, in this session or, before one, this browser."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
    told = request.headers.get(FORM_HEADER) or request.form.get(FORM_FIELD, "")
    return _proves(told, session_token() if g.get("person") else browser_secret(), PAGES)


def is_page_of_the_session_that_ended() -> bool:
    """Whether a page of ours sent this form in the session that the browser names still, though it is over."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return False
    told = request.headers.get(FORM_HEADER) or request.form.get(FORM_FIELD, "")
    return _proves(told, session_token(), PAGES)


def remember_new_browser(answer: Response) -> Response:
    """Give the secret that the page's forms were made with to the browser."""
    if "new_browser" in g:
        remember(answer, g.new_browser)
    return answer


def _proves(told: str, bound_to: str, purpose: str) -> bool:
    return bool(bound_to) and secrets.compare_digest(told.encode(), form_proof(bound_to, purpose).encode())


def _keep(answer: Response, cookie: str, secret: str, seconds: int | None = None) -> None:
    """Until the browser is closed, or for so long."""
    answer.set_cookie(
        _name(cookie), secret, max_age=seconds, path="/", secure=_is_https(), httponly=True, samesite="Lax"
    )


def _secret(cookie: str) -> str:
    secret = request.cookies.get(_name(cookie), "")
    return secret if _SECRET.fullmatch(secret) else ""


def _is_https() -> bool:
    served: Installation = current_app.extensions[KEY]
    return (served.config.public_url or "").startswith("https://")


def _name(cookie: str) -> str:
    """With the prefix, browsers take the cookie from this very host only, never from a neighbour."""
    return f"__Host-{cookie}" if _is_https() else cookie
