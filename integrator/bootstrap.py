"""The composition root: the one place where stored nouns become things that work.

A connection's name becomes a connector with its cloud, its iClient's tokens, its transport and its budget.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from connectors import registry as connectors
from connectors.connector import Access, Connector
from connectors.model import Connection
from connectors.throttle import Budget
from iclients import registry as providers
from iclients.clock import SystemClock
from iclients.clouds import BUILT_IN, CloudProfile
from iclients.grants import TOKEN_RETRYING, client_credentials
from iclients.model import IClient, Token
from iclients.retrying import IMPATIENT
from iclients.session import AuthorizedSession
from iclients.tokens import TokensInMemory
from iclients.transport import Transport
from integrator.config import Config
from integrator.store.store import Store, Transaction

DEADLINE_SECONDS: Final = 30.0
WAITED_FOR_SECONDS: Final = 10.0


class Installation:
    """One installation, opened. Close it, or use it in a `with` block.

    With `waited_for`, somebody waits for the answer: calls give up early.
    """

    def __init__(self, config: Config, *, waited_for: bool = False) -> None:
        self.config = config
        self._retrying = IMPATIENT if waited_for else None
        self._deadline_seconds = WAITED_FOR_SECONDS if waited_for else DEADLINE_SECONDS
        self.store = Store.open(config)
        self.clock = SystemClock()
        self._tokens = TokensInMemory()
        self._transports: dict[Path | None, Transport] = {}
        self._budgets: dict[str, Budget] = {}
        self._lock = threading.Lock()

    def connector(self, name: str) -> Connector:
        """The connector of this connection, ready for calls. Raises NotFoundHere, SettingsError, RemoteError."""
        with self.store.reading() as stored:
            connection = stored.connections.get(name)
            iclient = stored.iclients.get(connection.iclient) if connection.iclient else None
            cloud = _cloud(stored, connection, iclient)
        kind = connectors.connector(connection.connector)
        kind.descriptor.check(connection)
        return kind(connection, self._access(iclient, cloud))

    def close(self) -> None:
        """Close connections and database."""
        for transport in self._transports.values():
            transport.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _access(self, iclient: IClient | None, cloud: CloudProfile) -> Access:
        transport = self._transport(cloud)
        session = functools.partial(self._session, iclient, cloud, transport) if iclient else None
        return Access(
            clock=self.clock,
            fingerprint=self.store.seal.fingerprint,
            folder=Path.cwd(),
            cloud=cloud,
            transport=transport,
            session=session,
            budget=self._budget,
            retrying=self._retrying,
            scopes=iclient.scopes if iclient else (),
        )

    def _transport(self, cloud: CloudProfile) -> Transport:
        with self._lock:
            if cloud.ca_file not in self._transports:
                transport = Transport(cloud.ca_file, deadline_seconds=self._deadline_seconds)
                self._transports[cloud.ca_file] = transport
            return self._transports[cloud.ca_file]

    def _session(
        self, iclient: IClient, cloud: CloudProfile, transport: Transport, scopes: Sequence[str]
    ) -> AuthorizedSession:
        provider = providers.provider(iclient.provider)
        retrying = self._retrying or TOKEN_RETRYING

        def acquire(old: Token | None) -> Token:
            return client_credentials(iclient, provider, cloud, tuple(scopes), transport, self.clock, retrying)

        return AuthorizedSession((iclient.name, tuple(scopes)), acquire, self._tokens, self.clock)

    def _budget(self, where: str, limits: Mapping[str, int], period_seconds: float) -> Budget:
        """One budget for all connections to one place: the strictest would surprise, so the first one stays."""
        with self._lock:
            return self._budgets.setdefault(where, Budget(limits, period_seconds, self.clock))


def _cloud(stored: Transaction, connection: Connection, iclient: IClient | None) -> CloudProfile:
    """The cloud of the connection's iClient, else the one that lists its vault's host, else the public one."""
    if iclient is not None:
        return stored.clouds.get(iclient.cloud)
    vault_url = connection.settings.get("vault_url")
    return (stored.clouds.listing(str(vault_url)) if vault_url else None) or BUILT_IN["public"]
