"""Web sessions: who is signed in, in which browser. The browser holds a random token, the database only its hash.

A session ends when it was idle for long, at the latest after a day, when its user signs out, and with every change of
the password. Source: OWASP session management cheat sheet.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, not_, select, update

from integrator.access import User
from integrator.store.tables import users, web_sessions
from integrator.store.user_links import token_hash
from integrator.store.users import user_of

TOKEN_BYTES: Final = 32
IDLE_SECONDS: Final = 8 * 3600.0
LONGEST_SECONDS: Final = 24 * 3600.0
TOUCH_SECONDS: Final = 60.0
"""So exactly it is known when a session was used last: most requests write nothing."""
KNOWN_SECONDS: Final = 24 * 3600.0
"""So long it is known whose a session was that is over: what was sent in it is theirs."""
TOAST_CHARACTERS: Final = 1000


@dataclass(frozen=True, slots=True)
class WebSession:
    """A session that lives. Times are Unix seconds."""

    id: int
    user: User
    seen_at: float
    toast: str


class WebSessions:
    """Sessions over one connection; the transaction around it is its user's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begin(self, user: User, now: float) -> str:
        """A new session's token, which only the browser keeps. Those that are over for long go."""
        long_over = web_sessions.c.created_at <= now - LONGEST_SECONDS - KNOWN_SECONDS
        self._connection.execute(delete(web_sessions).where(long_over))
        token = secrets.token_urlsafe(TOKEN_BYTES)
        row = {"token_hash": token_hash(token), "user_id": user.id, "created_at": now, "seen_at": now}
        self._connection.execute(insert(web_sessions).values(row))
        return token

    def find(self, token: str, now: float) -> WebSession | None:
        """The session of this token, while it lives."""
        columns = (web_sessions.c.id.label("session"), web_sessions.c.seen_at, web_sessions.c.toast, users)
        query = select(*columns).join(users, web_sessions.c.user_id == users.c.id)
        found = query.where(web_sessions.c.token_hash == token_hash(token), _lives(now))
        row = self._connection.execute(found).one_or_none()
        return None if row is None else WebSession(row.session, user_of(row), row.seen_at, row.toast)

    def user_of_ended(self, token: str, now: float) -> int | None:
        """Whose session this was, by their id: one that time has ended. Nobody's, where somebody has ended it."""
        query = select(web_sessions.c.user_id).where(web_sessions.c.token_hash == token_hash(token), not_(_lives(now)))
        user_id: int | None = self._connection.scalar(query)
        return user_id

    def touch(self, session: WebSession, now: float) -> None:
        """It was used now."""
        self._connection.execute(update(web_sessions).where(web_sessions.c.id == session.id).values(seen_at=now))

    def leave_toast(self, session_id: int, text: str) -> None:
        """Tell this on the next page that the session opens; an empty text: it was told."""
        mine = update(web_sessions).where(web_sessions.c.id == session_id)
        self._connection.execute(mine.values(toast=text[:TOAST_CHARACTERS]))

    def count_of(self, user: User, now: float) -> int:
        """In how many browsers this user is signed in."""
        query = select(func.count()).select_from(web_sessions)
        return self._connection.execute(query.where(web_sessions.c.user_id == user.id, _lives(now))).scalar_one()

    def end(self, token: str) -> None:
        """Sign this browser out."""
        self._connection.execute(delete(web_sessions).where(web_sessions.c.token_hash == token_hash(token)))

    def end_all(self, user: User) -> None:
        """Sign this user out everywhere."""
        self._connection.execute(delete(web_sessions).where(web_sessions.c.user_id == user.id))


def _lives(now: float) -> ColumnElement[bool]:
    sessions = web_sessions.c
    return and_(sessions.seen_at > now - IDLE_SECONDS, sessions.created_at > now - LONGEST_SECONDS)
