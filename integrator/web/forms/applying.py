"""Applying a form: what was typed becomes a document, and is judged and kept as every document is.

Nothing here reads a variable or a file, whatever a form sends: references of that kind are for documents of the host.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from marshmallow import Schema

from connectors.schemas import ConnectionSchema
from flows.schemas import FlowSchema
from iclients.schemas import IClientSchema
from integrator import documents, references, schemas
from integrator.bootstrap import Installation
from integrator.schemas import Wrong

_SCHEMAS: Final[Mapping[str, Schema]] = {
    "connections": ConnectionSchema(),
    "iclients": IClientSchema(),
    "flows": FlowSchema(),
}
_WORDS: Final = {"connections": "connection", "iclients": "iClient", "flows": "flow"}
_PHRASES: Final = {
    "Not a valid string.": "is not text",
    "Not a valid integer.": "is not a whole number",
    "Not a valid number.": "is not a number",
    "Field may not be null.": "is missing",
    "Missing data for required field.": "is missing",
}
ELSEWHERE: Final = "would send the stored credential"
AGAIN: Final = "credential_again"
"""The field in which a client secret is typed again, because tokens that it gets would go to a new place."""

_AGAIN: Final = (
    "Tokens of this OAuth 2.0 client have never gone to this address: type its client secret again to allow that."
)
WHOLE: Final = ""
"""The name under which an error of the form as a whole is told."""


def judged(noun: str, thing: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, str]:
    """What the schema says of each field: its name → a sentence that begins with its label."""
    found: dict[str, str] = {}
    for path, message in _flat(_SCHEMAS[noun].validate(dict(thing)), ""):
        name = _nearest(path, labels)
        found.setdefault(name, _sentence(labels.get(name, ""), message))
    return found


def applied(
    here: Installation,
    noun: str,
    thing: Mapping[str, Any],
    labels: Mapping[str, str],
    *,
    is_new: bool,
    beside: Mapping[str, list[Mapping[str, Any]]] | None = None,
) -> dict[str, str]:
    """Keep the one thing, all of it or nothing; gives what is wrong by field, nothing where it is kept.

    A new one never replaces another of its name; what is `beside` it is kept with it. Raises StoreError, SealError.
    """
    try:
        nouns = schemas.load({"version": 1, **(beside or {}), noun: [dict(thing)]})
        references.check_names(nouns)
        with here.store.writing() as transaction:
            if is_new and thing["name"] in getattr(transaction, noun).names():
                return {"name": f"There is already {_WORDS[noun]} {thing['name']}: choose another name."}
            documents.save(transaction, nouns)
    except Wrong as wrong:
        if noun == "connections" and ELSEWHERE in str(wrong):
            return {AGAIN: _AGAIN}
        return {_nearest(".".join(map(str, wrong.path[2:])), labels): _plain(noun, wrong, labels)}
    return {}


def _flat(messages: Any, path: str) -> list[tuple[str, str]]:
    if isinstance(messages, Mapping):
        return [
            found
            for key, inner in messages.items()
            for found in _flat(inner, path if key == "_schema" else f"{path}.{key}".lstrip("."))
        ]
    if isinstance(messages, list | tuple):
        return [found for inner in messages for found in _flat(inner, path)]
    return [(path, str(messages))]


def _nearest(path: str, labels: Mapping[str, str]) -> str:
    """The field that this part of the document came from, or the one around it."""
    while path and path not in labels:
        path = path.rpartition(".")[0]
    return path


def _sentence(label: str, message: str) -> str:
    told = _PHRASES.get(message, message)
    return f"{label or 'Something'} {told}" + ("" if told.endswith((".", "?")) else ".")


def _plain(noun: str, wrong: Wrong, labels: Mapping[str, str]) -> str:
    """The sentence without the path that leads to it in a document."""
    name = _nearest(".".join(map(str, wrong.path[2:])), labels)
    text = str(wrong).removesuffix(" in this document.").partition(" cannot work: ")[2] or str(wrong)
    if ELSEWHERE in text:
        return "This would send the stored credential to another place: give the credential again, too."
    text = re.sub(rf"^{noun}\[0\][A-Za-z0-9_.\[\]]*", labels.get(name) or "This", text)
    return text if text.endswith((".", "?")) else f"{text}."
