"""Calls to a vault: which operation a request asks for, and what vaults answer about objects of every kind alike.

Secrets, keys and certificates share lists, versions, soft delete and backup (Azure reference sheet, sections 4.4 to
4.6). A `Collection` carries these out; each kind adds its own operations and its way of writing JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from connectors.azure_key_vault.sandbox.exchange import Base, Request, compact
from connectors.azure_key_vault.sandbox.names import Names
from connectors.azure_key_vault.sandbox.paging import PageRequest, page_request
from connectors.azure_key_vault.sandbox.shelf import Deleted, Named, Shelf
from connectors.azure_key_vault.sandbox.state import Vault
from connectors.azure_key_vault.sandbox.throttle import OTHER_COST


class Route(NamedTuple):
    """Which operation a request asks for, on which object."""

    kind: str
    name: str = ""
    version: str = ""


class Call(NamedTuple):
    """All that an operation needs to know."""

    route: Route
    request: Request
    parameters: Mapping[str, str]
    base: Base
    generation: int


class Reply(NamedTuple):
    """An answer that is not simply 200 or 204."""

    status: int
    body: bytes
    headers: bytes = b""


class _Version(Protocol):
    id: str


class Versioned(Named, Protocol):
    """An object with versions, the oldest first."""

    @property
    def versions(self) -> list[Any]: ...

    @property
    def latest(self) -> Any: ...


Kept = TypeVar("Kept", bound=Versioned)


class Writing(Protocol[Kept]):
    """How objects of one kind are written for one host and one generation of the API."""

    def item(self, thing: Kept) -> bytes: ...
    def version_item(self, thing: Kept, version: Any) -> bytes: ...
    def properties(self, thing: Kept, version: Any) -> bytes: ...
    def deleted(self, gone: Deleted[Kept], *, versioned: bool) -> bytes: ...


Router = Callable[[str, list[str]], Route | None]
"""From a method and the parts of a path behind the collection's name to a route; None where there is none."""


class Collection(Generic[Kept]):
    """What a vault answers about its objects of one kind. `path` stands in addresses, `prefix` before kinds of calls."""

    path: str = ""
    prefix: str = ""

    def __init__(self, vault: Vault, shelf: Shelf[Kept]) -> None:
        self.vault = vault
        self.shelf = shelf
        self.operations: dict[str, Callable[[Call], bytes | Reply]] = {
            f"{self.prefix}{kind}": operation
            for kind, operation in {
                "list": self._list,
                "versions": self._versions,
                "deleted_list": self._deleted_list,
                "deleted_get": self._deleted_get,
                "delete": self._delete,
                "recover": self._recover,
                "purge": self._purge,
                **self.own(),
            }.items()
        }

    def own(self) -> Mapping[str, Callable[[Call], bytes | Reply]]:
        """The operations of this kind of object alone, by kind of call without prefix."""
        return {}

    def routers(self) -> dict[tuple[str, int], Router]:
        """By collection's name in lower case and how many parts follow."""
        deleted = f"deleted{self.path}"
        return {
            (self.path, 0): self._listing,
            (deleted, 0): self._listing_deleted,
            (deleted, 1): self._deleted_one,
            (deleted, 2): self._deleted_action,
        }

    def cost(self, route: Route, request: Request) -> int:
        """What a call takes off the vault's budget."""
        return OTHER_COST

    def writer(self, call: Call) -> Writing[Kept]:
        """Writes for this call."""
        raise NotImplementedError

    def listed_names(self, call: Call) -> Names:
        """What a list goes through, in lower case."""
        return self.shelf.names

    def listed_items(self, call: Call, names: list[str]) -> list[bytes]:
        """The items of these names on a list."""
        write = self.writer(call).item
        return [write(thing) for thing in self.shelf.listed(names)]

    def route(self, kind: str, *rest: str) -> Route:
        """The route of this collection's kind."""
        return Route(f"{self.prefix}{kind}", *rest)

    def _listing(self, method: str, rest: list[str]) -> Route | None:
        return self.route("list") if method == "GET" else None

    def _listing_deleted(self, method: str, rest: list[str]) -> Route | None:
        return self.route("deleted_list") if method == "GET" else None

    def _deleted_one(self, method: str, rest: list[str]) -> Route | None:
        kind = {"GET": "deleted_get", "DELETE": "purge"}.get(method)
        return self.route(kind, rest[0]) if kind else None

    def _deleted_action(self, method: str, rest: list[str]) -> Route | None:
        return self.route("recover", rest[0]) if method == "POST" and rest[1].lower() == "recover" else None

    def _delete(self, call: Call) -> bytes:
        return self.writer(call).deleted(self.shelf.delete(call.route.name), versioned=True)

    def _recover(self, call: Call) -> bytes:
        thing = self.shelf.recover(call.route.name)
        return self.writer(call).properties(thing, thing.latest)

    def _purge(self, call: Call) -> bytes:
        self.shelf.purge(call.route.name)
        return b""

    def _deleted_get(self, call: Call) -> bytes:
        return self.writer(call).deleted(self.shelf.find_deleted(call.route.name), versioned=True)

    def _list(self, call: Call) -> bytes:
        page = page_request(call.parameters)
        count = page.count(ragged=self.vault.ragged_pages)
        keys = self.listed_names(call).after(page.marker, count + 1)
        items = self.listed_items(call, keys[:count])
        return _page(call, page, items, f"/{self.path}", _marker(page, keys, count))

    def _deleted_list(self, call: Call) -> bytes:
        page = page_request(call.parameters)
        count = page.count(ragged=self.vault.ragged_pages)
        keys = self.shelf.deleted_names.after(page.marker, count + 1)
        write = self.writer(call).deleted
        items = [write(gone, versioned=False) for gone in self.shelf.listed_deleted(keys[:count])]
        return _page(call, page, items, f"/deleted{self.path}", _marker(page, keys, count))

    def _versions(self, call: Call) -> bytes:
        page = page_request(call.parameters)
        thing = self.shelf.find(call.route.name)
        count = page.count(ragged=self.vault.ragged_pages)
        found = sorted(thing.versions, key=_id)
        found = [version for version in found if version.id > page.marker][: count + 1]
        write = self.writer(call).version_item
        items = [write(thing, version) for version in found[:count]]
        path = f"/{self.path}/{thing.name}/versions"
        return _page(call, page, items, path, _marker(page, [version.id for version in found], count))


def _id(version: _Version) -> str:
    return version.id


def _marker(page: PageRequest, keys: list[str], count: int) -> str | None:
    """Where the next page starts, or None when this is the last one. `keys` holds one more than `count`."""
    if len(keys) <= count:
        return None
    return keys[count - 1] if count else page.marker


def _page(call: Call, page: PageRequest, items: Iterable[bytes], path: str, marker: str | None) -> bytes:
    link = None
    if marker is not None:
        link = call.base.link + page.link(path, call.parameters["api-version"], marker)
    return b'{"value":[' + b",".join(items) + b'],"nextLink":' + compact(link) + b"}"


RESTORE: Final = "restore"
"""A name that no object can have: it stands where a backup is restored."""
