"""The clouds that a sandbox can be: their names for the authority, ARM and vaults, and whom their tokens are for.

Written down apart from the product's own profiles, which are to be judged by it (Azure reference sheet, section 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Cloud:
    """One cloud. Audiences have no slash at the end; `logins` begins with the authority's own name."""

    name: str
    logins: tuple[str, ...]
    challenger: str
    """The authority that a vault's challenge names."""
    issuers: str
    """The host that stands in the issuer of a token."""
    arm_host: str
    arm_audience: str
    classic_arm_audience: str
    vault_suffix: str
    graph: str
    instance: str

    @property
    def vault_audience(self) -> str:
        """Whom a vault's tokens are for."""
        return f"https://{self.vault_suffix}"

    @property
    def link_zone(self) -> str:
        """Where the names of private links are."""
        return f"privatelink.{self.vault_suffix.replace('vault.', 'vaultcore.', 1)}"

    @property
    def audiences(self) -> tuple[str, ...]:
        """All that there are tokens for, but for the classic name of ARM."""
        return self.vault_audience, self.arm_audience, self.graph

    def issuer(self, tenant: str) -> str:
        """Who issues a tenant's tokens."""
        return f"https://{self.issuers}/{tenant}/"


PUBLIC: Final = Cloud(
    name="public",
    logins=("login.microsoftonline.com", "login.microsoft.com", "login.windows.net"),
    challenger="https://login.windows.net",
    issuers="sts.windows.net",
    arm_host="management.azure.com",
    arm_audience="https://management.azure.com",
    classic_arm_audience="https://management.core.windows.net",
    vault_suffix="vault.azure.net",
    graph="https://graph.microsoft.com",
    instance="microsoftonline.com",
)
US_GOVERNMENT: Final = Cloud(
    name="usgov",
    logins=("login.microsoftonline.us", "login.usgovcloudapi.net"),
    challenger="https://login.microsoftonline.us",
    issuers="sts.windows.net",
    arm_host="management.usgovcloudapi.net",
    arm_audience="https://management.usgovcloudapi.net",
    classic_arm_audience="https://management.core.usgovcloudapi.net",
    vault_suffix="vault.usgovcloudapi.net",
    graph="https://graph.microsoft.us",
    instance="microsoftonline.us",
)
CHINA: Final = Cloud(
    name="china",
    logins=("login.partner.microsoftonline.cn", "login.chinacloudapi.cn"),
    challenger="https://login.chinacloudapi.cn",
    issuers="sts.chinacloudapi.cn",
    arm_host="management.chinacloudapi.cn",
    arm_audience="https://management.chinacloudapi.cn",
    classic_arm_audience="https://management.core.chinacloudapi.cn",
    vault_suffix="vault.azure.cn",
    graph="https://microsoftgraph.chinacloudapi.cn",
    instance="partner.microsoftonline.cn",
)
CLOUDS: Final[Mapping[str, Cloud]] = {cloud.name: cloud for cloud in (PUBLIC, US_GOVERNMENT, CHINA)}


def cloud_named(name: str) -> Cloud:
    """The cloud of that name; ValueError, naming those there are, for any other."""
    if name not in CLOUDS:
        raise ValueError(f"{name!r} is no cloud of the sandbox; there are: {', '.join(CLOUDS)}")
    return CLOUDS[name]
