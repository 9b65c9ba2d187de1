"""Testing a connection: it pings its system, and what that teaches becomes its state."""

from __future__ import annotations

from connectors.model import Need, Ping
from iclients.errors import NotAuthorized, Recovery, RemoteError
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
    exports = [export for flow in flows for export in flow.exports if export.connection == name]
    imports = [step for flow in flows for step in flow.steps if step.connection == name]
    read = {Need(export.resource, "get" if export.values else "list") for export in exports}
    return frozenset(read | {Need(step.resource, step.operation) for step in imports})
