"""What secrets, keys and certificates of a vault have in common, call by call: versions, soft delete, backup.

Documents stay as the vault wrote them: `metadata` says what they mean. Source: Key Vault REST API; its collections
differ in nothing but their name here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final

from connectors.azure_key_vault.model import VaultAddress
from connectors.azure_key_vault.schemas import next_link
from connectors.errors import HostNotAllowed
from connectors.rest import Call, RestClient
from iclients.errors import AnswerLost, MalformedAnswer

PAGE_SIZE: Final = 25
"""The most that Key Vault puts on a page."""
UNCLEAR: Final = (AnswerLost, MalformedAnswer)
"""After these nobody knows whether the vault has done it."""


class VaultObjects:
    """Calls one collection of one vault. Every method raises RemoteError: its recovery says what follows.

    `path` stands in addresses, `prefix` before the kinds of calls that a run counts.
    """

    path: ClassVar[str]
    prefix: ClassVar[str] = ""

    def __init__(self, client: RestClient, vault: VaultAddress, api_version: str) -> None:
        self._client = client
        self.vault = vault
        self._query = f"?api-version={api_version}"

    def link(self, place: str, size: int = PAGE_SIZE) -> str:
        """Where a list begins: at `/secrets`, `/secrets/NAME/versions` or `/deletedsecrets`, say."""
        return f"{self.vault.url}{place}{self._query}&maxresults={size}"

    def documents(self, kind: str, link: str | None) -> Iterator[Any]:
        """Pages as they came, by nextLink, taken as it is, as long as it leads to this vault."""
        seen: set[int] = set()
        while link:
            if hash(link) in seen:
                raise MalformedAnswer(f"{self.vault.host} leads from page to page in a circle: its list has no end.")
            seen.add(hash(link))
            if not self.vault.owns(link):
                raise HostNotAllowed(f"{self.vault.host} gave a next page on another host: it was not followed.")
            document = self._client.json(Call(f"{self.prefix}{kind}", "GET", link))
            yield document
            link = next_link(document)

    def document(self, name: str, version: str = "") -> Any:
        """One version, the latest where none is named. Needs get."""
        return self._ask("get", "GET", f"/{name}/{version}" if version else f"/{name}")

    def is_there(self, name: str) -> bool:
        """Whether a version of it is listed. Needs list. Raises NotFound, or gives false, where there is none."""
        link = self.link(f"/{self.path}/{name}/versions", 1)
        found = self._client.json(Call(f"{self.prefix}versions", "GET", link))
        return bool(isinstance(found, dict) and (found.get("value") or found.get("nextLink")))

    def deleted_document(self, name: str) -> Any:
        """A deleted one. Needs get."""
        return self._ask_deleted("deleted_get", "GET", f"/{name}")

    def delete(self, name: str) -> Any:
        """Delete all versions; soft delete keeps them for a while. Needs delete. Not repeated when the answer is lost."""
        return self._ask("delete", "DELETE", f"/{name}", repeatable=False)

    def recover(self, name: str) -> Any:
        """Bring a deleted one back; it may take seconds to appear. Needs recover. Not repeated, likewise."""
        return self._ask_deleted("recover", "POST", f"/{name}/recover", repeatable=False)

    def purge(self, name: str) -> None:
        """Delete a deleted one for good. Needs purge, and a vault without purge protection. Not repeated, likewise."""
        self._ask_deleted("purge", "DELETE", f"/{name}", repeatable=False)

    def backup(self, name: str) -> Any:
        """All versions as one opaque text. Needs backup."""
        return self._ask("backup", "POST", f"/{name}/backup")

    def restore(self, backup: str) -> Any:
        """What a backup holds, where nothing has its name. Needs restore."""
        return self._once("restore", "POST", "/restore", {"value": backup}, "what is restored")

    def _ask(
        self,
        kind: str,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        weight: str = "other",
        repeatable: bool = True,
    ) -> Any:
        url = f"{self.vault.url}/{self.path}{path}{self._query}"
        return self._client.json(Call(f"{self.prefix}{kind}", method, url, body, weight, repeatable))

    def _ask_deleted(self, kind: str, method: str, path: str, *, repeatable: bool = True) -> Any:
        url = f"{self.vault.url}/deleted{self.path}{path}{self._query}"
        return self._client.json(Call(f"{self.prefix}{kind}", method, url, repeatable=repeatable))

    def _once(self, kind: str, method: str, path: str, body: dict[str, Any] | None, name: str) -> Any:
        """A call that makes something new: never repeated blindly, because that would make another."""
        try:
            return self._ask(kind, method, path, body, weight="create", repeatable=False)
        except UNCLEAR as error:
            message = f"{error} Look at {name} before it is done again: it may be there already."
            raise AnswerLost(message, code=error.code) from error
