"""Connections as lists show them, and which flows use them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, func, or_, select

from integrator.store.pages import Asked, Page, paged
from integrator.store.tables import connections, flows, iclients, runs


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """One connection in a list. Moments are in Unix seconds; `used_at` is the latest run of a flow that uses it, or the
    moment in which its state was learnt."""

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
    provider: str = ""
    cloud: str = ""
    flows: int = 0
    used_at: float | None = None


def connections_page(db: Connection, asked: Asked) -> Page[ConnectionRow]:
    """A page of connections: searched by name, connector and iClient; filtered by `state`, `connector`, `iclient`."""
    query = select(connections, iclients.c.provider, iclients.c.cloud).outerjoin(
        iclients, connections.c.iclient == iclients.c.name
    )
    if asked.search:
        columns = (connections.c.name, connections.c.connector, connections.c.iclient)
        query = query.where(or_(*(column.contains(asked.search, autoescape=True) for column in columns)))
    for key in ("state", "connector", "iclient"):
        if asked.filters.get(key):
            query = query.where(connections.c[key] == asked.filters[key])
    sorts = {key: connections.c[key] for key in ("name", "connector", "iclient", "state")}
    more = {"cloud": iclients.c.cloud, "since": connections.c.state_at}
    uses = _flows_of_connections(db)
    found = paged(db, query, asked, sorts | more, lambda row: _row(row, uses), first="name")
    started = _latest_starts(db, {flow for row in found.rows for flow in uses.get(row.name, ())})
    return replace(
        found, rows=[_with_use(row, [started.get(flow) for flow in uses.get(row.name, ())]) for row in found.rows]
    )


def last_used(db: Connection, users: Sequence[str], since: float | None) -> float | None:
    """When one of the flows that use a connection has run, or its state was learnt, whichever is later."""
    ids = db.scalars(select(flows.c.id).where(flows.c.name.in_(users)))
    return max([at for at in (since, *_latest_starts(db, set(ids)).values()) if at is not None], default=None)


def flows_using(db: Connection, name: str) -> list[str]:
    """The flows that use this connection, by name; only documents that have its name in them are read."""
    query = select(flows.c.name, flows.c.document).where(flows.c.document.contains(json.dumps(name), autoescape=True))
    return [
        row.name for row in db.execute(query.order_by(flows.c.name)) if name in used_by_flow(json.loads(row.document))
    ]


def used_by_flow(document: dict[str, Any]) -> set[str]:
    """The connections that a flow's document names."""
    return {*_named(document)}


def _flows_of_connections(db: Connection) -> dict[str, list[int]]:
    """The ids of the flows that use each connection."""
    found: dict[str, list[int]] = {}
    for row in db.execute(select(flows.c.id, flows.c.document)):
        for name in used_by_flow(json.loads(row.document)):
            found.setdefault(name, []).append(row.id)
    return found


def _latest_starts(db: Connection, ids: set[int]) -> dict[int, float | None]:
    """When the newest run of each flow has started; one query, which looks at one entry of the index for each flow."""
    last = select(func.max(runs.c.id)).where(runs.c.flow_id == flows.c.id).correlate(flows).scalar_subquery()
    newest = select(last).where(flows.c.id.in_(sorted(ids)))
    rows = db.execute(select(runs.c.flow_id, runs.c.started_at).where(runs.c.id.in_(newest)))
    return {row.flow_id: row.started_at for row in rows}


def _with_use(row: ConnectionRow, started: list[float | None]) -> ConnectionRow:
    return replace(row, used_at=max([at for at in (row.since, *started) if at is not None], default=None))


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


def _row(row: Any, uses: Mapping[str, Sequence[int]]) -> ConnectionRow:
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
        provider=row.provider or "",
        cloud=row.cloud or "",
        flows=len(uses.get(row.name, ())),
    )
