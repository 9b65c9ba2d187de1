"""Runs as lists show them. However many there are, no page counts or sorts them all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, select

from flows.model import Progress
from integrator.store.pages import Asked, Page, paged
from integrator.store.progress import progress_from
from integrator.store.runs import OVER
from integrator.store.tables import flows, runs

RECENT: Final = 10
MOST_COUNTED: Final = 10_000
"""More of them are "more than" so many."""
MOST_FLOWS: Final = 200
"""More are not offered in a filter: they are searched."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run in a list. Times are Unix seconds."""

    id: int
    flow: str
    status: str
    counts: Mapping[str, int]
    seconds: float
    started_at: float | None
    ended_at: float | None
    error: str
    due: int | None = None
    started_by: str = ""
    retry_of: int | None = None


@dataclass(frozen=True, slots=True)
class RunNow:
    """How a run stands at this moment: what whoever watches it is told. Times are Unix seconds."""

    status: str
    fence: int
    cancel: bool
    progress: Progress
    started_at: float | None
    ended_at: float | None
    not_before: float | None


def runs_page(db: Connection, asked: Asked) -> Page[RunRow]:
    """A page of runs, the newest first: filtered by `status` and `flow`; a search is a number or a part of a flow's name."""
    query = _runs()
    if asked.filters.get("status"):
        query = query.where(runs.c.status == asked.filters["status"])
    if asked.filters.get("flow"):
        query = query.where(runs.c.flow_id == _id_of(asked.filters["flow"]))
    if asked.search:
        query = query.where(_found(asked.search))
    return paged(db, query, asked, {"run": runs.c.id}, _run, first="-run", most=MOST_COUNTED)


def recent_runs(
    db: Connection,
    statuses: Sequence[str],
    limit: int = RECENT,
    since: float | None = None,
    but: ColumnElement[bool] | None = None,
) -> list[RunRow]:
    """The newest runs that stand so, `since` then where they have ended, `but` those; without a status, the newest of all."""
    query = _runs().order_by(runs.c.id.desc()).limit(limit)
    if statuses:
        query = query.where(runs.c.status.in_(statuses))
    if since is not None:
        query = query.where(runs.c.ended_at > since)
    if but is not None:
        query = query.where(~but)
    return [_run(row) for row in db.execute(query)]


def runs_by_id(db: Connection, ids: Sequence[int]) -> dict[int, RunRow]:
    """These runs, by their ids; one query, or none."""
    return {row.id: _run(row) for row in db.execute(_runs().where(runs.c.id.in_(ids)))} if ids else {}


def run_now(db: Connection, run_id: int) -> RunNow | None:
    """How this run stands; None if there is none. One row by its number: cheap enough for every second."""
    columns = (runs.c.status, runs.c.fence, runs.c.cancel, runs.c.progress)
    times = (runs.c.started_at, runs.c.ended_at, runs.c.not_before)
    row = db.execute(select(*columns, *times).where(runs.c.id == run_id)).one_or_none()
    if row is None:
        return None
    progress = progress_from(row.progress)
    return RunNow(row.status, row.fence, row.cancel, progress, row.started_at, row.ended_at, row.not_before)


def read_last_time(db: Connection, flow_id: int, run_id: int) -> int:
    """How many records the flow's last complete run before this one has read; 0 where there was none."""
    earlier = select(runs.c.progress).where(runs.c.flow_id == flow_id, runs.c.id < run_id, runs.c.status.in_(OVER))
    found = db.scalar(earlier.order_by(runs.c.id.desc()).limit(1))
    return 0 if found is None else progress_from(found).counts["read"]


def flows_to_filter(db: Connection) -> list[str]:
    """The names of all flows, where they are few enough to choose from; else none."""
    names = db.scalars(select(flows.c.name).order_by(flows.c.name).limit(MOST_FLOWS + 1)).all()
    return list(names) if len(names) <= MOST_FLOWS else []


def _runs() -> Select[Any]:
    return select(runs, flows.c.name.label("flow")).join(flows, runs.c.flow_id == flows.c.id)


def _id_of(flow: str) -> Any:
    return select(flows.c.id).where(flows.c.name == flow).scalar_subquery()


def _found(search: str) -> Any:
    if search.isdecimal() and len(search) < 18:
        return runs.c.id == int(search)
    return flows.c.name.contains(search, autoescape=True)


def _run(row: Any) -> RunRow:
    progress = json.loads(row.progress)
    return RunRow(
        id=row.id,
        flow=row.flow,
        status=row.status,
        counts=progress.get("counts", {}),
        seconds=progress.get("seconds", 0.0),
        started_at=row.started_at,
        ended_at=row.ended_at,
        error=row.error_message,
        due=row.due,
        started_by=row.started_by,
        retry_of=row.retry_of,
    )
