"""Pages of a list and the links between them (Azure reference sheet, section 4.6).

A page holds at most 25 items and may hold fewer, even none, and still have a successor. With ragged
pages on, every tenth page from the fourth is empty and every tenth from the seventh is half full.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from connectors.azure_key_vault.sandbox.errors import Refused
from connectors.azure_key_vault.sandbox.tokens import decode, encode

MAXIMUM_PAGE_SIZE = 25


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is asked for: how big, its number from 1, and the name it starts behind."""

    size: int
    number: int
    marker: str
    asked_size: str | None
    kept: str = ""
    """What else the request asked for, as the links to further pages repeat it."""

    def count(self, *, ragged: bool) -> int:
        """How many items this page holds at most."""
        if not ragged:
            return self.size
        return {4: 0, 7: self.size // 2}.get(self.number % 10, self.size)

    def link(self, path: str, api_version: str, marker: str) -> str:
        """Path and query of the page that follows the marker."""
        token = encode(json.dumps({"NextMarker": f"2!{self.number + 1}!{marker}", "TargetLocation": 0}).encode())
        size = "" if self.asked_size is None else f"&maxresults={self.asked_size}"
        return f"{path}?api-version={api_version}&$skiptoken={token}{size}{self.kept}"


def page_request(parameters: Mapping[str, str]) -> PageRequest:
    """Reads `maxresults` and `$skiptoken`; 400 when they cannot be."""
    asked_size = parameters.get("maxresults")
    size = MAXIMUM_PAGE_SIZE if asked_size is None else _size(asked_size)
    token = parameters.get("$skiptoken")
    number, marker = (1, "") if token is None else _place(token)
    pending = parameters.get("includepending")
    kept = "" if pending is None else f"&includePending={quote(pending)}"
    return PageRequest(size, number, marker, asked_size, kept)


def _size(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= MAXIMUM_PAGE_SIZE):
        message = f"Property maxresults has invalid value; it must be between 1 and {MAXIMUM_PAGE_SIZE}."
        raise Refused(400, "BadParameter", message)
    return int(text)


def _place(token: str) -> tuple[int, str]:
    try:
        _, number, marker = json.loads(decode(token))["NextMarker"].split("!")
        return int(number), marker
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise Refused(400, "BadParameter", "Property skiptoken has invalid value.") from problem
