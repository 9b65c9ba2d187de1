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
    """Flows that waited for this connection and wait for no other one that needs authorization; also those that have
    been changed meanwhile, and whose connections all work."""
    others = {other: told.state for other, told in stored.connections.states().items() if other != name}
    uses = {other: stored.connections.flows_of(other) for other, state in others.items() if state != ONLINE}
    blocked = {flow for other, flows in uses.items() if others[other] == NEEDS_AUTHORIZATION for flow in flows}
    unsure = {flow for flows in uses.values() for flow in flows} - {*stored.connections.flows_of(name)}
    paused = [flow for flow, code in stored.flows.paused().items() if code == NEEDS_AUTHORIZATION]
    return [flow for flow in paused if flow not in blocked | unsure]


def _owner_of_iclient(stored: Transaction, name: str | None) -> str:
    iclient = stored.iclients.find(name) if name else None
    return iclient.owner if iclient else ""


def _key(name: str) -> str:
    return f"authorization/{name}"
