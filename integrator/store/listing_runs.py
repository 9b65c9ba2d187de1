"""Runs and flows as lists show them, and what went wrong with the records of one run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, func, or_, select

from integrator.store.pages import Asked, Page, paged
from integrator.store.runs import WRONG
from integrator.store.tables import flows, outcomes, runs

RECENT: Final = 10


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


@dataclass(frozen=True, slots=True)
class FlowRow:
    """One flow in a list, with its last run, if it has run."""

    name: str
    source: str
    target: str
    cron: str
    timezone: str
    paused: str
    last: RunRow | None


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """What went wrong with one record. Never a value."""

    key: str
    line: int | None
    step: str
    code: str
    recovery: str
    message: str
    at: float


@dataclass(frozen=True, slots=True)
class Cause:
    """A reason why records failed, and how many did."""

    code: str
    recovery: str
    records: int


def runs_page(db: Connection, asked: Asked) -> Page[RunRow]:
    """A page of runs, the newest first: filtered by `status` and `flow`; a search is a number or a part of a flow's name."""
    query = _runs()
    if asked.filters.get("status"):
        query = query.where(runs.c.status == asked.filters["status"])
    if asked.filters.get("flow"):
        query = query.where(runs.c.flow_id == _id_of(asked.filters["flow"]))
    if asked.search:
        query = query.where(_found(asked.search))
    sorts = {"run": runs.c.id, "started": runs.c.started_at, "flow": flows.c.name}
    return paged(db, query, asked, sorts, _run, first="-run")


def recent_runs(db: Connection, statuses: Sequence[str], limit: int = RECENT) -> list[RunRow]:
    """The newest runs that stand so; without a status, the newest of all."""
    query = _runs().order_by(runs.c.id.desc()).limit(limit)
    if statuses:
        query = query.where(runs.c.status.in_(statuses))
    return [_run(row) for row in db.execute(query)]


def run_row(db: Connection, run_id: int) -> RunRow | None:
    """This run; None if there is none."""
    row = db.execute(_runs().where(runs.c.id == run_id)).one_or_none()
    return None if row is None else _run(row)


def flows_page(db: Connection, asked: Asked) -> Page[FlowRow]:
    """A page of flows: searched by name and connections; filtered by `state` (on, paused). Three queries."""
    query = select(flows, _last_run_id().label("last_run"))
    if asked.search:
        columns = (flows.c.name, flows.c.document)
        query = query.where(or_(*(column.contains(asked.search, autoescape=True) for column in columns)))
    if asked.filters.get("state") in ("on", "paused"):
        query = query.where(flows.c.paused != "" if asked.filters["state"] == "paused" else flows.c.paused == "")
    found = paged(db, query, asked, {"name": flows.c.name}, lambda row: row, first="name")
    last = _runs_by_id(db, [row.last_run for row in found.rows if row.last_run is not None])
    return Page([_flow(row, last.get(row.last_run)) for row in found.rows], found.total, asked)


def causes(db: Connection, run_id: int) -> list[Cause]:
    """Why records of this run failed, the most frequent first."""
    many = func.count().label("many")
    query = select(outcomes.c.code, outcomes.c.recovery, many).where(*_wrong(run_id))
    grouped = query.group_by(outcomes.c.code, outcomes.c.recovery).order_by(many.desc(), outcomes.c.code)
    return [Cause(row.code, row.recovery, row.many) for row in db.execute(grouped)]


def errors_page(db: Connection, run_id: int, asked: Asked) -> Page[ErrorRow]:
    """A page of what went wrong in this run: searched by key, filtered by `code`."""
    query = select(outcomes).where(*_wrong(run_id))
    if asked.filters.get("code"):
        query = query.where(outcomes.c.code == asked.filters["code"])
    if asked.search:
        query = query.where(outcomes.c.key.contains(asked.search, autoescape=True))
    return paged(db, query, asked, {"key": outcomes.c.key, "line": outcomes.c.line}, _error, first="key")


def _wrong(run_id: int) -> tuple[Any, Any]:
    return outcomes.c.run_id == run_id, outcomes.c.effect.in_(WRONG)


def _runs() -> Select[Any]:
    return select(runs, flows.c.name.label("flow")).join(flows, runs.c.flow_id == flows.c.id)


def _id_of(flow: str) -> Any:
    return select(flows.c.id).where(flows.c.name == flow).scalar_subquery()


def _last_run_id() -> Any:
    return select(func.max(runs.c.id)).where(runs.c.flow_id == flows.c.id).correlate(flows).scalar_subquery()


def _found(search: str) -> Any:
    if search.isdecimal() and len(search) < 18:
        return runs.c.id == int(search)
    return flows.c.name.contains(search, autoescape=True)


def _runs_by_id(db: Connection, ids: Sequence[int]) -> dict[int, RunRow]:
    return {row.id: _run(row) for row in db.execute(_runs().where(runs.c.id.in_(ids)))} if ids else {}


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
    )


def _flow(row: Any, last: RunRow | None) -> FlowRow:
    document = json.loads(row.document)
    exports, steps = document.get("exports") or [{}], document.get("steps") or [{}]
    schedule = document.get("schedule") or {}
    target = steps[-1].get("import") or steps[-1]
    return FlowRow(
        name=row.name,
        source=str(exports[0].get("connection", "")),
        target=str(target.get("connection", "")),
        cron=schedule.get("cron", ""),
        timezone=schedule.get("timezone", "UTC"),
        paused=row.paused,
        last=last,
    )


def _error(row: Any) -> ErrorRow:
    return ErrorRow(row.key, row.line or None, row.step, row.code, row.recovery, row.message, row.at)
