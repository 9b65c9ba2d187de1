"""From which address somebody comes: the one that has opened the connection, or, behind proxies that a setting names, the
one that these proxies have noted.

Everybody can write `X-Forwarded-For`, and each proxy only appends to it. So it is read from its end, as long as the
address that has noted an entry is a proxy of ours; nothing else that proxies tell is read at all. Source: MDN,
"X-Forwarded-For", section on selecting an address.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from flask import request

from integrator.config import Address, Network
from integrator.web.current import installation

HEADER: Final = "X-Forwarded-For"
MOST_PROXIES: Final = 10
SUBSCRIBER_BITS: Final = 64
"""Of IPv6, one subscriber has at least this whole network, and may change its address at will (RFC 6177)."""


def caller() -> str:
    """Who asks, as tries are counted: an address, or, of IPv6, its network."""
    return counted(came_from(request.remote_addr or "", request.headers.getlist(HEADER), trusted()))


def trusted() -> Sequence[Network]:
    """The proxies whose word counts."""
    return installation().config.trusted_proxies


def came_from(peer: str, forwarded: Iterable[str], proxies: Sequence[Network]) -> str:
    """The nearest address that is none of these proxies; `forwarded` are the header's lines, in their order."""
    entries = [entry for line in forwarded for entry in line.split(",")]
    found = peer
    for entry in reversed(entries[-MOST_PROXIES:]):
        noted = _address(entry)
        if noted is None or not _is_proxy(found, proxies):
            break
        found = str(noted)
    return found


def counted(address: str) -> str:
    """The address, or the network of those that are one subscriber's; what is no address stays as it is."""
    found = _address(address)
    if isinstance(found, IPv6Address):
        return str(ip_network(f"{IPv6Address(int(found))}/{SUBSCRIBER_BITS}", strict=False))
    return str(found or address)


def _is_proxy(address: str, proxies: Sequence[Network]) -> bool:
    found = _address(address)
    return found is not None and any(found in proxy for proxy in proxies)


def _address(text: str) -> Address | None:
    """With or without a port; an IPv4 address that is written as one of IPv6 is one of IPv4."""
    told = text.strip()
    if told.startswith("["):
        told = told[1:].partition("]")[0]
    elif told.count(":") == 1:
        told = told.partition(":")[0]
    try:
        found = ip_address(told)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
