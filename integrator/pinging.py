"""Testing a connection: it pings its system, and what that teaches becomes its state."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from connectors.model import Need, Ping
from flows.errors import FlowDefinitionError
from flows.mapping import looked_at
from flows.model import Export, Flow, Import
from iclients.errors import NotAuthorized, Recovery, RemoteError
from integrator.acting import actions_of
from integrator.bootstrap import Installation
from integrator.standing import ConnectionStanding


def tested(installation: Installation, name: str) -> str:
    """What the ping says. Raises what it raises, with the connection's state changed accordingly."""
    return pinged(installation, name).message


def pinged(installation: Installation, name: str) -> Ping:
    """The same with all that was looked at, which is what the connection's flows need."""
    standing = ConnectionStanding(installation.store, name, installation.clock)
    try:
        connector = installation.connector(name)
        connector.needs = needs_of(installation, name)
        ping = connector.ping()
    except NotAuthorized as error:
        if error.recovery is Recovery.REAUTHORIZE:  # a system may refuse what the provider has given
            standing.refused(error)
        raise
    except RemoteError as error:
        standing.unreachable(error)
        raise
    standing.let_in()
    return ping


def needs_of(installation: Installation, name: str) -> frozenset[Need]:
    """What the flows of this connection do on it."""
    with installation.store.reading() as stored:
        flows = [flow for _, flow in stored.flows.readable() if flow is not None]
    read = {_reading(flow, export) for flow in flows for export in flow.exports if export.connection == name}
    imports = [step for flow in flows if (step := flow.destination) is not None and step.connection == name]
    actions = {step.action for flow in flows for step in flow.actions if step.connection == name}
    written = {Need(step.resource, step.operation, options=_told(step)) for step in imports}
    return frozenset(read | written | _rights(installation, name, actions))


def _reading(flow: Flow, export: Export) -> Need:
    if not export.values:
        return Need(export.resource, "list")
    with suppress(FlowDefinitionError):  # its runs tell what is wrong with it
        return Need(export.resource, "get", fields=looked_at(export.where, flow.rules))
    return Need(export.resource, "get", fields=None)


def _told(step: Import) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in step.options.items() if isinstance(value, str)))


def _rights(installation: Installation, name: str, actions: Collection[str]) -> set[Need]:
    """What these actions are allowed by; one that is not there any more needs nothing that could be looked at."""
    there = actions_of(installation, name) if actions else ()
    return {Need(right=one.word) for action in there if action.id in actions for one in action.permissions}
