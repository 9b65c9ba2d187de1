"""A call to the control plane, and what it is answered with."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from connectors.azure_key_vault.sandbox.errors import Refused
from connectors.azure_key_vault.sandbox.exchange import Request, parse_object


class Call(NamedTuple):
    """A request: the parts of its path by name, and who sends it."""

    request: Request
    parts: Mapping[str, str]
    claims: dict[str, Any]
    origin: str

    @property
    def body(self) -> dict[str, Any]:
        """Its JSON object; an empty one where there is no body."""
        return parse_object(self.request.body) if self.request.body else {}


class Reply(NamedTuple):
    """An answer with a status of its own. `location` is where the end of a long operation is asked about."""

    status: int
    document: Any = None
    location: str = ""


class Operation(NamedTuple):
    """What a method at a path does, and the action that a role must allow. `scope` names the part that is judged."""

    method: str
    path: re.Pattern[str]
    action: str
    do: Callable[[Call], Any]


def operation(method: str, template: str, action: str, do: Callable[[Call], Any]) -> Operation:
    """One whose path has named parts in braces; paths compare without case."""
    parts = re.split(r"\{(\w+)\}", template)
    pattern = "".join(f"(?P<{part}>[^/]+)" if place % 2 else re.escape(part) for place, part in enumerate(parts))
    return Operation(method, re.compile(pattern, re.IGNORECASE), action, do)


def bad(message: str, code: str = "BadRequest") -> Refused:
    """400 in ARM's words."""
    return Refused(400, code, message)


def text_of(document: Mapping[str, Any], name: str) -> str:
    """A member that must be a text; 400 where it is none."""
    found = document.get(name)
    if not isinstance(found, str) or not found:
        raise bad(f"The property '{name}' is required and must be a string.", "InvalidRequestContent")
    return found


def object_of(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A member that must be an object; 400 where it is none."""
    found = document.get(name)
    if not isinstance(found, dict):
        raise bad(f"The property '{name}' is required and must be an object.", "InvalidRequestContent")
    return found
