"""Reading versions: every version of every secret, key or certificate of a vault, object by object.

A vault lists objects, and versions of one object; there is no list of all versions. So a page here holds what the lists of
some objects brought, and a checkpoint says which objects of their page are done, and where the list of the next one went
on. No more than a page of each list is held. Of what belongs to a certificate not even the versions are listed.
Source: Key Vault REST API: Get Secret Versions, Get Key Versions, Get Certificate Versions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.azure_key_vault.documents import with_id
from connectors.azure_key_vault.model import SecretProperties
from connectors.azure_key_vault.reading.records import (
    certificate_listed,
    certificate_pem,
    key_details,
    key_listed,
    secret_listed,
    secret_value,
)
from connectors.azure_key_vault.schemas import load_page, load_properties, next_link
from connectors.azure_key_vault.vault.objects import PAGE_SIZE, VaultObjects
from connectors.connector import Source
from connectors.errors import BadRequest, NotFound, RecordError, SettingsError
from connectors.model import Checkpoint, Page, ReadOptions, Record
from connectors.paging import ahead
from iclients.clock import Clock
from iclients.errors import MalformedAnswer

Fields = dict[str, Any]
_Listed = tuple[SecretProperties, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class VersionKind:
    """How the versions of one collection are read: what lists say, and what only a read of the version says."""

    listed: Callable[[SecretProperties, Mapping[str, Any]], Fields]
    details: Callable[[Mapping[str, Any]], Fields]
    only_read: tuple[str, ...]
    is_shut: bool = False
    """Whether a disabled version cannot be read."""


VERSION_KINDS: Final[Mapping[str, VersionKind]] = {
    "secret_versions": VersionKind(secret_listed, secret_value, ("value",), is_shut=True),
    "key_versions": VersionKind(
        key_listed, key_details, ("key_type", "key_size", "curve", "operations", "jwk", "pem")
    ),
    "certificate_versions": VersionKind(certificate_listed, certificate_pem, ("pem",)),
}  # fmt: skip


@dataclass(slots=True)
class _Position:
    """Where reading stands: on which page of objects (None: the first), which of them are done, and where the list of
    versions of the next one goes on."""

    link: str | None = None
    done: list[str] = field(default_factory=list)
    name: str = ""
    versions: str | None = None

    @classmethod
    def of(cls, checkpoint: Checkpoint | None) -> _Position:
        told = checkpoint or {}
        return cls(told.get("next"), [*told.get("done", ())], told.get("name", ""), told.get("versions"))

    def checkpoint(self, name: str = "", versions: str | None = None) -> Checkpoint:
        return {"next": self.link, "done": [*self.done], "name": name, "versions": versions}


class VersionsSource(Source):
    """Every version as a record, its key `NAME/VERSION`. Needs list, and get where `values` asks for what a read says.

    A disabled version of a secret comes without its value: the vault does not give it.
    """

    def __init__(self, objects: VaultObjects, resource: str, options: ReadOptions, clock: Clock) -> None:
        self._kind = VERSION_KINDS[resource]
        self.identity = f"azure-key-vault:{objects.vault.host}/{resource}"
        self._objects = objects
        self._clock = clock
        self.unread = options.unread(self._kind.only_read)

    def pages(self, checkpoint: Checkpoint | None) -> Iterator[Page]:
        return ahead(self._pages(_Position.of(checkpoint)))

    def read(self, record: Record) -> Record:
        """With what only a read says. Raises RecordError, NotFound where the version has gone since."""
        if not self.unread:
            return record
        if self._kind.is_shut and not record.fields["enabled"]:
            return Record(record.key, {**record.fields, **dict.fromkeys(self._kind.only_read)}, marker=record.marker)
        name, _, version = record.key.partition("/")
        document = with_id(self._objects.document(name, version))
        properties = load_properties(document)
        if _key(properties).lower() != record.key.lower():
            raise RecordError(
                f"{record.key}: the vault answered with another version than was asked for; nothing of it was used.",
                code="other_record",
            )
        fields = {**record.fields, **self._kind.details(document)}
        return Record(record.key, fields, marker=self._marker(properties))

    def _pages(self, at: _Position) -> Iterator[Page]:
        is_resumed = at.link is not None
        try:
            for document in self._objects.documents("list", at.link or self._objects.link(self._place)):
                is_resumed = False
                following = next_link(document)
                yield from self._of_objects(_items(document), at, {"next": following} if following else None)
                at = _Position(following)
        except BadRequest as error:
            if not is_resumed:
                raise
            raise self._lost() from error

    def _of_objects(self, objects: list[_Listed], at: _Position, after: Checkpoint | None) -> Iterator[Page]:
        """The versions of the objects of one page, about as many at a time as a vault puts on one."""
        found: list[Record] = []
        for properties, item in objects:
            if properties.name in at.done:
                continue
            if properties.managed:
                found.append(self._left_out(properties, item))
            for records, onward in self._versions(properties, at) if not properties.managed else ():
                found += records
                if onward and len(found) >= PAGE_SIZE:
                    yield Page(found, at.checkpoint(properties.name, onward))
                    found = []
            at.done.append(properties.name)
            if len(found) >= PAGE_SIZE:
                yield Page(found, at.checkpoint())
                found = []
        yield Page(found, after)

    def _versions(self, of: SecretProperties, at: _Position) -> Iterator[tuple[list[Record], str | None]]:
        link = at.versions if at.name == of.name else None
        start = link or self._objects.link(f"{self._place}/{of.name}/versions")
        try:
            for document in self._objects.documents("versions", start):
                link = None
                yield [self._record(*pair) for pair in _items(document)], next_link(document)
        except NotFound:
            return  # deleted since it was listed
        except BadRequest as error:
            if link is None:
                raise
            raise self._lost() from error

    @property
    def _place(self) -> str:
        return f"/{self._objects.path}"

    def _record(self, properties: SecretProperties, item: Mapping[str, Any]) -> Record:
        fields = {**self._kind.listed(properties, item), "version": properties.version}
        return Record(_key(properties), fields, marker=self._marker(properties))

    def _left_out(self, properties: SecretProperties, item: Mapping[str, Any]) -> Record:
        fields = {**self._kind.listed(properties, item), "version": None}
        return Record(properties.name, fields, left_out="it belongs to a certificate")

    def _marker(self, properties: SecretProperties) -> str | None:
        return str(properties.updated) if properties.is_settled(self._clock.now()) else None

    def _lost(self) -> SettingsError:
        return SettingsError(
            f"{self._objects.vault.host} no longer knows where this run stopped reading: start a new run."
        )


def _key(properties: SecretProperties) -> str:
    return f"{properties.name}/{properties.version}"


def _items(document: Any) -> list[_Listed]:
    items = document.get("value") if isinstance(document, dict) else None
    if items is not None and not isinstance(items, list):
        raise MalformedAnswer("The vault's answer is not what its API promises: value.")
    named = [with_id(item) for item in items or ()]
    loaded, _ = load_page({"value": [dict(item) for item in named]})
    return list(zip(loaded, named, strict=True))
