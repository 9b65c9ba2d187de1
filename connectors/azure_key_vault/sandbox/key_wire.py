"""How keys are written as JSON: bundles, list items, deleted ones (Azure reference sheet, section 4.8).

Private members never come back. A rotation policy and its release are documents that callers give and get as they are.
"""

from __future__ import annotations

from typing import Any

from connectors.azure_key_vault.sandbox.api_versions import WITH_RELEASE
from connectors.azure_key_vault.sandbox.exchange import compact
from connectors.azure_key_vault.sandbox.key_material import shown
from connectors.azure_key_vault.sandbox.keys import Key, KeyVersion
from connectors.azure_key_vault.sandbox.shelf import Deleted
from connectors.azure_key_vault.sandbox.state import Vault
from connectors.azure_key_vault.sandbox.wire import attributes_of, deletion_of


class KeyWriter:
    """Writes one vault's keys for one host and one generation of the API."""

    __slots__ = ("_base", "_generation", "_vault")

    def __init__(self, vault: Vault, base: str, generation: int) -> None:
        self._vault = vault
        self._base = base
        self._generation = generation

    def kid(self, key: Key, version: KeyVersion) -> str:
        """The address of a version."""
        return f"{self._base}/keys/{key.name}/{version.id}"

    def properties(self, key: Key, version: KeyVersion) -> bytes:
        """A key with the public half: the answer to whatever makes, gives or changes one."""
        return compact(self._bundle(key, version))

    def item(self, key: Key) -> bytes:
        """A list's item: the id names no version."""
        return compact({"kid": f"{self._base}/keys/{key.name}", **self._described(key, key.latest)})

    def version_item(self, key: Key, version: KeyVersion) -> bytes:
        """An item in a list of versions."""
        return compact({"kid": self.kid(key, version), **self._described(key, version)})

    def deleted(self, gone: Deleted[Key], *, versioned: bool) -> bytes:
        """A deleted key: its bundle, or its list item."""
        key, told = gone.thing, deletion_of(gone, self._base, "keys")
        if versioned:
            return compact(told | self._bundle(key, key.latest))
        return compact(told | {"kid": f"{self._base}/keys/{key.name}", **self._described(key, key.latest)})

    def rotation(self, key: Key) -> bytes:
        """The key's rotation policy."""
        attributes = {
            **key.rotation.get("attributes", {}),
            **({"created": key.rotation_created} if key.rotation_created is not None else {}),
            **({"updated": key.rotation_updated} if key.rotation_updated is not None else {}),
        }
        document = {"id": f"{self._base}/keys/{key.name}/rotationpolicy", **key.rotation, "attributes": attributes}
        return compact(document)

    def _bundle(self, key: Key, version: KeyVersion) -> dict[str, Any]:
        half = {
            "kid": self.kid(key, version),
            "kty": version.kty,
            "key_ops": list(version.operations),
            **shown(version.private),
        }
        bundle = {"key": half, **self._described(key, version)}
        is_told = version.release_policy and self._generation >= WITH_RELEASE
        return bundle | ({"release_policy": version.release_policy} if is_told else {})

    def _described(self, key: Key, version: KeyVersion) -> dict[str, Any]:
        attributes = attributes_of(version, self._vault, self._generation)
        if self._generation >= WITH_RELEASE:
            attributes |= {"exportable": version.exportable, "hsmPlatform": "1" if "HSM" in version.kty else "0"}
        document: dict[str, Any] = {"attributes": attributes}
        if version.tags is not None:
            document["tags"] = version.tags
        if key.managed:
            document["managed"] = True
        return document
