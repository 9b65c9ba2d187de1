"""Where people may be sent after a consent: only to addresses that whoever runs this installation has listed.

An address is read by one strict expression instead of a lenient parser, because what a browser makes of a backslash, a
control character or a doubled slash is exactly how open redirects are made. Source: RFC 3986 §3; RFC 9700 §4.11.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 2000

_ADDRESS: Final = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[a-z0-9._~!$&'()*+,;=:@%-]*)*)"
    r"(?P<query>\?[a-z0-9._~!$&'()*+,;=:@%/?-]*)?",
    re.ASCII | re.IGNORECASE,
)
_DISGUISED: Final = re.compile(
    r"//|/\.{1,2}(?:[;/]|$)|%(?:2e|2f|5c|25|[01][0-9a-f]|7f)|%(?![0-9a-f]{2})", re.IGNORECASE
)
"""Paths that mean another one to somebody: doubled slashes, dots, encoded slashes, dots, backslashes and controls."""

_PORTS: Final = {"https": 443, "http": 80}
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class _Address:
    scheme: str
    host: str
    port: int
    path: str
    has_query: bool


def listed(text: str) -> tuple[str, ...]:
    """The allow-list in this text: origins or prefixes, parted by spaces or commas.

    Raises ValueError, naming the first that is none.
    """
    prefixes = tuple(re.split(r"[\s,]+", text.strip())) if text.strip(" \t\r\n,") else ()
    kept = tuple(filter(None, prefixes))
    for prefix in kept:
        address = _read(prefix)
        if address is None or address.has_query or (address.scheme == "http" and address.host not in _LOOPBACK):
            raise ValueError(f"{prefix[:200]} is not an https origin, with or without a path")
    return kept


def allowed(return_to: str, allow_list: Iterable[str]) -> bool:
    """Whether people may be sent there: scheme, host and port of an entry, and its path or one below it."""
    address = _read(return_to)
    return address is not None and any(_covers(_read(prefix), address) for prefix in allow_list)


def host_of(return_to: str) -> str:
    """The host as people read it; empty where this is no address."""
    address = _read(return_to)
    return address.host if address else ""


def origin_of(return_to: str) -> str:
    """Scheme, host and port as a content security policy has them; empty where this is no address."""
    address = _read(return_to)
    return f"{address.scheme}://{address.host}:{address.port}" if address else ""


def _read(text: str) -> _Address | None:
    found = _ADDRESS.fullmatch(text) if len(text) <= LONGEST else None
    if found is None or _DISGUISED.search(found["path"]):
        return None
    scheme = found["scheme"].lower()
    port = int(found["port"] or _PORTS[scheme])
    if not 0 < port < 65536:
        return None
    return _Address(scheme, found["host"].lower(), port, found["path"] or "/", found["query"] is not None)


def _covers(prefix: _Address | None, address: _Address) -> bool:
    if prefix is None or (prefix.scheme, prefix.host, prefix.port) != (address.scheme, address.host, address.port):
        return False
    return address.path == prefix.path or address.path.startswith(prefix.path.rstrip("/") + "/")
