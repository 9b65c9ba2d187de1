"""Notices: what owners must know, each told once until it is over."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from iclients.clock import Clock
from integrator.errors import NotFoundHere
from integrator.store.moments import iso
from integrator.store.tables import notices

OWNER_CHARACTERS: Final = 200
SUBJECT_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that an owner must know. Times are Unix seconds; `seen_at` is None while nobody has seen it."""

    id: int
    at: float
    owner: str
    subject: str
    message: str
    key: str
    seen_at: float | None

    def document(self) -> dict[str, Any]:
        """As `notices list --json` prints it."""
        told = {"id": self.id, "at": iso(self.at), "owner": self.owner, "subject": self.subject}
        return {**told, "message": self.message, "seen": iso(self.seen_at)}


class Notices:
    """Notices over one connection; the transaction around it is its user's."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def tell(self, key: str, owner: str, subject: str, message: str) -> bool:
        """Tell this once: a key that has been told already changes nothing. Gives whether it was told now."""
        told = {"owner": owner[:OWNER_CHARACTERS], "subject": subject[:SUBJECT_CHARACTERS], "message": message}
        with suppress(IntegrityError), self._connection.begin_nested():
            self._connection.execute(insert(notices).values(key=key, at=self._clock.now(), **told))
            return True
        return False

    def list(self, unseen_only: bool = True) -> Sequence[Notice]:
        """Notices, the newest first."""
        query = select(notices).order_by(notices.c.id.desc())
        if unseen_only:
            query = query.where(notices.c.seen_at.is_(None))
        return [_notice(row) for row in self._connection.execute(query)]

    def seen(self, notice_id: int) -> None:
        """Somebody has seen it; who saw it first counts. Raises NotFoundHere."""
        first = func.coalesce(notices.c.seen_at, self._clock.now())
        changed = update(notices).where(notices.c.id == notice_id).values(seen_at=first)
        if self._connection.execute(changed).rowcount != 1:
            raise NotFoundHere(
                f"There is no notice {notice_id}: `integrator notices list --all` shows those that there are."
            )

    def forget(self, key_prefix: str) -> None:
        """What was told is over: forget this key and all below it (`a` has `a/b` below it, and not `ab`)."""
        key = key_prefix.rstrip("/")
        below = notices.c.key.startswith(f"{key}/", autoescape=True)
        self._connection.execute(delete(notices).where(or_(notices.c.key == key, below)))


def _notice(row: Any) -> Notice:
    return Notice(row.id, row.at, row.owner, row.subject, row.message, row.key, row.seen_at)
