"""Every preset keeps to its schema, and as a provider to the kit: endpoints, authentication, PKCE, scopes, refresh."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from iclients import registry
from iclients.errors import NotAuthorized
from iclients.model import IClient
from iclients.preset import preset, preset_names
from iclients.providers.generic import described
from iclients.testing.conformance import ProviderConformance


@pytest.fixture(autouse=True, params=preset_names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestEveryPreset(ProviderConformance):
    @pytest.fixture(autouse=True)
    def subject(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        facts = preset(name)
        examples = {setting.name: setting.example for setting in facts.settings}
        monkeypatch.setattr(type(self), "provider", described(facts), raising=False)
        monkeypatch.setattr(type(self), "settings", examples)
        monkeypatch.setattr(type(self), "scopes", tuple(facts.scopes)[:2] or ("read",))


def test_its_settings_are_those_of_its_holes_and_its_examples_fit(name: str) -> None:
    facts = preset(name)
    assert {setting.name for setting in facts.settings} == facts.holes()
    for setting in facts.settings:
        assert re.fullmatch(setting.pattern, setting.example), f"{setting.name}: {setting.example}"
        assert not setting.default or re.fullmatch(setting.pattern, setting.default)


def test_it_says_where_a_person_goes_and_where_tokens_come_from(name: str) -> None:
    facts = preset(name)
    needed = {"token_endpoint"} | ({"authorization_endpoint"} if "authorization_code" in facts.grants else set())
    assert "issuer" in facts.endpoints or needed <= set(facts.endpoints)
    assert "device_code" not in facts.grants or {"issuer", "device_authorization_endpoint"} & set(facts.endpoints)


def test_its_documentation_is_a_page_of_its_own(name: str) -> None:
    parts = urlsplit(preset(name).documentation)
    assert (parts.scheme, bool(parts.hostname)) == ("https", True)
    assert preset(name).title


def test_refresh_tokens_that_need_a_scope_say_which(name: str) -> None:
    refresh = preset(name).refresh
    assert (refresh.issued == "scope") == bool(refresh.scope)


def test_it_is_a_provider_like_any_other(name: str) -> None:
    provider = registry.provider(name)
    assert provider.name == name
    assert set(provider.settings) >= {"client_authentication", "ca_file"}
    missing = [setting.name for setting in preset(name).settings if not setting.default]
    if missing:
        with pytest.raises(NotAuthorized, match=missing[0]):
            provider.traits(IClient("app", name, "id"))
