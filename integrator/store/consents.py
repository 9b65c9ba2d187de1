"""Consents of connections, sealed. Every version has a number: who saves says which one it replaces."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, or_, select, update

from iclients.consented import ConsentReplaced, Kept
from iclients.model import Consent
from integrator.errors import SealBroken
from integrator.store.audit import Audit
from integrator.store.connections import Connections
from integrator.store.consent_keeping import KeptConsent
from integrator.store.schemas import ConsentSchema
from integrator.store.sealed import Place, Seal
from integrator.store.tables import consents

__all__ = ["Consents", "KeptConsent"]

_SCHEMA: Final = ConsentSchema()
_FIRST_VERSIONS: Final = 2**30
"""A consent that was forgotten and given again begins with a number of its own: no saver of the old one replaces it."""


class Consents:
    """Consents over one connection; the transaction around it is its user's. Names are connections' names.

    Every method raises NotFoundHere where there is no connection of this name.
    """

    def __init__(self, connection: Connection, audit: Audit, connections: Connections, seal: Seal) -> None:
        self._connection = connection
        self._audit = audit
        self._connections = connections
        self._seal = seal

    def find(self, name: str) -> Kept | None:
        """The consent with its version, and whether an exchange of it began. Raises SealError if it cannot be opened."""
        row = self._row(name)
        return None if row is None else Kept(self._opened(row), row.version, row.exchanging)

    def save(self, name: str, consent: Consent, version: int | None = None) -> None:
        """Keep this consent instead of that version (None: whatever is there), and take the note away.

        Raises ConsentReplaced where another version is there, or none.
        """
        row = self._row(name)
        if row is None:
            row = self._made(name, version)
        is_new = not row.sealed or not self._is_same(row, consent)
        sealed = self._seal.seal(json.dumps(_SCHEMA.dump(consent)), _place(row.id))
        values = {"sealed": sealed, "version": consents.c.version + 1, "exchanging": None}
        mine = () if version is None else (consents.c.version == version,)
        if not self._updated(name, values, *mine):
            raise ConsentReplaced
        if is_new:
            detail = {"account": consent.account, "scopes": list(consent.scopes)}
            self._audit.record("consented", self._connections.noun, name, detail)

    def note(self, name: str, version: int, now: float) -> None:
        """An exchange of this version's refresh token begins."""
        self._updated(name, {"exchanging": now}, consents.c.version == version)

    def clear_note(self, name: str, version: int) -> None:
        """The exchange of this version's refresh token has ended without a change."""
        self._updated(name, {"exchanging": None}, consents.c.version == version)

    def forget(self, name: str) -> None:
        """Forget the consent of this connection."""
        if self._connection.execute(delete(consents).where(self._of(name))).rowcount:
            self._audit.record("consent forgotten", self._connections.noun, name)

    def take_lease(self, name: str, host: str, holder: str, now: float, until: float) -> bool:
        """Lease the consent to this holder, unless another host's holder has a lease that has not ended.

        A holder of the same host has let go of its lock already, or this one would not ask. Without a consent there is
        nothing to lease: then it is granted.
        """
        free = or_(
            consents.c.lease == "",
            consents.c.lease_until < now,
            consents.c.lease.startswith(f"{host}:", autoescape=True),
        )
        return self._updated(name, {"lease": holder, "lease_until": until}, free) or self._row(name) is None

    def end_lease(self, name: str, holder: str) -> None:
        """The holder gives its lease back, if it still has it."""
        self._updated(name, {"lease": "", "lease_until": 0.0}, consents.c.lease == holder)

    def _updated(self, name: str, values: Mapping[str, Any], *where: ColumnElement[bool]) -> bool:
        changed = update(consents).where(self._of(name), *where).values(values)
        return self._connection.execute(changed).rowcount == 1

    def _made(self, name: str, version: int | None) -> Row[Any]:
        """An empty row, for the caller to fill in this transaction."""
        if version is not None:
            raise ConsentReplaced
        owner = self._connections.id_of(name)
        first = {"connection_id": owner, "sealed": "", "version": secrets.randbelow(_FIRST_VERSIONS)}
        return self._connection.execute(insert(consents).values(first).returning(consents)).one()

    def _row(self, name: str) -> Row[Any] | None:
        return self._connection.execute(select(consents).where(self._of(name))).one_or_none()

    def _of(self, name: str) -> ColumnElement[bool]:
        return consents.c.connection_id == self._connections.id_of(name)

    def _is_same(self, row: Row[Any], consent: Consent) -> bool:
        """Whether only the tokens of the stored consent are new: then nobody has consented."""
        try:
            stored = self._opened(row)
        except SealBroken:
            return False
        return (stored.account, stored.consented_at) == (consent.account, consent.consented_at)

    def _opened(self, row: Row[Any]) -> Consent:
        text = self._seal.open(row.sealed, _place(row.id))
        loaded: Consent = _SCHEMA.load(json.loads(text.reveal()))
        return loaded


def _place(row: int) -> Place:
    return Place(consents.name, row, consents.c.sealed.name)
