"""Where stored credentials go: a document may change that only if it gives the credential again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from iclients.model import IClient
from integrator.schemas import Where, Wrong, shown
from integrator.store.store import Transaction


def destinations(transaction: Transaction) -> dict[str, tuple[Any, ...]]:
    """Where the stored credential of each iClient goes, and as whose."""
    found = {}
    for iclient in transaction.iclients.all():
        if any(slot["set"] for slot in transaction.iclients.slots(iclient.name).values()):
            cloud = transaction.clouds.find(iclient.cloud)
            place = (cloud.authority, str(cloud.ca_file)) if cloud else ()
            typed = json.dumps(dict(iclient.settings), sort_keys=True, default=str)
            found[iclient.name] = (iclient.provider, iclient.tenant, iclient.client_id, typed, place)
    return found


def check(transaction: Transaction, before: Mapping[str, tuple[Any, ...]], given: Sequence[IClient]) -> None:
    """Raise Wrong where a stored credential would go somewhere else from now on: then it must be given again.

    Otherwise whoever can change a document could have a secret sent to an address of theirs.
    """
    renewed = {iclient.name: iclient for iclient in given}
    for name, now in destinations(transaction).items():
        if name in before and before[name] != now and _keeps_one(transaction, name, renewed.get(name)):
            position = next((place for place, iclient in enumerate(given) if iclient.name == name), None)
            where: Where = ("clouds",) if position is None else ("iclients", position)
            raise Wrong(
                where,
                f"{shown(where)} would send the stored credential of iClient {name} to another place: give its "
                "credential again in this document.",
            )


def _keeps_one(transaction: Transaction, name: str, given: IClient | None) -> bool:
    """Whether a slot holds something that this document does not give again."""
    return any(
        told["set"] and getattr(given, slot, None) is None for slot, told in transaction.iclients.slots(name).items()
    )
