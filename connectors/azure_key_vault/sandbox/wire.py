"""How secrets are written as JSON: bundles, list items, deleted ones (Azure reference sheet, section 4.7).

The part of a document that depends on the version alone is written once and remembered on the version;
only the host that was asked is put in between. Members are masked for older API versions.
"""

from __future__ import annotations

from typing import Any, Protocol

from connectors.azure_key_vault.sandbox.api_versions import WITH_PREVIOUS_VERSION, WITH_RECOVERABLE_DAYS
from connectors.azure_key_vault.sandbox.exchange import compact
from connectors.azure_key_vault.sandbox.shelf import Deleted
from connectors.azure_key_vault.sandbox.state import Secret, Vault, Version


class Described(Protocol):
    """A version with the attributes that all kinds of objects have."""

    enabled: bool
    nbf: int | None
    exp: int | None
    created: int
    updated: int


def attributes_of(version: Described, vault: Vault, generation: int) -> dict[str, Any]:
    """The attributes of a version, as far as this generation of the API knows them."""
    attributes: dict[str, Any] = {"enabled": version.enabled}
    if version.nbf is not None:
        attributes["nbf"] = version.nbf
    if version.exp is not None:
        attributes["exp"] = version.exp
    attributes |= {"created": version.created, "updated": version.updated}
    level = vault.recovery_level
    if generation < WITH_RECOVERABLE_DAYS:
        return attributes | {"recoveryLevel": level.removeprefix("Customized")}
    return attributes | {"recoveryLevel": level, "recoverableDays": vault.retention_days}


def deletion_of(gone: Deleted[Any], base: str, collection: str) -> dict[str, Any]:
    """What a deleted object's document says of its deletion."""
    return {
        "recoveryId": f"{base}/deleted{collection}/{gone.thing.name}",
        "deletedDate": gone.deleted_at,
        "scheduledPurgeDate": gone.purge_at,
    }


class Writer:
    """Writes one vault's secrets for one host and one generation of the API."""

    __slots__ = ("_base", "_generation", "_key", "_vault")

    def __init__(self, vault: Vault, base: str, generation: int) -> None:
        self._vault = vault
        self._base = base
        self._generation = generation
        self._key = (generation, vault.retention_days, vault.purge_protection)

    def bundle(self, secret: Secret, version: Version) -> bytes:
        """A secret with its value: the answer to set and get."""
        if version.value_json is None:
            version.value_json = b'{"value":' + compact(version.value) + b',"id":"'
        return b"".join((version.value_json, self._id(secret, version), self._tails(secret, version)[2]))

    def properties(self, secret: Secret, version: Version) -> bytes:
        """A secret without its value: the answer to update, recover and restore."""
        return b'{"id":"' + self._id(secret, version) + self._tails(secret, version)[2]

    def item(self, secret: Secret) -> bytes:
        """A list's item: the id names no version."""
        place = f"{self._base}/secrets/{secret.name}".encode()
        return b'{"id":"' + place + self._tails(secret, secret.latest)[1]

    def version_item(self, secret: Secret, version: Version) -> bytes:
        """An item in a list of versions."""
        return b'{"id":"' + self._id(secret, version) + self._tails(secret, version)[1]

    def deleted(self, gone: Deleted[Secret], *, versioned: bool) -> bytes:
        """A deleted secret: its bundle, or with an id without version its list item."""
        secret, version = gone.thing, gone.thing.latest
        place = f"{self._base}/secrets/{secret.name}"
        found = deletion_of(gone, self._base, "secrets") | {"id": f"{place}/{version.id}" if versioned else place}
        return compact(found | self._described(secret, version))

    def _id(self, secret: Secret, version: Version) -> bytes:
        return f"{self._base}/secrets/{secret.name}/{version.id}".encode()

    def _tails(self, secret: Secret, version: Version) -> tuple[object, bytes, bytes]:
        tails = version.tails
        if tails is None or tails[0] != self._key:
            described = self._described(secret, version)
            item = b'",' + compact(described)[1:]
            previous = self._previous(secret, version)
            bundle = b'",' + compact(described | previous)[1:] if previous else item
            version.tails = tails = (self._key, item, bundle)
        return tails

    def _described(self, secret: Secret, version: Version) -> dict[str, Any]:
        document: dict[str, Any] = {"attributes": attributes_of(version, self._vault, self._generation)}
        if version.tags is not None:
            document["tags"] = version.tags
        if version.content_type is not None:
            document["contentType"] = version.content_type
        if secret.managed:
            document["managed"] = True
        return document

    def _previous(self, secret: Secret, version: Version) -> dict[str, Any]:
        """`previousVersion`, and the key id of a certificate's secret: what only bundles carry."""
        document: dict[str, Any] = {}
        if secret.managed:
            document["kid"] = f"{self._base}/keys/{secret.name}/{version.id}"
        place = secret.versions.index(version)
        if place and self._generation >= WITH_PREVIOUS_VERSION:
            document["previousVersion"] = secret.versions[place - 1].id
        return document
