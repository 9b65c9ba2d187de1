"""The tenant of a challenge: believed where the cloud's own authority is named, and of nobody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iclients.answers import Answer
from iclients.challenges import MAX_CHALLENGE, tenant_named
from iclients.clouds import BUILT_IN, CloudProfile

GUID = "6bf90dc6-4b2a-4f0c-9a53-1d5a1f0a3b11"
LOGIN = "https://login.microsoftonline.com"
PUBLIC = BUILT_IN["public"]
OWN = CloudProfile("own", "https://127.0.0.1:8443", "https://127.0.0.1:8444", (), "https://v.test", "https://a.test")


def named(header: str, cloud: CloudProfile = PUBLIC, status: int = 401) -> str:
    return tenant_named(Answer(status, {"www-authenticate": header} if header else {}, b""), cloud)


def challenge(address: str, key: str = "authorization") -> str:
    return f'Bearer {key}="{address}", resource="https://vault.azure.net"'


@pytest.mark.parametrize(
    ("header", "tenant"),
    [
        (challenge(f"{LOGIN}/{GUID}"), GUID),
        (challenge(f"{LOGIN}/{GUID.upper()}/"), GUID),
        (challenge(f"https://login.windows.net/{GUID}"), GUID),
        (challenge(f"{LOGIN}/contoso.onmicrosoft.com", "authorization_uri"), "contoso.onmicrosoft.com"),
        (challenge(f"{LOGIN}/{GUID}/oauth2/authorize", "authorization_uri"), GUID),
        (challenge(f"{LOGIN}/{GUID}/oauth2/v2.0/authorize"), GUID),
        (challenge(f"{LOGIN}:443/{GUID}"), GUID),
        (f"bearer AUTHORIZATION={LOGIN}/{GUID}", GUID),
        (f'Basic realm="x, y", {challenge(f"{LOGIN}/{GUID}")}', GUID),
        (f"{challenge(f'{LOGIN}/{GUID}')}, {challenge(f'https://login.windows.net/{GUID}')}", GUID),
    ],
)
def test_the_tenant_of_the_clouds_own_authority_is_taken(header: str, tenant: str) -> None:
    assert named(header) == tenant


@pytest.mark.parametrize(
    "address",
    [
        f"https://login.evil.test/{GUID}",
        f"https://login.microsoftonline.com.evil.test/{GUID}",
        f"https://evil.test/{LOGIN}/{GUID}",
        f"https://login.microsoftonline.com@evil.test/{GUID}",
        f"https://user@login.microsoftonline.com/{GUID}",
        f"https://evil.test\\\\@login.microsoftonline.com/{GUID}",
        f"https://evil.test#@login.microsoftonline.com/{GUID}",
        f"https://evil.test?@login.microsoftonline.com/{GUID}",
        f"https://login.microsoftonline.com:8443/{GUID}",
        f"https://login.microsoftonline.com:99999/{GUID}",
        f"http://login.microsoftonline.com/{GUID}",
        f"//login.microsoftonline.com/{GUID}",
        f"ftp://login.microsoftonline.com/{GUID}",
        f"https://login.microsoftonline.us/{GUID}",
        f"https://login.micros\u043eftonline.com/{GUID}",
        f"https://login.microsoftonline\u3002com/{GUID}",
        f"https://[::1/{GUID}",
        f"{LOGIN}",
        f"{LOGIN}/",
        f"{LOGIN}//{GUID}",
        f"{LOGIN}/common",
        f"{LOGIN}/organizations",
        f"{LOGIN}/consumers",
        f"{LOGIN}/../{GUID}",
        f"{LOGIN}/..",
        f"{LOGIN}/%2e%2e",
        f"{LOGIN}/{GUID}/../common",
        f"{LOGIN}/{GUID}/evil",
        f"{LOGIN}/{GUID}?tenant=x",
        f"{LOGIN}/{GUID}#x",
        f"{LOGIN}/{GUID};x",
        f"{LOGIN}/cont\u00f6so.com",
        f"{LOGIN}/contoso..com",
        f"{LOGIN}/-contoso.com",
        f"{LOGIN}/127.0.0.1",
        f"{LOGIN}/{'a' * 64}.com",
        f"{LOGIN}/{'a.' * 130}com",
        f"{LOGIN}/{GUID[:-1]}",
        f" {LOGIN}/{GUID}",
    ],
)
def test_a_challenge_that_names_anything_else_names_no_tenant(address: str) -> None:
    assert named(challenge(address)) == ""
    assert named(challenge(address, "authorization_uri")) == ""


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Negotiate",
        f'Basic authorization="{LOGIN}/{GUID}"',
        f'Basic realm="Bearer x", authorization="{LOGIN}/{GUID}"',
        f'Basic realm="a \\", Bearer authorization={LOGIN}/{GUID}"',
        f'Bearer resource="{LOGIN}/{GUID}"',
        f'Bearer authorization="{LOGIN}/{GUID}", authorization_uri="https://evil.test/{GUID}"',
        f"{challenge(f'{LOGIN}/{GUID}')}, {challenge(f'{LOGIN}/contoso.com')}",
        f"{challenge(f'https://evil.test/{GUID}')}, {challenge(f'{LOGIN}/{GUID}')}",
        f'Bearer pad="{"x" * MAX_CHALLENGE}", authorization="{LOGIN}/{GUID}"',
        "Bearer " + "a" * 60_000,
    ],
)
def test_a_useless_challenge_or_none_names_no_tenant(header: str) -> None:
    assert named(header) == ""


@pytest.mark.parametrize("status", [200, 302, 403, 500])
def test_only_a_401_is_a_challenge(status: int) -> None:
    assert named(challenge(f"{LOGIN}/{GUID}"), status=status) == ""


def test_an_authority_of_ones_own_counts_with_its_port_and_by_no_other_name() -> None:
    assert named(challenge(f"https://127.0.0.1:8443/{GUID}"), OWN) == GUID
    assert named(challenge(f"https://127.0.0.1/{GUID}"), OWN) == ""
    assert named(challenge(f"{LOGIN}/{GUID}"), OWN) == ""


@pytest.mark.parametrize(
    ("cloud", "host", "is_its_own"),
    [
        ("china", "login.chinacloudapi.cn", True),
        ("china", "login.windows.net", False),
        ("usgov", "login.microsoftonline.us", True),
        ("usgov", "login.microsoftonline.com", False),
    ],
)
def test_each_cloud_has_names_of_its_own(cloud: str, host: str, is_its_own: bool) -> None:
    assert bool(named(challenge(f"https://{host}/{GUID}"), BUILT_IN[cloud])) is is_its_own


@given(st.text(max_size=200))
def test_no_header_breaks_the_reading(text: str) -> None:
    assert named(text) == ""


@given(st.text(st.characters(codec="latin-1"), max_size=60))
def test_what_is_no_tenant_is_never_taken_for_one(segment: str) -> None:
    found = named(challenge(f"{LOGIN}/{segment}"))
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-")
    assert not found or found == segment.lower().partition("/")[0]
