"""The ends of a flow: what its document says, made into what the connectors that carry it out are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connectors.connector import Connector, Source, Target
from connectors.model import ReadOptions, WriteOptions
from flows.acting import ActionTarget, Performer
from flows.mapping import looked_at
from flows.model import Export, Flow, Import, MappingRule
from flows.names import ORIGINAL_NAME


def open_source(export: Export, connector: Connector, mapping: Sequence[MappingRule] = ()) -> Source:
    """Where the flow reads, and of each record no more than it looks at.

    Raises SettingsError where the connector cannot read that, FlowDefinitionError where filter or mapping cannot work.
    """
    return connector.source(export.resource, ReadOptions(values=export.values, fields=looked_at(export.where, mapping)))


def open_last(flow: Flow, acts: Sequence[Performer], connector: Callable[[str], Connector]) -> Target:
    """Where the flow writes, or the action that it ends in. Raises SettingsError likewise."""
    if (step := flow.destination) is None:
        return ActionTarget(acts[-1])
    return open_target(step, connector(step.connection))


def open_target(step: Import, connector: Connector) -> Target:
    """Where the flow writes. Raises SettingsError where the connector cannot write that, or not that way."""
    resource = connector.descriptor.resource(step.resource)
    mapped = tuple(rule.to for rule in step.mapping)
    options = resource.check_import(step.operation, mapped, step.options) if resource else dict(step.options)
    written = WriteOptions(
        operation=step.operation,
        plaintext=step.plaintext,
        adopt=step.adopt,
        fields=mapped,
        options=options,
    )
    target = connector.target(step.resource, written)
    if resource and ORIGINAL_NAME in resource.writable_fields:
        target.original_field = ORIGINAL_NAME
    return target
