"""What a flow remembers of its destination, for whoever only looks: no run is claimed for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from integrator.store.database import Database, explained
from integrator.store.journal import DatabaseJournal


class Remembered(DatabaseJournal):
    """A journal that is read outside of a run: `known` works, all else raises Fenced."""

    def __init__(self, database: Database, flow_id: int) -> None:
        super().__init__(database.engine, 0, flow_id, 0)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with explained(self._engine.url), self._reader.connect() as connection:
            yield connection
