"""Connections as lists show them, and which flows use them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, or_, select

from integrator.store.pages import Asked, Page, paged
from integrator.store.tables import connections, flows


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """One connection in a list. `since` is in Unix seconds."""

    name: str
    connector: str
    api_type: str
    auth: str
    iclient: str
    owner: str
    place: str
    state: str
    message: str
    since: float | None
    flows: int = 0


def connections_page(db: Connection, asked: Asked) -> Page[ConnectionRow]:
    """A page of connections: searched by name, connector and iClient; filtered by `state`, `connector`, `iclient`."""
    query = select(connections)
    if asked.search:
        columns = (connections.c.name, connections.c.connector, connections.c.iclient)
        query = query.where(or_(*(column.contains(asked.search, autoescape=True) for column in columns)))
    for key in ("state", "connector", "iclient"):
        if asked.filters.get(key):
            query = query.where(connections.c[key] == asked.filters[key])
    sorts = {key: connections.c[key] for key in ("name", "connector", "iclient", "state")}
    uses = uses_of_connections(db)
    return paged(db, query, asked, sorts | {"since": connections.c.state_at}, lambda row: _row(row, uses), first="name")


def uses_of_connections(db: Connection) -> Counter[str]:
    """How many flows use each connection: one query, whatever it is asked for."""
    return Counter(name for text in db.scalars(select(flows.c.document)) for name in used_by_flow(json.loads(text)))


def flows_using(db: Connection, name: str) -> list[str]:
    """The flows that use this connection, by name; only documents that have its name in them are read."""
    query = select(flows.c.name, flows.c.document).where(flows.c.document.contains(json.dumps(name), autoescape=True))
    return [
        row.name for row in db.execute(query.order_by(flows.c.name)) if name in used_by_flow(json.loads(row.document))
    ]


def used_by_flow(document: dict[str, Any]) -> set[str]:
    """The connections that a flow's document names."""
    return {*_named(document)}


def connection_states(db: Connection) -> Counter[str]:
    """How many connections stand how."""
    query = select(connections.c.state, func.count().label("many")).group_by(connections.c.state)
    return Counter({row.state: row.many for row in db.execute(query)})


def _named(found: Any) -> Iterator[str]:
    """Every `connection` at whatever depth: exports, imports, lookups."""
    if isinstance(found, dict):
        if isinstance(found.get("connection"), str):
            yield found["connection"]
        for key, value in found.items():
            if key != "mapping":
                yield from _named(value)
    elif isinstance(found, list):
        for value in found:
            yield from _named(value)


def _row(row: Any, uses: Counter[str]) -> ConnectionRow:
    document = json.loads(row.document)
    settings = document.get("settings") or {}
    return ConnectionRow(
        name=row.name,
        connector=row.connector,
        api_type=document.get("api_type") or "",
        auth=document.get("auth") or "",
        iclient=row.iclient or "",
        owner=document.get("owner") or "",
        place=str(settings.get("vault_url") or settings.get("folder") or ""),
        state=row.state,
        message=row.state_message,
        since=row.state_at,
        flows=uses[row.name],
    )
