"""Everything about people who sign in, over one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from integrator.store.api_tokens import ApiTokens
from integrator.store.audit import Audit
from integrator.store.sign_in_tries import SignInTries
from integrator.store.store import Store
from integrator.store.user_links import UserLinks
from integrator.store.users import Users
from integrator.store.web_sessions import WebSessions


class AccountRows:
    """The repositories of accounts."""

    def __init__(self, connection: Connection, audit: Audit) -> None:
        self.users = Users(connection, audit)
        self.links = UserLinks(connection)
        self.sessions = WebSessions(connection)
        self.tries = SignInTries(connection)
        self.tokens = ApiTokens(connection, audit)


@contextmanager
def writing_accounts(store: Store, actor: str = "") -> Iterator[AccountRows]:
    """One transaction that writes; `actor` is who acts, where the store itself does not know."""
    with store.database.writing() as connection:
        yield AccountRows(connection, Audit(connection, actor or store.actor, store.clock))


@contextmanager
def noting_accounts(store: Store) -> Iterator[AccountRows]:
    """One transaction for what may as well not be written: raises DatabaseUnusable where others write for long."""
    with store.database.writing_soon() as connection:
        yield AccountRows(connection, Audit(connection, store.actor, store.clock))


@contextmanager
def reading_accounts(store: Store) -> Iterator[AccountRows]:
    """One transaction that only reads."""
    with store.database.reading() as connection:
        yield AccountRows(connection, Audit(connection, store.actor, store.clock))
