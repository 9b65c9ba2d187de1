"""The secrets of one vault, call by call. Source: Key Vault REST API, Secrets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from connectors.azure_key_vault.model import SecretProperties, VaultAddress, VaultSecret
from connectors.azure_key_vault.schemas import load_page, load_properties, load_secret, next_link
from connectors.errors import HostNotAllowed
from connectors.paging import ahead
from connectors.rest import Call, RestClient
from iclients.errors import MalformedAnswer

PAGE_SIZE: Final = 25
"""The most that Key Vault puts on a page."""


class VaultSecrets:
    """Calls one vault. Every method raises RemoteError: its recovery says what follows."""

    def __init__(self, client: RestClient, vault: VaultAddress, api_version: str) -> None:
        self._client = client
        self.vault = vault
        self._query = f"?api-version={api_version}"

    def pages(self, link: str | None = None) -> Iterator[tuple[list[SecretProperties], str | None]]:
        """Properties of all secrets, page by page, each with the link to the next. Needs list (readMetadata)."""
        return self._follow("list", link or f"{self._url('')}&maxresults={PAGE_SIZE}")

    def probe(self) -> None:
        """One secret's properties, to see whether listing works. Needs list (readMetadata)."""
        load_page(self._client.json(Call("list", "GET", f"{self._url('')}&maxresults=1")))

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

    def delete(self, name: str) -> None:
        """Delete all versions; soft delete keeps them for a while. Needs delete."""
        self._client.json(Call("delete", "DELETE", self._url(f"/{name}")))

    def recover(self, name: str) -> None:
        """Bring a deleted secret back; it may take seconds to appear. Needs recover."""
        self._client.json(Call("recover", "POST", f"{self.vault.url}/deletedsecrets/{name}/recover{self._query}"))

    def purge(self, name: str) -> None:
        """Delete a deleted secret for good. Needs purge, and a vault without purge protection."""
        self._client.json(Call("purge", "DELETE", f"{self.vault.url}/deletedsecrets/{name}{self._query}"))

    def _url(self, path: str) -> str:
        return f"{self.vault.url}/secrets{path}{self._query}"

    def _follow(self, kind: str, link: str) -> Iterator[tuple[list[SecretProperties], str | None]]:
        for document in ahead(self._documents(kind, link)):
            yield load_page(document)

    def _documents(self, kind: str, link: str | None) -> Iterator[Any]:
        """Pages as they came, by nextLink, taken as it is, as long as it leads to this vault."""
        seen: set[int] = set()
        while link:
            if hash(link) in seen:
                raise MalformedAnswer(f"{self.vault.host} leads from page to page in a circle: its list has no end.")
            seen.add(hash(link))
            if not self.vault.owns(link):
                raise HostNotAllowed(f"{self.vault.host} gave a next page on another host: it was not followed.")
            document = self._client.json(Call(kind, "GET", link))
            yield document
            link = next_link(document)
