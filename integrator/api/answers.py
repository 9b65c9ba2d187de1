"""What the API answers: JSON, and every error as one object with a code, a sentence, and what happens next.

Whatever the web application refuses before a view of the API is reached, is told to a program in the same form.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, Final

from flask import Response, request

from iclients.errors import Recovery

PREFIX: Final = "/api/"
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One error: the status of the answer, and what stands in it. `parameter` is the input that cannot be."""

    status: int
    code: str
    message: str
    recovery: str = Recovery.ABORT
    parameter: str = ""
    wait_seconds: float | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As the body has it."""
        told = {"code": self.code, "message": self.message, "recovery": str(self.recovery)}
        return {"error": told | ({"parameter": self.parameter} if self.parameter else {})}


_BY_STATUS: Final = {
    mistake.status: mistake
    for mistake in (
        Mistake(400, code="bad_request", message="The request cannot be read: see docs/api.md for what it must be."),
        Mistake(404, code="no_address", message="Nothing stands at this address: see /api/v1/openapi.json."),
        Mistake(405, code="bad_method", message="This address takes no such method: see /api/v1/openapi.json."),
        Mistake(413, code="too_large", message="The request is larger than any action takes here: send less."),
        Mistake(
            421, code="other_host", message="This host is not served here: call the installation by its public URL."
        ),
        Mistake(
            500,
            code="defect",
            message="Something unforeseen happened: whoever runs the installation finds the line to report in its log.",
        ),
        Mistake(
            503,
            code="no_database",
            message="The database cannot be used now: try again in a minute; `integrator doctor` tells the reason.",
            recovery=Recovery.RETRY,
            wait_seconds=30,
        ),
    )
}


def is_program() -> bool:
    """Whether this request is one to the API."""
    return request.path.startswith(PREFIX)


def answer(document: Any) -> Response:
    """The answer that holds this document."""
    return Response(json.dumps(document), mimetype=JSON)


def refused(mistake: Mistake) -> Response:
    """The answer that tells this mistake."""
    made = Response(json.dumps(mistake.document()), mistake.status, mimetype=JSON)
    made.headers.update(mistake.headers)
    if mistake.wait_seconds is not None:
        made.headers["Retry-After"] = str(max(1, math.ceil(mistake.wait_seconds)))
    return made


def of_status(status: int) -> Response:
    """The answer for what never reached a view of the API, and for our own defects."""
    return refused(_BY_STATUS.get(status, _BY_STATUS[400]))
