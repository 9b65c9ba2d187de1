"""What the repositories of named nouns have in common: one row a name, one document a row."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from sqlalchemy import Connection, Table, delete, insert, select, update

from integrator.errors import InUse, NotFoundHere
from integrator.store.audit import Audit
from integrator.store.schemas import UNREADABLE


class _HasName(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=_HasName)


class Saved(StrEnum):
    """What saving did."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class Named(Generic[T]):
    """A repository over one connection; the transaction around it is its user's. Every change leaves an audit row."""

    noun: ClassVar[str]
    table: ClassVar[Table]
    schema: ClassVar[Any]

    def __init__(self, connection: Connection, audit: Audit) -> None:
        self._connection = connection
        self._audit = audit

    def find(self, name: str) -> T | None:
        """The one of this name, None if there is none."""
        text = self._connection.scalar(select(self.table.c.document).where(self.table.c.name == name))
        return None if text is None else self._loaded(text)

    def get(self, name: str) -> T:
        """The one of this name. Raises NotFoundHere, naming those that there are."""
        found = self.find(name)
        if found is None:
            raise self._missing(name)
        return found

    def all(self) -> list[T]:
        """Every one, by name."""
        texts = self._connection.scalars(select(self.table.c.document).order_by(self.table.c.name))
        return [self._loaded(text) for text in texts]

    def readable(self) -> Iterator[tuple[str, T | None]]:
        """Every one, by name; None for one whose document cannot be read."""
        for row in self._connection.execute(
            select(self.table.c.name, self.table.c.document).order_by(self.table.c.name)
        ):
            yield row.name, self._loaded_or_none(row.document)

    def names(self) -> list[str]:
        """Every name, sorted."""
        return [*self._connection.scalars(select(self.table.c.name).order_by(self.table.c.name))]

    def id_of(self, name: str) -> int:
        """The row's id. Raises NotFoundHere."""
        found: int | None = self._connection.scalar(select(self.table.c.id).where(self.table.c.name == name))
        if found is None:
            raise self._missing(name)
        return found

    def save(self, thing: T) -> Saved:
        """Keep this one under its name."""
        saved, changed = self._keep(thing)
        if saved is not Saved.UNCHANGED:
            self._audit.record(saved.value, self.noun, thing.name, {"changed": changed} if changed else None)
        return saved

    def delete(self, name: str) -> None:
        """Forget this one. Raises NotFoundHere, or InUse where something stored needs it."""
        row_id = self.id_of(name)
        self._check_unused(name)
        self._connection.execute(delete(self.table).where(self.table.c.id == row_id))
        self._audit.record("deleted", self.noun, name)

    def document(self, thing: T) -> dict[str, Any]:
        """As a document has it."""
        dumped: dict[str, Any] = self.schema.dump(thing)
        return dumped

    def _keep(self, thing: T) -> tuple[Saved, list[str]]:
        """Write the row. Gives also which parts of the document are other ones now."""
        row = {**self._columns(thing), "document": self._text(thing)}
        stored = self._connection.execute(select(self.table).where(self.table.c.name == thing.name)).one_or_none()
        if stored is None:
            self._connection.execute(insert(self.table).values(name=thing.name, **row))
            return Saved.CREATED, []
        if all(stored._mapping[column] == value for column, value in row.items()):
            return Saved.UNCHANGED, []
        self._connection.execute(update(self.table).where(self.table.c.id == stored.id).values(**row))
        return Saved.UPDATED, _differing(json.loads(stored.document), self.document(thing))

    def _columns(self, thing: T) -> dict[str, Any]:
        """The searchable columns besides name and document."""
        return {}

    def _check_unused(self, name: str) -> None:
        """Raise InUse where something stored needs the one of this name."""

    def _refuse_used(self, name: str, user_noun: str, users: Sequence[str]) -> None:
        """Raise InUse, naming all users, where there is one."""
        if users:
            plural, those = ("s", "those") if len(users) > 1 else ("", "that")
            noun = self.noun.capitalize() if self.noun.islower() else self.noun  # an iClient stays one
            shown = f"{user_noun}{plural} {', '.join(users)}"
            raise InUse(f"{noun} {name} is used by {shown}: change or delete {those} first.")

    def _loaded(self, text: str) -> T:
        loaded: T = self.schema.load(json.loads(text))
        return loaded

    def _loaded_or_none(self, text: str) -> T | None:
        try:
            return self._loaded(text)
        except UNREADABLE:
            return None

    def _text(self, thing: T) -> str:
        return json.dumps(self.document(thing), sort_keys=True, separators=(",", ":"))

    def _missing(self, name: str) -> NotFoundHere:
        names = self.names()
        there = f"there are: {', '.join(names)}" if names else "there is none yet; apply a document that has it"
        return NotFoundHere(f"There is no {self.noun} {name}: {there}.")


def _differing(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
