"""A connection's settings: the vault's address in every spelling, versions of the API, and where the control plane looks."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from vault_lab import Lab

from connectors.azure_key_vault import AzureKeyVault
from connectors.azure_key_vault.address import vault_address
from connectors.azure_key_vault.model import (
    API_VERSIONS,
    DEFAULT_API_VERSION,
    LONGEST_CONTENT_TYPE_CHARACTERS,
    LONGEST_NAME_CHARACTERS,
    LONGEST_TAG_CHARACTERS,
    LONGEST_VALUE_CHARACTERS,
    MOST_TAGS,
)
from connectors.azure_key_vault.sandbox.api_versions import API_VERSIONS as SPOKEN
from connectors.errors import HostNotAllowed, SettingsError
from connectors.model import ApiType, Connection, ReadOptions
from iclients.clouds import BUILT_IN

PUBLIC = BUILT_IN["public"]
ID = "0a1b2c3d-0000-1111-2222-333344445555"


@pytest.mark.parametrize(
    "typed",
    [
        "contoso",
        "Contoso",
        " contoso ",
        "contoso.vault.azure.net",
        "contoso.vault.azure.net/",
        "https://contoso.vault.azure.net",
        "https://contoso.vault.azure.net/",
        "HTTPS://Contoso.Vault.Azure.NET/",
        "https://contoso.vault.azure.net:443",
        "https://contoso.vault.azure.net.",
        "https://contoso.vault.azure.net./",
    ],
)
def test_a_vaults_address_is_one_in_every_spelling(typed: str) -> None:
    assert vault_address("c", typed, PUBLIC).url == "https://contoso.vault.azure.net"


@pytest.mark.parametrize(
    ("cloud", "url"),
    [("usgov", "https://contoso.vault.usgovcloudapi.net"), ("china", "https://contoso.vault.azure.cn")],
)
def test_a_bare_name_is_completed_with_the_suffix_of_its_cloud(cloud: str, url: str) -> None:
    assert vault_address("c", "contoso", BUILT_IN[cloud]).url == url


def test_a_bare_name_is_completed_with_the_suffix_and_port_of_a_cloud_of_ones_own() -> None:
    cloud = replace(PUBLIC, name="lab", vaults=("127.0.0.1:8445", "*.vault.lab.test:8445"))
    assert vault_address("c", "contoso", cloud).url == "https://contoso.vault.lab.test:8445"


def test_a_bare_name_in_a_cloud_without_a_suffix_is_told_to_be_written_whole() -> None:
    cloud = replace(PUBLIC, name="lab", vaults=("127.0.0.1:8445",))
    with pytest.raises(SettingsError, match=r"cloud profile lab has no suffix .* such as https://127\.0\.0\.1:8445\."):
        vault_address("c", "contoso", cloud)


@pytest.mark.parametrize(
    ("typed", "cloud", "words"),
    [
        ("https://v.vault.azure.cn", "public", "it belongs to Azure operated by 21Vianet: give connection c an iClient of cloud china"),
        ("https://v.vault.usgovcloudapi.net", "china", "it belongs to Azure Government"),
        ("https://v.vault.azure.net", "usgov", "it belongs to the public Azure cloud: give connection c an iClient of cloud public"),
        ("https://v.privatelink.vaultcore.azure.net", "public", "the name of a private link: use the vault's public name"),
        ("https://v.managedhsm.azure.net", "public", "a managed HSM, which has no secrets"),
        ("https://v.vault.azure.net.evil.test", "public", "is not a vault of cloud profile public"),
        ("https://evil.test", "public", "correct vault_url of connection c, or its cloud"),
        ("https://a.b.vault.azure.net", "public", "is not a vault of cloud profile public"),
        ("https://v.vault.azure.net:8443", "public", "is not a vault of cloud profile public"),
    ],
)  # fmt: skip
def test_a_host_of_elsewhere_is_refused_and_named(typed: str, cloud: str, words: str) -> None:
    with pytest.raises(HostNotAllowed, match=re.escape(words)):
        vault_address("c", typed, BUILT_IN[cloud])


@pytest.mark.parametrize("typed", ["https://[v.vault.azure.net", "https://v.vault.azure.net:port"])
def test_what_is_no_address_is_told(typed: str) -> None:
    with pytest.raises(SettingsError, match=r"vault_url of connection c is .*, which is no address"):
        vault_address("c", typed, PUBLIC)


def test_nobody_is_asked_before_the_address_is_a_vault_of_the_cloud(lab: Lab) -> None:
    with pytest.raises(HostNotAllowed, match="belongs to Azure operated by 21Vianet"):
        lab.connect(vault_url="https://contoso.vault.azure.cn")
    assert lab.sandbox.calls()["entra"] == {}


def _check(**settings: str) -> None:
    api_type = ApiType.DATA if "vault_url" in settings else ApiType.CONTROL
    AzureKeyVault.descriptor.check(Connection("c", "azure-key-vault", api_type, None, "app", (), settings))


@pytest.mark.parametrize("typed", ["contoso", "contoso.vault.azure.net", "HTTPS://contoso.vault.azure.net/"])
def test_a_document_may_name_a_vault_in_short(typed: str) -> None:
    _check(vault_url=typed)


@pytest.mark.parametrize(
    "typed", ["http://v.vault.azure.net", "https://v.vault.azure.net/secrets/x", "a b", "v@x.test", ""]
)
def test_a_document_with_no_vaults_address_is_refused(typed: str) -> None:
    with pytest.raises(SettingsError, match=r"settings\.vault_url of connection c"):
        _check(vault_url=typed)


@pytest.mark.parametrize("version", API_VERSIONS)
def test_every_version_that_is_offered_is_spoken(lab: Lab, version: str) -> None:
    _check(vault_url="contoso", api_version=version)
    lab.sandbox.vault("contoso").put("db", "v")
    pages = list(lab.connect(api_version=version).source("secrets", ReadOptions(True)).pages(None))
    assert [record.key for page in pages for record in page.records] == ["db"]
    assert version in SPOKEN


def test_the_newest_version_is_spoken_where_none_is_named() -> None:
    described = {setting.name: setting for setting in AzureKeyVault.descriptor.settings}["api_version"]
    assert described.default == DEFAULT_API_VERSION == API_VERSIONS[-1] == "2026-04-01"
    assert all(version in described.help for version in API_VERSIONS)


@pytest.mark.parametrize("version", ["2015-06-01", "7.7", "7", "2099-01-01", "7.4&x=1", "2026-04-01 "])
def test_a_version_that_nobody_knows_is_refused_with_those_that_there_are(lab: Lab, version: str) -> None:
    with pytest.raises(SettingsError, match=r"2016-10-01, 7\.0, .* or 2026-04-01"):
        _check(vault_url="contoso", api_version=version)
    with pytest.raises(SettingsError, match=r"is not spoken; there are: 2016-10-01, .*, 2026-04-01\."):
        lab.connect(api_version=version).ping()


def test_the_control_plane_may_be_narrowed_to_a_subscription_and_a_group() -> None:
    _check(subscription=ID)
    _check(subscription=ID.upper(), resource_group="my-group_(1).x")


@pytest.mark.parametrize(
    "settings",
    [
        {"subscription": "mine"},
        {"subscription": f"{ID}/../.."},
        {"resource_group": "a/b"},
        {"resource_group": "ends."},
        {"resource_group": "?x=1"},
        {"vault_url": "contoso", "subscription": ID},
    ],
)
def test_a_place_that_cannot_be_is_refused(settings: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"of connection c|Connection c has settings"):
        _check(**settings)


def test_what_the_descriptor_says_of_limits_is_what_is_checked() -> None:
    limits = AzureKeyVault.descriptor.resource("secrets").limits  # type: ignore[union-attr]
    assert limits["value"] == f"{LONGEST_VALUE_CHARACTERS:,} characters"
    assert limits["content_type"] == f"{LONGEST_CONTENT_TYPE_CHARACTERS} characters"
    assert limits["name"].startswith(f"{LONGEST_NAME_CHARACTERS} ")
    assert limits["tags"] == f"{MOST_TAGS}, each name and value {LONGEST_TAG_CHARACTERS} characters"
