"""Headers, hosts and cookies: what every answer says, and who is answered."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from flask import Flask
from web_house import WebHouse, title
from werkzeug.test import TestResponse

from connectors.azure_key_vault.sandbox import Sandbox

PATHS = [
    "/",
    "/sign-in",
    "/callback",
    "/consent/none",
    "/health/live",
    "/nothing",
    "/static/integrator.css",
    "/.well-known/integrator",
]


@pytest.fixture
def public(sandbox: Sandbox, tmp_path: Path) -> Iterator[WebHouse]:
    made = WebHouse(sandbox, tmp_path, INTEGRATOR_PUBLIC_URL="https://integrator.test/tools")
    yield made
    made.close()


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_forbids_what_no_page_needs(web: WebHouse, path: str) -> None:
    headers = web.browser().get(path, buffered=True).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == ("no-cache" if path.startswith("/static/") else "no-store")
    assert "Server" not in headers


@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/callback", "/consent/none", "/nothing", "/connections", "/account"]
)
def test_no_page_has_script_or_style_in_it(web: WebHouse, path: str) -> None:
    for browser in (web.browser(), web.signed_in()):
        text = browser.get(path).text.lower()
        assert re.findall(r"<script(?! src=\"/static/)", text) == []
        assert re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:", text) == []
        assert re.findall(r"(?:src|href|action)=.https?:", text) == []


@pytest.mark.parametrize(
    "host", ["evil.test", "integrator.test.evil.test", "integrator.test:444", "", "integrator.test@evil"]
)
def test_another_host_is_not_served(public: WebHouse, host: str) -> None:
    answer = public.browser().get("/", headers={"Host": host})
    assert answer.status_code in (400, 421)
    assert "evil" not in answer.text
    assert public.browser().get("/callback?code=a&state=b", headers={"Host": host}).status_code in (400, 421)


@pytest.mark.parametrize(
    "host", ["integrator.test", "INTEGRATOR.test:443", "127.0.0.1:8080", "localhost", "[::1]:8080"]
)
def test_the_public_host_and_this_machine_are_served(public: WebHouse, host: str) -> None:
    assert public.browser().get("/sign-in", headers={"Host": host}).status_code == 200


def near(path: str) -> list[str]:
    """The path with each of its slashes but the first one doubled, with one more at its end, and without its last one."""
    doubled = [f"{path[:at]}//{path[at + 1 :]}" for at, letter in enumerate(path) if letter == "/" and at]
    return [one for one in (*doubled, f"{path}/", path.rstrip("/")) if one.strip("/") and one != path]


@pytest.mark.parametrize("host", ["localhost", "evil.test"])
def test_what_is_nearly_an_address_leads_nowhere_and_least_of_all_to_the_host_that_was_named(
    web: WebHouse, host: str
) -> None:
    def view(number: int = 1) -> str:
        return "inside"

    app: Flask = web.app
    app.add_url_rule("/folder/", view_func=view)
    app.add_url_rule("/pages/", view_func=view, endpoint="pages", defaults={"number": 1})
    app.add_url_rule("/pages/<int:number>", view_func=view, endpoint="pages")
    paths = [re.sub(r"<[^>]+>", "1", rule.rule) for rule in app.url_map.iter_rules()]
    nearly = {one for path in paths for one in near(path)}
    assert {"/consent//1", "/health//live", "/callback/", "/folder", "/pages//1"} <= nearly
    for path in nearly:
        answer = visited(web, path, host)
        assert answer.status_code == (404 if host == "localhost" else 421), path
    for path in (*paths, *(f"/{path}" for path in paths), *nearly):
        answer = visited(web, path, host)
        assert answer.headers.get("Location", "/sign-in").partition("?")[0] == "/sign-in", path
        assert host not in f"{answer.headers}{answer.text}", path


def visited(web: WebHouse, path: str, host: str) -> TestResponse:
    """The answer to exactly this path: a test client would take two slashes at its beginning for a host."""
    return web.browser().get("/", headers={"Host": host}, environ_overrides={"PATH_INFO": path}, buffered=True)


def test_behind_a_path_of_the_public_url_it_is_the_same(public: WebHouse) -> None:
    for path in ("/tools/consent//TOKEN", "/tools/callback/", "/tools//health//live", "//tools/consent/TOKEN"):
        answer = visited(public, path, "localhost")
        assert (answer.status_code, "Location" in answer.headers) == (404, False), path


@pytest.mark.parametrize("path", ["/health/", "/health//live", "/health/live/", "/health/x"])
def test_only_probes_are_answered_whatever_host_is_named(public: WebHouse, path: str) -> None:
    assert public.browser().get(path, headers={"Host": "evil.test"}).status_code == 421


def test_probes_may_call_by_any_address(public: WebHouse) -> None:
    headers = {"Host": "10.0.0.7:8080"}
    assert public.browser().get("/health/live", headers=headers).json == {"status": "live"}
    assert public.browser().get("/health/ready", headers=headers).json == {"status": "ready"}


def test_nothing_is_built_from_the_host_that_a_request_names(public: WebHouse) -> None:
    headers = {"Host": "localhost", "X-Forwarded-Host": "evil.test"}
    browser = public.browser()
    for path in ("/", "/sign-in", "/connections"):
        answer = browser.get(path, headers=headers)
        assert "evil" not in answer.text + str(answer.headers)
    assert browser.get("/", headers=headers).headers["Location"] == "/tools/sign-in"


@pytest.mark.parametrize("prefix", ["", "/tools"])
def test_a_path_of_the_public_url_works_whether_the_proxy_takes_it_away_or_not(public: WebHouse, prefix: str) -> None:
    page = public.browser().get(f"{prefix}/sign-in", headers={"Host": "integrator.test"})
    assert page.status_code == 200
    assert 'href="/tools/static/integrator.css?v=' in page.text
    assert (
        public.browser()
        .get(f"{prefix}/static/integrator.css", headers={"Host": "localhost"}, buffered=True)
        .status_code
        == 200
    )


def test_a_cookie_is_for_this_host_and_https_only_where_the_public_url_is(public: WebHouse, web: WebHouse) -> None:
    with public.installation.store.writing() as stored:
        now = public.installation.clock.now()
        token = stored.consent_links.make("contoso", made_for="", return_to="", now=now, lifetime_seconds=60)
    told = public.browser().get(f"/consent/{token}", headers={"Host": "integrator.test"}).headers["Set-Cookie"]
    (name, morsel), *_ = SimpleCookie(told).items()
    assert name == "__Host-integrator-browser"
    assert (morsel["secure"], morsel["httponly"], morsel["samesite"], morsel["path"]) == (True, True, "Lax", "/")
    assert not morsel["domain"]
    (name, morsel), *_ = SimpleCookie(web.browser().get(web.link()).headers["Set-Cookie"]).items()
    assert (name, morsel["secure"], morsel["httponly"], morsel["samesite"]) == ("integrator-browser", "", True, "Lax")


def test_a_proof_is_given_for_a_challenge_and_for_nothing_else(web: WebHouse) -> None:
    browser = web.browser()
    first = browser.get("/.well-known/integrator?challenge=" + "a" * 32).json
    assert first == browser.get("/.well-known/integrator?challenge=" + "a" * 32).json
    assert first != browser.get("/.well-known/integrator?challenge=" + "b" * 32).json
    for challenge in ("", "short", "a" * 65, "a b" * 10):
        assert browser.get("/.well-known/integrator", query_string={"challenge": challenge}).status_code == 400


def test_mistakes_have_pages_that_say_what_to_do(web: WebHouse) -> None:
    browser = web.browser()
    assert title(browser.get("/nothing")) == "There is no such page"
    assert browser.post("/health/live").status_code == 405
    assert title(browser.post("/callback")) == "This page takes no such request"
    assert browser.post("/consent/x", data={"form": "y" * 100_000}).status_code == 413


def test_a_defect_shows_no_trace_and_logs_neither_path_nor_text(
    web: WebHouse, caplog: pytest.LogCaptureFixture
) -> None:
    app: Flask = web.app

    @app.get("/defect/<token>")
    def defect(token: str) -> str:
        raise RuntimeError(f"holds {token}")

    browser = web.signed_in()
    with caplog.at_level(logging.DEBUG):
        answer = browser.get("/defect/t0ken?code=c0de")
    assert answer.status_code == 500
    assert title(answer) == "Something unforeseen happened"
    told = answer.text + caplog.text
    assert "RuntimeError" in caplog.text
    assert "Traceback" not in told
    assert "t0ken" not in told
    assert "c0de" not in told


def test_a_database_that_cannot_be_read_is_told_and_not_ready(web: WebHouse) -> None:
    path = web.folder / "home" / "integrator.db"
    web.installation.store.close()
    for sibling in path.parent.glob("integrator.db*"):
        if sibling.is_file():
            sibling.write_bytes(b"not a database at all" * 100)
    assert web.browser().get("/health/ready").status_code == 503
    assert web.browser().get("/health/live").status_code == 200
    assert title(web.browser().get("/consent/x")) == "Integrator cannot read its database now"
