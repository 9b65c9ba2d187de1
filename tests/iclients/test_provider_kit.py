"""The kit judges providers: one that is a page of constants, and Entra, which is more."""

from __future__ import annotations

from iclients.preset import Preset, PresetSetting
from iclients.providers.entra import Entra
from iclients.providers.generic import Generic
from iclients.testing.conformance import ProviderConformance


class Acme(Generic):
    """Somebody else's provider, as the documentation shows it."""

    name = "acme"
    preset = Preset(
        "acme",
        "Acme",
        "https://docs.acme.test/oauth",
        grants=("authorization_code", "client_credentials"),
        settings=(PresetSetting("domain", "Domain", "login.acme.test", "[a-z.-]+"),),
        endpoints={
            "authorization_endpoint": "https://{domain}/authorize",
            "token_endpoint": "https://{domain}/token",
        },
        scopes={"records.read": "Read records"},
    )


class TestAcme(ProviderConformance):
    provider = Acme
    settings = {"domain": "login.acme.test"}
    scopes = ("records.read",)


class TestEntra(ProviderConformance):
    provider = Entra
    tenant = "11111111-1111-1111-1111-111111111111"
    scopes = ("https://vault.azure.net/user_impersonation",)
    app_scopes = ("https://vault.azure.net/.default",)


class TestGeneric(ProviderConformance):
    provider = Generic
    settings = {"issuer": "https://login.example.test"}


class TestEntraByResource(TestEntra):
    settings = {"resource": "https://vault.azure.net"}
