"""Addresses of servers: one form for those that people type and those that servers tell, and hosts that none may have.

The form is narrower than that of any URL parser, so that all of them read the same host from it. Sources: RFC 3986 §3,
RFC 3927 and RFC 4291 §2.5.6 (link-local addresses, where clouds answer machines with secrets), RFC 6052 §2.1.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

Resolve = Callable[[str], Sequence[str]]
"""Gives every IP address of a host; none where it has none."""

MAX_LENGTH: Final = 2000

_PLACE: Final = r"[A-Za-z0-9._~!$&'()*+,;=:@%/{}-]"
_FORM: Final = re.compile(
    r"https://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
    rf"(?::(?P<port>[0-9]{{1,5}}))?(?:/{_PLACE}*)?(?P<query>\?(?:{_PLACE}|\?)*)?"
)
_NUMBER: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)")
"""Hosts that systems read as an IPv4 address, in whichever of its spellings."""

_NOBODYS: Final = tuple(map(ip_network, ("169.254.0.0/16", "168.63.129.16/32", "fe80::/10", "fd00:ec2::254/128")))
"""Link-local, and where clouds answer the machine itself: no provider is there."""

_TRANSLATED: Final = ip_network("64:ff9b::/96")


def is_address(text: object, *, with_query: bool = True) -> bool:
    """Whether this is `https://host[:port][/path][?query]`, and its host none that only this machine knows."""
    found = _FORM.fullmatch(text) if isinstance(text, str) and len(text) <= MAX_LENGTH else None
    if found is None or (found["query"] is not None and not with_query):
        return False
    if found["port"] is not None and not 1 <= int(found["port"]) <= 65_535:
        return False
    number = _number(found["host"])
    if number is None:
        return not found["host"].startswith("[") and not _NUMBER.fullmatch(found["host"])
    return not _is_nobodys(number)


def host_of(address: str) -> str:
    """The host of an address that has the form, in lower case. Raises ValueError for any other one."""
    found = _FORM.fullmatch(address)
    if found is None:
        raise ValueError("is not an address")
    return found["host"].lower()


def is_public(host: str, resolve: Resolve) -> bool:
    """Whether every IP address of this host is one of the Internet's. True where it has none: nothing can go there."""
    number = _number(host)
    addresses = [number] if number is not None else [ip_address(text) for text in resolve(host)]
    return all(_is_global(_real(address)) for address in addresses)


def resolved(host: str) -> tuple[str, ...]:
    """Every IP address that the system knows for this host; none where it knows none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def _number(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def _is_global(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not address.is_multicast and not _is_nobodys(address)


def _is_nobodys(address: IPv4Address | IPv6Address) -> bool:
    return any(_real(address) in network for network in _NOBODYS)


def _real(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for, where it stands for one."""
    if isinstance(address, IPv4Address):
        return address
    if address in _TRANSLATED or int(address) >> 32 == 0:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
