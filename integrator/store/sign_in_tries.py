"""How often somebody has tried to sign in: a bucket for each account and each address, which empties by itself.

Every try fills both buckets before its password is looked at, so tries at the same time count too; a full one says how
long to wait. A browser in which the account's person has signed in before has a bucket of its own instead: strangers
cannot fill it. Nothing is locked for ever, and no more is kept than a keyed hash of whom it is about.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, insert, select, update

from integrator.store.tables import sign_in_tries


@dataclass(frozen=True, slots=True)
class Bucket:
    """So many tries fit in; one runs out every so many seconds."""

    tries: int
    seconds_each: float


ACCOUNT: Final = Bucket(6, 60.0)
ADDRESS: Final = Bucket(30, 10.0)
KNOWN: Final = Bucket(6, 60.0)
"""Of a browser that is known, and of who is signed in already."""
FORGOTTEN_SECONDS: Final = 3600.0


class SignInTries:
    """Tries over one connection; the transaction around it is its user's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def take(self, subjects: dict[str, Bucket], now: float) -> int:
        """Count one try for each of these. Gives how many seconds to wait, 0 where it may go on; then none is counted."""
        self._connection.execute(delete(sign_in_tries).where(sign_in_tries.c.at < now - FORGOTTEN_SECONDS))
        levels = {subject: self._level(subject, bucket, now) for subject, bucket in subjects.items()}
        waits = [_wait(levels[subject], bucket) for subject, bucket in subjects.items()]
        if any(waits):
            return max(waits)
        for subject, level in levels.items():
            self._set(subject, level + 1, now)
        return 0

    def give_back(self, subjects: dict[str, Bucket], now: float) -> None:
        """That try came to nothing: its password was not looked at."""
        for subject, bucket in subjects.items():
            self._set(subject, max(0.0, self._level(subject, bucket, now) - 1), now)

    def forgive(self, subject: str) -> None:
        """Somebody has signed in: what was tried before does not count any more."""
        self._connection.execute(delete(sign_in_tries).where(sign_in_tries.c.subject == subject))

    def _level(self, subject: str, bucket: Bucket, now: float) -> float:
        row = self._connection.execute(select(sign_in_tries).where(sign_in_tries.c.subject == subject)).one_or_none()
        return 0.0 if row is None else max(0.0, row.level - max(0.0, now - row.at) / bucket.seconds_each)

    def _set(self, subject: str, level: float, now: float) -> None:
        values = {"level": level, "at": now}
        mine = update(sign_in_tries).where(sign_in_tries.c.subject == subject).values(values)
        if self._connection.execute(mine).rowcount != 1:
            self._connection.execute(insert(sign_in_tries).values(subject=subject, **values))


def _wait(level: float, bucket: Bucket) -> int:
    over = level + 1 - bucket.tries
    return max(1, math.ceil(over * bucket.seconds_each)) if over > 0 else 0
