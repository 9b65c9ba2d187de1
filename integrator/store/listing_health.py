"""What the Health page tells of schedule, workers and database, in a handful of queries."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Connection, func, select, text

from flows.model import RunStatus
from integrator.store.tables import flows, runs

LATE_SECONDS: Final = 60.0
NEXT: Final = 5
_FOLLOWING: Final = ("-wal", "-shm")


@dataclass(frozen=True, slots=True)
class NextDue:
    """A flow, and when it is due, in Unix seconds."""

    flow: str
    due: int


@dataclass(frozen=True, slots=True)
class ScheduleNow:
    """How many flows begin by themselves, how many of those should have begun, which come next, and how many runs wait."""

    scheduled: int
    paused: int
    late: int
    next: Sequence[NextDue]
    waiting: int


@dataclass(frozen=True, slots=True)
class WorkerNow:
    """A worker that has runs: host and process, and how many."""

    name: str
    runs: int


@dataclass(frozen=True, slots=True)
class DatabaseNow:
    """The database: where it is, how large, how it is written. Sizes are bytes; `mode` is None where it is no file."""

    place: str
    size: int
    wal: int
    revision: str
    journal: str
    mode: int | None

    @property
    def is_open_to_others(self) -> bool:
        """Whether other users of the machine can read the file."""
        return self.mode is not None and bool(self.mode & 0o077)


def answers(db: Connection) -> None:
    """Ask the database for one row. Raises what it fails with."""
    db.execute(text("select version_num from alembic_version")).scalar_one()


def schedule_now(db: Connection, now: float) -> ScheduleNow:
    """The schedule as it stands."""
    is_on = (flows.c.scheduled, flows.c.paused == "")
    due = select(flows.c.name, flows.c.next_due).where(flows.c.paused == "", flows.c.next_due.is_not(None))
    following = db.execute(due.order_by(flows.c.next_due, flows.c.name).limit(NEXT))
    return ScheduleNow(
        scheduled=_many(db, flows, *is_on),
        paused=_many(db, flows, flows.c.scheduled, flows.c.paused != ""),
        late=_many(db, flows, flows.c.paused == "", flows.c.next_due < now - LATE_SECONDS),
        next=[NextDue(row.name, row.next_due) for row in following],
        waiting=_many(db, runs, runs.c.status == RunStatus.WAITING.value),
    )


def workers_now(db: Connection) -> list[WorkerNow]:
    """Who works on runs, as they have written it into them."""
    query = select(runs.c.worker, func.count().label("many")).where(runs.c.status == RunStatus.RUNNING.value)
    found = db.execute(query.group_by(runs.c.worker).order_by(runs.c.worker))
    return [WorkerNow(row.worker or "the command line", row.many) for row in found]


def database_now(db: Connection) -> DatabaseNow:
    """The database as it stands."""
    url, revision = db.engine.url, str(db.execute(text("select version_num from alembic_version")).scalar_one())
    if url.get_backend_name() != "sqlite" or not url.database:
        return DatabaseNow(url.render_as_string(hide_password=True), 0, 0, revision, "", None)
    journal = str(db.exec_driver_sql("pragma journal_mode").scalar_one())
    return _file(url, revision, journal)


def _file(url: URL, revision: str, journal: str) -> DatabaseNow:
    path = Path(url.database or "")
    wal, index = (_size(path.with_name(path.name + suffix)) for suffix in _FOLLOWING)
    mode = stat.S_IMODE(path.stat().st_mode)
    return DatabaseNow(str(path.absolute()), _size(path), wal + index, revision, journal, mode)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _many(db: Connection, table: object, *conditions: object) -> int:
    query = select(func.count()).select_from(table).where(*conditions)  # type: ignore[arg-type]
    return db.execute(query).scalar_one()
