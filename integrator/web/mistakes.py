"""Pages for requests that lead nowhere, and for our own defects: what to do next, never a trace."""

from __future__ import annotations

from typing import Final

from flask import Flask, Response, current_app

from integrator.errors import NotFoundHere, SealError, StoreError
from integrator.store.passwords import PasswordsBusy
from integrator.web.messages import Message, page

_MESSAGES: Final = (
    Message(
        400, "This request cannot be read", "Something in it is not as it must be.", "Go back, and open the page anew."
    ),
    Message(
        403,
        "You may not do this",
        "Your role lets you read; changing things here is for administrators.",
        "Ask an administrator to do it, or to give you that role.",
    ),
    Message(
        404,
        "There is no such page",
        "Nothing stands at this address: it was mistyped, or what it showed has been deleted.",
        "Look whether the address is complete: mail programs cut long ones.",
    ),
    Message(
        405, "This page takes no such request", "It is there, but it is opened, not sent to.", "Open it in a browser."
    ),
    Message(413, "That is too much", "What was sent is larger than anything that is asked for here.", "Go back."),
)
_BUSY: Final = Message(
    429,
    "Too many passwords are tried at this moment",
    "Yours was not looked at, and nothing was changed.",
    "Wait a few seconds, go back, and send the form again.",
)
_DEFECT: Final = Message(
    500,
    "Something unforeseen happened",
    "This is a defect of Integrator. Nothing that was kept is lost.",
    "Try again. Whoever runs this installation finds the line to report in its log.",
)
_NO_STORE: Final = Message(
    503,
    "Integrator cannot read its database now",
    "It is busy, or something on its machine needs a person.",
    "Wait a minute and try again. Whoever runs this installation finds the reason with `integrator doctor`.",
)


def register_mistakes(app: Flask) -> None:
    """Let the application answer mistakes with these pages."""
    for message in (*_MESSAGES, _DEFECT):
        app.register_error_handler(message.status, _Teller(message))
    for kind in (StoreError, SealError):
        app.register_error_handler(kind, _Teller(_NO_STORE, logs=True))
    app.register_error_handler(PasswordsBusy, _Teller(_BUSY))
    app.register_error_handler(NotFoundHere, _Teller(_MESSAGES[2]))


class _Teller:
    """Answers every error of its status alike, whatever it says: its text could hold what was sent."""

    def __init__(self, message: Message, *, logs: bool = False) -> None:
        self._message = message
        self._logs = logs

    def __call__(self, error: Exception) -> Response:
        if self._logs:
            current_app.logger.error("%s", error)
        return page(self._message)
