"""A vault's URL as it is typed: which cloud it is in, and what is wrong with it where it is in none.

Source of the hosts that people confuse with a vault's: Azure documentation, "Key Vault: about keys, secrets and
certificates", "Private Link".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from iclients.clouds import BUILT_IN, CloudProfile

SETTING: Final = "vault_url"
_TITLES: Final = {
    "public": "the public Azure cloud",
    "usgov": "Azure Government",
    "china": "Azure operated by 21Vianet",
}
_NAME: Final = re.compile(r"[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_LOOKS_LIKE: Final = (
    (
        ".privatelink.vaultcore.",
        "This is the name of a private link: use the vault's public name, which leads there, too.",
    ),
    (".managedhsm.", "This is a managed HSM, which is no vault: it has no secrets."),
    ("portal.azure.", "This is the portal's address: open the vault there, and copy its Vault URI from the overview."),
    ("management.", "This is the address of Azure Resource Manager: it belongs to the control plane."),
    ("login.", "This is where people sign in: copy the Vault URI from the vault's overview."),
)


@dataclass(frozen=True, slots=True)
class Told:
    """What is told beside the field; `tone` is good, waits or bad, or empty where there is nothing to tell yet."""

    tone: str = ""
    sentence: str = ""
    cloud: str = ""


def recognized(url: str, clouds: Sequence[CloudProfile]) -> Told:
    """What this address is. One of your own clouds is asked first."""
    url = url.strip()
    if not url:
        return Told()
    if _NAME.fullmatch(url):
        return Told(
            "bad", f"This is a name only: write the whole address, such as https://{url.lower()}.vault.azure.net."
        )
    host = _host(url)
    found = next((cloud for cloud in clouds if cloud.allows_vault(url)), None)
    if found is None:
        return Told("bad", _why_not(url, host, clouds))
    if urlsplit(url).path.strip("/") or urlsplit(url).query:
        return Told("bad", f"This leads into the vault: end it after the host, https://{urlsplit(url).netloc}.")
    return Told("good", f"Vault {host.partition('.')[0]} in {title_of(found)}.", found.name)


def title_of(cloud: CloudProfile) -> str:
    """The cloud as people call it."""
    return _TITLES.get(cloud.name, f"your cloud {cloud.name}") if cloud.name in BUILT_IN else f"your cloud {cloud.name}"


def _why_not(url: str, host: str, clouds: Sequence[CloudProfile]) -> str:
    if not url.lower().startswith("https://"):
        instead = f"https://{re.sub('^(?:[a-z]+:)?/+', '', url, flags=re.IGNORECASE)}" if "." in url else "https://…"
        return f"A vault's address begins with https://, such as {instead}."
    for part, sentence in _LOOKS_LIKE:
        if part in f".{host}" or host.startswith(part):
            return sentence
    suffixes = [f"{pattern.removeprefix('*')} ({title_of(cloud)})" for cloud in clouds for pattern in cloud.vaults]
    few = ", ".join(suffixes[:8])
    return f"{host or 'This'} is no vault of a cloud that is known here: vaults end in {few}."


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
