"""How much was moved in each hour, for charts that must not read every run.

What a run did is counted whenever its worker lets go of it, in that transaction: only the difference to what was counted
of this run before. So a run that fails, is resumed and ends, or whose process was killed between two pages, counts
once; and what was counted stays when old runs are deleted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import sqlite

from connectors.model import Effect
from integrator.store.tables import moved_by_hour, runs

HOUR_SECONDS: Final = 3600
_PARTS: Final[Mapping[str, tuple[Effect, ...]]] = {
    "moved": (Effect.CREATED, Effect.UPDATED, Effect.DELETED),
    "unchanged": (Effect.UNCHANGED,),
    "failed": (Effect.FAILED, Effect.CONFLICT),
}


@dataclass(frozen=True, slots=True)
class MovedHour:
    """What was moved in the hour that begins `at`, in Unix seconds."""

    at: int
    runs: int
    moved: int
    unchanged: int
    failed: int


def count(connection: Connection, run_id: int, progress: str, counted: str, at: float) -> None:
    """Count what this run has done since `counted`; both are texts of its row, as they stand now."""
    done, before = _done(progress), json.loads(counted or "{}")
    more = {part: done[part] - before.get(part, 0) for part in _PARTS} | {"runs": 0 if counted else 1}
    if not any(more.values()):
        return
    connection.execute(update(runs).where(runs.c.id == run_id).values(counted=json.dumps(done)))
    insert = _insert(connection).values({"hour": int(at // HOUR_SECONDS), **more})
    added = {part: moved_by_hour.c[part] + insert.excluded[part] for part in more}
    connection.execute(insert.on_conflict_do_update(index_elements=["hour"], set_=added))


def moved_since(connection: Connection, since: float) -> list[MovedHour]:
    """The hours since then in which something was counted, in order."""
    query = (
        select(moved_by_hour).where(moved_by_hour.c.hour >= int(since // HOUR_SECONDS)).order_by(moved_by_hour.c.hour)
    )
    return [
        MovedHour(row.hour * HOUR_SECONDS, row.runs, row.moved, row.unchanged, row.failed)
        for row in connection.execute(query)
    ]


def _done(progress: str) -> dict[str, int]:
    counts = json.loads(progress).get("counts", {})
    return {part: sum(counts.get(effect.value, 0) for effect in effects) for part, effects in _PARTS.items()}


def _insert(connection: Connection) -> Any:
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(moved_by_hour)
    return sqlite.insert(moved_by_hour)
