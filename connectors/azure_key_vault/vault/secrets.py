"""The secrets of one vault, call by call. Source: Key Vault REST API, Secrets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from connectors.azure_key_vault.model import SecretProperties, VaultSecret
from connectors.azure_key_vault.schemas import load_page, load_properties, load_secret
from connectors.azure_key_vault.vault.objects import PAGE_SIZE, VaultObjects
from connectors.paging import ahead
from connectors.rest import Call


class VaultSecrets(VaultObjects):
    """Calls one vault. Every method raises RemoteError: its recovery says what follows."""

    path: ClassVar[str] = "secrets"

    def pages(self, link: str | None = None) -> Iterator[tuple[list[SecretProperties], str | None]]:
        """Properties of all secrets, page by page, each with the link to the next. Needs list (readMetadata)."""
        return self._follow("list", link or f"{self._url('')}&maxresults={PAGE_SIZE}")

    def versions(self, name: str) -> Iterator[tuple[list[SecretProperties], str | None]]:
        """Properties of all versions of a secret. Needs list (readMetadata)."""
        return self._follow("versions", self._url(f"/{name}/versions"))

    def deleted(self) -> Iterator[tuple[list[SecretProperties], str | None]]:
        """Properties of deleted secrets that can be recovered. Needs list (readMetadata)."""
        return self._follow("deleted", f"{self.vault.url}/deletedsecrets{self._query}")

    def get(self, name: str, version: str = "") -> VaultSecret:
        """One version of a secret, the latest if none is named. Needs get (getSecret)."""
        path = f"/{name}/{version}" if version else f"/{name}"
        return load_secret(self._client.json(Call("get", "GET", self._url(path))))

    def set(self, name: str, parameters: dict[str, Any]) -> SecretProperties:
        """A new version, which inherits nothing from the one before. Needs set (setSecret).

        Repeating it makes another version: after AnswerLost look at the secret first.
        """
        call = Call("put", "PUT", self._url(f"/{name}"), parameters, weight="create", repeatable=False)
        return load_properties(self._client.json(call))

    def update(self, name: str, parameters: dict[str, Any], version: str) -> SecretProperties:
        """Attributes, content type or tags of a version; what is not named stays. Needs set (update)."""
        return load_properties(self._client.json(Call("patch", "PATCH", self._url(f"/{name}/{version}"), parameters)))

    def _url(self, path: str) -> str:
        return f"{self.vault.url}/secrets{path}{self._query}"

    def _follow(self, kind: str, link: str) -> Iterator[tuple[list[SecretProperties], str | None]]:
        for document in ahead(self.documents(kind, link)):
            yield load_page(document)
