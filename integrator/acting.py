"""Carrying out one action on a connection of this installation, for whoever asks: what it changes leaves an audit row.

The row names the action and what it was done to, never a value, and how it ended. Outputs that are secret stay in a
`Secret`: whoever answers the caller reveals them there, and nowhere else.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors import registry
from connectors.actions import Action
from connectors.connector import Connector
from connectors.errors import BadInput
from connectors.model import Connection
from iclients.errors import NotAuthorized, Recovery, RemoteError
from integrator.bootstrap import Installation
from integrator.errors import BadUsage
from integrator.standing import ConnectionStanding

DONE: Final = "done"
UNKNOWN: Final = "unknown"
"""How an action ended that a signal or a defect cut short."""


def actions_of(installation: Installation, name: str) -> Sequence[Action]:
    """What can be done on this connection; nothing is called. Raises NotFoundHere, SettingsError."""
    with installation.store.reading() as stored:
        connection: Connection = stored.connections.get(name)
    return registry.connector(connection.connector).actions(connection.api_type)


def act(installation: Installation, name: str, action_id: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The action's outputs.

    Raises BadUsage, before any call, where the action or an input cannot be; else what the connector raises.
    """
    connector = installation.connector(name)
    try:
        action = connector.action(action_id)
        if action.only_reads:
            return _carried_out(installation, connector, action, inputs)
        return _audited(installation, connector, action, inputs)
    except BadInput as error:
        raise BadUsage(str(error)) from error


def text_of(data: bytes) -> str:
    """What a file holds as an input: text, without the line end of a text of one line; base64 where it is no text."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return base64.b64encode(data).decode()
    line = text.removesuffix("\n").removesuffix("\r")
    return text if "\n" in line else line


def _audited(
    installation: Installation, connector: Connector, action: Action, inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """One row, there before the call, so that whoever is killed in the middle leaves one, too; then how it ended.

    None for inputs that cannot be, because nothing is called then.
    """
    action.converted(inputs)
    detail = {"action": action.id, **action.identifiers(inputs)}
    with installation.store.writing() as stored:
        named = stored.connections.noun, connector.connection.name
        row_id = stored.audit.record("acted", *named, {**detail, "ended": UNKNOWN})
    ended: str | None = UNKNOWN
    try:
        outputs = _carried_out(installation, connector, action, inputs)
        ended = DONE
        return outputs
    except RemoteError as error:
        ended = error.code
        raise
    except BadInput:
        ended = None
        raise
    finally:
        with installation.store.writing() as stored:
            if ended is None:
                stored.audit.withdraw(row_id)
            else:
                stored.audit.complete(row_id, {**detail, "ended": ended})


def _carried_out(
    installation: Installation, connector: Connector, action: Action, inputs: Mapping[str, Any]
) -> dict[str, Any]:
    name = connector.connection.name
    try:
        return connector.act(action.id, inputs)
    except NotAuthorized as error:
        if error.recovery is Recovery.REAUTHORIZE:
            ConnectionStanding(installation.store, name, installation.clock).refused(error)
        raise
