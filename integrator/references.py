"""What a document refers to by name: nouns that are there, settings and options that are known. Every dead end is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from connectors import registry as connectors
from connectors.descriptor import Descriptor
from connectors.errors import SettingsError
from connectors.model import Connection
from flows.model import ActionStep, Flow, Import
from flows.schemas import OPERATIONS
from iclients import registry as providers
from iclients.clouds import BUILT_IN, CloudProfile
from iclients.credentials import ManagedIdentity
from iclients.errors import NotAuthorized
from iclients.model import IClient
from integrator.action_references import check_action, unknown_name
from integrator.flow_fit import check_fit
from integrator.global_iclients import with_iclient
from integrator.schemas import Where, Wrong, shown
from integrator.store.store import Transaction

MANAGED_IDENTITY: Final = "managed_identity"


def check_names(nouns: Mapping[str, Any]) -> None:
    """Raise Wrong where two of a kind have one name."""
    for noun, things in nouns.items():
        seen: dict[str, int] = {}
        for position, thing in enumerate(things if isinstance(things, list) else ()):
            first = seen.setdefault(thing.name, position)
            if first != position:
                raise Wrong(
                    (noun, position, "name"), f"{noun}[{position}] has the name {thing.name} of {noun}[{first}]."
                )


def check(transaction: Transaction, noun: str, position: int, thing: Any) -> None:
    """Raise Wrong where something that this noun refers to is not there. Lower floors are saved already."""
    _CHECKS[noun](transaction, (noun, position), thing)


def _descriptor(connector: str) -> Descriptor:
    return connectors.connector(connector).descriptor


def _check_cloud(transaction: Transaction, where: Where, cloud: CloudProfile) -> None:
    if cloud.name in BUILT_IN:
        raise Wrong((*where, "name"), f"{where[0]}[{where[1]}] cannot be called {cloud.name}: that cloud is built in.")


def _check_iclient(transaction: Transaction, where: Where, iclient: IClient) -> None:
    installed = providers.names()
    if iclient.provider not in installed:
        raise Wrong(
            (*where, "provider"),
            f"iclients[{where[1]}].provider is {iclient.provider}, which is not installed; "
            f"installed are: {', '.join(installed)}.",
        )
    known = providers.provider(iclient.provider).settings
    if unknown := next((key for key in iclient.settings if key not in known), None):
        raise Wrong(
            (*where, "settings", unknown),
            f"iclients[{where[1]}].settings has {unknown}, which provider {iclient.provider} does not know; "
            f"it knows: {', '.join(known) or 'none'}.",
        )
    if transaction.clouds.find(iclient.cloud) is None:
        raise unknown_name((*where, "cloud"), "cloud", iclient.cloud, [*BUILT_IN, *transaction.clouds.names()])
    try:
        providers.provider(iclient.provider).check(iclient)
    except NotAuthorized as error:
        named = [("settings", name) for name in iclient.settings if f"settings.{name} " in str(error)]
        raise Wrong((*where, *(named[0] if named else ())), f"{shown(where)}: {error}") from error


def _check_connection(transaction: Transaction, where: Where, connection: Connection) -> None:
    installed = connectors.names()
    if connection.connector not in installed:
        raise Wrong(
            (*where, "connector"),
            f"connections[{where[1]}].connector is {connection.connector}, which is not installed; "
            f"installed are: {', '.join(installed)}.",
        )
    try:
        _descriptor(connection.connector).check(with_iclient(transaction, connection))
    except SettingsError as error:
        raise Wrong(_nearest(where, connection, str(error)), f"connections[{where[1]}] cannot work: {error}") from error
    if connection.iclient is not None and transaction.iclients.find(connection.iclient) is None:
        raise unknown_name((*where, "iclient"), "iClient", connection.iclient, transaction.iclients.names())
    _check_managed(transaction, where, with_iclient(transaction, connection))


def _check_managed(transaction: Transaction, where: Where, connection: Connection) -> None:
    """A connection that says managed_identity must not come in by a secret that its iClient happens to have."""
    if connection.auth != MANAGED_IDENTITY or connection.iclient is None:
        return
    credential = transaction.iclients.get(connection.iclient).credential
    if credential is not None and not isinstance(credential, ManagedIdentity):
        raise Wrong(
            (*where, "auth"),
            f"{shown((*where, 'auth'))} is {MANAGED_IDENTITY}, and iClient {connection.iclient} has another credential: "
            "give it `credential: {managed_identity: true}`, or the connection another auth.",
        )


def _nearest(where: Where, connection: Connection, message: str) -> Where:
    """The setting that the sentence speaks of, else the connection as a whole."""
    named = (name for name in connection.settings if f"settings.{name} " in message or f"setting {name} " in message)
    setting = next(named, None)
    return where if setting is None else (*where, "settings", setting)


def _check_flow(transaction: Transaction, where: Where, flow: Flow) -> None:
    for position, export in enumerate(flow.exports):
        _check_end(transaction, (*where, "exports", position), export.connection, export.resource)
    for position, step in enumerate(flow.steps):
        if isinstance(step, ActionStep):
            check_action(transaction, (*where, "steps", position, "action"), flow, step)
            continue
        end = (*where, "steps", position, "import")
        _check_end(transaction, end, step.connection, step.resource, step.operation)
        _check_options(transaction, (*end, "options"), step)
    check_fit(transaction, where, flow)


def _check_options(transaction: Transaction, where: Where, step: Import) -> None:
    connection = transaction.connections.get(step.connection)
    descriptor = _descriptor(connection.connector) if connection.connector in connectors.names() else None
    resource = descriptor.resource(step.resource) if descriptor else None
    try:
        if resource is not None:
            resource.check_import(step.operation, [rule.to for rule in step.mapping], step.options)
    except SettingsError as error:
        named = [name for name in step.options if f"options.{name} " in str(error) or f"option {name};" in str(error)]
        raise Wrong((*where, *named[:1]), f"{shown(where)} cannot be used: {error}") from error


def _check_end(transaction: Transaction, where: Where, name: str, resource: str, operation: str | None = None) -> None:
    connection = transaction.connections.find(name)
    if connection is None:
        raise unknown_name((*where, "connection"), "connection", name, transaction.connections.names())
    known = _descriptor(connection.connector).resources if connection.connector in connectors.names() else ()
    offered = [one for one in known if one.api_type in (None, connection.api_type)]
    meant = next((one for one in offered if one.is_called(resource)), None)
    if known and meant is None:
        raise unknown_name(
            (*where, "resource"), f"resource of connection {name}", resource, [one.name for one in offered]
        )
    if operation is not None and meant is not None and operation not in meant.verbs:
        verbs = [verb for verb in OPERATIONS if verb in meant.verbs]
        raise Wrong(
            (*where, "operation"),
            f"{shown((*where, 'operation'))} is {operation}, which {resource} of connection {name} does not take; "
            f"it takes: {', '.join(verbs) or 'none'}.",
        )


_CHECKS: Final[Mapping[str, Callable[[Transaction, Where, Any], None]]] = {
    "clouds": _check_cloud,
    "iclients": _check_iclient,
    "connections": _check_connection,
    "flows": _check_flow,
}
