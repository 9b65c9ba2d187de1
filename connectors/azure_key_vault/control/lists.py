"""Lists of Azure Resource Manager, page by page, for `listed`: those that it has, and those inside one document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from connectors.azure_key_vault.model import VaultAddress
from connectors.azure_key_vault.schemas import MOST_ITEMS, next_link
from connectors.azure_key_vault.vault.objects import PAGE_SIZE
from connectors.errors import HostNotAllowed
from connectors.rest import Call, RestClient
from iclients.clouds import CloudProfile
from iclients.errors import MalformedAnswer

_FROM: Final = "from"


class ResourceLists:
    """The lists that it has."""

    def __init__(self, client: RestClient, cloud: CloudProfile, version: str, query: str = "") -> None:
        """`query` narrows the list: `$filter=…`, encoded."""
        self.vault = VaultAddress.parse(cloud.arm)
        self._client = client
        self._cloud = cloud
        self._query = f"?api-version={version}" + (f"&{query}" if query else "")

    def link(self, place: str, size: int = PAGE_SIZE) -> str:
        """Where a list begins. How long its pages are is left to the service."""
        return f"{self._cloud.arm}{place}{self._query}"

    def documents(self, kind: str, link: str | None) -> Iterator[Any]:
        """Pages as they came, by nextLink, as long as it leads to the same host and not in a circle."""
        seen: set[str] = set()
        while link:
            if link in seen:
                raise MalformedAnswer(f"{self.vault.host} leads from page to page in a circle: its list has no end.")
            seen.add(link)
            if not self._cloud.allows_arm(link):
                raise HostNotAllowed(f"{self.vault.host} gave a next page on another host: it was not followed.")
            document = self._client.json(Call(kind, "GET", link))
            yield document
            link = next_link(document)


class EntryLists:
    """A list inside one document: it is read whole, and given in pages."""

    def __init__(self, arm: str, ask: Callable[[str], list[Mapping[str, Any]]]) -> None:
        """`ask` reads the entries; it is told which kind of call that is."""
        self.vault = VaultAddress.parse(arm)
        self._arm = arm
        self._ask = ask

    def link(self, place: str, size: int = PAGE_SIZE) -> str:
        """Where it begins."""
        return f"{self._arm}{place}?{_FROM}=0"

    def documents(self, kind: str, link: str | None) -> Iterator[Any]:
        """Its pages, from the one on that the link names."""
        parts = urlsplit(link or "")
        told = parse_qs(parts.query).get(_FROM, [""])[0]
        found, start = self._ask(kind), int(told) if told.isdecimal() else 0
        while True:
            end = start + MOST_ITEMS
            onward = f"{self._arm}{parts.path}?{_FROM}={end}" if end < len(found) else None
            yield {"value": found[start:end], "nextLink": onward}
            if onward is None:
                return
            start = end
