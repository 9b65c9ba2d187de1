"""Where the browser goes on after a form was sent: what it asks for then shows what became of it, and sends nothing again.

Source: RFC 9110 §15.4.4 (303 See Other).
"""

from __future__ import annotations

from flask import Response, redirect, request


def see_other(address: str) -> Response:
    """Go on to this address; where the browser keeps something new, give it to the answer."""
    answer: Response = redirect(address, 303)  # type: ignore[assignment]
    return answer


def see_here(path: str) -> Response:
    """Go on to this path of ours, below what the public URL has in front of it."""
    return see_other(f"{request.script_root}{path}")
