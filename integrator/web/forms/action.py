"""The form of an action, made from its definition: what it takes as fields, what was typed as inputs, and the same as a
command line.

What is secret is never sent back to a page: not with a mistake beside it, and not for a second press.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from werkzeug.datastructures import FileStorage

from connectors.actions import CONTINUATION, TOP, Action, Parameter
from connectors.errors import BadInput
from iclients.secret import Secret, revealed
from integrator.acting import text_of
from integrator.web.drafts import Sent
from integrator.web.fields import FILE, SELECT, TEXT, TEXTAREA, Choice, Field

IN: Final = "in."
SECRET_END: Final = ".secret"  # noqa: S105 - how a name ends
"""How the name of a secret field ends: such a field is never kept when somebody has to sign in again."""
FILE_END: Final = ".file"
USUAL_TOP: Final = "100"
MOST: Final = {TOP: 1_000, "waitSeconds": 300}
"""What a page takes at most: it holds a place, and memory, that others wait for. The command line takes more."""
_NOT_GIVEN: Final = "…"
_HIDING: Final = {"data-secret": "", "autocomplete": "off", "autocapitalize": "none", "data-1p-ignore": ""} | {
    "data-lpignore": "true"
}
_EXAMPLES: Final = {"time": "2026-11-12T03:00:00Z", "list": "one, another", "json": "{ }"}


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed: inputs by name, those that are secret in a `Secret`, and the files that some came from."""

    inputs: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def readable(self, action: Action) -> dict[str, str]:
        """Those that a page may hold, by the names of their fields."""
        shown = {one.name: self.inputs.get(one.name) for one in action.parameters if not one.is_secret}
        return {IN + name: str(value) for name, value in shown.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for one parameter: a field, and, where it may come from a file, that."""

    field: Field
    file: Field | None = None


def usual(action: Action) -> Sent:
    """What stands in the form at first: of a list, so many items that they can be read."""
    names = {one.name for one in action.parameters}
    return Sent({IN + TOP: USUAL_TOP} if {TOP, CONTINUATION} <= names else {})


def asked(action: Action, sent: Mapping[str, str], errors: Mapping[str, str]) -> list[Asked]:
    """A field for each parameter, with what was typed and what is wrong with it."""
    return [Asked(_field(one, sent, errors.get(one.name, "")), _file(one)) for one in action.parameters]


def asked_again(action: Action) -> list[Asked]:
    """Fields for what a second press needs anew: what is secret."""
    return [one for one in asked(action, {}, {}) if one.field.name.endswith(SECRET_END)]


def typed_in(action: Action, sent: Mapping[str, str], files: Mapping[str, FileStorage]) -> Typed:
    """What was sent for this action; what is empty is not given."""
    inputs: dict[str, Any] = {}
    names: dict[str, str] = {}
    for one in action.parameters:
        file = files.get(IN + one.name + FILE_END)
        if file is not None and file.filename:
            text, names[one.name] = text_of(file.read()), file.filename
        else:
            text = sent.get(field_name(one), "").replace("\r\n", "\n")
            text = text if one.is_secret else text.strip()
        text = text or (USUAL_TOP if one.name == TOP else "")
        if text:
            inputs[one.name] = Secret(text) if one.is_secret else text
    return Typed(inputs, names)


def wrong(action: Action, inputs: Mapping[str, Any]) -> dict[str, str]:
    """A sentence for each input that is missing or cannot be, before anything is called."""
    told = ((one, _problem(one, inputs.get(one.name)) or _too_much(one, inputs)) for one in action.parameters)
    return {one.name: problem for one, problem in told if problem}


def _too_much(one: Parameter, inputs: Mapping[str, Any]) -> str:
    most, given = MOST.get(one.name), inputs.get(one.name)
    if most is None or given is None or one.converted(given) <= most:
        return ""
    return f"{one.title} is more than the {most:,} that a page takes: use the command line."


def in_words(action: Action, error: BadInput) -> dict[str, str]:
    """What the connector says of an input, beside its field; for all of them where it names none."""
    one = next((one for one in action.parameters if one.name == error.parameter), None)
    return {error.parameter: _titled(one, str(error))} if one else {"": str(error)}


def command(connection: str, action: Action, typed: Typed) -> str:
    """The same on the command line. What is secret is left out: one comes from standard input, others from files."""
    words = ["integrator", "action", connection, action.id]
    return " ".join([*map(shlex.quote, words), *_pairs(action, typed)])


def field_name(parameter: Parameter) -> str:
    """The name of its field."""
    return f"{IN}{parameter.name}{SECRET_END if parameter.is_secret else ''}"


def may_be_a_file(parameter: Parameter) -> bool:
    """Whether people have it in a file."""
    return parameter.is_secret or parameter.kind in ("base64", "json")


def _field(one: Parameter, sent: Mapping[str, str], error: str) -> Field:
    told: dict[str, Any] = {"help": _sentence(one.help), "error": error, "required": one.required}
    name, value = field_name(one), sent.get(field_name(one), "")
    if one.is_secret:
        return Field(name, one.title, TEXTAREA, rows=2, is_code=True, attributes=_HIDING, **told)
    if choices := _choices(one):
        return Field(name, one.title, SELECT, value, choices=choices, **told)
    if one.kind in ("json", "base64"):
        return Field(
            name, one.title, TEXTAREA, value, rows=3, is_code=True, placeholder=_EXAMPLES.get(one.kind, ""), **told
        )
    numeric = {"inputmode": "numeric"} if one.kind == "integer" else {}
    placeholder = "" if one.default is None else str(one.default)
    return Field(
        name, one.title, TEXT, value, placeholder=placeholder or _EXAMPLES.get(one.kind, ""), attributes=numeric, **told
    )


def _file(one: Parameter) -> Field | None:
    if not may_be_a_file(one):
        return None
    return Field(IN + one.name + FILE_END, f"{one.title}, from a file", FILE)


def _choices(one: Parameter) -> list[Choice]:
    if one.kind == "boolean":
        named = [Choice("true", "Yes"), Choice("false", "No")]
    else:
        named = [Choice(choice, choice) for choice in one.choices]
    if not named:
        return []
    left_out = "Choose one" if one.required else f"Left out: {one.default}" if one.default is not None else "Left out"
    return [Choice("", left_out), *named]


def _problem(one: Parameter, value: Any) -> str:
    if value is None:
        return f"{one.title} is missing: fill it in." if one.required else ""
    try:
        one.converted(value)
    except BadInput as error:
        return _titled(one, str(error))
    return ""


def _titled(one: Parameter, sentence: str) -> str:
    """The sentence with the field's title, where it begins with the parameter's name."""
    rest = sentence.removeprefix(f"{one.name} ")
    return sentence if rest == sentence else f"{one.title} {rest}"


def _pairs(action: Action, typed: Typed) -> Iterator[str]:
    """`name=value` for each input. Standard input can be read for one value only."""
    is_free = True
    for one in action.parameters:
        value = typed.inputs.get(one.name)
        if one.name in typed.files:
            yield shlex.quote(f"{one.name}=@{typed.files[one.name]}")
        elif one.is_secret and (value is not None or one.required):
            yield f"{one.name}=-" if is_free else f"{one.name}=@FILE"
            is_free = False
        elif value is not None:
            text = str(revealed(value))
            yield shlex.quote(f"{one.name}={'@' if text.startswith('@') else ''}{text}")
        elif one.required:
            yield f"{one.name}={_NOT_GIVEN}"


def _sentence(text: str) -> str:
    made = (text[:1].upper() + text[1:]).replace("`", "")
    return made if made.endswith((".", "?")) else f"{made}."
