"""Actions: one call on a connection, as data. The command line, forms and flow steps are made from it.

An action says what it takes, what it gives, whether it changes something, and which permissions it needs. Inputs are
checked and converted here, before anything is called; what is secret travels as a `Secret`, both ways. How actions are
written down: `actions/*.toml` beside the descriptor, loaded by `connectors.schemas.load_actions`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from connectors.errors import BadInput
from iclients.secret import Secret, revealed

LONGEST_INPUT_CHARACTERS: Final = 1_000_000
TAKING_AWAY: Final = frozenset({"delete", "purge", "remove"})
"""An action whose id begins so is destructive, where its definition does not say otherwise."""
ITEMS: Final = "items"
"""The output that holds what a list found."""
TOP: Final = "top"
"""The parameter that says how many items a list gives at most."""
CONTINUATION: Final = "continuationToken"
"""Of a list, output and parameter: where to go on."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing that an action takes.

    `kind` is text, integer, boolean, time, list, base64, secret or json. `is_secret`: it is kept in a `Secret`, and no
    error shows it. `identifies`: it names what is acted on, so the audit may hold it.
    """

    name: str
    title: str
    help: str
    kind: str = "text"
    required: bool = True
    default: Any = None
    choices: tuple[str, ...] = ()
    pattern: str | None = None
    is_secret: bool = False
    identifies: bool = False

    def converted(self, value: Any) -> Any:
        """The value as the connector gets it. Raises BadInput, which names the parameter and never shows a value."""
        try:
            made = _CONVERTERS[self.kind](revealed(value))
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise BadInput(f"{self.name} is not {_MEANINGS[self.kind]}.", parameter=self.name) from None
        if isinstance(made, str):
            self._check_text(made)
        if not self.is_secret:
            return made
        return Secret(made if isinstance(made, str) else json.dumps(made))

    def _check_text(self, text: str) -> None:
        if len(text) > LONGEST_INPUT_CHARACTERS:
            raise BadInput(f"{self.name} is longer than {LONGEST_INPUT_CHARACTERS:,} characters.", parameter=self.name)
        if self.choices and text not in self.choices:
            raise BadInput(f"{self.name} is none of: {', '.join(self.choices)}.", parameter=self.name)
        if self.pattern and not re.fullmatch(self.pattern, text):
            raise BadInput(f"{self.name} cannot be that: {self.help}", parameter=self.name)


@dataclass(frozen=True, slots=True)
class Output:
    """One thing that an action gives. `is_secret`: it reaches the caller and nothing else.

    `file`: the ending of the file that it is kept in, or another output's name in braces; empty where it is no file.
    """

    name: str
    title: str
    kind: str = "text"
    is_secret: bool = False
    fields: tuple[str, ...] = ()
    """What each item of a list has."""
    columns: tuple[Output, ...] = ()
    """The same, with what each is called and of which kind."""
    file: str = ""


@dataclass(frozen=True, slots=True)
class Permission:
    """What the app of a connection must be allowed: the word of access policies (`secrets/get`), the data action of
    roles, and the smallest built-in role that has it. A control plane knows no such words and no data actions: there
    `data_action` is empty, and `word` is the action of roles itself."""

    word: str
    data_action: str
    role: str

    @property
    def action(self) -> str:
        """What a role must have."""
        return self.data_action or self.word


@dataclass(frozen=True, slots=True)
class ActionCall:
    """A call that an action mostly makes, by the name under which runs count it; none where parameter `unless` is named."""

    kind: str
    unless: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """One call on a connection. `changes`: it does more than read; `destructive`: what it takes away may not come back.

    `guarded`: it changes nothing, and is all the same for those alone who may change: a signature binds. `repeatable`:
    carrying it out twice leaves what once leaves, as a run that was killed may do. `group` is what it acts on, in words;
    `calls` is what it mostly calls, for estimates: one call of its own name where its file does not say.
    """

    id: str
    title: str
    summary: str
    api_type: str | None
    parameters: tuple[Parameter, ...]
    outputs: tuple[Output, ...]
    permissions: tuple[Permission, ...] = ()
    changes: bool = False
    destructive: bool = False
    guarded: bool = False
    repeatable: bool = True
    group: str = ""
    calls: tuple[ActionCall, ...] = ()

    def kinds(self, named: Collection[str]) -> tuple[str, ...]:
        """The calls that it mostly makes with these parameters, by the names under which runs count them."""
        return tuple(call.kind for call in self.calls if call.unless not in named) if self.calls else (self.id,)

    @property
    def takes_away(self) -> bool:
        """Whether it ends what it is done to: then it is done where that is not there any more."""
        return self.changes and self.id.partition("_")[0] in TAKING_AWAY

    @property
    def gives_secret(self) -> bool:
        """Whether something that it gives is for the caller alone."""
        return any(one.is_secret for output in self.outputs for one in (output, *output.columns))

    @property
    def only_reads(self) -> bool:
        """Whether whoever may only read may carry it out."""
        return not (self.changes or self.guarded or self.gives_secret)

    @property
    def roles(self) -> tuple[str, ...]:
        """The smallest built-in roles that are enough, each once."""
        return tuple(dict.fromkeys(permission.role for permission in self.permissions))

    def converted(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Every parameter's value, None where it has none. Raises BadInput for what is unknown, missing or wrong."""
        known = [parameter.name for parameter in self.parameters]
        for name in inputs:
            if name not in known:
                has = ", ".join(known) or "nothing"
                raise BadInput(f"Action {self.id} has no parameter {name}; it takes: {has}.", parameter=name)
        return {parameter.name: self._value(parameter, inputs) for parameter in self.parameters}

    def classified(self, outputs: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs in the order of the definition; what is secret is in a `Secret`, what is not defined is an error."""
        stray = sorted(set(outputs) - {output.name for output in self.outputs})
        if stray:
            raise KeyError(f"action {self.id} gives {stray[0]}, which its definition does not name")
        return {output.name: _kept(output, outputs.get(output.name)) for output in self.outputs}

    def identifiers(self, inputs: Mapping[str, Any]) -> dict[str, str]:
        """What the inputs name, for the audit: names, versions; never a value."""
        named = [parameter.name for parameter in self.parameters if parameter.identifies and not parameter.is_secret]
        return {name: str(inputs[name]) for name in named if inputs.get(name) is not None}

    def _value(self, parameter: Parameter, inputs: Mapping[str, Any]) -> Any:
        value = inputs.get(parameter.name)
        if value is None and parameter.required:
            raise BadInput(f"Action {self.id} needs {parameter.name}: {parameter.help}", parameter=parameter.name)
        return parameter.default if value is None else parameter.converted(value)


def find(actions: Sequence[Action], action_id: str, where: str) -> Action:
    """The action of this id. Raises BadInput, naming those that there are."""
    for action in actions:
        if action.id == action_id:
            return action
    there = ", ".join(action.id for action in actions) or "none"
    raise BadInput(f"{where} has no action {action_id}; it has: {there}.")


def decoded(text: str) -> bytes:
    """The bytes of base64 or base64url, padded or not. Raises ValueError."""
    compact = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)


def encoded(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _kept(output: Output, value: Any) -> Any:
    """What is secret in a `Secret`: the whole of it, or the columns of a list that are."""
    hidden = {column.name: column for column in output.columns if column.is_secret}
    if hidden and isinstance(value, list):
        return [
            {name: _kept(hidden[name], one) if name in hidden else one for name, one in row.items()} for row in value
        ]
    if not output.is_secret or value is None or isinstance(value, Secret):
        return value
    return Secret(value if isinstance(value, str) else json.dumps(value))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    value.encode()  # a lone surrogate is no text
    return value


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError
    return int(value)


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word not in ("true", "false"):
        raise ValueError
    return word == "true"


def _time(value: Any) -> int:
    """Unix seconds, of ISO 8601 (UTC where it says nothing) or of a number."""
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, int) or str(value).lstrip("-").isdigit():
        return int(value)
    moment = datetime.fromisoformat(_text(value))
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _list(value: Any) -> list[str]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list | tuple):
        raise TypeError
    return [_text(part) for part in value]


def _base64(value: Any) -> str:
    """base64url, of base64 in either form."""
    try:
        return encoded(decoded(_text(value)))
    except binascii.Error as error:
        raise ValueError from error


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


_CONVERTERS: Final[Mapping[str, Callable[[Any], Any]]] = MappingProxyType(
    {
        "text": _text,
        "secret": _text,
        "integer": _integer,
        "boolean": _boolean,
        "time": _time,
        "list": _list,
        "base64": _base64,
        "json": _json,
    }
)
KINDS: Final = tuple(_CONVERTERS)
_MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "text": "a text",
        "secret": "a text",
        "integer": "a whole number",
        "boolean": "true or false",
        "time": "a moment: write 2026-11-12T03:00:00Z or Unix seconds",
        "list": "a list: write its parts with commas between them",
        "base64": "base64",
        "json": "JSON",
    }
)
