"""Mapping: ordered rules that make a target's record from a source's, and the filter that comes before them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from connectors.errors import RecordError
from connectors.model import Record
from flows import names
from flows.errors import FlowDefinitionError
from flows.expressions import WHOLE_RECORD, Expression, Fields, jmespath_expression, template_expression
from flows.model import MappingRule
from iclients.secret import Secret


class Mapping:
    """Compiled rules; without any, a record passes as it is."""

    def __init__(self, rules: Sequence[MappingRule]) -> None:
        """Raises FlowDefinitionError, naming the rule, where one cannot work."""
        _refuse_duplicates(rules)
        self._rules = [(rule.to, _compiled(rule)) for rule in rules]
        self._originals = {rule.to: _plain(rule) for rule in rules if rule.codec is not None}

    @property
    def fields(self) -> tuple[str, ...]:
        """The target fields that the rules name, in their order."""
        return tuple(to for to, _ in self._rules)

    def check_source(self, available: Sequence[str]) -> None:
        """Raise FlowDefinitionError where a rule looks at a field that the source does not have."""
        for to, expression in self._rules:
            missing = sorted(expression.names - {WHOLE_RECORD} - set(available))
            if missing:
                raise FlowDefinitionError(
                    f"The mapping to {to} takes {missing[0]}, which the source does not have; "
                    f"it has: {', '.join(available)}."
                )

    def depends_on(self, to: str, names: frozenset[str]) -> bool:
        """Whether target field `to` is made from any of these source fields."""
        if not self._rules:
            return to in names
        return any(expression.looks_at(names) for name, expression in self._rules if name == to)

    def apply(self, record: Record) -> Record:
        """The target's record. Raises RecordError where a rule does not work for it."""
        if not self._rules:
            return record
        source = record.fields
        fields = {to: expression(source) for to, expression in self._rules}
        return Record(record.key, fields, line=record.line, marker=record.marker)

    def fixed(self) -> dict[str, Any]:
        """The target fields that are the same for every record: their rules look at none of its fields."""
        made = {}
        for to, expression in self._rules:
            if not expression.names:
                with suppress(RecordError):  # it fails for every record, and is told there
                    made[to] = expression({})
        return made

    def called(self, to: str, record: Record) -> str:
        """What people know the record by: what a codec made the name of, where field `to` has one; else its key."""
        original = self._originals[to](record.fields) if to in self._originals else None
        return original if isinstance(original, str) and names.may_be_shown(original) else record.key

    def value_of(self, to: str, record: Record) -> Any:
        """One target field alone, None where its rule does not work for this record."""
        if not self._rules:
            return record.fields.get(to)
        try:
            return next((expression(record.fields) for name, expression in self._rules if name == to), None)
        except RecordError:
            return None


def with_original(rules: Sequence[MappingRule], key_field: str, original_field: str) -> tuple[MappingRule, ...]:
    """The rules, and one for what a record was called where a codec makes its name, unless a rule names that field.

    `original_field` is the target's field for it, empty where it has none.
    """
    key = next((rule for rule in rules if rule.to == key_field and rule.codec is not None), None)
    if not original_field or key is None or any(rule.to == original_field for rule in rules):
        return tuple(rules)
    return (*rules, replace(key, to=original_field, codec=None))


def compile_filter(text: str | None, unread: frozenset[str]) -> Callable[[Fields], bool]:
    """A predicate from `where`: true keeps the record. It runs before any value is read, so it may not ask for one."""
    if text is None:
        return lambda fields: True
    expression = jmespath_expression(text)
    if asked := sorted(expression.names & unread):
        raise FlowDefinitionError(f"where cannot use {asked[0]}: filters run before any value is read.")
    if unread and WHOLE_RECORD in expression.names:
        raise FlowDefinitionError("where cannot look at the whole record (@): filters run before any value is read.")
    return lambda fields: bool(expression(fields))


def looked_at(where: str | None, rules: Sequence[MappingRule]) -> frozenset[str] | None:
    """The source fields that filter and mapping look at; None where the whole record is wanted.

    Raises FlowDefinitionError where one of them cannot work.
    """
    if not rules:
        return None
    expressions = [_compiled(rule) for rule in rules] + ([jmespath_expression(where)] if where is not None else [])
    names = frozenset[str]().union(*(expression.names for expression in expressions))
    return None if WHOLE_RECORD in names else names


def check_expression(text: str) -> None:
    """Raise FlowDefinitionError where `text` is not JMESPath."""
    jmespath_expression(text)


def check_template(text: str) -> None:
    """Raise FlowDefinitionError where `text` is not a template."""
    template_expression(text)


def _compiled(rule: MappingRule) -> Expression:
    plain = _plain(rule)
    if rule.codec is None and rule.decode is None:
        return plain
    if rule.codec is not None and rule.decode is not None:
        raise FlowDefinitionError(f"The mapping to {rule.to} has codec and decode: keep one of them.")
    try:
        codec = names.codec(rule.codec or rule.decode or "")
    except FlowDefinitionError as error:
        raise FlowDefinitionError(f"The mapping to {rule.to} cannot work: {error}") from error
    code, change = ("name_not_decodable", codec.decode) if rule.codec is None else ("name_not_encodable", codec.encode)

    def changed(fields: Fields) -> Any:
        value = plain(fields)
        if value is None or isinstance(value, str):
            return value if value is None else change(value)
        kind = "a secret" if isinstance(value, Secret) else "no text"
        raise RecordError(f"The mapping to {rule.to} gives {kind}: a codec takes names, in the open.", code=code)

    return Expression(plain.text, plain.names, changed)


def _plain(rule: MappingRule) -> Expression:
    if (rule.from_ is None) == (rule.template is None):
        raise FlowDefinitionError(f"The mapping to {rule.to} needs either from or template.")
    try:
        return jmespath_expression(rule.from_) if rule.from_ is not None else template_expression(rule.template or "")
    except FlowDefinitionError as error:
        raise FlowDefinitionError(f"The mapping to {rule.to} cannot work: {error}") from error


def _refuse_duplicates(rules: Sequence[MappingRule]) -> None:
    seen: set[str] = set()
    for rule in rules:
        if rule.to in seen:
            raise FlowDefinitionError(f"The mapping names {rule.to} twice.")
        seen.add(rule.to)
