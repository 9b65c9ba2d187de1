"""From where somebody comes: nobody chooses their own address, and a proxy that is trusted does not hide them all."""

from __future__ import annotations

import http.client
from collections.abc import Iterable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from test_server import running
from web_house import WebHouse

from connectors.azure_key_vault.sandbox import Sandbox
from integrator.config import Config
from integrator.errors import BadUsage
from integrator.store.sign_in_tries import ADDRESS
from integrator.web.addresses import came_from, counted

PROXIES = (ip_network("10.0.0.5/32"), ip_network("10.1.0.0/16"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.5", [], "10.0.0.5"),
        ("10.0.0.5", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.5", ["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.5", ["6.6.6.6", "198.51.100.1, 10.1.2.3"], "198.51.100.1"),
        ("10.0.0.5", ["6.6.6.6, 10.1.9.9, 198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.5", ["6.6.6.6, nonsense"], "10.0.0.5"),
        ("10.0.0.5", ["", ","], "10.0.0.5"),
        ("fd00::1", ["[2001:db8::7]:443"], "2001:db8::7"),
        ("::ffff:10.0.0.5", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.5", ["1.1.1.1," + "10.1.0.1," * 400 + "10.1.0.1"], "10.1.0.1"),
    ],
)
def test_an_address_counts_only_as_a_trusted_proxy_has_noted_it(peer: str, forwarded: list[str], found: str) -> None:
    assert came_from(peer, forwarded, PROXIES) == found
    assert came_from(peer, forwarded, ()) == peer


@pytest.mark.parametrize(
    ("address", "subject"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("nonsense", "nonsense"),
    ],
)
def test_all_addresses_of_one_subscriber_count_as_one(address: str, subject: str) -> None:
    assert counted(address) == subject


@pytest.mark.parametrize(
    "text", ["0.0.0.0/0", "::/0", "10.0.0.5 0.0.0.0/0", "proxy.test", "10.0.0.1/8", ",", "10.0.0.5;"]
)
def test_a_setting_that_trusts_everybody_or_nobody_is_refused(tmp_path: Path, text: str) -> None:
    environ = {"INTEGRATOR_HOME": str(tmp_path / "home"), "INTEGRATOR_TRUSTED_PROXIES": text}
    with pytest.raises(BadUsage, match="INTEGRATOR_TRUSTED_PROXIES"):
        Config.from_environment(environ)


def tried(web: WebHouse, number: int, forwarded: str, peer: str = "10.0.0.5") -> int:
    browser = web.browser()
    data = {"form": web.proof(browser, "/sign-in"), "name": f"nobody-{number}", "password": "wrong"}
    told = {"headers": {"X-Forwarded-For": forwarded}, "environ_overrides": {"REMOTE_ADDR": peer}}
    return browser.post("/sign-in", data=data, **told).status_code


@pytest.mark.parametrize("is_trusted", [True, False])
def test_behind_a_proxy_one_address_does_not_stop_the_others_where_the_proxy_is_trusted(
    sandbox: Sandbox, tmp_path: Path, is_trusted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrator.accounts.matches", lambda *told, **more: False)
    told = {"INTEGRATOR_TRUSTED_PROXIES": "10.0.0.5"} if is_trusted else {}
    web = WebHouse(sandbox, tmp_path, **told)
    try:
        for number in range(ADDRESS.tries):
            assert tried(web, number, f"6.6.6.{number}, 203.0.113.9") == 422
        assert tried(web, 100, "7.7.7.7, 203.0.113.9") == 429
        assert tried(web, 101, "203.0.113.10") == (422 if is_trusted else 429)
        assert tried(web, 102, "203.0.113.9", peer="203.0.113.77") == 422, "who comes without the proxy is who they are"
    finally:
        web.close()


def test_the_server_hands_on_what_proxies_note_and_changes_nothing_by_it() -> None:
    seen: dict[str, Any] = {}

    def noting(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.update(environ)
        start_response("204 No Content", [])
        return []

    with running(noting) as server:
        connection = http.client.HTTPConnection(server.url.removeprefix("http://").rstrip("/"), timeout=30)
        told = {
            "X-Forwarded-For": "6.6.6.6, 203.0.113.9",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "evil.test",
        }
        connection.request("GET", "/", headers=told)
        connection.getresponse().read()
        connection.close()
    assert seen["HTTP_X_FORWARDED_FOR"] == "6.6.6.6, 203.0.113.9"
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == ("127.0.0.1", "http")
    assert "evil" not in seen["HTTP_HOST"] + seen["SERVER_NAME"]
