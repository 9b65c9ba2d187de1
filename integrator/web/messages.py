"""A page that tells one thing in three parts: what happened, what it means here, what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flask import Response, make_response, render_template

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

    @property
    def chip(self) -> str:
        """The connection's state in words, where there is one: colour alone says nothing to some."""
        return _WORDS[self.tone]


def page(message: Message) -> Response:
    """The answer with this message's page."""
    answer: Response = make_response(render_template("message.html", message=message), message.status)
    return answer
