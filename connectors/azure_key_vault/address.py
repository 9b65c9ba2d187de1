"""A vault's address as a person types it: completed, written one way, and explained where no token may go there.

Sources: Azure documentation, "Key Vault: about keys, secrets and certificates" (suffixes), "Private Link" and "Managed
HSM" (hosts that look like a vault's).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from connectors.azure_key_vault.model import VaultAddress
from connectors.errors import HostNotAllowed, SettingsError
from connectors.model import Recognized
from iclients.clouds import BUILT_IN, CloudProfile

_NAME: Final = re.compile(r"[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_SCHEME: Final = re.compile(r"https://", re.IGNORECASE)
_ANY_SCHEME: Final = re.compile(r"^(?:[a-z]+:)?/+", re.IGNORECASE)
_CLOUD_TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {"public": "the public Azure cloud", "usgov": "Azure Government", "china": "Azure operated by 21Vianet"}
)
_LOOKS_LIKE: Final = (
    (".privatelink.", "it is the name of a private link: use the vault's public name, which leads there, too"),
    (".managedhsm.", "it is a managed HSM, which has no secrets"),
    (".portal.azure.", "it is the portal's address: open the vault there, and copy its Vault URI from the overview"),
    (".management.", "it is the address of Azure Resource Manager, which belongs to the control plane"),
    (".login.", "it is where people sign in: copy the Vault URI from the vault's overview"),
)
_MOST_SUFFIXES: Final = 8


def vault_address(connection: str, typed: str, cloud: CloudProfile) -> VaultAddress:
    """The vault that is meant, without asking anybody.

    A bare name gets the cloud's suffix. Raises SettingsError for what is no address; HostNotAllowed, saying whose host
    it is, for one that the cloud profile does not list.
    """
    try:
        address = _spelled(typed, cloud)
    except LookupError:
        raise SettingsError(f"vault_url of connection {connection} is {_no_suffix(typed, cloud)}.") from None
    except ValueError as error:
        raise SettingsError(f"vault_url of connection {connection} is {typed}, which is no address.") from error
    if not cloud.allows_vault(address.url):
        raise HostNotAllowed(_why_not(connection, address, cloud))
    return address


def recognized(typed: str, clouds: Sequence[CloudProfile], home: CloudProfile | None = None) -> Recognized | None:
    """What is meant, in words, while it is typed; nothing where nothing is typed.

    `clouds` are those that are known, one's own first; `home` is that of the iClient, where one is chosen.
    """
    text, cloud = typed.strip(), home or BUILT_IN["public"]
    if not text:
        return None
    if problem := _misspelled(text):
        return Recognized(problem, offered=_offered(text, clouds))
    try:
        address = _spelled(text, cloud)
    except LookupError:
        return Recognized(f"This is {_no_suffix(text, cloud)}.")
    except ValueError:
        return Recognized("This is no address: it is the address of no vault.")
    found = next((one for one in (*([home] if home else []), *clouds) if one.allows_vault(address.url)), None)
    if found is None:
        return Recognized(_of_no_cloud(address, clouds))
    return _found(text, address, found, home)


def _spelled(typed: str, cloud: CloudProfile) -> VaultAddress:
    """One way to write it. Raises ValueError for what is no address, LookupError for a name that nothing completes."""
    text = typed.strip()
    whole = f"https://{text}{_suffix(cloud)}" if _NAME.fullmatch(text) else f"https://{_SCHEME.sub('', text, 1)}"
    return VaultAddress.parse(whole.replace("./", "/").removesuffix("."))


def _suffix(cloud: CloudProfile) -> str:
    found = next((pattern.removeprefix("*") for pattern in cloud.vaults if pattern.startswith("*.")), None)
    if found is None:
        raise LookupError(cloud.name)
    return found


def _no_suffix(name: str, cloud: CloudProfile) -> str:
    return (
        f"the name {name.strip()} alone, and cloud profile {cloud.name} has no suffix "
        f"to complete it with: write the whole address, such as https://{next(iter(cloud.vaults), name)}"
    )


def _why_not(connection: str, address: VaultAddress, cloud: CloudProfile) -> str:
    if reason := _looks_like(address):
        return f"{address.url} is no vault of cloud profile {cloud.name}: {reason}; correct vault_url of {connection}."
    begin = (
        f"{address.url} is not a vault of cloud profile {cloud.name}, whose vaults are "
        f"{', '.join(cloud.vaults) or 'none'}"
    )
    owner = next((one for one in BUILT_IN.values() if one.name != cloud.name and one.allows_vault(address.url)), None)
    if owner is None:
        return f"{begin}: correct vault_url of connection {connection}, or its cloud."
    return (
        f"{begin}; it belongs to {_title(owner)}: give connection {connection} an iClient of cloud "
        f"{owner.name}, or correct its vault_url."
    )


def _found(text: str, address: VaultAddress, cloud: CloudProfile, home: CloudProfile | None) -> Recognized:
    name = address.host.partition(".")[0]
    vault = "a vault" if name.isdecimal() else f"vault {name}"
    told = f"{vault} in {_title(cloud)}"
    sentence = f"{text} → {address.url}: {told}." if text != address.url else f"{told[:1].upper()}{told[1:]}."
    if home is not None and cloud.name != home.name:
        instead = f"choose an iClient of cloud {cloud.name}, or correct the address"
        sentence = f"{sentence} The iClient is registered in {_title(home)}: {instead}."
    return Recognized(sentence, address.url, cloud.name)


def _misspelled(text: str) -> str:
    """What is wrong with it whatever its host is."""
    rest = _ANY_SCHEME.sub("", text)
    if rest != text and not _SCHEME.match(text):
        instead = f"https://{rest}" if "." in text else "https://…"
        return f"A vault's address begins with https://, such as {instead}."
    host, _, path = rest.partition("/")
    if path and _looks_like_host(host) is None:
        return f"This leads into the vault: end it after the host, https://{host.lower()}."
    return ""


def _offered(text: str, clouds: Sequence[CloudProfile]) -> str:
    """The same address with https in front and nothing after the host, where that is a vault's."""
    whole = f"https://{_ANY_SCHEME.sub('', text).partition('/')[0].lower()}"
    return whole if any(cloud.allows_vault(whole) for cloud in clouds) else ""


def _of_no_cloud(address: VaultAddress, clouds: Sequence[CloudProfile]) -> str:
    if reason := _looks_like(address):
        return f"{address.host} is no vault: {reason}."
    patterns = [(pattern, cloud) for cloud in clouds for pattern in cloud.vaults if pattern.startswith("*")]
    few = ", ".join(f"{pattern.removeprefix('*')} ({_title(cloud)})" for pattern, cloud in patterns[:_MOST_SUFFIXES])
    return f"{address.host or 'This'} is no vault of a cloud that is known here: vaults end in {few}."


def _looks_like(address: VaultAddress) -> str:
    return _looks_like_host(address.host) or ""


def _looks_like_host(host: str) -> str | None:
    return next((reason for part, reason in _LOOKS_LIKE if part in f".{host.lower()}"), None)


def _title(cloud: CloudProfile) -> str:
    return _CLOUD_TITLES.get(cloud.name, f"your cloud {cloud.name}")
