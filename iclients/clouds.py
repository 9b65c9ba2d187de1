"""Cloud profiles: where a cloud's authority, ARM and vaults are, and for whom its tokens are meant.

A token leaves only for a host that its cloud profile names. Source of the built-in figures: Azure documentation,
"National clouds" and "Key Vault: about keys, secrets and certificates".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import SplitResult, urlsplit

_LABEL: Final = re.compile(r"[a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class CloudProfile:
    """One cloud. `vaults` are hosts a vault URL may have: exact, with a port, or `*.suffix`."""

    name: str
    authority: str
    arm: str
    vaults: tuple[str, ...]
    vault_audience: str
    arm_audience: str
    ca_file: Path | None = None

    def allows_vault(self, url: str) -> bool:
        """Whether a token may be sent to this vault URL: https, and a host of this cloud."""
        return any(_matches(url, pattern) for pattern in self.vaults)

    def allows_arm(self, url: str) -> bool:
        """Whether a token may be sent to this control-plane URL."""
        return _matches(url, urlsplit(self.arm).netloc)

    def is_authority(self, url: str) -> bool:
        """Whether this address is the authority's, by its own name or by another one that Microsoft gives it."""
        own = urlsplit(self.authority).netloc
        names = next((names for names in _AUTHORITIES if own in names), {own})
        return any(_matches(url, name) for name in names)


BUILT_IN: Final[Mapping[str, CloudProfile]] = MappingProxyType(
    {
        "public": CloudProfile(
            name="public",
            authority="https://login.microsoftonline.com",
            arm="https://management.azure.com",
            vaults=("*.vault.azure.net",),
            vault_audience="https://vault.azure.net",
            arm_audience="https://management.azure.com",
        ),
        "usgov": CloudProfile(
            name="usgov",
            authority="https://login.microsoftonline.us",
            arm="https://management.usgovcloudapi.net",
            vaults=("*.vault.usgovcloudapi.net",),
            vault_audience="https://vault.usgovcloudapi.net",
            arm_audience="https://management.core.usgovcloudapi.net",
        ),
        "china": CloudProfile(
            name="china",
            authority="https://login.partner.microsoftonline.cn",
            arm="https://management.chinacloudapi.cn",
            vaults=("*.vault.azure.cn",),
            vault_audience="https://vault.azure.cn",
            arm_audience="https://management.chinacloudapi.cn",
        ),
    }
)

_AUTHORITIES: Final = (
    frozenset({"login.microsoftonline.com", "login.windows.net", "login.microsoft.com"}),
    frozenset({"login.microsoftonline.us", "login.usgovcloudapi.net"}),
    frozenset({"login.partner.microsoftonline.cn", "login.chinacloudapi.cn"}),
)
"""Names of one and the same authority: a vault's challenge often has the older one."""


def _matches(url: str, pattern: str) -> bool:
    try:
        parts = urlsplit(url)
        host, port = _host_and_port(parts)
        wanted_host, wanted_port = _host_and_port(urlsplit(f"//{pattern}"))
    except ValueError:  # a port or an IPv6 address that is none
        return False
    if parts.scheme != "https" or parts.username is not None or port != wanted_port:
        return False
    if wanted_host.startswith("*."):
        return host.endswith(wanted_host[1:]) and _LABEL.fullmatch(host.removesuffix(wanted_host[1:])) is not None
    return bool(host) and host == wanted_host


def _host_and_port(parts: SplitResult) -> tuple[str, int]:
    return parts.hostname or "", 443 if parts.port is None else parts.port
