"""A page that tells one thing in three parts: what happened, what it means here, what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flask import Response, make_response, render_template

from integrator.api.answers import is_program, of_status
from integrator.web.current import person

DONE: Final = "done"
FAILED: Final = "failed"
WAITS: Final = "waits"

_WORDS: Final = {DONE: "Online", FAILED: "Not authorized", WAITS: ""}


Fact = tuple[str, str | Sequence[tuple[str, str]]]
"""A name, and what it is here: a text, or texts each with an identifier."""


@dataclass(frozen=True, slots=True)
class Message:
    """What the person sees. `status` is the answer's, `facts` are names with what they are here."""

    status: int
    title: str
    sentence: str
    next_step: str
    tone: str = WAITS
    facts: Sequence[Fact] = ()
    back_to: str = ""
    back_host: str = ""
    actions: Sequence[tuple[str, str]] = ()
    """What can be done next here: words of a button, and where it leads."""
    details: Sequence[tuple[str, str]] = ()
    """What unfolds: the other system's own words, numbers, times."""

    @property
    def chip(self) -> str:
        """The connection's state in words, where there is one: colour alone says nothing to some."""
        return _WORDS[self.tone]


def page(message: Message) -> Response:
    """The answer with this message's page; a program that calls the API gets the same as JSON."""
    if is_program():
        return of_status(message.status)
    has_frame = message.status < 500 and person() is not None
    text = render_template("message.html", message=message, frame="_layout.html" if has_frame else "_frame.html")
    answer: Response = make_response(text, message.status)
    return answer
