"""The two ends of a flow: what its document says, made into options for the connectors that carry it out."""

from __future__ import annotations

from connectors.connector import Connector, Source, Target
from connectors.model import ReadOptions, WriteOptions
from flows.model import Export, Import


def open_source(export: Export, connector: Connector) -> Source:
    """Where the flow reads. Raises SettingsError where the connector cannot read that."""
    return connector.source(export.resource, ReadOptions(values=export.values))


def open_target(step: Import, connector: Connector) -> Target:
    """Where the flow writes. Raises SettingsError where the connector cannot write that, or not that way."""
    resource = connector.descriptor.resource(step.resource)
    options = resource.import_options(step.options) if resource else dict(step.options)
    written = WriteOptions(
        operation=step.operation,
        plaintext=step.plaintext,
        adopt=step.adopt,
        fields=tuple(rule.to for rule in step.mapping),
        options=options,
    )
    return connector.target(step.resource, written)
