"""Testing a connection: it pings its system, and what that teaches becomes its state."""

from __future__ import annotations

from iclients.errors import NotAuthorized, Recovery, RemoteError
from integrator.bootstrap import Installation
from integrator.standing import ConnectionStanding


def tested(installation: Installation, name: str) -> str:
    """What the ping says. Raises what it raises, with the connection's state changed accordingly."""
    standing = ConnectionStanding(installation.store, name, installation.clock)
    try:
        message = installation.connector(name).ping().message
    except NotAuthorized as error:
        if error.recovery is Recovery.REAUTHORIZE:  # a system may refuse what the provider has given
            standing.refused(error)
        raise
    except RemoteError as error:
        standing.unreachable(error)
        raise
    standing.let_in()
    return message
