"""API tokens: random texts by which a program calls the HTTP API as the user who made them. Only a hash of each is kept.

A token is 32 random bytes, which nobody can guess or try out: so its hash is a plain SHA-256. A slow one, as passwords need
it, would only slow every call down. A token has the role that its user has at the moment of the call, and ends with its
user. Its beginning, `itg_`, lets people and scanners of source code tell what it is.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, update

from iclients.secret import Secret
from integrator.access import User
from integrator.errors import BadUsage, NotFoundHere
from integrator.store.audit import Audit
from integrator.store.moments import iso
from integrator.store.tables import api_tokens, users
from integrator.store.user_links import token_hash
from integrator.store.users import NOUN, user_of

BEGIN: Final = "itg_"
TOKEN_BYTES: Final = 32
DAYS: Final = 90
LONGEST_DAYS: Final = 365
MOST: Final = 20
"""So many a user has at most."""
TOUCH_SECONDS: Final = 60.0
"""So exactly it is known when a token was used last: most calls write nothing."""
MADE: Final = "token made"
TAKEN_BACK: Final = "token taken back"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,58}[A-Za-z0-9]|[A-Za-z0-9]")
_TOKEN: Final = re.compile(BEGIN + r"[A-Za-z0-9_-]{43}")
_BEGIN_DIGITS: Final = 16
_DAY_SECONDS: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class ApiToken:
    """One token, without itself. Times are Unix seconds."""

    id: int
    name: str
    created_at: float
    expires_at: float
    used_at: float | None

    def document(self) -> dict[str, Any]:
        """As `integrator users tokens list --json` prints it."""
        told = {"name": self.name, "created": iso(self.created_at), "expires": iso(self.expires_at)}
        return {**told, "used": iso(self.used_at)}


class ApiTokens:
    """Tokens over one connection; the transaction around it is its user's."""

    def __init__(self, connection: Connection, audit: Audit) -> None:
        self._connection = connection
        self._audit = audit

    def make(self, user: User, name: str, days: int, now: float) -> Secret:
        """A new token of this user, to be shown once. One of the same name that has expired makes room.

        Raises BadUsage.
        """
        name = name.strip()
        if not _NAME.fullmatch(name):
            raise BadUsage("A token's name has up to 60 letters, digits, spaces and any of . _ @ + -: name its use.")
        if not 1 <= days <= LONGEST_DAYS:
            raise BadUsage(f"A token serves for 1 to {LONGEST_DAYS} days: choose a number of days between them.")
        self._connection.execute(delete(api_tokens).where(*_mine(user, name), api_tokens.c.expires_at <= now))
        self._check_room(user, name)
        token, ends = BEGIN + secrets.token_urlsafe(TOKEN_BYTES), now + days * _DAY_SECONDS
        row = {"user_id": user.id, "name": name, "created_at": now, "expires_at": ends, **_hashes(token)}
        self._connection.execute(insert(api_tokens).values(row))
        self._audit.record(MADE, NOUN, user.name, {"token": name, "expires": iso(ends)})
        return Secret(token)

    def of(self, user: User) -> list[ApiToken]:
        """Every token of this user, by name; those that have expired too."""
        query = select(api_tokens).where(api_tokens.c.user_id == user.id).order_by(api_tokens.c.name)
        return [_token_of(row) for row in self._connection.execute(query)]

    def take_back(self, user: User, name: str) -> None:
        """From now on this token lets nobody in. Raises NotFoundHere."""
        if self._connection.execute(delete(api_tokens).where(*_mine(user, name.strip()))).rowcount != 1:
            raise NotFoundHere(
                f"User {user.name} has no token of this name: `integrator users tokens list {user.name}` shows them."
            )
        self._audit.record(TAKEN_BACK, NOUN, user.name, {"token": name.strip()})

    def find(self, token: str, now: float) -> tuple[User, ApiToken] | None:
        """Whose token this is, as they are now; None where it is nobody's, or has expired.

        It is looked up by the beginning of its hash, and the whole hash is compared in constant time.
        """
        told = _hashes(token)
        query = select(api_tokens).where(api_tokens.c.hash_begin == told["hash_begin"], api_tokens.c.expires_at > now)
        row = self._connection.execute(query).one_or_none()
        if row is None or not secrets.compare_digest(row.token_hash, told["token_hash"]):
            return None
        user = self._connection.execute(select(users).where(users.c.id == row.user_id)).one()
        return user_of(user), _token_of(row)

    def touch(self, token: ApiToken, now: float) -> None:
        """It was used now."""
        self._connection.execute(update(api_tokens).where(api_tokens.c.id == token.id).values(used_at=now))

    def _check_room(self, user: User, name: str) -> None:
        if self._connection.scalar(select(api_tokens.c.id).where(*_mine(user, name))) is not None:
            raise BadUsage("There is a token of this name already: choose another name, or take that one back first.")
        query = select(func.count()).select_from(api_tokens).where(api_tokens.c.user_id == user.id)
        if self._connection.execute(query).scalar_one() >= MOST:
            raise BadUsage(f"A user has {MOST} tokens at most: take one back first.")


def is_token(text: str) -> bool:
    """Whether this can be a token at all."""
    return _TOKEN.fullmatch(text) is not None


def _mine(user: User, name: str) -> tuple[Any, Any]:
    return api_tokens.c.user_id == user.id, api_tokens.c.name == name


def _hashes(token: str) -> dict[str, str]:
    whole = token_hash(token)
    return {"hash_begin": whole[:_BEGIN_DIGITS], "token_hash": whole}


def _token_of(row: Any) -> ApiToken:
    return ApiToken(row.id, row.name, row.created_at, row.expires_at, row.used_at)
