"""A trial: a connection that is not stored is pinged as if it were, and nothing of that is remembered.

Whoever changes a connection sees whether it works before it is saved, and what there is to choose from. The consent of the stored connection of its name
serves, where there is one; the state of that connection, and its iClient's slots, stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from connectors import registry as connectors
from connectors.connector import Connector
from connectors.model import Connection, Ping
from iclients.credentials import Credential
from iclients.errors import NotAuthorized, RemoteError
from integrator.admission import Admission, Sessions
from integrator.bootstrap import Installation
from integrator.global_iclients import with_iclient
from integrator.pinging import needs_of
from integrator.places import cloud_of


def tried(installation: Installation, connection: Connection) -> Ping:
    """What the ping says, with all that was looked at. Raises RemoteError, SettingsError, NotFoundHere."""
    connector = _connector(installation, connection)
    connector.needs = needs_of(installation, connection.name)
    return connector.ping()


def choices(installation: Installation, connection: Connection, setting: str) -> Sequence[tuple[str, str]]:
    """What can be chosen for this setting: values with titles. Raises RemoteError, SettingsError, NotFoundHere."""
    without = {name: value for name, value in connection.settings.items() if name != setting}
    return _connector(installation, replace(connection, settings=without)).choices(setting)


def _connector(installation: Installation, connection: Connection) -> Connector:
    with installation.store.reading() as stored:
        connection = with_iclient(stored, connection)
        iclient = stored.iclients.get(connection.iclient) if connection.iclient else None
        cloud = cloud_of(stored, connection, iclient)
        is_stored = stored.connections.find(connection.name) is not None
    kind = connectors.connector(connection.connector)
    kind.descriptor.check(connection)
    access = installation.access(connection, None, cloud)
    if iclient is not None:
        admission = _unremembered(installation.admission_of(connection, iclient, cloud))
        if admission.needs_consent and not (is_stored and admission.keeper.get()):
            raise NotAuthorized(
                f"Nobody has consented for connection {connection.name or 'that is being made'} yet: save and authorize "
                "it, which tests it, too.",
                code="not_consented",
            )
        access = replace(access, session=admission.session, scopes=iclient.scopes)
    return kind(connection, access)


def _unremembered(admission: Admission) -> Admission:
    return replace(admission, standing=_Nowhere(), slots=_AsTheyAre(), sessions=Sessions())


class _Nowhere:
    """Forgets how a connection stands."""

    def let_in(self) -> None:
        """Not written down."""

    def refused(self, error: NotAuthorized) -> None:
        """Not written down."""

    def unreachable(self, error: RemoteError) -> None:
        """Not written down."""


class _AsTheyAre:
    """Changes no slot."""

    def promote(self, proven: Credential) -> None:
        """Not now: the next call of a stored connection does."""

    def swap(self, refused: Credential | None) -> None:
        """Likewise."""
