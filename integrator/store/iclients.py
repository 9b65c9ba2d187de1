"""iClients and their sealed credentials: the current one, and the next one that takes its place when it is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, or_, select, update

from iclients.credentials import Credential
from iclients.expiry import ends_on
from iclients.model import IClient
from iclients.schemas import CredentialSchema, IClientSchema
from integrator.errors import SealBroken, SealError
from integrator.store.audit import Audit
from integrator.store.named import Named, Saved
from integrator.store.sealed import Place, Seal
from integrator.store.tables import connections, iclients

Slot = Literal["credential", "next_credential"]
SLOTS: Final[tuple[Slot, Slot]] = ("credential", "next_credential")

PROMOTED: Final = "credential promoted"
_CREDENTIAL: Final = CredentialSchema()
_EXPIRES: Final[Mapping[Slot, str]] = {slot: f"{slot}_expires" for slot in SLOTS}


class IClients(Named[IClient]):
    """iClients by name. `get` opens the credentials; `find` and `all` leave them sealed."""

    noun = "iClient"
    table = iclients
    schema = IClientSchema()

    def __init__(self, connection: Connection, audit: Audit, seal: Seal) -> None:
        super().__init__(connection, audit)
        self._seal = seal

    def get(self, name: str) -> IClient:
        """The iClient with its credentials. Raises NotFoundHere; SealError where one cannot be opened."""
        iclient = super().get(name)
        row = self._row(name)
        opened = {slot: self._opened(row, slot) for slot in SLOTS}
        return replace(iclient, credential=opened["credential"], next_credential=opened["next_credential"])

    def opened(self) -> Iterator[tuple[str, IClient | None, str]]:
        """Every iClient with its credentials, by name, in one query; None, and why, where one cannot be read or opened."""
        for row in self._connection.execute(select(iclients).order_by(iclients.c.name)):
            iclient = self._loaded_or_none(row.document)
            if iclient is None:
                yield row.name, None, "its document cannot be read: apply it again."
                continue
            try:
                current, following = self._opened(row, "credential"), self._opened(row, "next_credential")
            except SealError as error:
                yield row.name, None, str(error)
            else:
                yield row.name, replace(iclient, credential=current, next_credential=following), ""

    def has_credential(self, name: str) -> bool:
        """Whether a current one is stored. Raises NotFoundHere."""
        return self._row(name).credential is not None

    def slots(self, name: str) -> dict[str, dict[str, Any]]:
        """Of each slot whether it is set and on which day it ends ('' where nobody knows). Raises NotFoundHere."""
        row = self._row(name)._mapping
        return {slot: {"set": row[slot] is not None, "expires": row[_EXPIRES[slot]]} for slot in SLOTS}

    def expiries(self) -> list[tuple[str, str, str, date]]:
        """Every slot whose end is known: the iClient, its owner, the slot, its last day."""
        known = or_(*(iclients.c[column] != "" for column in _EXPIRES.values()))
        rows = self._connection.execute(select(iclients).where(known).order_by(iclients.c.name))
        return [
            (row.name, self._loaded(row.document).owner, slot, date.fromisoformat(row._mapping[_EXPIRES[slot]]))
            for row in rows
            for slot in SLOTS
            if row._mapping[_EXPIRES[slot]]
        ]

    def used_by(self, name: str) -> list[str]:
        """The connections that name this iClient, by name."""
        query = select(connections.c.name).where(connections.c.iclient == name)
        return [*self._connection.scalars(query.order_by(connections.c.name))]

    def promote(self, name: str, proven: Credential) -> bool:
        """The next credential, if it still is the proven one, becomes the current one. Gives whether it did.

        Whoever proves the same credential a second time changes nothing. Raises NotFoundHere.
        """
        row = self._row(name)
        if not self._holds(row, "next_credential", proven):
            return False
        values = {**self._columns_of(row.id, "credential", proven), **self._columns_of(row.id, "next_credential", None)}
        refused = self._opened(row, "credential")
        return self._replace(row, values, PROMOTED, {"refused": self._mark(refused)} if refused else {})

    def swap(self, name: str, refused: Credential | None = None) -> bool:
        """The two credentials change places, where both are set. Gives whether they did.

        With `refused`, only while that one is the current one: two who were refused at once swap once. Raises
        NotFoundHere; SealError.
        """
        row = self._row(name)
        current, following = self._opened(row, "credential"), self._opened(row, "next_credential")
        if current is None or following is None or refused not in (None, current):
            return False
        swapped = self._columns_of(row.id, "credential", following)
        return self._replace(
            row, {**swapped, **self._columns_of(row.id, "next_credential", current)}, "credentials swapped"
        )

    def _replace(
        self, row: Row[Any], values: Mapping[str, Any], action: str, detail: Mapping[str, str] | None = None
    ) -> bool:
        """Write both slots, unless somebody has written one since the row was read."""
        mine = (iclients.c.id == row.id, *(iclients.c[slot].is_not_distinct_from(row._mapping[slot]) for slot in SLOTS))
        if self._connection.execute(update(iclients).where(*mine).values(values)).rowcount != 1:
            return False
        self._audit.record(action, self.noun, row.name, detail)
        return True

    def _mark(self, credential: Credential) -> str:
        """A keyed fingerprint, by which a refused credential is known when a document brings it again."""
        return self._seal.fingerprint(json.dumps(_CREDENTIAL.dump(credential), sort_keys=True).encode())

    def _is_taken_over(self, thing: IClient) -> bool:
        """Whether the document was written before its next credential took the place of its current one."""
        row = self._row(thing.name)
        if thing.credential is None or thing.next_credential is None:
            return False
        if not self._holds(row, "credential", thing.next_credential):
            return False
        promoted = self._audit.newest(PROMOTED, self.noun, thing.name)
        return promoted is not None and promoted.detail.get("refused") == self._mark(thing.credential)

    def _keep(self, thing: IClient) -> tuple[Saved, list[str]]:
        """Keep this iClient; a slot that comes as None keeps what is stored."""
        saved, changed = super()._keep(thing)
        given = [(slot, credential) for slot in SLOTS if (credential := getattr(thing, slot)) is not None]
        if self._is_taken_over(thing):
            given = []
        renewed = [slot for slot, credential in given if self._fill(thing.name, slot, credential)]
        return Saved.UPDATED if renewed and saved is Saved.UNCHANGED else saved, [*changed, *renewed]

    def _fill(self, name: str, slot: Slot, credential: Credential) -> bool:
        """Put a credential into a slot. Gives whether that held another one."""
        row = self._row(name)
        is_other = not self._holds(row, slot, credential)
        values = self._columns_of(row.id, slot, credential) if is_other else _ends(slot, credential)
        self._connection.execute(update(iclients).where(iclients.c.id == row.id).values(values))
        return is_other

    def _holds(self, row: Row[Any], slot: Slot, credential: Credential) -> bool:
        try:
            return self._opened(row, slot) == credential
        except SealBroken:
            return False

    def _row(self, name: str) -> Row[Any]:
        row = self._connection.execute(select(iclients).where(iclients.c.name == name)).one_or_none()
        if row is None:
            raise self._missing(name)
        return row

    def _opened(self, row: Row[Any], slot: Slot) -> Credential | None:
        sealed = row._mapping[slot]
        if sealed is None:
            return None
        text = self._seal.open(sealed, _place(row.id, slot))
        loaded: Credential = _CREDENTIAL.load(json.loads(text.reveal()))
        return loaded

    def _columns_of(self, row: int, slot: Slot, credential: Credential | None) -> dict[str, str | None]:
        """A slot's columns with this credential in it, sealed for its place there."""
        if credential is None:
            return {slot: None, _EXPIRES[slot]: ""}
        text = json.dumps(_CREDENTIAL.dump(credential))
        return {slot: self._seal.seal(text, _place(row, slot)), **_ends(slot, credential)}

    def _columns(self, thing: IClient) -> dict[str, Any]:
        return {"provider": thing.provider, "cloud": thing.cloud}

    def _check_unused(self, name: str) -> None:
        self._refuse_used(name, "connection", self.used_by(name))


def _ends(slot: Slot, credential: Credential) -> dict[str, str | None]:
    last_day = ends_on(credential)
    return {_EXPIRES[slot]: last_day.isoformat() if last_day else ""}


def _place(row: int, slot: Slot) -> Place:
    return Place(iclients.name, row, slot)
