"""iClients and their sealed credentials."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select, update

from iclients.credentials import Credential
from iclients.model import IClient
from iclients.schemas import CredentialSchema, IClientSchema
from integrator.errors import InUse, SealBroken
from integrator.store.named import Named, Saved
from integrator.store.sealed import Place, Seal
from integrator.store.tables import connections, iclients

_CREDENTIAL = CredentialSchema()


class IClients(Named[IClient]):
    """iClients by name. `get` opens the credential; `find` and `all` leave it sealed."""

    noun = "iClient"
    table = iclients
    schema = IClientSchema()

    def __init__(self, connection: Connection, seal: Seal) -> None:
        super().__init__(connection)
        self._seal = seal

    def get(self, name: str) -> IClient:
        """The iClient with its credential. Raises NotFoundHere; SealError where the credential cannot be opened."""
        iclient = super().get(name)
        return replace(iclient, credential=self._credential(*self._sealed(name)))

    def has_credential(self, name: str) -> bool:
        """Whether one is stored. Raises NotFoundHere."""
        self.id_of(name)
        return self._sealed(name)[1] is not None

    def save(self, thing: IClient) -> Saved:
        """Keep this iClient; one that comes without a credential keeps the stored one."""
        saved = super().save(thing)
        if thing.credential is None:
            return saved
        row, sealed = self._sealed(thing.name)
        if self._holds(row, sealed, thing.credential):
            return saved
        text = json.dumps(_CREDENTIAL.dump(thing.credential))
        sealed = self._seal.seal(text, _place(row))
        self._connection.execute(update(iclients).where(iclients.c.id == row).values(credential=sealed))
        return saved if saved is Saved.CREATED else Saved.UPDATED

    def _holds(self, row: int, sealed: str | None, credential: Credential) -> bool:
        try:
            return self._credential(row, sealed) == credential
        except SealBroken:
            return False

    def _sealed(self, name: str) -> tuple[int, str | None]:
        found = self._connection.execute(
            select(iclients.c.id, iclients.c.credential).where(iclients.c.name == name)
        ).one()
        return found.id, found.credential

    def _credential(self, row: int, sealed: str | None) -> Credential | None:
        if sealed is None:
            return None
        text = self._seal.open(sealed, _place(row))
        loaded: Credential = _CREDENTIAL.load(json.loads(text.reveal()))
        return loaded

    def _columns(self, thing: IClient) -> dict[str, Any]:
        return {"provider": thing.provider, "cloud": thing.cloud}

    def _check_unused(self, name: str) -> None:
        user = self._connection.scalar(select(connections.c.name).where(connections.c.iclient == name).limit(1))
        if user is not None:
            raise InUse(f"iClient {name} is used by connection {user}: change or delete that first.")


def _place(row: int) -> Place:
    return Place(iclients.name, row, iclients.c.credential.name)
