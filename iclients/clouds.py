"""Cloud profiles: where a cloud's authority, ARM and vaults are, and for whom its tokens are meant.

A token leaves only for a host that its cloud profile names. Source of the built-in figures: Azure documentation,
"National clouds" and "Key Vault: about keys, secrets and certificates".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit


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


def _matches(url: str, pattern: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.username is not None or not parts.hostname:
        return False
    host, _, port = pattern.lower().partition(":")
    if (parts.port or 443) != int(port or 443):
        return False
    if host.startswith("*."):
        label = parts.hostname.removesuffix(host[1:])
        return label != parts.hostname and bool(label) and "." not in label
    return parts.hostname == host
