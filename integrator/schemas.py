"""The whole document that `apply` reads and `dump` writes, and how errors in it are told."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, validate

from connectors.schemas import ConnectionSchema
from flows.schemas import FlowSchema
from iclients.schemas import CloudSchema, IClientSchema

Where = tuple[str | int, ...]
"""Where something stands in a document: keys and positions from its top."""

_PHRASES: Final[Mapping[str, str]] = {
    "Not a valid string.": "is not text: put it in quotes",
    "Not a valid integer.": "is not a whole number",
    "Not a valid number.": "is not a number",
    "Not a valid list.": "is not a list",
    "Not a valid mapping type.": "is not a mapping of keys to values",
    "Invalid input type.": "is not a mapping of keys to values",
    "Invalid type.": "is not a list",
    "Field may not be null.": "has no value",
}
_UNKNOWN: Final = "Unknown field."
_MISSING: Final = "Missing data for required field."


class DocumentSchema(Schema):
    """Version 1 of the document."""

    version = fields.Integer(
        required=True, strict=True, validate=validate.Equal(1, error="is not 1, the only version there is")
    )
    clouds = fields.List(fields.Nested(CloudSchema))
    iclients = fields.List(fields.Nested(IClientSchema))
    connections = fields.List(fields.Nested(ConnectionSchema))
    flows = fields.List(fields.Nested(FlowSchema))


class Wrong(Exception):
    """What is wrong in a document, and where: `str(error)` begins with the path."""

    def __init__(self, path: Where, message: str) -> None:
        super().__init__(message)
        self.path = path


def load(tree: Any) -> dict[str, Any]:
    """The document's nouns by kind, as dataclasses. Raises Wrong for the first thing that is wrong."""
    try:
        loaded: dict[str, Any] = _DOCUMENT.load(tree)
    except ValidationError as error:
        raise _told(_first(error.messages_dict)) from None
    return loaded


def shown(path: Where) -> str:
    """The path as people write it: flows[0].steps[0].import."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.lstrip(".") or "the document"


_DOCUMENT: Final = DocumentSchema()


def _told(found: tuple[Where, str]) -> Wrong:
    path, message = found
    if message == _UNKNOWN and path:
        return Wrong(path, f"{shown(path[:-1])} has an unknown key {path[-1]}{_guess(path)}")
    if message == _MISSING and path:
        return Wrong(path[:-1], f"{shown(path[:-1])} needs {path[-1]}.")
    sentence = _PHRASES.get(message, message)
    return Wrong(path, f"{shown(path)} {sentence}" + ("" if sentence.endswith((".", "?")) else "."))


def _guess(path: Where) -> str:
    keys = _keys_at(path[:-1])
    close = difflib.get_close_matches(str(path[-1]), keys, n=1)
    return f"; did you mean {close[0]}?" if close else f"; it can have: {', '.join(keys)}."


def _keys_at(path: Where) -> Sequence[str]:
    """The keys that a mapping at this path may have."""
    schema: Any = _DOCUMENT
    for part in path:
        if isinstance(part, str):
            schema = _inner({field.data_key or name: field for name, field in schema.fields.items()}[part])
    return [field.data_key or name for name, field in schema.fields.items()]


def _inner(field: Any) -> Any:
    while isinstance(field, fields.List):
        field = field.inner
    return field.schema if isinstance(field, fields.Nested) else Schema()


def _first(messages: Any) -> tuple[Where, str]:
    """An unknown key often explains a missing one: so unknown ones are told first, missing ones last."""
    return min(_flat(messages, ()), key=lambda found: (found[1] != _UNKNOWN, found[1] == _MISSING))


def _flat(messages: Any, path: Where) -> Iterator[tuple[Where, str]]:
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            yield from _flat(inner, path if key == "_schema" else (*path, key))
    elif isinstance(messages, list | tuple):
        for inner in messages:
            yield from _flat(inner, path)
    else:
        yield path, str(messages)
