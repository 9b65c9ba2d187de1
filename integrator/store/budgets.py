"""Budgets of places that are called: one row each, from which the processes of an installation take stretches.

A transaction here is a read and a write of one row or two, ten in a second for a process that is busy; it does not wait
for the disk, and only a moment for other writers. Where that is too long, whoever asked goes on alone for a while.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from connectors.shared_budget import Stretch, take_stretch
from connectors.throttle import Whole
from connectors.virtual_clock import VirtualClock
from iclients.clock import Clock
from integrator.store.database import Database, brief, reader
from integrator.store.tables import budgets

KEPT_SECONDS: Final = 86_400.0

T = TypeVar("T")

_COLUMNS: Final = (budgets.c.next, budgets.c.paused_until, budgets.c.slowdown, budgets.c.pauses, budgets.c.at)
_FIND: Final = select(*_COLUMNS).where(budgets.c.place == bindparam("of"))
_MOVE: Final = (
    update(budgets)
    .where(budgets.c.place == bindparam("of"))
    .values({column.name: bindparam(f"new_{column.name}") for column in _COLUMNS})
)


class BudgetRows:
    """The rows of one database. Close it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.engine = brief(database.engine)
        self.reader = reader(self.engine)
        self.clock = clock

    def share(self, place: str, whole: Whole | None = None) -> PlaceShare:
        """What one process sees of this place."""
        return PlaceShare(self, place, whole)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


class PlaceShare:
    """A place's row, and that of the whole that it is a part of. Implements `connectors.shared_budget.Share`."""

    def __init__(self, rows: BudgetRows, place: str, whole: Whole | None) -> None:
        self._rows, self._place, self._whole = rows, place, whole

    def take(self, seconds: float, *, answered: int, owed: float, held_seconds: float) -> Stretch | None:
        """The next stretch; of the whole, which takes several places at once, as much less."""

        def taken(connection: Connection, pace: VirtualClock, now: float) -> Stretch:
            pace.answered(answered)
            start = now + held_seconds
            if self._whole is None:
                return take_stretch(pace, now, seconds, start, owed=owed)
            everything = _found(connection, self._whole.name, now)
            stretch = take_stretch(pace, now, seconds, max(start, everything.begin(now)), owed=owed)
            take_stretch(everything, now, (stretch.end - stretch.start + owed) / self._whole.times, now)
            _keep(connection, self._whole.name, everything)
            return stretch

        return self._changed(taken)

    def look(self) -> VirtualClock | None:
        """How the place stands. Takes no lock."""
        try:
            with self._rows.reader.connect() as connection:
                return _found(connection, self._place, self._rows.clock.now())
        except DBAPIError:
            return None

    def throttled(self, retry_after_seconds: float | None) -> VirtualClock | None:
        """The system said 429. How the place stands then."""

        def paused(connection: Connection, pace: VirtualClock, now: float) -> VirtualClock:
            pace.throttled(now, retry_after_seconds)
            return replace(pace)

        return self._changed(paused)

    def _changed(self, change: Callable[[Connection, VirtualClock, float], T]) -> T | None:
        """Find, change and keep in one transaction; the time is looked at once the others have written."""
        try:
            with self._rows.engine.begin() as connection:
                now = self._rows.clock.now()
                pace = _found(connection, self._place, now)
                result = change(connection, pace, now)
                _keep(connection, self._place, pace)
                return result
        except DBAPIError:
            return None


def _found(connection: Connection, place: str, now: float) -> VirtualClock:
    row = connection.execute(_FIND, {"of": place}).one_or_none()
    if row is None:
        return VirtualClock(now)
    pace = VirtualClock(*row)
    pace.settle(now)
    return pace


def _keep(connection: Connection, place: str, pace: VirtualClock) -> None:
    values: dict[str, Any] = {
        "next": pace.next,
        "paused_until": pace.paused_until,
        "slowdown": pace.slowdown,
        "pauses": pace.pauses,
        "at": pace.at,
    }
    if not connection.execute(
        _MOVE, {"of": place, **{f"new_{name}": value for name, value in values.items()}}
    ).rowcount:
        connection.execute(delete(budgets).where(budgets.c.at < pace.at - KEPT_SECONDS))
        connection.execute(insert(budgets).values(place=place, **values))
