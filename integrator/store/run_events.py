"""What happened to a run, from the moment it was asked for until it ended; written together with what it tells.

A run that is stopped and goes on for months keeps its first event and the newest ones. Never a value: words, names of
people and workers, and the sentences of errors.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select

from integrator.store.tables import outcomes, run_events
from integrator.store.wrong_records import IS_WRONG

MOST_EVENTS: Final = 200
LONGEST_DETAIL: Final = 500


class Happened(StrEnum):
    """What can happen to a run."""

    QUEUED = "queued"
    ESTIMATED = "estimated"
    STARTED = "started"
    STOPPED = "stopped"
    RESUMED = "resumed"
    RESCUED = "rescued"
    RETRY_LATER = "retry later"
    CANCEL_ASKED = "cancel asked"
    WARNED = "warned"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One event. `at` is Unix seconds; `detail` says by whom, where, or why."""

    at: float
    event: str
    detail: str


def note(connection: Connection, run_id: int, event: Happened, detail: str = "") -> None:
    """This has happened to the run now."""
    note_all(connection, [run_id], event, detail)
    _forget_the_oldest(connection, run_id)


def note_all(connection: Connection, run_ids: Sequence[int], event: Happened, detail: str = "") -> None:
    """This is the first that happened to each of these runs."""
    if run_ids:
        told = {"at": time.time(), "event": event.value, "detail": detail[:LONGEST_DETAIL]}
        connection.execute(insert(run_events), [{"run_id": run_id, **told} for run_id in run_ids])


def note_warnings(connection: Connection, run_id: int) -> None:
    """What targets said of records that went well all the same: one event a kind, with how many and an example.

    To be called before the outcomes of what went well are forgotten.
    """
    warned = (outcomes.c.run_id == run_id, outcomes.c.code != "", ~IS_WRONG)
    told = select(func.count(), func.min(outcomes.c.message)).where(*warned).group_by(outcomes.c.code)
    for many, example in connection.execute(told.order_by(outcomes.c.code)).all():
        detail = example if many == 1 else f"{many:,} records, such as: {example}"
        note(connection, run_id, Happened.WARNED, detail)


def warnings_of(connection: Connection, run_id: int) -> list[str]:
    """What this run warned of, a sentence a kind."""
    return [event.detail for event in events_of(connection, run_id) if event.event == Happened.WARNED]


def events_of(connection: Connection, run_id: int) -> list[RunEvent]:
    """What happened to this run, the oldest first."""
    found = select(run_events).where(run_events.c.run_id == run_id).order_by(run_events.c.id)
    return [RunEvent(row.at, row.event, row.detail) for row in connection.execute(found)]


def _forget_the_oldest(connection: Connection, run_id: int) -> None:
    mine = run_events.c.run_id == run_id
    many, first = connection.execute(select(func.count(), func.min(run_events.c.id)).where(mine)).one()
    if many > MOST_EVENTS:
        oldest = select(run_events.c.id).where(mine, run_events.c.id != first).order_by(run_events.c.id)
        connection.execute(delete(run_events).where(run_events.c.id.in_(oldest.limit(many - MOST_EVENTS))))
