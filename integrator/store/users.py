"""Users: people who sign in. A role says what they may do; the words for that are in `integrator.access`."""

from __future__ import annotations

import re
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from integrator.access import ADMINISTRATOR, ROLES, User
from integrator.errors import BadUsage, InUse, NotFoundHere
from integrator.store.audit import Audit
from integrator.store.tables import users

NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")
NOUN: Final = "user"


class Users:
    """Users over one connection; the transaction around it is its user's."""

    def __init__(self, connection: Connection, audit: Audit) -> None:
        self._connection = connection
        self._audit = audit

    def count(self) -> int:
        """How many there are."""
        return self._connection.execute(select(func.count()).select_from(users)).scalar_one()

    def all(self) -> list[User]:
        """Every user, by name."""
        return [user_of(row) for row in self._connection.execute(select(users).order_by(users.c.name))]

    def find(self, name: str) -> User | None:
        """The user of this name, however it is written; None if there is none."""
        row = self._connection.execute(select(users).where(users.c.name == folded(name))).one_or_none()
        return None if row is None else user_of(row)

    def get(self, name: str) -> User:
        """The user of this name. Raises NotFoundHere."""
        found = self.find(name)
        if found is None:
            raise NotFoundHere(f"There is no user {folded(name)}: `integrator users list` shows those that there are.")
        return found

    def add(self, name: str, role: str, now: float) -> User:
        """A new user, who has no password yet. Raises BadUsage."""
        if role not in ROLES:
            raise BadUsage(f"There is no role {role}: the roles are {', '.join(ROLES)}.")
        if not NAME.fullmatch(folded(name)):
            raise BadUsage(
                "A user's name has up to 100 letters, digits and any of . _ @ + -, and begins with a letter or digit."
            )
        try:
            with self._connection.begin_nested():
                self._connection.execute(insert(users).values(name=folded(name), role=role, created_at=now))
        except IntegrityError:
            raise BadUsage(f"There is a user {folded(name)} already: choose another name.") from None
        self._audit.record("created", NOUN, folded(name), {"role": role})
        return self.get(name)

    def delete(self, name: str) -> None:
        """Forget a user; who is signed in is signed out. Raises NotFoundHere, InUse for the only administrator of others."""
        user = self.get(name)
        others = [one for one in self.all() if one.id != user.id]
        if others and all(one.role != ADMINISTRATOR for one in others):
            raise InUse(f"User {user.name} is the only administrator: add another one first.")
        self._connection.execute(delete(users).where(users.c.id == user.id))
        self._audit.record("deleted", NOUN, user.name)

    def password_of(self, name: str) -> str:
        """The hash that is kept; empty where there is no such user, or no password."""
        found = self._connection.scalar(select(users.c.password).where(users.c.name == folded(name)))
        return found or ""

    def set_password(self, user: User, password_hash: str, *, told: bool = True) -> None:
        """From now on this is the hash of the password. `told`: an audit row says that it was changed."""
        self._connection.execute(update(users).where(users.c.id == user.id).values(password=password_hash))
        if told:
            self._audit.record("password changed", NOUN, user.name)

    def signed_in(self, user: User, now: float) -> None:
        """Somebody has signed in as this user."""
        self._connection.execute(update(users).where(users.c.id == user.id).values(signed_in_at=now))
        self._audit.record("signed in", NOUN, user.name)


def folded(name: str) -> str:
    """The name as it is stored and compared."""
    return name.strip().lower()


def user_of(row: Any) -> User:
    """The user of this row."""
    return User(row.id, row.name, row.role, bool(row.password), row.created_at, row.signed_in_at)
