"""The inputs of an action as a program sends them: one JSON object, read strictly, so that nobody reads it in two ways."""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from flask import request

from connectors.actions import Action
from connectors.errors import BadInput
from iclients.secret import Secret
from integrator.api.answers import JSON

LONGEST_BODY_BYTES: Final = 500_000
"""Less than the server takes at most: what is larger would be put on the disk while it is read."""


def is_json() -> bool:
    """Whether the request says that it brings JSON."""
    return request.mimetype == JSON


def inputs_of(action: Action) -> dict[str, Any]:
    """What was sent for this action, what is secret in a `Secret`. Raises BadInput, which shows nothing of it."""
    try:
        told = json.loads(request.get_data(), object_pairs_hook=_object, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise BadInput("The inputs are no JSON: send one object, each name once, in UTF-8.") from None
    if not isinstance(told, dict):
        raise BadInput("The inputs are no JSON object: send one, and {} where the action takes nothing.")
    secret = {one.name for one in action.parameters if one.is_secret}
    return {name: Secret(value) if name in secret and isinstance(value, str) else value for name, value in told.items()}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError
    return made


def _no_number(name: str) -> NoReturn:
    raise ValueError
