"""What went wrong with the records of one run, as its page shows it: by cause, record by record, and what retries did.

A run may have a million of them: causes are found by stepping through an index, and nothing is counted past ten thousand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, func, literal, select

from integrator.store.listing_runs import MOST_COUNTED
from integrator.store.pages import Asked, Page, paged
from integrator.store.runs import OVER, UNFINISHED
from integrator.store.tables import outcomes, runs
from integrator.store.wrong_records import IS_WRONG, Only

MOST_CAUSES: Final = 50
MOST_RETRIES: Final = 20


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
    """A reason why records failed, how many did, and what one of them was told."""

    code: str
    recovery: str
    message: str
    records: int
    is_more: bool


class Tried(StrEnum):
    """What a later retry has done with a record."""

    WAITS = "waits"
    MOVED = "moved"
    WRONG_AGAIN = "wrong again"


@dataclass(frozen=True, slots=True)
class Mark:
    """A record was tried again in this run."""

    run_id: int
    tried: Tried


def causes(db: Connection, run_id: int) -> list[Cause]:
    """Why records of this run went wrong, the most frequent first. One query."""
    mine = (outcomes.c.run_id == run_id, IS_WRONG)
    first = select(func.min(outcomes.c.code).label("code")).where(*mine)
    codes = first.cte("codes", recursive=True)
    following = select(func.min(outcomes.c.code)).where(*mine, outcomes.c.code > codes.c.code).scalar_subquery()
    codes = codes.union_all(select(following).where(codes.c.code.is_not(None)))
    of_it = (*mine, outcomes.c.code == codes.c.code)
    some = select(literal(1).label("one")).where(*of_it).limit(MOST_COUNTED + 1).correlate(codes).subquery()
    many = select(func.count()).select_from(some).scalar_subquery()
    texts = [
        select(column).where(*of_it).limit(1).scalar_subquery() for column in (outcomes.c.recovery, outcomes.c.message)
    ]
    found = db.execute(select(codes.c.code, many, *texts).where(codes.c.code.is_not(None)).limit(MOST_CAUSES))
    told = [Cause(code, recovery, text, min(n, MOST_COUNTED), n > MOST_COUNTED) for code, n, recovery, text in found]
    return sorted(told, key=lambda cause: -cause.records)


def errors_page(db: Connection, run_id: int, asked: Asked) -> Page[ErrorRow]:
    """A page of what went wrong in this run: searched by key, filtered by `code`."""
    query = select(outcomes).where(outcomes.c.run_id == run_id, IS_WRONG)
    if asked.filters.get("code"):
        query = query.where(outcomes.c.code == asked.filters["code"])
    if asked.search:
        query = query.where(outcomes.c.key.contains(asked.search, autoescape=True))
    return paged(db, query, asked, {"key": outcomes.c.key}, _error, first="key", most=MOST_COUNTED)


def wrong_by_step(db: Connection, run_id: int) -> Mapping[tuple[str, str], int]:
    """How many of the first ten thousand went wrong at which step, with which code."""
    some = select(outcomes.c.step, outcomes.c.code).where(outcomes.c.run_id == run_id, IS_WRONG).limit(MOST_COUNTED)
    rows = some.subquery()
    found = db.execute(select(rows.c.step, rows.c.code, func.count()).group_by(rows.c.step, rows.c.code))
    return {(step, code): many for step, code, many in found}


def retries_of(db: Connection, run_id: int, flow_id: int) -> Sequence[Any]:
    """The last runs that tried again what went wrong in this one, the newest first: id, status, retry_only."""
    later = (runs.c.flow_id == flow_id, runs.c.id > run_id, runs.c.retry_of == run_id)
    found = select(runs.c.id, runs.c.status, runs.c.retry_only).where(*later)
    return db.execute(found.order_by(runs.c.id.desc()).limit(MOST_RETRIES)).all()


def marks(db: Connection, retries: Sequence[Any], rows: Sequence[ErrorRow]) -> dict[tuple[str, int | None], Mark]:
    """Which of these records a later run has tried again, and how that ended. One query, or none."""
    if not retries or not rows:
        return {}
    asked = (outcomes.c.run_id.in_([one.id for one in retries]), outcomes.c.key.in_({row.key for row in rows}))
    found = db.execute(select(outcomes.c.run_id, outcomes.c.key).where(*asked, IS_WRONG))
    wrong = {(run_id, key) for run_id, key in found}
    marked = {}
    for row in rows:
        if (mark := _mark(row, retries, wrong)) is not None:
            marked[row.key, row.line] = mark
    return marked


def _mark(row: ErrorRow, retries: Sequence[Any], wrong: set[tuple[int, str]]) -> Mark | None:
    for retry in retries:
        if not Only.stored(retry.retry_only).covers(row.code, row.key, row.line):
            continue
        if (retry.id, row.key) in wrong:
            return Mark(retry.id, Tried.WRONG_AGAIN)
        if retry.status in UNFINISHED:
            return Mark(retry.id, Tried.WAITS)
        if retry.status in OVER:
            return Mark(retry.id, Tried.MOVED)
    return None


def _error(row: Any) -> ErrorRow:
    return ErrorRow(row.key, row.line or None, row.step, row.code, row.recovery, row.message, row.at)
