"""Testing a connection: it pings its system, and what that teaches becomes its state."""

from __future__ import annotations

from iclients.errors import NotAuthorized, RemoteError
from integrator.bootstrap import Installation
from integrator.standing import OFFLINE, ONLINE


def tested(installation: Installation, name: str) -> str:
    """What the ping says. Raises what it raises, with the connection's state changed accordingly."""
    try:
        message = installation.connector(name).ping().message
    except NotAuthorized:
        raise  # asking for the token has told the connection's standing already
    except RemoteError as error:
        _remember(installation, name, OFFLINE, error.code, str(error))
        raise
    _remember(installation, name, ONLINE)
    return message


def _remember(installation: Installation, name: str, state: str, code: str = "", message: str = "") -> None:
    with installation.store.writing() as stored:
        stored.connections.set_state(name, state, code=code, message=message, at=installation.clock.now())
