"""Which browser this is: a random secret in a cookie that no script reads and no other site's form sends.

A consent that begins in a browser ends in that browser only, so that nobody can slip somebody a callback of theirs. The
same secret lets a form prove that it came from a page of ours. Sources: RFC 6265bis §4.1.3, §5.6; RFC 9700 §4.7.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

from flask import Response, request

from integrator.web.current import installation

FORM_FIELD: Final = "form"
_COOKIE: Final = "integrator-browser"
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def known_browser() -> str:
    """The secret of the browser that asks; empty where it has none."""
    secret = request.cookies.get(_name(), "")
    return secret if _SECRET.fullmatch(secret) else ""


def new_browser() -> str:
    """A secret for a browser that has none: 32 random bytes."""
    return secrets.token_urlsafe(32)


def remember(answer: Response, browser: str) -> None:
    """Let the browser keep its secret until it is closed."""
    answer.set_cookie(_name(), browser, path="/", secure=_is_https(), httponly=True, samesite="Lax")


def form_proof(browser: str, purpose: str) -> str:
    """What a form of ours holds: only this browser's forms for this purpose have it."""
    return installation().store.seal.fingerprint(f"integrator form {browser} {purpose}".encode())


def is_our_form(purpose: str) -> bool:
    """Whether the form that was sent came from a page that this browser was given for this purpose."""
    browser, told = known_browser(), request.form.get(FORM_FIELD, "")
    return bool(browser) and secrets.compare_digest(told.encode(), form_proof(browser, purpose).encode())


def _is_https() -> bool:
    return (installation().config.public_url or "").startswith("https://")


def _name() -> str:
    """With the prefix, browsers take the cookie from this very host only, never from a neighbour."""
    return f"__Host-{_COOKIE}" if _is_https() else _COOKIE
