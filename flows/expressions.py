"""Expressions over records: JMESPath to take, sandboxed Jinja to make; compiled once, aware of secrets.

An expression that touches a secret field gives a Secret, so a value cannot slip into the open through a function or
a template. Source: JMESPath specification.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import jmespath
import jmespath.exceptions
import jmespath.functions

from connectors.errors import RecordError
from flows.errors import FlowDefinitionError
from iclients.secret import Secret, holds_secret, opened

WHOLE_RECORD: Final = "@"
LONGEST_TEXT: Final = 2_000

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression: its text, the record's fields that it looks at, and how it is evaluated."""

    text: str
    names: frozenset[str]
    evaluate: Callable[[Fields], Any]

    def looks_at(self, names: frozenset[str]) -> bool:
        """Whether it needs any of these fields."""
        return WHOLE_RECORD in self.names or not self.names.isdisjoint(names)

    def __call__(self, fields: Fields) -> Any:
        """Its value for a record: a Secret where a secret field was looked at. Raises RecordError."""
        return self.evaluate(fields)


def jmespath_expression(text: str) -> Expression:
    """Compile a JMESPath expression. Raises FlowDefinitionError with the place of the mistake."""
    if text.isidentifier() and text.isascii():
        return Expression(text, frozenset({text}), _getter(text))
    path = text.split(".")
    if text.isascii() and all(part.isidentifier() for part in path):
        return Expression(text, frozenset(path[:1]), _walker(text, path))
    if len(text) > LONGEST_TEXT:
        raise FlowDefinitionError(f"An expression has more than {LONGEST_TEXT:,} characters: shorten it.")
    try:
        compiled = jmespath.compile(text)
    except RecursionError:
        raise FlowDefinitionError("An expression is nested too deep: shorten it.") from None
    except jmespath.exceptions.JMESPathError as error:
        raise FlowDefinitionError(f"{text!r} is not JMESPath: {_first_line(error)}") from error
    if unknown := sorted(_functions(compiled.parsed) - set(_Functions.FUNCTION_TABLE)):
        raise FlowDefinitionError(f"{text!r} calls {unknown[0]}(), which is no function.")
    names = _root_names(compiled.parsed)

    def evaluate(fields: Fields) -> Any:
        try:
            return compiled.search(fields, _OPTIONS)
        except _FAILURES as error:
            raise RecordError(
                f"{text!r} does not work for this record: {type(error).__name__}.", code="expression"
            ) from None

    return Expression(text, names, _guarding_secrets(text, names, evaluate))


def template_expression(text: str) -> Expression:
    """Compile a Jinja template. Raises FlowDefinitionError with the line of the mistake."""
    from flows.templates import compiled  # Jinja loads slowly, and few mappings have a template

    try:
        names, render = compiled(text)
    except ValueError as error:
        raise FlowDefinitionError(f"{text!r} is not a template: {error}") from error

    def evaluate(fields: Fields) -> Any:
        try:
            return render(fields)
        except Exception as error:  # noqa: BLE001 - a template may raise anything; its text could hold a value
            raise RecordError(
                f"The template {text!r} does not work for this record: {type(error).__name__}.", code="template"
            ) from None

    return Expression(text, names, _guarding_secrets(text, names, evaluate))


def _getter(name: str) -> Callable[[Fields], Any]:
    def got(fields: Fields) -> Any:
        value = fields.get(name)
        return _without_secrets(name, value) if isinstance(value, dict | list) else value

    return got


def _walker(text: str, path: Sequence[str]) -> Callable[[Fields], Any]:
    """What an action gave holds some secrets and some that are none: a plain path takes either as it is."""

    def walked(fields: Fields) -> Any:
        value: Any = fields
        for part in path:
            value = value.get(part) if isinstance(value, Mapping) else None
        return _without_secrets(text, value)

    return walked


def _without_secrets(text: str, value: Any) -> Any:
    if not isinstance(value, Secret) and holds_secret(value):
        raise RecordError(f"{text!r} holds a secret: take one of its fields by name.", code="expression")
    return value


def _guarding_secrets(text: str, names: frozenset[str], evaluate: Callable[[Fields], Any]) -> Callable[[Fields], Any]:
    def guarded(fields: Fields) -> Any:
        looked_at = fields if WHOLE_RECORD in names else names
        if not any(holds_secret(fields.get(name)) for name in looked_at):
            return evaluate(fields)
        result = evaluate({name: opened(value) for name, value in fields.items()})
        if isinstance(result, str):
            return Secret(result)
        if result is None or isinstance(result, bool):
            return result
        raise RecordError(f"{text!r} looks at a secret field: it must give a text.", code="expression")

    return guarded


def _functions(node: Any) -> set[str]:
    """The functions that a parsed expression calls."""
    if not isinstance(node, dict):  # a slice has numbers where others have children
        return set()
    called = {node["value"]} if node["type"] == "function_expression" else set()
    return called.union(*(_functions(child) for child in node["children"]))


def _root_names(node: Any) -> frozenset[str]:
    """The fields of the record itself that a parsed expression looks at."""
    kind = node["type"]
    if kind == "field":
        return frozenset({node["value"]})
    if kind in ("current", "identity"):
        return frozenset({WHOLE_RECORD})
    if kind in ("literal", "expref"):
        return frozenset()
    if kind == "subexpression" and node["children"][0]["type"] == "current":
        return _root_names(node["children"][1])
    children = node["children"][:1] if kind in _FIRST_CHILD_ONLY else node["children"]
    return frozenset().union(*(_root_names(child) for child in children))


_FIRST_CHILD_ONLY: Final = frozenset(
    {"subexpression", "pipe", "projection", "filter_projection", "flatten", "value_projection", "index_expression"}
)


class _Functions(jmespath.functions.Functions):
    """What JMESPath lacks for secrets with dates and names."""

    @jmespath.functions.signature({"types": ["string"]})
    def _func_lower(self, text: str) -> str:
        return text.lower()

    @jmespath.functions.signature({"types": ["string"]})
    def _func_upper(self, text: str) -> str:
        return text.upper()

    @jmespath.functions.signature({"types": ["string", "null"]})
    def _func_timestamp(self, text: str | None) -> float | None:
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    @jmespath.functions.signature()
    def _func_now(self) -> float:
        return time.time()


_FAILURES: Final = (jmespath.exceptions.JMESPathError, TypeError, ValueError, ArithmeticError)
"""What JMESPath raises for a record that does not suit an expression: not all of it is its own."""
_OPTIONS: Final = jmespath.Options(custom_functions=_Functions())


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
