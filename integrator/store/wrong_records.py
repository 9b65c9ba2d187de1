"""Records that went wrong in a run: which they are, and which of them a retry tries again.

They stay in the outcomes of the run that they went wrong in. A retry asks for them page by page, so that a million of
them need no more memory than one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Engine, literal_column, select

from connectors.model import BadRecord, Effect, Record
from integrator.store.database import explained, reader
from integrator.store.tables import outcomes

WRONG: Final = (Effect.FAILED.value, Effect.CONFLICT.value)
"""What `runs errors` tells."""
KEYS_A_QUERY: Final = 500

IS_WRONG: Final = outcomes.c.effect.in_([literal_column(f"'{effect}'") for effect in WRONG])
"""Written out, and not bound: so SQLite sees that the indexes over such rows hold all that is asked for."""


@dataclass(frozen=True, slots=True)
class Only:
    """Which records of a run are tried again: all that went wrong; those of one cause; or one, by key and line."""

    code: str = ""
    key: str = ""
    line: int = 0

    def document(self) -> dict[str, Any]:
        """As it is told: only what is said."""
        told = {"code": self.code, "key": self.key, "line": self.line}
        return {name: value for name, value in told.items() if value}

    @property
    def text(self) -> str:
        """As it is stored."""
        return json.dumps(self.document()) if self.document() else ""

    @classmethod
    def stored(cls, text: str) -> Only:
        """As it was stored."""
        return cls(**json.loads(text)) if text else cls()

    def covers(self, code: str, key: str, line: int | None) -> bool:
        """Whether a record that went wrong so is among them."""
        if self.key:
            return self.key == key and self.line in (0, line or 0)
        return not self.code or self.code == code

    def conditions(self, run_id: int) -> list[ColumnElement[bool]]:
        """What is true of their rows in this run."""
        found = [outcomes.c.run_id == run_id, IS_WRONG]
        if self.code:
            found.append(outcomes.c.code == self.code)
        if self.key:
            found.append(outcomes.c.key == self.key)
        if self.line:
            found.append(outcomes.c.line == self.line)
        return found


def any_wrong(connection: Connection, run_id: int, only: Only) -> bool:
    """Whether anything of this run can be tried again."""
    return connection.execute(select(outcomes.c.key).where(*only.conditions(run_id)).limit(1)).first() is not None


class WrongRecords:
    """Those of one earlier run. Implements `flows.retried.Retried`.

    A file's record is found by its line, too: whoever mends it may give it another name.
    """

    def __init__(self, engine: Engine, run_id: int, only: Only) -> None:
        self._engine = engine
        self._reader = reader(engine)
        self._conditions = only.conditions(run_id)

    def among(self, records: Sequence[Record | BadRecord]) -> Sequence[bool]:
        """For each of these whether it went wrong then. Raises StoreError."""
        with explained(self._engine.url), self._reader.connect() as connection:
            keys = self._found(connection, outcomes.c.key, sorted({record.key for record in records}))
            lines = self._found(connection, outcomes.c.line, sorted({record.line for record in records if record.line}))
        return [record.key in keys or record.line in lines for record in records]

    def _found(self, connection: Connection, column: Column[Any], wanted: Sequence[Any]) -> set[Any]:
        found: set[Any] = set()
        for first in range(0, len(wanted), KEYS_A_QUERY):
            asked = column.in_(wanted[first : first + KEYS_A_QUERY])
            found.update(connection.scalars(select(column).where(*self._conditions, asked)))
        return found
