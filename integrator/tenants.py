"""Tenants that iClients leave out: the system of a connection names its own, and that is remembered in this process.

What the iClient names comes first. A tenant found in this way belongs to one connection and to where it leads: two
vaults that one iClient serves may be in two tenants.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass

from connectors import registry as connectors
from connectors.model import Connection
from iclients.clouds import CloudProfile
from iclients.errors import CredentialRefused
from iclients.transport import Transport

_Key = tuple[str, str, str, str]


class Tenants:
    """What the systems of this installation have named so far."""

    def __init__(self) -> None:
        self._named: dict[_Key, str] = {}
        self._lock = threading.Lock()

    def get(self, key: _Key) -> str:
        """The tenant that is remembered; empty where none is."""
        with self._lock:
            return self._named.get(key, "")

    def keep(self, key: _Key, tenant: str) -> None:
        """Remember it; an empty one is forgotten."""
        with self._lock:
            self._named[key] = tenant


@dataclass(frozen=True, slots=True)
class OpenTenant:
    """The tenant that one connection's iClient does not name."""

    connection: Connection
    iclient: str
    cloud: CloudProfile
    transport: Transport
    tenants: Tenants

    def name(self) -> str:
        """As the system names it, asked once. Raises CredentialRefused where it names none, RemoteError where nobody
        can be asked."""
        found = self.tenants.get(self._key)
        if not found:
            kind = connectors.connector(self.connection.connector)
            found = kind.tenant_of(self.connection, self.cloud, self.transport)
            self.tenants.keep(self._key, found)
        if not found:
            raise CredentialRefused(
                f"iClient {self.iclient} has no tenant, and what connection {self.connection.name} reaches names none of "
                f"{self.cloud.authority}: name the tenant in iClient {self.iclient}.",
                code="no_tenant",
            )
        return found

    def forget(self) -> None:
        """Ask again the next time: what was named does not hold any more."""
        self.tenants.keep(self._key, "")

    @property
    def _key(self) -> _Key:
        settings = json.dumps(dict(self.connection.settings), sort_keys=True, default=str)
        return (self.connection.name, self.connection.connector, f"{self.cloud.name} {self.cloud.authority}", settings)
