"""Where stored credentials go: a document may change that only if it gives the credential again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.errors import SettingsError
from connectors.model import Connection
from iclients.model import IClient
from integrator.global_iclients import with_iclient
from integrator.places import asked_at, cloud_of, hosts, own_hosts
from integrator.schemas import Where, Wrong, shown
from integrator.store.store import Transaction


@dataclass(frozen=True, slots=True)
class Destination:
    """Who is asked with a stored credential, and the hosts of one's own that its tokens may go to."""

    asked_at: tuple[Any, ...]
    hosts: frozenset[str]

    def leads_elsewhere(self, before: Destination) -> bool:
        """Whether something would go where nothing went before."""
        return self.asked_at != before.asked_at or not self.hosts <= before.hosts


def destinations(transaction: Transaction) -> dict[str, Destination]:
    """Where the stored credential of each iClient goes, and its tokens."""
    served = list(_served(transaction))
    found = {}
    for iclient in transaction.iclients.all():
        if any(slot["set"] for slot in transaction.iclients.slots(iclient.name).values()):
            cloud = transaction.clouds.find(iclient.cloud)
            reached = [own_hosts(cloud)] if cloud else []
            reached += [
                hosts(one, cloud_of(transaction, one, iclient)) for one in served if one.iclient == iclient.name
            ]
            found[iclient.name] = Destination(asked_at(iclient, cloud), frozenset().union(*reached))
    return found


def check(transaction: Transaction, before: Mapping[str, Destination], given: Sequence[IClient]) -> None:
    """Raise Wrong where a stored credential, or a token of it, would go somewhere else from now on.

    Otherwise whoever can change a document could have a secret sent to an address of theirs.
    """
    renewed = {iclient.name: iclient for iclient in given}
    for name, now in destinations(transaction).items():
        moved = name in before and now.leads_elsewhere(before[name])
        if moved and _keeps_one(transaction, name, renewed.get(name)):
            position = next((place for place, iclient in enumerate(given) if iclient.name == name), None)
            where: Where = ("clouds",) if position is None else ("iclients", position)
            raise Wrong(
                where,
                f"{shown(where)} would send the stored credential of iClient {name} to another place: give its "
                "credential again in this document.",
            )


def _served(transaction: Transaction) -> Iterator[Connection]:
    """Every connection with the iClient that lets it in, its own or a global one."""
    for connection in transaction.connections.all():
        try:
            yield with_iclient(transaction, connection)
        except SettingsError:
            yield connection


def _keeps_one(transaction: Transaction, name: str, given: IClient | None) -> bool:
    """Whether a slot holds something that this document does not give again."""
    return any(
        told["set"] and getattr(given, slot, None) is None for slot, told in transaction.iclients.slots(name).items()
    )
