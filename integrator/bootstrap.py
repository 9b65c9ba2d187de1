"""The composition root: the one place where stored nouns become things that work.

A connection's name becomes a connector with its cloud, its iClient's tokens, its transport and its budget.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from connectors import registry as connectors
from connectors.connector import Access, Connector
from connectors.errors import SettingsError
from connectors.model import Connection
from connectors.shared_budget import SharedBudget
from connectors.throttle import Budget, Whole
from iclients import registry as providers
from iclients.clock import SystemClock
from iclients.clouds import BUILT_IN, CloudProfile
from iclients.credentials import ManagedIdentity
from iclients.grants import TOKEN_RETRYING
from iclients.model import IClient
from iclients.retrying import IMPATIENT
from iclients.transport import Transport
from integrator.admission import CONSENTED, Admission, Sessions
from integrator.config import Config
from integrator.global_iclients import with_iclient
from integrator.places import cloud_of, place
from integrator.queue import EmbeddedQueue, Queue
from integrator.standing import ConnectionStanding, KeptSlots
from integrator.store.budgets import BudgetRows
from integrator.store.consents import KeptConsent
from integrator.store.store import Store
from integrator.tenants import OpenTenant, Tenants
from integrator.vitals import Vitals

DEADLINE_SECONDS: Final = 30.0
WAITED_FOR_SECONDS: Final = 10.0
SHARED_UP_TO: Final = 5_000.0
"""Calls a second: a budget of more is not shared, because all processes together do not reach it."""


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
        self.queue: Queue = EmbeddedQueue(self.store)
        """Where runs that are started by hand wait. Who also has workers puts theirs here, so that they are woken."""
        self.vitals: Callable[[], Vitals] | None = None
        """How the worker of this process is; None where it has none."""
        self.progress: Callable[[str], None] | None = None
        """Who is told what a connector waits for; None: nobody."""
        self._sessions = Sessions()
        self._tenants = Tenants()
        self._transports: dict[Path | None, Transport] = {}
        self._budgets: dict[str, Budget] = {}
        self._budget_rows = BudgetRows(self.store.database, self.clock)
        self._lock = threading.Lock()

    def connector(self, name: str) -> Connector:
        """The connector of this connection, ready for calls. Raises NotFoundHere, SettingsError, RemoteError."""
        connection, iclient, cloud = self._found(name)
        kind = connectors.connector(connection.connector)
        kind.descriptor.check(connection)
        return kind(connection, self.access(connection, iclient, cloud))

    def admission(self, name: str) -> Admission:
        """How this connection is let in. Raises NotFoundHere; SettingsError where it needs no iClient."""
        connection, iclient, cloud = self._found(name)
        if iclient is None:
            raise SettingsError(f"Connection {name} has no iClient, so there is nothing to authorize.")
        return self.admission_of(connection, iclient, cloud)

    def access(self, connection: Connection, iclient: IClient | None, cloud: CloudProfile) -> Access:
        """What this connection, stored or not, is given to work with."""
        return Access(
            clock=self.clock,
            fingerprint=self.store.seal.fingerprint,
            folder=Path.cwd(),
            cloud=cloud,
            transport=self._system_transport(iclient, cloud),
            session=self.admission_of(connection, iclient, cloud).session if iclient else None,
            budget=self._budget,
            retrying=self._retrying,
            scopes=iclient.scopes if iclient else (),
            tenant=(iclient.tenant or "") if iclient else "",
            progress=self.progress,
        )

    def admission_of(self, connection: Connection, iclient: IClient, cloud: CloudProfile) -> Admission:
        """How this connection, stored or not, is let in."""
        return Admission(
            connection=connection,
            iclient=iclient,
            cloud=cloud,
            transport=self._transport(_ca_file(iclient) or cloud.ca_file),
            keeper=KeptConsent(self.store, connection.name, self.clock),
            slots=KeptSlots(self.store, iclient.name),
            standing=ConnectionStanding(self.store, connection.name, self.clock),
            place=place(connection, iclient, cloud),
            sessions=self._sessions,
            clock=self.clock,
            retrying=self._retrying or TOKEN_RETRYING,
            tenant=self._open_tenant(connection, iclient, cloud),
        )

    def close(self) -> None:
        """Close connections and database."""
        for transport in self._transports.values():
            transport.close()
        self._budget_rows.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _found(self, name: str) -> tuple[Connection, IClient | None, CloudProfile]:
        with self.store.reading() as stored:
            connection = with_iclient(stored, stored.connections.get(name))
            iclient = stored.iclients.get(connection.iclient) if connection.iclient else None
            return connection, iclient, cloud_of(stored, connection, iclient)

    def _open_tenant(self, connection: Connection, iclient: IClient, cloud: CloudProfile) -> OpenTenant | None:
        """Where a token needs a tenant that the iClient does not name; a managed identity has its own."""
        is_managed = isinstance(iclient.credential, ManagedIdentity) and connection.auth not in CONSENTED
        if iclient.tenant or is_managed or not providers.provider(iclient.provider).has_tenants:
            return None
        return OpenTenant(connection, iclient.name, cloud, self._system_transport(iclient, cloud), self._tenants)

    def _system_transport(self, iclient: IClient | None, cloud: CloudProfile) -> Transport:
        return self._transport(cloud.ca_file or (None if cloud.name in BUILT_IN else _ca_file(iclient)))

    def _transport(self, ca_file: Path | None) -> Transport:
        with self._lock:
            if ca_file not in self._transports:
                self._transports[ca_file] = Transport(ca_file, deadline_seconds=self._deadline_seconds)
            return self._transports[ca_file]

    def _budget(
        self, where: str, limits: Mapping[str, int], period_seconds: float, whole: Whole | None = None, /
    ) -> Budget:
        """One budget for all connections to one place, in every process: of several figures the first ones stay."""
        with self._lock:
            if where not in self._budgets:
                self._budgets[where] = self._new_budget(where, limits, period_seconds, whole)
            return self._budgets[where]

    def _new_budget(self, where: str, limits: Mapping[str, int], period_seconds: float, whole: Whole | None) -> Budget:
        if max(limits.values()) / period_seconds > SHARED_UP_TO:
            return Budget(limits, period_seconds, self.clock)
        return SharedBudget(limits, period_seconds, self.clock, self._budget_rows.share(where, whole))


def _ca_file(iclient: IClient | None) -> Path | None:
    """Whom the iClient's provider is trusted by; the system that its tokens are for is often its neighbour."""
    typed = iclient.settings.get("ca_file") if iclient else None
    return Path(typed) if typed else None
