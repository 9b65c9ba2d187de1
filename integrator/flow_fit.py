"""Whether the parts of a flow fit together, as far as descriptors and definitions tell when a document is applied.

Filters and mappings take fields that the source has, or that an action has given before; an import gets what its resource
needs. What only a run can know, such as the columns of a file, its runs tell.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from connectors import registry as connectors
from connectors.actions import Action
from connectors.descriptor import ResourceDescriptor
from flows.expressions import WHOLE_RECORD, Expression, jmespath_expression, template_expression
from flows.model import ActionStep, Export, Flow, Import, MappingRule
from integrator.schemas import Where, Wrong, shown
from integrator.store.store import Transaction

_PATH = re.compile(r"([A-Za-z_]\w*)\.([A-Za-z_]\w*)(?:\..*)?")
_MOST_SHOWN = 5


@dataclass
class _Known:
    """What a step can take from: the source's fields, None where nobody knows, and what actions before it gave."""

    fields: Collection[str] | None
    given: dict[str, Action | None] = field(default_factory=dict)

    def check(self, where: Where, rules: Sequence[MappingRule], place: str) -> None:
        for position, rule in enumerate(rules):
            told = (*where, place, position, "from" if rule.from_ is not None else "template")
            self._check_names(told, _expression(rule))
            self._check_output(told, rule.from_ or "")

    def _check_names(self, where: Where, expression: Expression) -> None:
        if self.fields is None:
            return
        missing = sorted(expression.names - {WHOLE_RECORD} - set(self.fields) - set(self.given))
        if missing:
            there = ", ".join([*self.fields, *self.given])
            raise Wrong(where, f"{shown(where)} takes {missing[0]}, which is not there; there are: {there}.")

    def _check_output(self, where: Where, text: str) -> None:
        """A plain path into what an action gave: its outputs are known by name."""
        path = _PATH.fullmatch(text.strip())
        action = self.given.get(path[1]) if path else None
        if path and action and path[2] not in (names := [output.name for output in action.outputs]):
            raise Wrong(
                where, f"{shown(where)} takes {path[2]}, which {action.id} does not give; it gives: {', '.join(names)}."
            )


def check_fit(transaction: Transaction, where: Where, flow: Flow) -> None:
    """Raise Wrong, at the place of what is wrong, where no record could arrive."""
    export = flow.exports[0]
    source = _resource(transaction, export.connection, export.resource)
    known = _Known(_fields(source))
    if source is not None:
        _check_filter((*where, "exports", 0, "where"), export, source)
    for position, step in enumerate(flow.steps):
        at = (*where, "steps", position)
        if isinstance(step, ActionStep):
            known.check((*at, "action"), step.inputs, "inputs")
            known.given[step.field] = _action(transaction, step)
            continue
        known.check((*at, "import"), step.mapping, "mapping")
        target = _resource(transaction, step.connection, step.resource)
        if target is not None:
            _check_needs((*at, "import"), step, target)
        if source is not None and target is not None:
            _check_pair((*at, "import"), export, step, source, target)


def _check_filter(where: Where, export: Export, source: ResourceDescriptor) -> None:
    if export.where is None or (fields := _fields(source)) is None:
        return
    asked = jmespath_expression(export.where).names - {WHOLE_RECORD}
    if hidden := sorted(asked & set(source.secret_fields)):
        raise Wrong(where, f"{shown(where)} cannot use {hidden[0]}: filters run before any value is read.")
    if missing := sorted(asked - set(fields)):
        raise Wrong(
            where,
            f"{shown(where)} looks at {missing[0]}, which {source.name} does not have; it has: {', '.join(fields)}.",
        )


def _check_needs(where: Where, step: Import, target: ResourceDescriptor) -> None:
    """What every record needs there has a rule, where there are rules."""
    named = [rule.to for rule in step.mapping]
    missing = [name for name in target.required_fields if named and name not in named]
    if missing:
        place = (*where, "mapping")
        raise Wrong(place, f"{shown(place)} does not name {missing[0]}, which {target.name} need.")


def _check_pair(
    where: Where, export: Export, step: Import, source: ResourceDescriptor, target: ResourceDescriptor
) -> None:
    """Without a mapping a record goes as it is: then both ends must have the same fields."""
    there, here = _fields(source), _fields(target)
    if there is None or here is None:
        return
    if source.many_of_a_name and _is_named_as_there(step):
        raise Wrong(
            where,
            f"{shown(where)} would write whichever comes first: {export.resource} has several records of one name. Map "
            "another name, or export what is there now.",
        )
    strange = [name for name in there if name not in {*here, *target.targets}]
    lacking = [name for name in target.required_fields if name not in there]
    if not step.mapping and (strange or lacking):
        why = f"has no {lacking[0]}" if lacking else f"has {', '.join(strange[:_MOST_SHOWN])}"
        raise Wrong(
            (*where, "mapping"),
            f"{shown(where)} needs a mapping: a record of {export.resource} {why}, unlike one of {step.resource}.",
        )


def _is_named_as_there(step: Import) -> bool:
    names = [rule for rule in step.mapping if rule.to == "name"]
    return not step.mapping or any((rule.from_ or "").strip() == "name" for rule in names)


def _expression(rule: MappingRule) -> Expression:
    return jmespath_expression(rule.from_) if rule.from_ is not None else template_expression(rule.template or "")


def _fields(resource: ResourceDescriptor | None) -> Sequence[str] | None:
    """The fields that every record has; None where a record may have others."""
    if resource is None or resource.open_fields or resource.is_pattern or not resource.fields:
        return None
    return resource.fields


def _resource(transaction: Transaction, connection: str, resource: str) -> ResourceDescriptor | None:
    found = transaction.connections.find(connection)
    descriptor = connectors.descriptor_of(found.connector) if found is not None else None
    return descriptor.resource(resource) if descriptor is not None else None


def _action(transaction: Transaction, step: ActionStep) -> Action | None:
    found = transaction.connections.find(step.connection)
    if found is None or found.connector not in connectors.names():
        return None
    offered: Mapping[str, Action] = {
        one.id: one for one in connectors.connector(found.connector).actions(found.api_type)
    }
    return offered.get(step.action)
