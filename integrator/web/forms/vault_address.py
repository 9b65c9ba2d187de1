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
_SCHEME: Final = re.compile(r"^(?:[a-z]+:)?/+", re.IGNORECASE)
_SHORT: Final = {"public": "Azure public", "usgov": "Azure Government", "china": "Azure China"}
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
    completed: str = ""
    """The whole address that is offered instead, where it can be guessed."""


def recognized(url: str, clouds: Sequence[CloudProfile], home: CloudProfile | None = None) -> Told:
    """What this address is. One of your own clouds is asked first; a bare name is completed for the cloud `home`."""
    url = url.strip()
    if not url:
        return Told()
    if _NAME.fullmatch(url):
        whole = f"https://{url.lower()}{_suffix(home)}"
        return Told(
            "bad", f"This is a vault's name only, and the whole address is asked for, such as {whole}.", "", whole
        )
    host = _host(url)
    found = next((cloud for cloud in clouds if cloud.allows_vault(url)), None)
    if found is None:
        return Told("bad", _why_not(url, host, clouds), "", _completed(url, clouds))
    if urlsplit(url).path.strip("/") or urlsplit(url).query:
        whole = f"https://{urlsplit(url).netloc}"
        return Told("bad", f"This leads into the vault: end it after the host, {whole}.", "", whole)
    name = host.partition(".")[0]
    return Told("good", f"{'A vault' if name.isdecimal() else f'Vault {name}'} in {title_of(found)}.", found.name)


def title_of(cloud: CloudProfile) -> str:
    """The cloud as people call it."""
    return _TITLES.get(cloud.name, f"your cloud {cloud.name}") if cloud.name in BUILT_IN else f"your cloud {cloud.name}"


def short_title_of(name: str) -> str:
    """The cloud of this name, in a word or two."""
    return _SHORT.get(name, name)


def _suffix(home: CloudProfile | None) -> str:
    """What comes after a vault's name in this cloud; in the public one where it has no such pattern."""
    patterns = [pattern for cloud in (home, BUILT_IN["public"]) if cloud for pattern in cloud.vaults]
    return next(pattern for pattern in patterns if pattern.startswith("*.")).removeprefix("*")


def _completed(url: str, clouds: Sequence[CloudProfile]) -> str:
    """The same address with https in front and nothing after the host, where that is a vault's."""
    bare = _SCHEME.sub("", url).partition("/")[0].lower()
    whole = f"https://{bare}"
    return whole if any(cloud.allows_vault(whole) for cloud in clouds) else ""


def _why_not(url: str, host: str, clouds: Sequence[CloudProfile]) -> str:
    if not url.lower().startswith("https://"):
        instead = f"https://{_SCHEME.sub('', url)}" if "." in url else "https://…"
        return f"A vault's address begins with https://, such as {instead}."
    for part, sentence in _LOOKS_LIKE:
        if part in f".{host}" or host.startswith(part):
            return sentence
    patterns = [(pattern, cloud) for cloud in clouds for pattern in cloud.vaults if pattern.startswith("*")]
    few = ", ".join(f"{pattern.removeprefix('*')} ({title_of(cloud)})" for pattern, cloud in patterns[:8])
    return f"{host or 'This'} is no vault of a cloud that is known here: vaults end in {few}."


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
