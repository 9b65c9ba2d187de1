"""What the first page tells, and the numbers beside the navigation: what needs somebody, in a handful of queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, exists, func, select

from flows.model import RunStatus
from integrator.store.listing_audit import unseen_notices
from integrator.store.listing_runs import RunRow, recent_runs
from integrator.store.tables import connections, flows, iclients, runs

_DAY_SECONDS: Final = 86_400.0
WENT_WRONG: Final = (RunStatus.FAILED, RunStatus.WITH_ERRORS, RunStatus.NEEDS_AUTHORIZATION)

_LATER: Final = runs.alias("later")
MENDED: Final = exists().where(
    _LATER.c.flow_id == runs.c.flow_id,
    _LATER.c.id > runs.c.id,
    _LATER.c.status == RunStatus.SUCCEEDED.value,
    _LATER.c.retry_only == "",
)
"""Whether a later run of the same flow, or a retry of all that failed, has gone well."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What waits for somebody."""

    runs: int
    """Runs of the last day that went wrong, and after which their flow has not succeeded."""
    connections: int
    """Connections that need authorization."""
    notices: int
    """Notices that nobody has seen."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many there are of each noun."""

    iclients: int
    connections: int
    flows: int
    running: int


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that a search has found."""

    noun: str
    name: str


def needs(db: Connection, now: float) -> Needs:
    """What waits for somebody, now."""
    wrong = (runs.c.status.in_(WENT_WRONG), runs.c.ended_at > now - _DAY_SECONDS, ~MENDED)
    waiting = (connections.c.state == RunStatus.NEEDS_AUTHORIZATION.value,)
    return Needs(_count(db, runs, *wrong), _count(db, connections, *waiting), unseen_notices(db))


def failures(db: Connection, now: float, limit: int) -> list[RunRow]:
    """The newest runs of the last day that went wrong, and after which their flow has not succeeded."""
    return recent_runs(db, WENT_WRONG, limit, since=now - _DAY_SECONDS, but=MENDED)


def waiting_connections(db: Connection, limit: int) -> list[str]:
    """The first connections that need authorization, by name."""
    query = select(connections.c.name).where(connections.c.state == RunStatus.NEEDS_AUTHORIZATION.value)
    return list(db.scalars(query.order_by(connections.c.name).limit(limit)))


def sizes(db: Connection) -> Sizes:
    """How many there are."""
    unfinished = runs.c.status.in_((RunStatus.RUNNING, RunStatus.WAITING))
    return Sizes(_count(db, iclients), _count(db, connections), _count(db, flows), _count(db, runs, unfinished))


def found(db: Connection, search: str, limit: int = 8) -> list[Found]:
    """Whatever has this in its name, each kind by name."""
    kinds = (("connection", connections), ("iClient", iclients), ("flow", flows))
    return [
        Found(noun, name)
        for noun, table in kinds
        for name in db.scalars(
            select(table.c.name)
            .where(table.c.name.contains(search, autoescape=True))
            .order_by(table.c.name)
            .limit(limit)
        )
    ]


def _count(db: Connection, table: object, *conditions: object) -> int:
    query = select(func.count()).select_from(table).where(*conditions)  # type: ignore[arg-type]
    return db.execute(query).scalar_one()
