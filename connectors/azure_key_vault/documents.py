"""What a JSON document says, asked for by name: a member of the wrong kind counts as none, or is told.

Servers lie about shapes; nobody further up looks at a member before its kind is known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iclients.errors import MalformedAnswer

Outputs = dict[str, Any]
"""What an action gives, by name."""


def part(document: Any, name: str) -> Mapping[str, Any]:
    """A member that is an object; an empty one where it is none."""
    found = document.get(name) if isinstance(document, dict) else None
    return found if isinstance(found, dict) else {}


def parts(document: Any, name: str) -> list[Mapping[str, Any]]:
    """A member that is a list of objects; what is none is left out."""
    found = document.get(name) if isinstance(document, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def text(document: Any, name: str) -> str:
    """A member that must be a text. Raises MalformedAnswer."""
    found = document.get(name) if isinstance(document, dict) else None
    if not isinstance(found, str):
        raise MalformedAnswer(f"The vault's answer is not what its API promises: {name}.")
    return found


def with_id(document: Any) -> Mapping[str, Any]:
    """The document with an `id`: keys call theirs `kid`. Raises MalformedAnswer where it is no object."""
    if not isinstance(document, dict):
        raise MalformedAnswer("The vault's answer is not what its API promises: it is no JSON object.")
    if "id" in document:
        return document
    return {**document, "id": document.get("kid") or part(document, "key").get("kid")}
