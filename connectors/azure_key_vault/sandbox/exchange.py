"""One HTTP request and its answer, as the sites of the sandbox see them, and the shape of a site.

Everything is kept as cheap as the wire allows: headers stay bytes, an answer brings its header lines
ready made, a query string is parsed once for all requests that repeat it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl

from connectors.azure_key_vault.sandbox.errors import Refused

JSON_LINE = b"Content-Type: application/json; charset=utf-8\r\n"


@dataclass(slots=True)
class Request:
    """A request that has arrived whole. Header names are lower case."""

    method: str
    path: str
    query: str
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def target(self) -> str:
        """Path and query as they came."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def host(self) -> bytes:
        """The Host header, empty if there was none."""
        return self.headers.get(b"host", b"")

    @property
    def parameters(self) -> Mapping[str, str]:
        """The query's parameters by lower-case name; of repeated ones the last."""
        return parse_query(self.query)


class Answer(NamedTuple):
    """Status, body and ready-made header lines (each ends with CRLF; no Content-Length)."""

    status: int
    body: bytes = b""
    headers: bytes = JSON_LINE


class Site(Protocol):
    """A host of the sandbox: Entra, ARM or one vault."""

    label: str
    calls: Counter[str]

    def answer(self, request: Request) -> Answer:
        """Carries the request out."""

    def count(self, request: Request) -> None:
        """Counts a request that a fault answers instead."""

    def refusal(self, status: int, headers: bytes) -> Answer:
        """An error of this site's shape, for a planted fault."""


def compact(document: object) -> bytes:
    """JSON without spaces, ASCII only."""
    return json.dumps(document, separators=(",", ":")).encode()


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body; 400 BadParameter when it is none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as problem:
        raise Refused(400, "BadParameter", "The request body is not valid JSON.") from problem
    if not isinstance(document, dict):
        raise Refused(400, "BadParameter", "The request body must be a JSON object.")
    return document


@lru_cache(maxsize=512)
def parse_query(query: str) -> Mapping[str, str]:
    """Parameters by lower-case name. Shared between requests: not to be changed."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return {}
    return {name.lower(): value for name, value in pairs}


class Base(NamedTuple):
    """How a host that was asked is written in ids (`https://host`) and links (always with its port)."""

    id: str
    link: str
    name: str
    port: str


@lru_cache(maxsize=256)
def base_of(host: bytes) -> Base:
    """What the Host header says; 400 when it cannot be a host."""
    text = host.decode("latin-1").lower()
    if not text or len(text) > 255 or not set(text) <= _HOST_CHARACTERS:
        raise Refused(400, "BadRequest", "The Host header is missing or malformed.")
    name, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        name, port = text, "443"
    return Base(f"https://{text}", f"https://{name}:{port}", name, port)


_HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-:[]")
