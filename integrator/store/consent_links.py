"""Consent links: tokens by which somebody else consents for a connection, once. Only a token's hash is kept."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from integrator.errors import LinkRefused
from integrator.store.audit import Audit
from integrator.store.connections import Connections
from integrator.store.tables import connections, consent_links

TOKEN_BYTES: Final = 32
MADE_FOR_CHARACTERS: Final = 200
KEPT_SECONDS: Final = 30 * 86_400.0
"""For so long after its end a link is told as used or expired, and after that as unknown."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link that serves: for which connection, who made it, and for whom. Times are Unix seconds."""

    id: int
    connection: str
    made_by: str
    made_for: str
    return_to: str
    created_at: float
    expires_at: float


class ConsentLinks:
    """Consent links over one connection; the transaction around it is its user's."""

    def __init__(self, connection: Connection, audit: Audit, connections: Connections) -> None:
        self._connection = connection
        self._audit = audit
        self._connections = connections

    def make(self, connection_name: str, *, made_for: str, return_to: str, now: float, lifetime_seconds: float) -> str:
        """A new link's token, which is shown once. Links that ended long ago go. Raises NotFoundHere."""
        self.forget_old(now)
        token = secrets.token_urlsafe(TOKEN_BYTES)
        row = {
            "token_hash": _hash(token),
            "connection_id": self._connections.id_of(connection_name),
            "made_by": self._audit.actor,
            "made_for": made_for[:MADE_FOR_CHARACTERS],
            "return_to": return_to,
            "created_at": now,
            "expires_at": now + lifetime_seconds,
        }
        self._connection.execute(insert(consent_links).values(row))
        self._audit.record("link made", self._connections.noun, connection_name, {"made_for": row["made_for"]})
        return token

    def look(self, token: str, now: float) -> Link:
        """The link of this token, which stays as it is. Raises LinkRefused where it serves no more, or never did."""
        name = connections.c.name.label("connection")
        joined = select(consent_links, name).join(connections, consent_links.c.connection_id == connections.c.id)
        row = self._connection.execute(joined.where(consent_links.c.token_hash == _hash(token))).one_or_none()
        if row is None:
            raise LinkRefused("This link is not known here: ask for a new one.")
        if row.used_at is not None:
            raise LinkRefused("This link has been used already, and it serves once: ask for a new one.")
        if row.expires_at <= now:
            raise LinkRefused("This link has expired: ask for a new one.")
        return _link(row)

    def use(self, token: str, now: float) -> Link:
        """Use the link up, and give it: once, whoever asks in however many processes. Raises LinkRefused."""
        link = self.look(token, now)
        mine = (consent_links.c.id == link.id, consent_links.c.used_at.is_(None))
        if self._connection.execute(update(consent_links).where(*mine).values(used_at=now)).rowcount != 1:
            return self.look(token, now)  # somebody was faster: raises
        self._audit.record("link used", self._connections.noun, link.connection, {"made_for": link.made_for})
        return link

    def revoke(self, connection_name: str, now: float) -> int:
        """Take back the links of this connection that still serve; gives how many. Raises NotFoundHere."""
        of_this = consent_links.c.connection_id == self._connections.id_of(connection_name)
        serving = (consent_links.c.used_at.is_(None), consent_links.c.expires_at > now)
        number = self._connection.execute(delete(consent_links).where(of_this, *serving)).rowcount
        if number:
            self._audit.record("links revoked", self._connections.noun, connection_name, {"links": number})
        return number

    def forget_old(self, now: float) -> int:
        """Forget links that ended long ago. Gives how many."""
        old = consent_links.c.expires_at < now - KEPT_SECONDS
        return self._connection.execute(delete(consent_links).where(old)).rowcount


def _link(row: Any) -> Link:
    return Link(
        id=row.id,
        connection=row.connection,
        made_by=row.made_by,
        made_for=row.made_for,
        return_to=row.return_to,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


def _hash(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
