"""The journal of one run in the database: every page is one transaction, under the run's fence.

Statements are made once, when this module is loaded; those that carry many rows are compiled once an engine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Engine, Table, bindparam, delete, select, update
from sqlalchemy.dialects import sqlite

from connectors.model import Known
from flows.errors import Fenced
from flows.journal import WHOLE, Settled
from flows.model import Cursor, Outcome, Progress
from integrator.store.database import explained, reader
from integrator.store.progress import progress_from, progress_text
from integrator.store.tables import ledger, outcomes, runs

KEYS_A_QUERY: Final = 500
KEYS_A_FETCH: Final = 1_000

_NOTHING_KNOWN: Final = ("", "", "", False)

_OUTDATED: Final = delete(ledger).where(
    ledger.c.target == bindparam("at"), ledger.c.key == WHOLE, ledger.c.flow_id != bindparam("mine")
)
"""What other flows remember of a file that this one has just replaced: it is ours all the same."""
_OURS: Final = (runs.c.id == bindparam("run"), runs.c.fence == bindparam("held"), runs.c.status == "running")
_START: Final = select(runs.c.cursor, runs.c.progress).where(*_OURS)
_HOLD: Final = select(runs.c.id).where(*_OURS).with_for_update()
_ADVANCE: Final = (
    update(runs)
    .where(*_OURS)
    .values(cursor=bindparam("next_cursor"), progress=bindparam("next_progress"), rescues=0)
    .returning(runs.c.cancel)
)
_RESTART: Final = update(runs).where(*_OURS).values(cursor=None, progress="{}").returning(runs.c.id)
_FORGET: Final = delete(outcomes).where(outcomes.c.run_id == bindparam("run"))
_KEYS: Final = select(outcomes.c.target_key).where(outcomes.c.run_id == bindparam("run"))
_KNOWN: Final = select(ledger).where(
    ledger.c.target == bindparam("at"), ledger.c.key.in_(bindparam("wanted", expanding=True))
)


class DatabaseJournal:
    """What one claimed run remembers. Implements `flows.journal.Journal`."""

    def __init__(self, engine: Engine, run_id: int, flow_id: int, fence: int) -> None:
        self._engine = engine
        self._reader = reader(engine)
        self._flow_id = flow_id
        self._run_id = run_id
        self._claim = {"run": run_id, "held": fence}
        self._note_outcomes, self._note_entries, self._note_intents = _upserts(engine.dialect)

    def start(self) -> tuple[Cursor | None, Progress]:
        with explained(self._engine.url), self._reader.connect() as connection:
            row = self._mine(connection.execute(_START, self._claim).one_or_none())
        return json.loads(row.cursor) if row.cursor else None, progress_from(row.progress)

    def restart(self) -> None:
        with self._writing() as connection:
            self._mine(connection.execute(_RESTART, self._claim).one_or_none())
            connection.execute(_FORGET, {"run": self._run_id})

    def keys(self) -> Iterable[str]:
        with self._reading() as connection:
            options = {"yield_per": KEYS_A_FETCH}
            yield from connection.execute(_KEYS, {"run": self._run_id}, execution_options=options).scalars()

    def known(self, target: str, keys: Sequence[str]) -> Mapping[str, Known]:
        found: dict[str, Known] = {}
        with self._reading() as connection:
            for first in range(0, len(keys), KEYS_A_QUERY):
                wanted = {"at": target, "wanted": keys[first : first + KEYS_A_QUERY]}
                self._learn(found, connection.execute(_KNOWN, wanted))
        return found

    def intend(self, target: str, fingerprints: Mapping[str, str]) -> None:
        rows = [(self._flow_id, target, key, *_NOTHING_KNOWN, value) for key, value in fingerprints.items()]
        with self._writing() as connection:
            self._mine(connection.execute(_HOLD, self._claim).one_or_none())
            self._note_intents(connection, rows)

    def commit(self, target: str, page: Settled) -> bool:
        state = {"next_cursor": json.dumps(page.cursor), "next_progress": progress_text(page.progress)}
        now = time.time()
        outcome_rows = [self._outcome_row(outcome, now) for outcome in page.outcomes]
        entry_rows = [self._entry_row(target, key, known) for key, known in page.entries.items()]
        with self._writing() as connection:
            row = self._mine(connection.execute(_ADVANCE, {**self._claim, **state}).one_or_none())
            self._note_outcomes(connection, outcome_rows)
            self._note_entries(connection, entry_rows)
            if WHOLE in page.entries:
                connection.execute(_OUTDATED, {"at": target, "mine": self._flow_id})
        return not row.cancel

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with explained(self._engine.url), self._reader.connect() as connection:
            self._mine(connection.execute(_START, self._claim).one_or_none())
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with explained(self._engine.url), self._engine.begin() as connection:
            yield connection

    def _mine(self, row: Any) -> Any:
        if row is None:
            raise Fenced(f"run {self._run_id}")
        return row

    def _learn(self, found: dict[str, Known], rows: Iterable[Any]) -> None:
        for row in rows:
            if row.flow_id == self._flow_id:
                owned = row.owned or (row.key in found and found[row.key].owned)
                found[row.key] = Known(row.fingerprint, row.marker, row.source_marker, owned, row.intent)
            elif row.owned:
                found.setdefault(row.key, Known()).owned = True

    def _outcome_row(self, outcome: Outcome, now: float) -> tuple[Any, ...]:
        told = (outcome.effect.value, outcome.step, outcome.code, outcome.recovery, outcome.message, outcome.target_key)
        return (self._run_id, outcome.key, outcome.line or 0, *told, now)

    def _entry_row(self, target: str, key: str, known: Known) -> tuple[Any, ...]:
        remembered = (known.fingerprint, known.marker, known.source_marker, known.owned)
        return (self._flow_id, target, key, *remembered, "")


@lru_cache(maxsize=8)
def _upserts(dialect: Dialect) -> tuple[_Upsert, _Upsert, _Upsert]:
    outcome_columns = [column.name for column in outcomes.columns]
    entry_columns = [column.name for column in ledger.columns]
    return (
        _Upsert(dialect, outcomes, outcome_columns),
        _Upsert(dialect, ledger, entry_columns),
        _Upsert(dialect, ledger, entry_columns, "intent"),
    )


class _Upsert:
    """Inserts rows; where the key is there already, replaces the other columns (or `only` these).

    Compiled once and handed to the driver as it is: going through SQLAlchemy's binds again for every row would double
    the time a page takes.
    """

    def __init__(self, dialect: Dialect, table: Table, columns: Sequence[str], *only: str) -> None:
        statement = _insert(dialect, table)
        keys = [column.name for column in table.primary_key]
        replaced = only or [name for name in columns if name not in keys]
        changes = {name: statement.excluded[name] for name in replaced}
        compiled = statement.on_conflict_do_update(index_elements=keys, set_=changes).compile(
            dialect=dialect, column_keys=list(columns)
        )
        self._text = str(compiled)
        self._is_positional = compiled.positional
        self._columns = columns

    def __call__(self, connection: Connection, rows: list[tuple[Any, ...]]) -> None:
        if not rows:
            return
        if self._is_positional:
            connection.exec_driver_sql(self._text, rows)
        else:
            connection.exec_driver_sql(self._text, [dict(zip(self._columns, row, strict=True)) for row in rows])


def _insert(dialect: Dialect, table: Table) -> Any:
    if dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    return sqlite.insert(table)
