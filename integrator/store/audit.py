"""Audit: who changed what, and when, written in the transaction that changes it. It holds names and codes, no values."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from iclients.clock import Clock
from integrator.errors import NotFoundHere
from integrator.store.moments import iso
from integrator.store.tables import audit

ACTOR_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One change. `at` is in Unix seconds."""

    id: int
    at: float
    actor: str
    action: str
    noun: str
    name: str
    detail: Mapping[str, Any]

    def document(self) -> dict[str, Any]:
        """As `audit show --json` prints it."""
        told = {"id": self.id, "at": iso(self.at), "actor": self.actor, "action": self.action}
        return {**told, "noun": self.noun, "name": self.name, "detail": dict(self.detail)}


class Audit:
    """The audit over one connection; the transaction around it is its user's. `actor` is who acts in it."""

    def __init__(self, connection: Connection, actor: str, clock: Clock) -> None:
        self.actor = actor[:ACTOR_CHARACTERS]
        self._connection = connection
        self._clock = clock

    def now(self) -> float:
        """The moment that the next row will have."""
        return self._clock.now()

    def record(self, action: str, noun: str, name: str, detail: Mapping[str, Any] | None = None) -> int:
        """Somebody has done this to the noun of this name; the row's id. `detail` is plain JSON and never holds a value."""
        told = {"action": action, "noun": noun, "name": name, "detail": _text(detail or {})}
        made = self._connection.execute(insert(audit).values(at=self.now(), actor=self.actor, **told))
        (row_id,) = made.inserted_primary_key or (0,)
        return int(row_id)

    def complete(self, row_id: int, detail: Mapping[str, Any]) -> None:
        """How it ended, of a row that was written before it was done."""
        self._connection.execute(update(audit).where(audit.c.id == row_id).values(detail=_text(detail)))

    def withdraw(self, row_id: int) -> None:
        """Take a row back that was written before something that then was not begun."""
        self._connection.execute(delete(audit).where(audit.c.id == row_id))

    def list(self, limit: int = 200, before: int | None = None) -> Sequence[AuditRow]:
        """Rows, the newest first; with `before`, only those older than the row of this id."""
        query = select(audit).order_by(audit.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(audit.c.id < before)
        return [_row(row) for row in self._connection.execute(query)]

    def newest(self, action: str, noun: str, name: str) -> AuditRow | None:
        """The newest row of this action on the noun of this name."""
        query = select(audit).where(audit.c.action == action, audit.c.noun == noun, audit.c.name == name)
        found = self._connection.execute(query.order_by(audit.c.id.desc()).limit(1)).one_or_none()
        return None if found is None else _row(found)

    def latest(self, action: str, noun: str, name: str, limit: int) -> Sequence[AuditRow]:
        """The newest rows of this action on the noun of this name, the newest first."""
        query = select(audit).where(audit.c.action == action, audit.c.noun == noun, audit.c.name == name)
        return [_row(row) for row in self._connection.execute(query.order_by(audit.c.id.desc()).limit(limit))]

    def get(self, row_id: int) -> AuditRow:
        """This row. Raises NotFoundHere."""
        found = self._connection.execute(select(audit).where(audit.c.id == row_id)).one_or_none()
        if found is None:
            raise NotFoundHere(f"There is no audit row {row_id}: `integrator audit list` shows those that there are.")
        return _row(found)


def local_actor() -> str:
    """Who works at the command line, as the system knows them: what the environment says could be made up."""
    user = os.getuid()
    try:
        return f"cli:{pwd.getpwuid(user).pw_name}"
    except KeyError:  # a container may run as a number that has no name
        return f"cli:{user}"


def _text(detail: Mapping[str, Any]) -> str:
    return json.dumps(dict(detail), sort_keys=True, separators=(",", ":"))


def _row(row: Any) -> AuditRow:
    return AuditRow(row.id, row.at, row.actor, row.action, row.noun, row.name, json.loads(row.detail))
