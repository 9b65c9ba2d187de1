"""Providers as cards: what people must know before they register an app there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from iclients import registry as providers

GENERIC: Final = "generic"
_GRANTS: Final = {
    "authorization_code": "a person consents",
    "client_credentials": "the app itself",
    "device_code": "on any device",
}


@dataclass(frozen=True, slots=True)
class ProviderCard:
    """One provider. `grants` are in words."""

    name: str
    title: str
    note: str = ""
    documentation: str = ""
    grants: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What the gallery's search looks at."""
        return f"{self.name} {self.title} {self.note}".lower()


_ENTRA: Final = ProviderCard(
    "entra",
    "Microsoft Entra ID",
    "For Azure Key Vault and every other service of Azure and Microsoft 365: one app registration in one tenant.",
    "https://learn.microsoft.com/entra/identity-platform/quickstart-register-app",
    ("a person consents", "the app itself", "on any device", "managed identity"),
)


@cache
def card(name: str) -> ProviderCard:
    """The card of this provider. Raises NotAuthorized where it is not installed."""
    if name == _ENTRA.name:
        return _ENTRA
    found = providers.provider(name)
    preset = getattr(found, "preset", None)
    if preset is None:
        return ProviderCard(name, name, (type(found).__doc__ or "").partition("\n")[0])
    grants = tuple(_GRANTS.get(grant, grant) for grant in preset.grants)
    return ProviderCard(name, preset.title, preset.note, preset.documentation, grants)


def title_of(name: str) -> str:
    """What this provider is called; its name where it is not installed any more."""
    return card(name).title if name in providers.names() else name


def cards(search: str = "") -> list[ProviderCard]:
    """Those that this search finds: Entra first, the generic one last, all others by title."""
    found = [card(name) for name in providers.names() if search.lower() in card(name).words]
    return sorted(found, key=lambda one: (one.name != _ENTRA.name, one.name == GENERIC, one.title.lower()))
