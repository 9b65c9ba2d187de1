"""What people are told beside fields: API types in a sentence, titles of settings, and how to find things at the other system.

Source of the steps: Microsoft Entra and Azure Key Vault documentation, as of the links.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from connectors.descriptor import Setting
from iclients import registry as providers
from integrator.web.fields import Choice, HowTo
from integrator.web.forms.provider_cards import card

_API_TYPES: Final = {
    "control": ("Control plane", "Create, update or delete what {title} consists of, and decide who may use it."),
    "data": ("Data plane", "Use what is inside of {title}: its records."),
}
_OF_CONNECTOR: Final = {
    ("azure-key-vault", "control"): "Create, update or delete vaults and decide who may use them.",
    ("azure-key-vault", "data"): "Use the secrets, keys and certificates inside a vault.",
}
_AUTHS: Final = {
    "authorization_code": ("A person's consent", "authorization code"),
    "client_credentials": ("The app itself", "client credentials"),
    "device_code": ("A person's consent on any device", "device code"),
    "managed_identity": ("The identity of this machine", "managed identity"),
}
_SPELLED: Final = {"uri": "URI", "id": "ID", "pkce": "PKCE", "ca": "CA", "jwks": "JWKS", "url": "URL"}
_EXAMPLE: Final = re.compile(r"such as (\S+?)(?=[.,;:]?(?:\s|$))")

CLIENT: Final = HowTo(
    "How to retrieve the client ID and client secret",
    (
        "Sign in to the Microsoft Entra admin center and open App registrations.",
        "Open your app, or choose New registration, and copy Application (client) ID and Directory (tenant) ID from its overview.",
        "Under Authentication, add the platform Web with the redirect URI that the iClient's form shows.",
        "Under Certificates & secrets, choose New client secret, and copy its value at once: it is shown only there.",
        "Choose + here, and type what you have copied.",
    ),
    "https://learn.microsoft.com/entra/identity-platform/quickstart-register-app",
)
SCOPES: Final = HowTo(
    "How to configure scopes",
    (
        "Open your app in the Microsoft Entra admin center, then API permissions.",
        "Choose Add a permission: Azure Key Vault for the data plane, Azure Service Management for the control plane.",
        "Check user_impersonation under Delegated permissions, and choose Add permissions.",
        "Choose the same scope here. Where your organization wants it, an administrator grants consent on that page.",
    ),
    "https://learn.microsoft.com/entra/identity-platform/scopes-oidc",
)
_SCOPES_OF_ENTRA: Final = HowTo(
    SCOPES.title,
    (
        "Open your app in the Microsoft Entra admin center, then API permissions.",
        "Choose Add a permission, and the API that this connection uses.",
        "Check what it needs, and choose Add permissions. Where your organization wants it, an administrator grants consent.",
        "Choose the same scopes here.",
    ),
    SCOPES.link,
)
TENANT: Final = HowTo(
    "How to retrieve the tenant ID",
    (
        "Sign in to the Microsoft Entra admin center and open Overview.",
        "Copy the Tenant ID, and type it into the iClient: every connection of that iClient uses it.",
    ),
    "https://learn.microsoft.com/entra/fundamentals/how-to-find-tenant",
)
_SETTINGS: Final = {
    "vault_url": HowTo(
        "How to retrieve the vault URL",
        (
            "Sign in to the Azure portal and open Key vaults.",
            "Open the vault, and copy Vault URI from its overview.",
        ),
        "https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates",
    )
}


_AZURE: Final = frozenset({"azure-key-vault"})
"""Connectors whose system is in a cloud of Azure, with an audience for each plane."""

_ICONS: Final = {"azure-key-vault": "safe2", "files": "folder2"}


def is_of_cloud(connector: str) -> bool:
    """Whether a cloud profile says where this connector's system is."""
    return connector in _AZURE


def icon_of(connector: str) -> str:
    """The connector's icon; empty for those that nobody here has seen."""
    return _ICONS.get(connector, "")


def how_tos(connector: str, provider: str) -> Mapping[str, HowTo]:
    """Help for client, scopes and tenant; without a provider, that of the connector's usual one."""
    if provider == "entra" or (not provider and is_of_cloud(connector)):
        return {"client": CLIENT, "scopes": SCOPES if is_of_cloud(connector) else _SCOPES_OF_ENTRA, "tenant": TENANT}
    found = card(provider) if provider in providers.names() else None
    there, link = (found.title, found.documentation) if found else ("the provider", "")
    client = (
        f"Sign in to {there}, and open the page where apps, or OAuth clients, are registered.",
        "Register one with the redirect URI that the iClient's form shows, exactly like that.",
        "Copy its client ID, and its client secret, which many show only once.",
        "Choose + here, and type what you have copied.",
    )
    scopes = (
        f"Open the app's registration at {there}.",
        "Allow it what this connection needs: the provider's documentation names each scope.",
        "Choose the same scopes here.",
    )
    return {
        "client": HowTo(CLIENT.title, client, link),
        "scopes": HowTo(SCOPES.title, scopes, link),
        "tenant": HowTo(TENANT.title, (f"Look for your organization's settings at {there}.",), link),
    }


def api_type_choice(connector: str, title: str, api_type: str) -> Choice:
    """An API type as a card."""
    label, usual = _API_TYPES.get(api_type, (spelled(api_type), ""))
    return Choice(api_type, label, _OF_CONNECTOR.get((connector, api_type)) or usual.format(title=title))


def auth_choice(auth: str) -> Choice:
    """A way to be let in."""
    words, name = _AUTHS.get(auth, (spelled(auth), ""))
    return Choice(auth, f"{words} ({name})" if name else words)


def how_to_of(setting: str) -> HowTo | None:
    """How this setting is found at the other system, where we know it."""
    return _SETTINGS.get(setting)


def example_of(setting: Setting) -> str:
    """An example that the setting's help names, or its default."""
    found = _EXAMPLE.search(setting.help)
    return str(setting.default) if setting.default is not None else found[1] if found else ""


def spelled(name: str) -> str:
    """A key as a title: `issuer_uri` → Issuer URI."""
    words = [_SPELLED.get(word, word) for word in name.replace("-", "_").split("_")]
    text = " ".join(words)
    return text[:1].upper() + text[1:]
