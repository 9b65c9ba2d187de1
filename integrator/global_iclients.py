"""Global iClients: what an administrator registers once, so that connections need not name an iClient of their own."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from connectors import registry as connectors
from connectors.errors import SettingsError
from connectors.model import Connection
from iclients import registry as providers
from iclients.clouds import CloudProfile
from iclients.model import IClient
from integrator.store.store import Transaction


class StandIns:
    """The global iClients as they are in one transaction: read once, for however many connections."""

    def __init__(self, stored: Transaction) -> None:
        self._stored = stored

    def with_iclient(self, connection: Connection) -> Connection:
        """The connection with the global iClient that serves it, where it names none and its connector needs one.

        Raises SettingsError where more than one could: then the connection must name the one that is meant.
        """
        if connection.iclient or not _needs_one(connection):
            return connection
        fitting = [iclient for iclient in self._global if self._fits(iclient, connection)]
        if len(fitting) > 1:
            names = ", ".join(iclient.name for iclient in fitting)
            raise SettingsError(
                f"Connection {connection.name} names no iClient, and there are several global ones: {names}."
            )
        return replace(connection, iclient=fitting[0].name) if fitting else connection

    def _fits(self, iclient: IClient, connection: Connection) -> bool:
        """Of a provider that lives in clouds, only an iClient of the connection's own cloud can be meant."""
        vault_url = connection.settings.get("vault_url")
        if not vault_url or not providers.provider(iclient.provider).uses_clouds:
            return True
        cloud = next((cloud for cloud in self._clouds if cloud.allows_vault(str(vault_url))), None)
        return cloud is None or cloud.name == iclient.cloud

    @cached_property
    def _global(self) -> list[IClient]:
        return [iclient for _, iclient in self._stored.iclients.readable() if iclient is not None and iclient.is_global]

    @cached_property
    def _clouds(self) -> list[CloudProfile]:
        return self._stored.clouds.candidates()


def with_iclient(stored: Transaction, connection: Connection) -> Connection:
    """The same for one connection. Raises SettingsError."""
    return StandIns(stored).with_iclient(connection)


def served_by(stored: Transaction, name: str) -> list[str]:
    """The connections that this iClient lets in: those that name it, and those for which it stands in."""
    stand_ins = StandIns(stored)
    standing_in = [
        connection.name
        for connection in stored.connections.all()
        if not connection.iclient and _stands_in(stand_ins, connection) == name
    ]
    return sorted({*stored.iclients.used_by(name), *standing_in})


def _stands_in(stand_ins: StandIns, connection: Connection) -> str | None:
    try:
        return stand_ins.with_iclient(connection).iclient
    except SettingsError:
        return None


def _needs_one(connection: Connection) -> bool:
    known = connection.connector in connectors.names()
    return known and bool(connectors.connector(connection.connector).descriptor.auth_types)
