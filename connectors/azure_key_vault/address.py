"""A vault's address as a person types it: completed, written one way, and explained where no token may go there.

Sources: Azure documentation, "Key Vault: about keys, secrets and certificates" (suffixes), "Private Link" and "Managed
HSM" (hosts that look like a vault's).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from connectors.azure_key_vault.model import VaultAddress
from connectors.errors import HostNotAllowed, SettingsError
from iclients.clouds import BUILT_IN, CloudProfile

_NAME: Final = re.compile(r"[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_SCHEME: Final = re.compile(r"https://", re.IGNORECASE)
_CLOUD_TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {"public": "the public Azure cloud", "usgov": "Azure Government", "china": "Azure operated by 21Vianet"}
)
_LOOKS_LIKE: Final = (
    (".privatelink.", "it is the name of a private link: use the vault's public name, which leads there, too"),
    (".managedhsm.", "it is a managed HSM, which has no secrets"),
)


def vault_address(connection: str, typed: str, cloud: CloudProfile) -> VaultAddress:
    """The vault that is meant, without asking anybody.

    A bare name gets the cloud's suffix. Raises SettingsError for what is no address; HostNotAllowed, saying whose host
    it is, for one that the cloud profile does not list.
    """
    text = typed.strip()
    whole = _completed(connection, text, cloud) if _NAME.fullmatch(text) else f"https://{_SCHEME.sub('', text, 1)}"
    try:
        address = VaultAddress.parse(whole.replace("./", "/").removesuffix("."))
    except ValueError as error:
        raise SettingsError(f"vault_url of connection {connection} is {typed}, which is no address.") from error
    if not cloud.allows_vault(address.url):
        raise HostNotAllowed(_why_not(connection, address, cloud))
    return address


def _completed(connection: str, name: str, cloud: CloudProfile) -> str:
    for pattern in cloud.vaults:
        if pattern.startswith("*."):
            return f"https://{name}{pattern.removeprefix('*')}"
    raise SettingsError(
        f"vault_url of connection {connection} is the name {name} alone, and cloud profile {cloud.name} has no suffix "
        f"to complete it with: write the whole address, such as https://{next(iter(cloud.vaults), name)}."
    )


def _why_not(connection: str, address: VaultAddress, cloud: CloudProfile) -> str:
    for part, reason in _LOOKS_LIKE:
        if part in address.host:
            return (
                f"{address.url} is no vault of cloud profile {cloud.name}: {reason}; correct vault_url of {connection}."
            )
    begin = (
        f"{address.url} is not a vault of cloud profile {cloud.name}, whose vaults are "
        f"{', '.join(cloud.vaults) or 'none'}"
    )
    owner = next((one for one in BUILT_IN.values() if one.name != cloud.name and one.allows_vault(address.url)), None)
    if owner is None:
        return f"{begin}: correct vault_url of connection {connection}, or its cloud."
    return (
        f"{begin}; it belongs to {_CLOUD_TITLES[owner.name]}: give connection {connection} an iClient of cloud "
        f"{owner.name}, or correct its vault_url."
    )
