"""Consents of connections, sealed; refreshed by one process at a time.

The lock is a file's, as a run's is: the kernel lets go of it when its process ends, however it ends. Source: flock(2).
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, insert, select, update

from iclients.model import Consent
from iclients.schemas import ConsentSchema
from integrator.store.connections import Connections
from integrator.store.sealed import Place, Seal
from integrator.store.tables import consents

if TYPE_CHECKING:
    from integrator.store.store import Store

_SCHEMA = ConsentSchema()


class Consents:
    """Consents over one connection; the transaction around it is its user's."""

    def __init__(self, connection: Connection, seal: Seal) -> None:
        self._connection = connection
        self._seal = seal

    def find(self, name: str) -> Consent | None:
        """The consent of the connection of this name. Raises SealError where it cannot be opened."""
        row_id = Connections(self._connection).id_of(name)
        row = self._connection.execute(select(consents).where(consents.c.connection_id == row_id)).one_or_none()
        if row is None:
            return None
        text = self._seal.open(row.sealed, _place(row.id))
        loaded: Consent = _SCHEMA.load(json.loads(text.reveal()))
        return loaded

    def save(self, name: str, consent: Consent) -> None:
        """Keep this consent for the connection of this name."""
        owner = Connections(self._connection).id_of(name)
        row = self._connection.scalar(select(consents.c.id).where(consents.c.connection_id == owner))
        if row is None:
            made = insert(consents).values(connection_id=owner, sealed="").returning(consents.c.id)
            row = self._connection.execute(made).scalar_one()
        sealed = self._seal.seal(json.dumps(_SCHEMA.dump(consent)), _place(row))
        self._connection.execute(update(consents).where(consents.c.id == row).values(sealed=sealed))

    def forget(self, name: str) -> None:
        """Forget the consent of the connection of this name."""
        row_id = Connections(self._connection).id_of(name)
        self._connection.execute(delete(consents).where(consents.c.connection_id == row_id))


class KeptConsent:
    """The consent of one connection. Implements `iclients.consented.ConsentKeeper`."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        with self._store.reading() as stored:
            row_id = stored.connections.id_of(self._name)
        folder = self._store.home / "consents"
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(folder / f"{row_id}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def get(self) -> Consent | None:
        with self._store.reading() as stored:
            return stored.consents.find(self._name)

    def save(self, consent: Consent) -> None:
        with self._store.writing() as stored:
            stored.consents.save(self._name, consent)


def _place(row: int) -> Place:
    return Place(consents.name, row, consents.c.sealed.name)
