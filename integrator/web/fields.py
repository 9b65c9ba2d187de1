"""Fields of forms: what a template needs to draw one, and what was typed is kept in it when it is shown again.

A view makes its fields, fills them from what was sent, and puts a sentence beside each one that cannot be used; the
macros in `templates/pieces/form.html` draw them, with a summary of all errors on top.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

TEXT: Final = "text"
PASSWORD: Final = "password"  # noqa: S105 - a kind of field
SECRET: Final = "secret"  # noqa: S105 - likewise: a stored value is never shown, blank keeps it
SELECT: Final = "select"
CHECKBOX: Final = "checkbox"
TEXTAREA: Final = "textarea"
CARDS: Final = "cards"
HIDDEN: Final = "hidden"
FILE: Final = "file"
"""Its form is sent as `multipart/form-data`."""


class _Sent(Protocol):
    def get(self, key: str, default: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several: what is sent, what is read, and a sentence for cards."""

    value: str
    label: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class HowTo:
    """Help that unfolds beside a field: numbered steps at the other system, and where its documentation stands."""

    title: str
    steps: Sequence[str]
    link: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `kind` is one of this module's; `stored` tells of a secret that is kept when it was set."""

    name: str
    label: str
    kind: str = TEXT
    value: str = ""
    help: str = ""
    error: str = ""
    required: bool = False
    placeholder: str = ""
    choices: Sequence[Choice] = ()
    how_to: HowTo | None = None
    stored: str = ""
    autocomplete: str = "off"
    rows: int = 4
    is_code: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)
    """More attributes of the element, such as htmx's."""

    @property
    def id(self) -> str:
        """The element's id: an error summary leads to it."""
        return f"field-{self.name}"

    @property
    def described_by(self) -> str:
        """The ids of what explains the field to a screen reader."""
        parts = ((self.help, "help"), (self.error, "error"))
        return " ".join(f"{self.id}-{name}" for text, name in parts if text)

    @property
    def is_checked(self) -> bool:
        """Whether a check box is."""
        return self.value == "yes"


def filled(fields: Sequence[Field], sent: _Sent) -> list[Field]:
    """The fields with what was sent in them; passwords and secrets are never sent back."""
    return [one if one.kind in (PASSWORD, SECRET) else replace(one, value=sent.get(one.name, "")) for one in fields]


def with_errors(fields: Sequence[Field], errors: Mapping[str, str]) -> list[Field]:
    """The fields, each with its error."""
    return [replace(one, error=errors.get(one.name, one.error)) for one in fields]


def missing(fields: Sequence[Field], sent: Mapping[str, Any]) -> dict[str, str]:
    """An error for each required field that is empty."""
    return {
        one.name: f"{one.label} is missing: fill it in."
        for one in fields
        if one.required and not one.stored and not str(sent.get(one.name, "")).strip()
    }
