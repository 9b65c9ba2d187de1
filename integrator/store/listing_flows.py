"""Flows as lists show them, with how each one went last, and which of them meet at the same place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, case, func, or_, select

from integrator.store.listing_runs import RunRow, runs_by_id
from integrator.store.pages import Asked, Page, paged
from integrator.store.tables import flows, runs

MOST_NEIGHBOURS: Final = 50
NEVER: Final = "never"
"""The last result of a flow that has not run."""
STATES: Final = {
    "on": (flows.c.paused == "", flows.c.scheduled),
    "by hand": (flows.c.paused == "", ~flows.c.scheduled),
    "paused": (flows.c.paused != "",),
}
_LAST: Final = runs.alias("last")
_LAST_ID: Final = select(func.max(runs.c.id)).where(runs.c.flow_id == flows.c.id).correlate(flows).scalar_subquery()
_LAST_STATUS: Final = (
    select(_LAST.c.status)
    .where(_LAST.c.flow_id == flows.c.id)
    .order_by(_LAST.c.id.desc())
    .limit(1)
    .correlate(flows)
    .scalar_subquery()
)
_NEXT: Final = func.coalesce(case((flows.c.paused == "", flows.c.next_due)), 2**62)
"""What is not due at all comes last."""


@dataclass(frozen=True, slots=True)
class FlowRow:
    """One flow in a list, with its last run, if it has run. `next_due` is in Unix seconds."""

    name: str
    source: str
    target: str
    cron: str
    timezone: str
    paused: str
    next_due: int | None
    last: RunRow | None

    @property
    def state(self) -> str:
        """Its chip: whether it starts by itself."""
        return "paused" if self.paused else "on" if self.cron else "by hand"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another flow that meets this one: what it does there, in words."""

    name: str
    words: str


def flows_page(db: Connection, asked: Asked) -> Page[FlowRow]:
    """A page of flows: searched by name and connections; filtered by `state` and by `last`, the last run's status.

    Three queries. Sorted by `name`, by `next` (when it is due) and by `last` (when it ran).
    """
    query = select(flows, _LAST_ID.label("last_run"))
    if asked.search:
        columns = (flows.c.name, flows.c.document)
        query = query.where(or_(*(column.contains(asked.search, autoescape=True) for column in columns)))
    query = _filtered(query.where(*STATES.get(asked.filters.get("state", ""), ())), asked.filters.get("last", ""))
    sorts: dict[str, Any] = {"name": flows.c.name, "next": _NEXT, "last": _LAST_ID}
    found = paged(db, query, asked, sorts, lambda row: row, first="name")
    last = runs_by_id(db, [row.last_run for row in found.rows if row.last_run is not None])
    return Page([_flow(row, last.get(row.last_run)) for row in found.rows], found.total, asked)


def neighbours(db: Connection, name: str, connection: str, resource: str) -> Sequence[Neighbour]:
    """Other flows that read or write the resource that this one writes, the first by name; one query.

    No more than `MOST_NEIGHBOURS` documents are read: where thousands meet, a few say so.
    """
    named = (json.dumps(one)[1:-1] for one in (connection, resource))
    query = select(flows.c.name, flows.c.document).where(
        flows.c.name != name, *(flows.c.document.contains(one, autoescape=True) for one in named)
    )
    found = []
    for row in db.execute(query.order_by(flows.c.name).limit(MOST_NEIGHBOURS)):
        source, target = _ends(json.loads(row.document))
        there = {"connection": connection, "resource": resource}
        if there.items() <= target.items():
            found.append(Neighbour(row.name, "writes there too"))
        if there.items() <= source.items():
            found.append(Neighbour(row.name, "reads what this flow writes"))
    return found


def _filtered(query: Select[Any], last: str) -> Select[Any]:
    if not last:
        return query
    return query.where(_LAST_ID.is_(None) if last == NEVER else _LAST_STATUS.in_([last]))


def _ends(document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    exports, steps = document.get("exports") or [{}], document.get("steps") or [{}]
    return exports[0], next(iter(steps[-1].values()), {})


def _flow(row: Any, last: RunRow | None) -> FlowRow:
    document = json.loads(row.document)
    source, target = _ends(document)
    schedule = document.get("schedule") or {}
    return FlowRow(
        name=row.name,
        source=str(source.get("connection", "")),
        target=str(target.get("connection", "")),
        cron=schedule.get("cron", ""),
        timezone=schedule.get("timezone", "UTC"),
        paused=row.paused,
        next_due=None if row.paused else row.next_due,
        last=last,
    )
