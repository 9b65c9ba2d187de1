"""Lists of a vault as actions give them: all pages, or so many items and a token to go on.

A token is ours: which page it is, by path and query as the vault wrote them, and how many of its items were given
already, because `top` may end in the middle of a page and pages may be ragged. It leads to the same list of the same
vault only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Protocol
from urllib.parse import urlsplit

from connectors.actions import CONTINUATION, TOP, decoded, encoded
from connectors.azure_key_vault.model import VaultAddress
from connectors.azure_key_vault.schemas import MOST_ITEMS, next_link
from connectors.azure_key_vault.vault.objects import PAGE_SIZE
from connectors.errors import BadInput
from iclients.errors import MalformedAnswer


class Lists(Protocol):
    """What has lists at places: the collections of a vault, or Azure Resource Manager. `vault` is where it answers."""

    vault: VaultAddress

    def link(self, place: str, size: int = PAGE_SIZE) -> str:
        """Where the list of this place begins."""

    def documents(self, kind: str, link: str | None) -> Iterator[Any]:
        """Pages as they came. Raises RemoteError."""


def listed(
    objects: Lists, kind: str, place: str, item: Callable[[Any], dict[str, Any]], inputs: dict[str, Any]
) -> dict[str, Any]:
    """The items of the list at this place, and where to go on. Raises BadInput for a `top` or token that cannot be."""
    top = inputs.get(TOP)
    if top is not None and top < 1:
        raise BadInput("top is not a number above 0.", parameter=TOP)
    link, skip = _start(objects, place, top, inputs.get(CONTINUATION))
    items: list[dict[str, Any]] = []
    for at, documents, following in _pages(objects, kind, link):
        taken = documents[skip:] if top is None else documents[skip : skip + top - len(items)]
        items += [item(document) for document in taken]
        end, skip = skip + len(taken), 0
        if top is not None and len(items) >= top:
            is_over = end >= len(documents)
            token = _token(following, 0) if is_over and following else None if is_over else _token(at, end)
            return {"items": items, CONTINUATION: token}
    return {"items": items, CONTINUATION: None}


def _start(objects: Lists, place: str, top: int | None, token: str | None) -> tuple[str, int]:
    if token is None:
        return objects.link(place, min(PAGE_SIZE, top or PAGE_SIZE)), 0
    try:
        at, skip = json.loads(decoded(token))
        is_ours = isinstance(skip, int) and 0 <= skip <= MOST_ITEMS and urlsplit(at).path.lower() == place.lower()
    except (ValueError, TypeError, AttributeError, RecursionError):
        is_ours = False
    if not is_ours:
        raise BadInput("continuationToken is none that this action gave for the same object.", parameter=CONTINUATION)
    return f"{objects.vault.url}{at}", skip


def _pages(objects: Lists, kind: str, link: str) -> Iterator[tuple[str, list[Any], str | None]]:
    for document in objects.documents(kind, link):
        found = (document.get("value") or []) if isinstance(document, dict) else None
        if not isinstance(found, list) or len(found) > MOST_ITEMS:
            raise MalformedAnswer(f"{objects.vault.host} answered a list with something that is none.")
        following = next_link(document)
        yield link, found, following
        link = following or ""


def _token(link: str, skip: int) -> str:
    try:
        parts = urlsplit(link)
    except ValueError:
        raise MalformedAnswer("The next page of the list stands at something that is no address.") from None
    return encoded(json.dumps([f"{parts.path}?{parts.query}", skip]).encode())
