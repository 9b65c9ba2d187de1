from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrator.return_urls import allowed, host_of, listed

LIST = ("https://portal.test/app", "https://other.test", "https://ported.test:8443/in/", "http://127.0.0.1:3000")


@pytest.mark.parametrize(
    "address",
    [
        "https://portal.test/app",
        "https://portal.test/app/",
        "https://portal.test/app/done?from=integrator",
        "https://portal.test/app?x=https://evil.test/",
        "HTTPS://PORTAL.TEST/app/x",
        "https://portal.test:443/app",
        "https://other.test",
        "https://other.test/",
        "https://other.test?x=1",
        "https://other.test/any/where",
        "https://ported.test:8443/in/x",
        "http://127.0.0.1:3000/x",
    ],
)
def test_addresses_at_or_below_an_entry_are_allowed(address: str) -> None:
    assert allowed(address, LIST)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/app",
        "//portal.test/app",
        "portal.test/app",
        "http://portal.test/app",
        "https://portal.test",
        "https://portal.test/",
        "https://portal.test/apple",
        "https://portal.test/App",
        "https://portal.test:8443/app",
        "https://ported.test/in/x",
        "https://ported.test:8443/in",
        "https://portal.test.evil.test/app",
        "https://evilportal.test/app",
        "https://evil.test/portal.test/app",
        "https://evil.test?https://portal.test/app",
        "https://evil.test#https://portal.test/app",
        "https://portal.test./app",
        "https://portal.test@evil.test/app",
        "https://portal.test%40evil.test/app",
        "https://ada:pw@portal.test/app",
        "https://@portal.test/app",
        "https://portal.test:/app",
        "https://portal.test:443:443/app",
        "https://portal.test:99999/app",
        "https://portal.test:0/app",
        "https:///portal.test/app",
        "https:/portal.test/app",
        "https:portal.test/app",
        "https://portal.test//evil.test/app",
        "https://portal.test/app//evil.test",
        "https://other.test//evil.test",
        "https://portal.test\\@evil.test/app",
        "https://portal.test/app\\evil",
        "https:\\\\portal.test\\app",
        "https://evil.test\\.portal.test/app",
        "https://portal.test/app/../admin",
        "https://portal.test/app/..",
        "https://portal.test/app/./x",
        "https://portal.test/app/..;/admin",
        "https://portal.test/app/%2e%2e/admin",
        "https://portal.test/app/%2E./admin",
        "https://portal.test/app%2f..%2fadmin",
        "https://portal.test/app/%5cevil",
        "https://portal.test/app/%252e%252e/admin",
        "https://portal.test/app/%0d%0aLocation:x",
        "https://portal.test/app/%zz",
        "https://portal.test/app/%2",
        "https://portal.test/app\n",
        "\nhttps://portal.test/app",
        " https://portal.test/app",
        "https://portal.test/app ",
        "https://portal.test/app\t/x",
        "https://por\ttal.test/app",
        "https://portal.test/app\x00",
        "https://portal.test/app#fragment",
        "https://portal.test/app?x=\r\ny",
        "https://portäl.test/app",
        "https://portal。test/app",
        "https://portal.test/äpp",
        "https://portal.test/<script>",
        "javascript:alert(1)",
        "javascript://portal.test/app%0aalert(1)",
        "data:text/html,x",
        "http://127.0.0.1:3001/x",
        "https://127.0.0.1:3000/x",
        "http://localhost:3000/x",
        "https://portal.test/app/" + "a" * 2000,
    ],
)
def test_everything_else_is_refused(address: str) -> None:
    assert not allowed(address, LIST)


@given(st.text(alphabet="htps:/\\.@#?%2ef\t\n portal.testapp;[]", max_size=60))
def test_nothing_that_is_allowed_leads_to_another_host(tail: str) -> None:
    for address in (tail, f"https:{tail}", f"https://portal.test{tail}", f"https://portal.test/app{tail}"):
        if allowed(address, LIST[:1]):
            assert address.lower().startswith("https://portal.test")
            assert "\\" not in address
            assert "//" not in address[8:].partition("?")[0]
            assert host_of(address) == "portal.test"


def test_nothing_is_allowed_where_nothing_is_listed() -> None:
    assert not allowed("https://portal.test/app", ())


def test_an_entry_that_is_none_allows_nothing() -> None:
    assert not allowed("https://portal.test/app", ("https://portal.test//app", "portal.test", ""))


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("", ()),
        (" , ", ()),
        ("https://a.test", ("https://a.test",)),
        ("https://a.test, https://b.test/x\nhttps://c.test", ("https://a.test", "https://b.test/x", "https://c.test")),
        ("http://localhost:3000", ("http://localhost:3000",)),
    ],
)
def test_a_list_is_parted_by_spaces_and_commas(text: str, entries: tuple[str, ...]) -> None:
    assert listed(text) == entries


@pytest.mark.parametrize(
    "text",
    ["*", "https://*", "http://a.test", "a.test", "https://a.test?x=1", "https://a.test/../b", "https://u@a.test"],
)
def test_an_entry_that_could_surprise_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not an https origin"):
        listed(f"https://good.test {text}")
