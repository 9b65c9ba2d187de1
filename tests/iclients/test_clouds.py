"""A token leaves only for a host that the cloud profile names, however an address is dressed up."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iclients.clouds import BUILT_IN, CloudProfile

PUBLIC = BUILT_IN["public"]
LAB = CloudProfile(
    name="lab",
    authority="https://127.0.0.1:8443",
    arm="https://[::1]:8444",
    vaults=("127.0.0.1:8445", "*.vault.lab.test", "*.Vault.Ports.test:8446", "[::1]:8447"),
    vault_audience="https://vault.azure.net",
    arm_audience="https://management.azure.com",
)
LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?", fullmatch=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://contoso.vault.azure.net",
        "https://contoso.vault.azure.net/",
        "https://CONTOSO.Vault.Azure.NET/secrets?api-version=7.4",
        "https://contoso.vault.azure.net:443/secrets",
        "https://contoso.vault.azure.net:/secrets",
        "HTTPS://contoso.vault.azure.net",
    ],
)
def test_a_vault_of_the_cloud_is_allowed(url: str) -> None:
    assert PUBLIC.allows_vault(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://contoso.vault.azure.net",
        "contoso.vault.azure.net",
        "//contoso.vault.azure.net",
        "ftp://contoso.vault.azure.net",
        "https:contoso.vault.azure.net",
        "https:///contoso.vault.azure.net",
        "https://",
        "",
        "https://vault.azure.net",
        "https://.vault.azure.net",
        "https://contoso.vault.azure.net.evil.test",
        "https://contoso.vault.azure.net.",
        "https://evilvault.azure.net",
        "https://a.contoso.vault.azure.net",
        "https://contoso.vault.azure.net@evil.test",
        "https://evil.test@contoso.vault.azure.net",
        "https://user:password@contoso.vault.azure.net",
        "https://@contoso.vault.azure.net",
        "https://evil.test/contoso.vault.azure.net",
        "https://evil.test?x=.vault.azure.net",
        "https://evil.test#.vault.azure.net",
        "https://evil.test\\.vault.azure.net",
        "https://evil.test\\@contoso.vault.azure.net",
        "https://evil%2etest%2f.vault.azure.net",
        "https://evil/.vault.azure.net",
        "https://contoso.vault.azure.net:8443",
        "https://contoso.vault.azure.net:0",
        "https://contoso.vault.azure.net:443:443",
        "https://contoso.vault.azure.net:99999",
        "https://contoso.vault.azure.net:port",
        "https://contoso.vault.usgovcloudapi.net",
        "https://169.254.169.254",
        "https://[::1",
        "https://[::1]",
        "https://[contoso.vault.azure.net]",
        "https://b\u00fccher.vault.azure.net",
        "https://evil\uff0ftest.vault.azure.net",
        "https://evil\u3002test.vault.azure.net",
        "https://con toso.vault.azure.net",
        "https://contoso.vault.azure.net\x00.evil.test",
        "https://contoso.vault.azure.net\n.evil.test",
    ],
)
def test_anything_else_is_not(url: str) -> None:
    assert not PUBLIC.allows_vault(url)
    assert not PUBLIC.allows_arm(url)


def test_a_cloud_of_ones_own_may_name_ports_addresses_and_suffixes() -> None:
    assert LAB.allows_vault("https://127.0.0.1:8445/secrets")
    assert LAB.allows_vault("https://contoso.vault.lab.test")
    assert LAB.allows_vault("https://contoso.vault.ports.test:8446")
    assert LAB.allows_vault("https://[::1]:8447/secrets")
    assert LAB.allows_arm("https://[::1]:8444/subscriptions")


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1",
        "https://127.0.0.1:8446",
        "https://contoso.vault.lab.test:8445",
        "https://contoso.vault.ports.test",
        "https://[::1]",
        "https://[::1]:8445",
        "https://[::2]:8447",
        "https://127.1:8445",
        "https://2130706433:8445",
    ],
)
def test_the_port_and_the_address_are_part_of_the_name(url: str) -> None:
    assert not LAB.allows_vault(url)


@given(LABELS)
def test_every_single_label_in_front_of_the_suffix_is_a_vault(label: str) -> None:
    assert PUBLIC.allows_vault(f"https://{label}.vault.azure.net/secrets/a")


@given(LABELS, LABELS)
def test_two_labels_or_a_longer_end_are_never_one(one: str, other: str) -> None:
    assert not PUBLIC.allows_vault(f"https://{one}.{other}.vault.azure.net")
    assert not PUBLIC.allows_vault(f"https://{one}.vault.azure.net.{other}.test")
    assert not PUBLIC.allows_vault(f"https://{one}.vault.azure.net@{other}.test")
    assert not PUBLIC.allows_vault(f"https://{one}-vault.azure.net")


@given(st.text(alphabet=st.sampled_from("/\\@:?#.%[]\t\n \u3002\uff0eaK1-"), max_size=12), LABELS)
def test_no_prefix_leads_elsewhere(prefix: str, label: str) -> None:
    url = f"https://{prefix}{label}.vault.azure.net"
    if PUBLIC.allows_vault(url):
        host = urlsplit(url).hostname or ""
        assert host.isascii()
        assert host.removesuffix(".vault.azure.net").replace("-", "").isalnum()
        assert urlsplit(url).port in (None, 443)


@given(st.text(max_size=40))
def test_no_text_makes_the_check_fail(text: str) -> None:
    assert PUBLIC.allows_vault(text) in (True, False)
    assert PUBLIC.allows_arm(f"https://{text}") in (True, False)


@pytest.mark.parametrize("profile", BUILT_IN.values(), ids=str)
def test_each_built_in_cloud_knows_its_own_arm_and_no_other(profile: CloudProfile) -> None:
    assert profile.allows_arm(f"{profile.arm}/subscriptions")
    assert not any(profile.allows_arm(other.arm) for other in BUILT_IN.values() if other is not profile)
    assert not any(other.allows_vault(profile.arm) for other in BUILT_IN.values())
