"""What every answer says to the browser, and which requests are answered at all.

Nothing here is ever built from the Host that a request names. Sources: W3C Content Security Policy 3; RFC 9110 §15.5.20.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from flask import Flask, Response, g, request

from integrator.web.assets import keeping
from integrator.web.messages import Message, page

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_PROBES: Final = frozenset({"/health/live", "/health/ready"})
"""Probes call by address."""

_PORTS: Final = {"https": 443, "http": 80}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action {form_action}; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS: Final = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
_MISDIRECTED: Final = Message(
    421,
    "This address is not served here",
    "The request names another host than this installation has.",
    "Open the installation's own address. Whoever runs it sets that address as INTEGRATOR_PUBLIC_URL.",
)


def protect(app: Flask, public_url: str | None) -> None:
    """Refuse requests for other hosts, and give every answer its headers."""
    expected = _authority(public_url) if public_url else None

    @app.before_request
    def refuse_other_hosts() -> Response | None:
        if expected is None or request.path in _PROBES or _is_served(request.host, expected):
            return None
        return page(_MISDIRECTED)

    @app.after_request
    def add_headers(answer: Response) -> Response:
        answer.headers.update(_HEADERS)
        answer.headers["Content-Security-Policy"] = _POLICY.format(form_action=" ".join(("'self'", *_form_targets())))
        answer.headers["Cache-Control"] = keeping() if request.endpoint == "static" else "no-store"
        return answer


def let_forms_lead_to(sources: Sequence[str]) -> None:
    """Let the forms of this page end at these sources too: browsers hold the redirects that follow against them."""
    g.form_targets = tuple(sources)


def _form_targets() -> tuple[str, ...]:
    targets: tuple[str, ...] = g.get("form_targets", ())
    return targets


def _authority(url: str) -> tuple[str, int]:
    """Host and port of an address, as compared. Raises ValueError."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORTS[parts.scheme]


def _is_served(host: str, expected: tuple[str, int]) -> bool:
    try:
        found = urlsplit(f"//{host}")
        name, port = found.hostname or "", found.port
    except ValueError:
        return False
    return name in LOOPBACK or (name == expected[0] and (port or expected[1]) == expected[1])
