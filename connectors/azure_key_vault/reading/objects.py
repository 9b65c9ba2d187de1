"""Reading what is not a secret: keys, certificates and deleted objects. Listing first, a read only where it is asked for.

Nothing here is secret: of a key and of a certificate, the public half. Source: Key Vault REST API.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.azure_key_vault.documents import with_id
from connectors.azure_key_vault.model import SecretProperties, iso
from connectors.azure_key_vault.reading.records import (
    certificate_details,
    certificate_listed,
    deleted_certificate_listed,
    deleted_key_listed,
    deleted_listed,
    key_details,
    key_listed,
)
from connectors.azure_key_vault.schemas import load_page, load_properties, next_link
from connectors.azure_key_vault.vault.objects import VaultObjects
from connectors.connector import Source
from connectors.errors import BadRequest, RecordError, SettingsError
from connectors.model import Checkpoint, Page, ReadOptions, Record
from connectors.paging import ahead
from iclients.clock import Clock
from iclients.errors import MalformedAnswer

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """How one resource is read: where it is listed, what listing says, and what only a read says."""

    place: str
    call: str
    listed: Callable[[SecretProperties, Mapping[str, Any]], Fields]
    details: Callable[[Mapping[str, Any]], Fields] | None = None
    only_read: tuple[str, ...] = ()


KINDS: Final[Mapping[str, Kind]] = {
    "keys": Kind(
        "/keys", "list", key_listed, key_details,
        ("version", "key_type", "key_size", "curve", "operations", "jwk", "pem"),
    ),
    "certificates": Kind(
        "/certificates", "list", certificate_listed, certificate_details,
        ("version", "issuer", "key_type", "key_size", "exportable", "content_type", "dns_names", "policy", "pem", "value", "password"),
    ),
    "deleted_secrets": Kind("/deletedsecrets", "deleted", deleted_listed),
    "deleted_keys": Kind("/deletedkeys", "deleted", deleted_key_listed),
    "deleted_certificates": Kind("/deletedcertificates", "deleted", deleted_certificate_listed),
}  # fmt: skip


class ObjectsSource(Source):
    """One collection of a vault as records. Needs list, and get where `values` asks for what only a read says."""

    def __init__(self, objects: VaultObjects, resource: str, options: ReadOptions, clock: Clock) -> None:
        self._kind = KINDS[resource]
        self.identity = f"azure-key-vault:{objects.vault.host}/{resource}"
        self._objects = objects
        self._clock = clock
        self.unread = options.unread(self._kind.only_read)

    def pages(self, checkpoint: Checkpoint | None) -> Iterator[Page]:
        link = checkpoint["next"] if checkpoint else None
        start = link or self._objects.link(self._kind.place)
        try:
            for document in ahead(self._objects.documents(self._kind.call, start)):
                link, following = None, next_link(document)
                yield Page(self._records(document), {"next": following} if following else None)
        except BadRequest as error:
            if link is None:
                raise
            raise SettingsError(
                f"{self._objects.vault.host} no longer knows where this run stopped reading: start a new run."
            ) from error

    def read(self, record: Record) -> Record:
        if not self.unread or self._kind.details is None:
            return record
        document = with_id(self._objects.document(record.key))
        properties = load_properties(document)
        if properties.name.lower() != record.key.lower():
            raise RecordError(
                f"{record.key}: the vault answered with another object than was asked for; nothing of it was used.",
                code="other_record",
            )
        fields = {**record.fields, **self._kind.details(document), "version": properties.version, "id": properties.id}
        return Record(record.key, fields, marker=self._marker(properties))

    def _records(self, document: Any) -> list[Record]:
        items = document.get("value") if isinstance(document, dict) else None
        if items is not None and not isinstance(items, list):
            raise MalformedAnswer("The vault's answer is not what its API promises: value.")
        named = [with_id(item) for item in items or ()]
        loaded, _ = load_page({"value": [dict(item) for item in named]})
        return [self._record(*pair) for pair in zip(loaded, named, strict=True)]

    def _record(self, properties: SecretProperties, item: Mapping[str, Any]) -> Record:
        left_out = "it belongs to a certificate" if properties.managed else None
        marker = iso(item["deletedDate"]) if isinstance(item.get("deletedDate"), int) else self._marker(properties)
        fields = self._kind.listed(properties, item)
        return Record(properties.name, fields, marker=marker, left_out=left_out)

    def _marker(self, properties: SecretProperties) -> str | None:
        return str(properties.updated) if properties.is_settled(self._clock.now()) else None
