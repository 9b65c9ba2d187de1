"""Connections as a flow's form offers them: by one query, without loading any of them whole."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Connection, select

from integrator.store.tables import connections


@dataclass(frozen=True, slots=True)
class EndRow:
    """A connection that a flow could begin or end at, and how it stands."""

    name: str
    connector: str
    api_type: str
    state: str


def ends(db: Connection) -> list[EndRow]:
    """Every connection, by name."""
    columns = (connections.c.name, connections.c.connector, connections.c.document, connections.c.state)
    rows = db.execute(select(*columns).order_by(connections.c.name))
    return [EndRow(row.name, row.connector, json.loads(row.document).get("api_type", ""), row.state) for row in rows]
