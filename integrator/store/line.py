"""The line: runs that wait for a worker, the oldest first, and those that a worker has, over one connection.

A run that goes back in line keeps its id, so it stands before every newer one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, exists, select, update
from sqlalchemy.dialects import sqlite

from flows.model import RunStatus
from integrator.store.flows import BY_HAND
from integrator.store.run_events import Happened, note_all
from integrator.store.tables import flows, runs

SCHEDULE: Final = "schedule"
"""Who started the runs that nobody asked for."""


@dataclass(frozen=True, slots=True)
class Due:
    """A run that is due: of which flow, and at which Unix second."""

    flow_id: int
    due: int


_OTHER: Final = runs.alias("other")
_BUSY: Final = exists().where(_OTHER.c.flow_id == runs.c.flow_id, _OTHER.c.status == RunStatus.RUNNING.value)

_MAY_RUN: Final = (flows.c.paused == "") | ((flows.c.paused == BY_HAND) & runs.c.due.is_(None))


class Line:
    """Runs that wait, in their order; the transaction around it is its user's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def join(self, due: Sequence[Due]) -> Sequence[int]:
        """A run for each of these, but where there is one already for this flow and time. Gives the new ones' ids."""
        if not due:
            return []
        made = {"status": RunStatus.WAITING.value, "started_by": SCHEDULE}
        rows = [{"flow_id": one.flow_id, "due": one.due, **made} for one in due]
        inserted = self._insert().on_conflict_do_nothing().returning(runs.c.id)
        joined = self._connection.scalars(inserted, rows).all()
        note_all(self._connection, joined, Happened.QUEUED, SCHEDULE)
        return joined

    def rejoin(self, run_id: int) -> None:
        """A run that stopped waits again, where its number stands; whoever held it last writes nothing more."""
        waits = {"status": RunStatus.WAITING.value, "fence": runs.c.fence + 1, "cancel": False, "ended_at": None}
        anew = {"not_before": None, "retries": 0, "rescues": 0, "error_code": "", "error_message": ""}
        self._connection.execute(update(runs).where(runs.c.id == run_id).values(**waits, **anew))

    def unfinished(self, flow_ids: Sequence[int]) -> dict[int, set[RunStatus]]:
        """Which of these flows have runs that wait or run."""
        stand = runs.c.status.in_((RunStatus.WAITING.value, RunStatus.RUNNING.value))
        query = select(runs.c.flow_id, runs.c.status).where(stand, runs.c.flow_id.in_(flow_ids))
        found: dict[int, set[RunStatus]] = {}
        for row in self._connection.execute(query):
            found.setdefault(row.flow_id, set()).add(RunStatus(row.status))
        return found

    def first(self, now: float) -> int | None:
        """The oldest run that may begin: its flow does not run, and its time has come.

        A paused flow does not start by itself; what a person asked for by hand runs, unless the pause waits for a
        connection.
        """
        ready = runs.c.not_before.is_(None) | (runs.c.not_before <= now)
        query = select(runs.c.id).join(flows, runs.c.flow_id == flows.c.id)
        query = query.where(runs.c.status == RunStatus.WAITING.value, ready, _MAY_RUN, ~_BUSY)
        found: int | None = self._connection.scalar(query.order_by(runs.c.id).limit(1))
        return found

    def taken(self) -> list[tuple[int, int]]:
        """Runs that somebody works on, or worked on: their ids and fences."""
        query = select(runs.c.id, runs.c.fence).where(runs.c.status == RunStatus.RUNNING.value)
        return [(row.id, row.fence) for row in self._connection.execute(query.order_by(runs.c.id))]

    def at_work(self) -> list[tuple[int, str]]:
        """The same runs: their ids, and the names of their flows."""
        query = select(runs.c.id, flows.c.name).join(flows, runs.c.flow_id == flows.c.id)
        found = self._connection.execute(query.where(runs.c.status == RunStatus.RUNNING.value).order_by(runs.c.id))
        return [(row.id, row.name) for row in found]

    def count_rescue(self, run_id: int) -> int:
        """The run's worker is gone once more. Gives how often since a page of it was stored."""
        counted = update(runs).where(runs.c.id == run_id).values(rescues=runs.c.rescues + 1)
        times: int = self._connection.execute(counted.returning(runs.c.rescues)).scalar_one()
        return times

    def forget_rescues(self, run_id: int) -> None:
        """Whoever goes on with the run begins to count anew."""
        self._connection.execute(update(runs).where(runs.c.id == run_id).values(rescues=0))

    def _insert(self) -> Any:
        if self._connection.dialect.name == "postgresql":
            from sqlalchemy.dialects import postgresql  # loading it costs everybody else 20 ms

            return postgresql.insert(runs)
        return sqlite.insert(runs)
