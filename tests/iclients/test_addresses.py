"""Addresses of providers: one form, typed or told, and no way from outside into our own network."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iclients.addresses import host_of, is_address, is_public
from iclients.clouds import BUILT_IN
from iclients.endpoints import NAMES, Endpoints, discovered
from iclients.errors import MalformedAnswer, NotAuthorized, Recovery
from iclients.model import IClient
from iclients.providers.generic import Generic
from iclients.schemas import CloudSchema

ISSUER = "https://login.test/tenant"
GOOD = [
    "https://a.test",
    "https://a.test/",
    "https://a.test:8443/x/y?b=c&d=e%20f",
    "https://127.0.0.1:1/token",
    "https://[::1]:65535/token",
    "https://login.test/{tenantid}/v2.0",
    "https://10.0.0.7/token",
    "https://xn--bcher-kva.test/@me;v=1",
]
WRONG = [
    "",
    "http://a.test/",
    "HTTPS://a.test/",
    "https:/a.test",
    "https:///x",
    "https://",
    "https://[",
    "https://[::1",
    "https://[a.test]/",
    "https://u:p4ssword@a.test/token",
    "https://login.microsoftonline.com@a.test/",
    "https://good.test\\@evil.test/",
    "https://good.test\\.evil.test/",
    "https://a.test/#frag",
    "https://a.test?a#b",
    "https://a.test:/x",
    "https://a.test:0/x",
    "https://a.test:65536/x",
    "https://a.test:99999/x",
    "https://a.test:8x/",
    "https://a.test/a b",
    "https://a.test/a\r\nOpen: https://phish.test/",
    "https://a.test/\x1b[2J",
    "https://a.test/\u202e",
    "https://b\u00fccher.test/",
    "https://a.test/\ud800",
    'https://a.test/"<>',
    "https://-a.test/",
    "https://a%2etest/",
    "https://a.test/" + "x" * 2000,
]
NOBODYS = [
    "https://169.254.169.254/latest",
    "https://169.254.0.1",
    "https://168.63.129.16/machine",
    "https://[fe80::1]/",
    "https://[fd00:ec2::254]/latest",
    "https://[::ffff:169.254.169.254]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[2002:a9fe:a9fe::]/",
    "https://2852039166/",
    "https://0xa9fea9fe/",
    "https://169.254.43518/",
    "https://0251.0376.0251.0376/",
    "https://169.254.169.0xfe/",
]


@pytest.mark.parametrize("address", GOOD)
def test_an_address_is_https_and_a_host_with_what_belongs_to_it(address: str) -> None:
    assert is_address(address)


@pytest.mark.parametrize("address", [*WRONG, *NOBODYS, None, 5, ["https://a.test"]])
def test_anything_else_is_no_address(address: object) -> None:
    assert not is_address(address)


@given(st.text(max_size=60))
def test_no_text_is_more_than_no_address(text: str) -> None:
    if is_address(f"https://{text}"):
        assert text.isascii() and text.isprintable()
        assert not set(text) & set(' \\"<>#')
        assert "@" not in host_of(f"https://{text}")


def on(settings: dict[str, Any]) -> IClient:
    return IClient("app", "generic", "id", settings=settings)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("address", [*filter(None, WRONG), *NOBODYS])
def test_a_typed_address_that_is_none_is_told_without_repeating_it(name: str, address: str) -> None:
    iclient = on({"token_endpoint": "https://a.test/token", name: address})
    for judge in (lambda: Generic().check(iclient), lambda: Generic().endpoints(iclient, BUILT_IN["public"], _nothing)):
        with pytest.raises(NotAuthorized, match=rf"settings\.{name} of iClient app") as caught:
            judge()
        assert caught.value.code == "setting"
        assert "p4ssword" not in str(caught.value)
        assert str(caught.value).isprintable()


def test_a_clouds_address_has_the_same_form() -> None:
    cloud = {"name": "lab", "vaults": ["a.test"], "vault_audience": "https://v.test", "arm_audience": "https://m.test"}
    assert not CloudSchema().validate({**cloud, "authority": "https://a.test/", "arm": "https://a.test"})
    for wrong in (*filter(None, WRONG), *NOBODYS):
        assert set(CloudSchema().validate({**cloud, "authority": wrong, "arm": wrong})) == {"authority", "arm"}


# --- discovered ---


def found(resolve: Callable[[str], Sequence[str]] | None = None, typed: Any = None, **told: Any) -> Endpoints:
    document = json.loads(json.dumps({"issuer": ISSUER, **told}))
    return discovered(ISSUER, typed or {}, lambda url: document, resolve or (lambda host: ("8.8.8.8",)))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "issuer"])
@pytest.mark.parametrize("address", [*filter(None, WRONG), *NOBODYS, 5, ["https://a.test"]])
def test_a_discovered_address_that_is_none_ends_the_discovery(name: str, address: object) -> None:
    with pytest.raises(MalformedAnswer, match=f"names no https address of a server as {name}") as caught:
        found(**{name: address})
    assert caught.value.recovery is Recovery.ABORT
    assert str(caught.value).isprintable()
    assert "evil" not in str(caught.value)


@pytest.mark.parametrize("nothing", [None, "", ...])
def test_an_endpoint_that_a_server_has_not_is_none(nothing: object) -> None:
    told = {} if nothing is ... else {"revocation_endpoint": nothing}
    assert found(token_endpoint=f"{ISSUER}/token", **told).revocation_endpoint == ""


PRIVATE = [
    "127.0.0.1",
    "10.0.0.7",
    "192.168.1.1",
    "172.16.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
]
PRIVATE += ["::1", "fc00::1", "fe80::1%eth0", "::ffff:10.0.0.7", "64:ff9b::a00:7", "::", "168.63.129.16", "240.0.0.1"]


@pytest.mark.parametrize("number", PRIVATE)
@pytest.mark.parametrize("name", ["token_endpoint", "jwks_uri", "authorization_endpoint"])
def test_a_discovered_endpoint_leads_to_no_private_host(name: str, number: str) -> None:
    with pytest.raises(MalformedAnswer, match=f"a host in a private network as {name}: set settings.{name}") as caught:
        found(lambda host: ("8.8.8.8", number), **{name: "https://other.test/x"})
    assert caught.value.recovery is Recovery.ABORT


def test_a_discovered_private_number_needs_no_name() -> None:
    for host in ("127.0.0.2", "[::1]", "10.0.0.7"):
        with pytest.raises(MalformedAnswer, match="private network"):
            found(token_endpoint=f"https://{host}/internal")


def test_a_discovered_endpoint_may_be_at_the_issuers_host_or_anywhere_on_the_internet() -> None:
    asked: list[str] = []

    def resolve(host: str) -> tuple[str, ...]:
        asked.append(host)
        return ("2606:4700::1111", "8.8.8.8")

    at_home, elsewhere = "https://LOGIN.test:8443/token", "https://keys.test/jwks"
    endpoints = found(resolve, token_endpoint=at_home, jwks_uri=elsewhere)
    assert (endpoints.token_endpoint, endpoints.jwks_uri) == (at_home, elsewhere)
    assert asked == ["keys.test"]


def test_a_typed_endpoint_may_be_private_and_is_not_looked_up() -> None:
    typed = {"token_endpoint": "https://10.0.0.7/token"}
    endpoints = found(_fails, typed, token_endpoint="http://evil.test/")
    assert endpoints.token_endpoint == "https://10.0.0.7/token"


def test_a_host_without_an_address_is_told_where_it_is_asked() -> None:
    assert is_public("nowhere.test", lambda host: ())


def _fails(host: str) -> Sequence[str]:
    raise AssertionError(host)


def _nothing(url: str) -> Any:
    raise AssertionError(url)
