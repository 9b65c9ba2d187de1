"""One-time links by which somebody chooses a password: the first administrator, a new user, who has forgotten theirs."""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection, delete, insert, select, update

from integrator.access import User
from integrator.errors import LinkRefused
from integrator.store.tables import user_links, users
from integrator.store.users import user_of

TOKEN_BYTES: Final = 32
_DAY_SECONDS: Final = 86_400.0
_REFUSED: Final = "This link has been used, has expired, or was replaced by a newer one: ask for a new one."


class UserLinks:
    """Links over one connection; the transaction around it is its user's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def make(self, user: User | None, now: float, lifetime_seconds: float) -> str:
        """A new link's token, shown once: for this user, or (None) for the first administrator. Older ones end."""
        same = user_links.c.user_id == user.id if user else user_links.c.user_id.is_(None)
        self._connection.execute(delete(user_links).where(same))
        self._connection.execute(delete(user_links).where(user_links.c.expires_at < now - _DAY_SECONDS))
        token = secrets.token_urlsafe(TOKEN_BYTES)
        row = {"token_hash": token_hash(token), "created_at": now, "expires_at": now + lifetime_seconds}
        self._connection.execute(insert(user_links).values(row | {"user_id": user.id if user else None}))
        return token

    def look(self, token: str, now: float) -> User | None:
        """Whom this link is for; None: the first administrator. Raises LinkRefused. It stays as it is."""
        joined = select(user_links.c.user_id, user_links.c.used_at, user_links.c.expires_at, users)
        query = joined.outerjoin(users, user_links.c.user_id == users.c.id)
        row = self._connection.execute(query.where(user_links.c.token_hash == token_hash(token))).one_or_none()
        if row is None or row.used_at is not None or row.expires_at <= now:
            raise LinkRefused(_REFUSED)
        if row.user_id is not None:
            return user_of(row)
        if self._connection.scalar(select(users.c.id).limit(1)) is not None:
            raise LinkRefused(_REFUSED)  # somebody is there already, so nobody is the first one any more
        return None

    def use(self, token: str, now: float) -> User | None:
        """Use the link up: once, whoever asks. Gives whom it is for. Raises LinkRefused."""
        user = self.look(token, now)
        mine = (user_links.c.token_hash == token_hash(token), user_links.c.used_at.is_(None))
        if self._connection.execute(update(user_links).where(*mine).values(used_at=now)).rowcount != 1:
            raise LinkRefused(_REFUSED)
        return user


def token_hash(token: str) -> str:
    """What is kept of a token."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
