"""How connections and iClients stand: what asking for tokens teaches is written down, and whoever must act is told."""

from __future__ import annotations

from typing import Final

from iclients.clock import Clock
from iclients.credentials import Credential
from iclients.errors import NotAuthorized, RemoteError
from integrator.store.connections import OFFLINE
from integrator.store.store import Store, Transaction

ONLINE: Final = "online"
NEEDS_AUTHORIZATION: Final = "needs authorization"


class ConnectionStanding:
    """One connection's state. Implements `integrator.admission.Standing`."""

    def __init__(self, store: Store, name: str, clock: Clock) -> None:
        self._store = store
        self._name = name
        self._clock = clock

    def let_in(self) -> None:
        """Online again: flows that were paused for it go on."""
        with self._store.reading() as stored:
            before = stored.connections.state(self._name)
        if before.state == ONLINE:
            return
        with self._store.writing() as stored:
            stored.connections.set_state(self._name, ONLINE, at=self._clock.now())
            stored.notices.forget(_key(self._name))
            for flow in _paused_for(stored, self._name):
                stored.flows.resume(flow)

    def unreachable(self, error: RemoteError) -> None:
        """It is let in, and still does not work: offline, with the reason."""
        with self._store.writing() as stored:
            now = self._clock.now()
            stored.connections.set_state(self._name, OFFLINE, code=error.code, message=str(error), at=now)

    def refused(self, error: NotAuthorized) -> None:
        """Nobody is asked again and again: the flows that need this connection wait, and its owners are told."""
        with self._store.writing() as stored:
            connection = stored.connections.find(self._name)
            if connection is None:
                return
            now = self._clock.now()
            stored.connections.set_state(self._name, NEEDS_AUTHORIZATION, code=error.code, message=str(error), at=now)
            for flow in stored.connections.flows_of(self._name):
                stored.flows.pause(flow, NEEDS_AUTHORIZATION, now)
            owner = connection.owner or _owner_of_iclient(stored, connection.iclient)
            stored.notices.tell(_key(self._name), owner, f"Connection {self._name} needs authorization", str(error))


class KeptSlots:
    """One iClient's credentials. Implements `iclients.grants.Slots`."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name

    def promote(self, proven: Credential) -> None:
        """The next credential becomes the current one, and an audit row says so."""
        with self._store.writing() as stored:
            stored.iclients.promote(self._name, proven)

    def swap(self, refused: Credential | None) -> None:
        """The two change places, unless another process has made them do so already."""
        with self._store.writing() as stored:
            stored.iclients.swap(self._name, refused)


def _paused_for(stored: Transaction, name: str) -> list[str]:
    """Flows of this connection that wait for it, and for no other one that needs authorization."""
    waiting = {other for other, state in stored.connections.states().items() if state.state == NEEDS_AUTHORIZATION}
    blocked = {flow for other in waiting - {name} for flow in stored.connections.flows_of(other)}
    paused = stored.flows.paused()
    return [flow for flow in stored.connections.flows_of(name) if flow in paused and flow not in blocked]


def _owner_of_iclient(stored: Transaction, name: str | None) -> str:
    iclient = stored.iclients.find(name) if name else None
    return iclient.owner if iclient else ""


def _key(name: str) -> str:
    return f"authorization/{name}"
