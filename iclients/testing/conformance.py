"""The conformance kit for providers: subclass `ProviderConformance`, name the provider, and pytest judges it.

class TestAcme(ProviderConformance):
    provider = Acme
    settings = {"domain": "example.acme.test"}
    scopes = ("records.read",)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from iclients import consent
from iclients.clouds import BUILT_IN
from iclients.consent import Pending
from iclients.credentials import Certificate, ClientSecret, Credential
from iclients.endpoints import NAMES, Endpoints
from iclients.errors import CredentialRefused, NotAuthorized
from iclients.grants import Grants
from iclients.model import IClient
from iclients.provider import Provider, Refusal
from iclients.providers.generic import Generic
from iclients.reasons import STANDARD
from iclients.secret import Secret
from iclients.testing import MovableClock
from iclients.testing.authorization_server import CLIENT_ID, CLIENT_SECRET, CODE, AuthorizationServer
from iclients.transport import Transport

REDIRECT_URI = "https://integrator.test/callback"
_HOSTILE = ("evil.test/", "evil.test#", "evil.test?", "a@evil.test", "evil.test\\", "evil test", "evil.test\n")


class ProviderConformance:
    """Every check for a provider. Override the constants."""

    provider: ClassVar[type[Provider]]
    settings: ClassVar[Mapping[str, Any]] = {}
    """The settings that an iClient of it needs."""

    scopes: ClassVar[tuple[str, ...]] = ("read",)
    app_scopes: ClassVar[tuple[str, ...] | None] = None
    """Scopes for client credentials, where they are others; None: the same."""

    tenant: ClassVar[str | None] = None

    @pytest.fixture
    def iclient(self) -> IClient:
        """An iClient of this provider."""
        plain = IClient("kit", self.provider.name, CLIENT_ID, tenant=self.tenant, settings=dict(self.settings))
        return replace(plain, credential=_credential(self.provider().traits(plain).client_authentication))

    @pytest.fixture
    def server(self, iclient: IClient) -> AuthorizationServer:
        """The provider's counterpart."""
        return AuthorizationServer(self._endpoints(iclient), self.provider().traits(iclient))

    @pytest.fixture
    def grants(self, iclient: IClient, server: AuthorizationServer) -> Grants:
        """What the iClient can ask for there."""
        transport = cast("Transport", server)
        made = Grants(iclient, self.provider(), BUILT_IN["public"], transport, MovableClock())
        made._endpoints = self._endpoints(iclient)
        return made

    def test_its_name_is_one_that_documents_can_have(self) -> None:
        assert re.fullmatch(r"[a-z][a-z0-9-]{0,99}", self.provider.name), "Lower case, digits and dashes."

    def test_every_address_is_https_and_whole(self, iclient: IClient) -> None:
        endpoints = self._endpoints(iclient)
        for name in NAMES:
            address = getattr(endpoints, name).replace("{tenantid}", "0")
            parts = urlsplit(address)
            assert not address or (parts.scheme == "https" and parts.hostname), f"{name} is {address}."
            assert not {"{", "}", " "} & set(address), f"{name} is {address}."

    def test_a_missing_setting_is_named(self, iclient: IClient) -> None:
        for setting in _required(self.provider()):
            rest = {name: value for name, value in iclient.settings.items() if name != setting}
            with pytest.raises(NotAuthorized, match=rf"settings\.{setting}"):
                self._endpoints(replace(iclient, settings=rest))

    def test_a_setting_leads_to_no_other_host(self, iclient: IClient) -> None:
        for setting in _required(self.provider()):
            for hostile in _HOSTILE:
                with pytest.raises(NotAuthorized, match=rf"settings\.{setting}"):
                    self._endpoints(replace(iclient, settings={**iclient.settings, setting: hostile}))

    def test_a_person_is_asked_for_the_scopes_and_comes_back(self, iclient: IClient) -> None:
        _skip_without_people(self.provider())
        address, pending = self._begun(iclient)
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        delimiter = self.provider().traits(iclient).scope_delimiter
        assert asked["response_type"] == "code"
        assert (asked["client_id"], asked["redirect_uri"]) == (CLIENT_ID, REDIRECT_URI)
        assert asked["state"] == pending.state
        assert set(self.scopes) <= set(asked.get("scope", "").split(delimiter))
        assert CLIENT_SECRET not in address, "The address that a person opens has the client secret in it."

    def test_a_code_becomes_tokens_that_are_refreshed(
        self, iclient: IClient, server: AuthorizationServer, grants: Grants
    ) -> None:
        _skip_without_people(self.provider())
        address, pending = self._begun(iclient)
        server.challenge = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        token = grants.redeem(Secret(CODE), pending, self.scopes)
        assert token.refresh_token is not None, "The refresh token was not found: see Traits.answer_paths."
        newer = grants.refresh(token.refresh_token, self.scopes)
        assert newer.refresh_token not in (None, token.refresh_token), "A rotated refresh token was not found."
        server.rotates = False
        assert newer.refresh_token is not None
        assert grants.refresh(newer.refresh_token, self.scopes).refresh_token == newer.refresh_token

    def test_a_code_is_worth_nothing_without_what_began_it(
        self, iclient: IClient, server: AuthorizationServer, grants: Grants
    ) -> None:
        _skip_without_people(self.provider())
        if self.provider().traits(iclient).pkce == "none":
            pytest.skip("this server cannot do PKCE")
        (address, _), (_, another) = self._begun(iclient), self._begun(iclient)
        server.challenge = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        with pytest.raises(NotAuthorized):
            grants.redeem(Secret(CODE), another, self.scopes)

    def test_a_wrong_credential_is_told_without_showing_it(
        self, iclient: IClient, server: AuthorizationServer, grants: Grants
    ) -> None:
        if not isinstance(iclient.credential, ClientSecret):
            pytest.skip("this provider takes no client secret")
        grants.iclient = replace(iclient, credential=ClientSecret(Secret("kit-wr0ng")))
        with pytest.raises(CredentialRefused) as caught:
            grants.refresh(Secret("kit-refresh-0"), self.scopes)
        assert "kit-wr0ng" not in str(caught.value)

    def test_every_refusal_is_a_sentence_with_a_next_step(self, iclient: IClient) -> None:
        provider = self.provider()
        for name in (*STANDARD, *provider.reasons, "something_else"):
            codes = (name,) if isinstance(name, int) else ()
            error, _, suberror = str(name).partition("/")
            told = str(provider.explain(Refusal(400, error, suberror=suberror, codes=codes), iclient))
            assert told.endswith("."), f"{name}: {told}"
            assert not re.search(r"\{[a-z_]+\}", told), f"{name} has a hole that nobody fills: {told}"

    def test_an_app_gets_tokens_of_its_own(self, server: AuthorizationServer, grants: Grants) -> None:
        if not _lets_apps_in(self.provider()):
            pytest.skip("this provider gives apps no tokens of their own")
        scopes = self.scopes if self.app_scopes is None else self.app_scopes
        assert grants.client_credentials(scopes).access_token.reveal().startswith("kit-access-")
        assert server.requests[-1]["grant_type"] == "client_credentials"

    def _endpoints(self, iclient: IClient) -> Endpoints:
        return self.provider().endpoints(iclient, BUILT_IN["public"], _discovery)

    def _begun(self, iclient: IClient) -> tuple[str, Pending]:
        provider = self.provider()
        pending = consent.begin(REDIRECT_URI, provider.consent_scopes(iclient, self.scopes), 0.0)
        return consent.address(pending, iclient, provider, self._endpoints(iclient)), pending


def _required(provider: Provider) -> list[str]:
    preset = provider.preset if isinstance(provider, Generic) else None
    return [setting.name for setting in preset.settings if not setting.default] if preset else []


def _skip_without_people(provider: Provider) -> None:
    if isinstance(provider, Generic) and "authorization_code" not in provider.preset.grants:
        pytest.skip("this provider asks nobody for consent")


def _lets_apps_in(provider: Provider) -> bool:
    return not isinstance(provider, Generic) or "client_credentials" in provider.preset.grants


def _discovery(url: str) -> dict[str, str]:
    """What a provider that is found by discovery would tell."""
    issuer = url.removesuffix("/.well-known/openid-configuration")
    found = {name: f"{issuer}/{name}" for name in NAMES if name != "issuer"}
    return {"issuer": issuer, **found}


def _credential(method: str) -> Credential | None:
    if method == "none":
        return None
    return _certificate() if method == "private_key_jwt" else ClientSecret(Secret(CLIENT_SECRET))


@cache
def _certificate() -> Certificate:
    """A key of its own; its certificate is named only at servers that know one."""
    key = rsa.generate_private_key(65537, 2048)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return Certificate(Secret(text), "")
