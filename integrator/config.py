"""Where this installation keeps its things, read from the environment once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from integrator import return_urls
from integrator.errors import BadUsage

DATABASE_NAME: Final = "integrator.db"
KEY_NAME: Final = "seal.key"

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?"
_PUBLIC_URL: Final = re.compile(
    rf"https?://(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])(?::[1-9][0-9]{{0,4}})?(?:/(?!\.{{1,2}}(?:/|\Z))[A-Za-z0-9._~-]+)*/?"
)
"""Host, port and path, with nothing in it that a browser, a proxy and we could read differently (RFC 3986 §3)."""


@dataclass(frozen=True, slots=True)
class Config:
    """One installation. The database's URL may hold a password, so it is never printed."""

    home: Path
    key_file: Path
    database_url: str | None = field(repr=False)
    """None: SQLite, in the home folder."""
    public_url: str | None = None
    return_urls: tuple[str, ...] = ()
    """Origins or prefixes that people may be sent to after a consent."""
    trusted_proxies: tuple[Network, ...] = ()
    """Proxies in front of the server, whose word for where a request comes from counts."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Config:
        """Read the `INTEGRATOR_*` variables; empty ones count as unset. The home folder is made, for its owner only.

        Raises BadUsage, naming the variable, where one cannot be used.
        """
        home = _absolute(environ.get("INTEGRATOR_HOME") or _default_home(environ))
        _make_home(home)
        return cls(
            home=home,
            key_file=_absolute(environ.get("INTEGRATOR_KEY_FILE") or home / KEY_NAME),
            database_url=environ.get("INTEGRATOR_DATABASE_URL") or None,
            public_url=_public_url(environ.get("INTEGRATOR_PUBLIC_URL") or None),
            return_urls=_return_urls(environ.get("INTEGRATOR_RETURN_URLS") or ""),
            trusted_proxies=_trusted_proxies(environ.get("INTEGRATOR_TRUSTED_PROXIES") or ""),
        )


def _default_home(environ: Mapping[str, str]) -> Path:
    data = environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data) / "integrator"


def _absolute(path: str | Path) -> Path:
    return Path(path).expanduser().absolute()


def _make_home(home: Path) -> None:
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        home.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise BadUsage(
            f"The data folder {home} cannot be made ({error.strerror}): set INTEGRATOR_HOME to a folder that can."
        ) from error


def _public_url(url: str | None) -> str | None:
    if url is None:
        return None
    if not _is_server(url):
        raise BadUsage(
            "INTEGRATOR_PUBLIC_URL is no address of a server: write it as https://host, https://host:port or "
            "https://host/path, without a user name and without spaces or other signs."
        )  # it is not repeated: it may hold a password
    return url.rstrip("/")


def _is_server(url: str) -> bool:
    try:
        return _PUBLIC_URL.fullmatch(url) is not None and urlsplit(url).port != 0
    except ValueError:  # a port that is none, or brackets around what is no address
        return False


def _return_urls(text: str) -> tuple[str, ...]:
    try:
        return return_urls.listed(text)
    except ValueError as error:
        raise BadUsage(
            f"INTEGRATOR_RETURN_URLS cannot be used: {error}; write such as https://host or https://host/path, parted by "
            "spaces."
        ) from None


def _trusted_proxies(text: str) -> tuple[Network, ...]:
    try:
        networks = tuple(ip_network(word) for word in text.replace(",", " ").split())
    except ValueError:
        networks = ()
    if text.strip() and (not networks or any(network.prefixlen == 0 for network in networks)):
        raise BadUsage(
            "INTEGRATOR_TRUSTED_PROXIES cannot be used: list the addresses of the proxies in front of the server, or their "
            "networks, such as 10.0.0.5 or 10.1.0.0/16, parted by spaces. Everybody's address is none."
        )
    return networks
