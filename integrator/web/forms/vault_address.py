"""A setting as it is typed, such as a vault's URL: what its connector takes it for, told beside the field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from connectors import registry as connectors
from iclients.clouds import CloudProfile

SETTING: Final = "vault_url"
_SHORT: Final = {"public": "Azure public", "usgov": "Azure Government", "china": "Azure China"}


@dataclass(frozen=True, slots=True)
class Told:
    """What is told beside the field; `tone` is good, waits or bad, or empty where there is nothing to tell yet."""

    tone: str = ""
    sentence: str = ""
    cloud: str = ""
    completed: str = ""
    """The whole address that is offered instead, where it can be guessed."""


def recognized(
    url: str, clouds: Sequence[CloudProfile], home: CloudProfile | None = None, connector: str = "azure-key-vault"
) -> Told:
    """What this address is. One of your own clouds is asked first; a bare name is completed for the cloud `home`."""
    if connector not in connectors.names():
        return Told()
    found = connectors.connector(connector).recognized(SETTING, url, clouds, home)
    if found is None:
        return Told()
    if not found.value:
        return Told("bad", found.sentence, "", found.offered)
    return Told("waits" if home and found.cloud != home.name else "good", found.sentence, found.cloud)


def short_title_of(name: str) -> str:
    """The cloud of this name, in a word or two."""
    return _SHORT.get(name, name)
