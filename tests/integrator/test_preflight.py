"""Preflight: what would keep a consent from ending well is told before anybody is sent away."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from sandbox_house import SandboxHouse, TokenServer, as_it_was

from connectors.azure_key_vault.sandbox import Sandbox
from connectors.errors import SettingsError
from iclients.errors import NotAuthorized
from integrator.authorizing import Authorizing, Wanted
from integrator.bootstrap import Installation
from integrator.config import Config
from integrator.errors import NotFoundHere
from integrator.preflight import ConsentCannotEnd, is_served, preflight, redirect_uri_of, refuse_hopeless
from integrator.reaching import Reached, proof, reached
from integrator.web.app import create_app
from integrator.web.server import Server

ELSEWHERE = "127.0.0.2"
"""A host that is not this one by its name, and where nobody listens."""


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": 1}) as started:
        yield started


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    with as_it_was(running):
        yield running


@pytest.fixture
def house(sandbox: Sandbox, tmp_path: Path) -> Iterator[SandboxHouse]:
    with furnished(sandbox, tmp_path) as made:
        yield made


@contextmanager
def furnished(sandbox: Sandbox, folder: Path, public_url: str = "", **iclient: Any) -> Iterator[SandboxHouse]:
    made = SandboxHouse(sandbox, folder, INTEGRATOR_PUBLIC_URL=public_url)
    try:
        made.apply(made.document("authorization_code", **iclient))
        yield made
    finally:
        made.close()


def free_port(host: str = "127.0.0.1") -> int:
    with socket.create_server((host, 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def served(config: Config, port: int) -> Iterator[None]:
    """`integrator serve` of an installation of its own over the same or another home."""
    with Installation(config, waited_for=True) as installation:
        server = Server(create_app(installation), "127.0.0.1", port)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.stop()
            thread.join(30)
            server.close()


@contextmanager
def answering(body: bytes, status: int = 200) -> Iterator[str]:
    """Some other server on this machine."""

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def findings(house: SandboxHouse) -> dict[str, tuple[bool, str]]:
    return {one.subject: (one.is_ok, one.sentence) for one in preflight(house.installation, "contoso")}


# --- the provider ---


def test_where_everything_is_fine_the_redirect_uri_and_the_app_are_named(house: SandboxHouse, sandbox: Sandbox) -> None:
    found = findings(house)
    assert all(is_ok for is_ok, _ in found.values())
    assert "http://127.0.0.1/callback" in found["redirect URI"][1]
    assert "INTEGRATOR_PUBLIC_URL is not set" in found["public URL"][1]
    assert sandbox.client_id in found["provider"][1]
    refuse_hopeless(house.installation, "contoso")


def test_looking_begins_nothing_and_asks_for_no_token(house: SandboxHouse) -> None:
    findings(house)
    assert house.asked() == 0
    with house.installation.store.writing() as stored:
        assert stored.consent_states.forget_old(house.clock.now() + 1e9) == 0


def test_a_redirect_uri_that_is_not_registered_is_told(house: SandboxHouse, sandbox: Sandbox) -> None:
    sandbox.application.redirect_uris[:] = ["https://elsewhere.test/callback"]
    is_ok, sentence = findings(house)["provider"]
    assert (is_ok, "redirect URI" in sentence) == (False, True)
    with pytest.raises(ConsentCannotEnd, match="The consent of connection contoso cannot end well; provider: "):
        refuse_hopeless(house.installation, "contoso")


def test_an_app_that_the_provider_does_not_know_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    with furnished(sandbox, tmp_path, client_id="11111111-2222-3333-4444-555555555555") as house:
        is_ok, sentence = findings(house)["provider"]
    assert (is_ok, "11111111-2222-3333-4444-555555555555" in sentence) == (False, True)


def test_an_app_that_is_disabled_is_told(house: SandboxHouse, sandbox: Sandbox) -> None:
    sandbox.application.enabled = False
    is_ok, sentence = findings(house)["provider"]
    assert (is_ok, "disabled" in sentence) == (False, True)


def test_a_tenant_that_does_not_exist_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    with furnished(sandbox, tmp_path, tenant="nowhere.example.com") as house:
        is_ok, sentence = findings(house)["provider"]
    assert (is_ok, "tenant" in sentence.lower()) == (False, True)


def test_a_provider_that_cannot_be_reached_is_told(house: SandboxHouse, sandbox: Sandbox) -> None:
    sandbox.faults.add("reset", host="entra", times=50)
    assert not findings(house)["provider"][0]


def test_settings_that_make_no_sense_are_told_and_not_raised(sandbox: Sandbox, tmp_path: Path) -> None:
    server = TokenServer(sandbox, tmp_path)
    try:
        with furnished(sandbox, tmp_path, **server.iclient()) as house:
            with house.installation.store.writing() as stored:  # an older version took what apply refuses now
                before = stored.iclients.get("sandbox-app")
                stored.iclients.save(replace(before, settings={**before.settings, "pkce": "S512"}))
            is_ok, sentence = findings(house)["provider"]
    finally:
        server.close()
    assert (is_ok, "settings.pkce of iClient sandbox-app is S512" in sentence) == (False, True)


def test_a_missing_credential_is_told_and_may_be_meant(sandbox: Sandbox, tmp_path: Path) -> None:
    with furnished(sandbox, tmp_path, credential=None) as house:
        is_ok, sentence = findings(house)["credential"]
    assert (is_ok, "public clients only" in sentence) == (True, True)


def test_what_has_no_iclient_or_is_not_there_has_no_preflight(house: SandboxHouse) -> None:
    folder = {"name": "here", "connector": "files", "settings": {"folder": str(house.files)}}
    house.apply({"version": 1, "connections": [folder]})
    with pytest.raises(SettingsError, match="has no iClient"):
        preflight(house.installation, "here")
    with pytest.raises(NotFoundHere):
        preflight(house.installation, "nobody")


# --- the public URL ---


@pytest.fixture
def public(sandbox: Sandbox, tmp_path: Path) -> Iterator[SandboxHouse]:
    """An installation with a public URL on this machine, where nobody listens yet."""
    with furnished(sandbox, tmp_path, f"http://127.0.0.1:{free_port()}") as made:
        yield made


def port_of(house: SandboxHouse) -> int:
    return int(str(house.config.public_url).rpartition(":")[2])


def test_a_server_of_this_installation_is_recognized(public: SandboxHouse) -> None:
    assert not is_served(public.installation)
    with served(public.config, port_of(public)):
        assert is_served(public.installation)
        assert findings(public)["public URL"] == (True, f"{public.config.public_url} reaches this installation.")
    assert redirect_uri_of(public.installation) == f"{public.config.public_url}/callback"


def test_without_a_server_on_this_machine_the_command_line_receives_the_callback(public: SandboxHouse) -> None:
    is_ok, sentence = findings(public)["public URL"]
    assert (is_ok, "the command line receives the callback" in sentence) == (True, True)


def test_another_installation_at_the_public_url_is_not_this_one(public: SandboxHouse, tmp_path: Path) -> None:
    other = Config.from_environment({"INTEGRATOR_HOME": str(tmp_path / "other")})
    with served(other, port_of(public)):
        is_ok, sentence = findings(public)["public URL"]
        assert not is_served(public.installation)
    assert (is_ok, "another server or another installation answers there" in sentence) == (False, True)


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"<html>", 200), (b"[1]", 200), (b'{"proof": 7}', 200), (b"{}", 404), (b"[" * 4000, 200), (b"\xff", 200)],
    ids=["html", "a list", "a number", "not found", "deep", "no text"],
)
def test_something_else_at_the_public_url_is_told(sandbox: Sandbox, tmp_path: Path, body: bytes, status: int) -> None:
    with answering(body, status) as url, furnished(sandbox, tmp_path, url) as house:
        is_ok, sentence = findings(house)["public URL"]
    assert (is_ok, "answers there" in sentence) == (False, True)


def test_a_public_url_elsewhere_where_nothing_answers_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    url = f"https://{ELSEWHERE}:{free_port(ELSEWHERE)}"
    with furnished(sandbox, tmp_path, url) as house:
        is_ok, sentence = findings(house)["public URL"]
    assert (is_ok, "nothing answers there (ConnectionRefusedError)" in sentence) == (False, True)
    assert "start `integrator serve`, or correct INTEGRATOR_PUBLIC_URL" in sentence


def test_plain_http_elsewhere_is_told_and_not_tried(sandbox: Sandbox, tmp_path: Path) -> None:
    with furnished(sandbox, tmp_path, f"http://{ELSEWHERE}:9") as house:
        is_ok, sentence = findings(house)["public URL"]
    assert (is_ok, "is not https" in sentence) == (False, True)


def test_https_on_this_machine_needs_a_server(sandbox: Sandbox, tmp_path: Path) -> None:
    with furnished(sandbox, tmp_path, f"https://127.0.0.1:{free_port()}") as house:
        assert not findings(house)["public URL"][0]


def test_a_proof_is_given_for_challenges_only_and_is_this_installations(house: SandboxHouse, tmp_path: Path) -> None:
    challenge = "c" * 32
    assert proof(house.installation.store, challenge) == proof(house.installation.store, challenge)
    with Installation(Config.from_environment({"INTEGRATOR_HOME": str(tmp_path / "other")})) as other:
        assert proof(other.store, challenge) != proof(house.installation.store, challenge)
    for wrong in ("", "short", "c" * 65, "c" * 31 + "\n", "ç" * 32):
        with pytest.raises(ValueError, match="a challenge has"):
            proof(house.installation.store, wrong)
    assert reached(house.installation.store, f"http://127.0.0.1:{free_port()}") == Reached(
        False, "nothing answers there (ConnectionRefusedError)", is_free=True
    )


# --- authorizing through the server ---


def test_a_consent_through_the_server_ends_at_whoever_waits(public: SandboxHouse, sandbox: Sandbox) -> None:
    def visit(line: str) -> None:
        with urlopen(sandbox.consent(line.removeprefix("Open: "), "ada"), timeout=30) as answer:
            assert answer.status == 200

    with served(public.config, port_of(public)):
        done = Authorizing(public.installation, "contoso", visit).run(Wanted())
    assert (done.account.partition("@")[0], public.state()) == ("ada", "online")


def test_who_declines_at_the_server_ends_the_waiting_too(public: SandboxHouse, sandbox: Sandbox) -> None:
    def visit(line: str) -> None:
        with urlopen(sandbox.consent(line.removeprefix("Open: "), "ada", "cancel"), timeout=30):
            pass

    with served(public.config, port_of(public)), pytest.raises(NotAuthorized, match="cancelled"):
        Authorizing(public.installation, "contoso", visit).run(Wanted())


def test_where_nobody_comes_the_redirect_uri_is_named(public: SandboxHouse) -> None:
    with served(public.config, port_of(public)), pytest.raises(NotAuthorized) as refused:
        Authorizing(public.installation, "contoso", lambda line: None).run(Wanted(30.0))
    assert refused.value.code == "consent_timeout"
    assert redirect_uri_of(public.installation) in str(refused.value)
    assert sum(public.clock.slept) == pytest.approx(30.0)


def test_a_consent_that_cannot_end_does_not_begin_at_the_server(public: SandboxHouse, sandbox: Sandbox) -> None:
    sandbox.application.redirect_uris[:] = ["https://elsewhere.test/callback"]
    said: list[str] = []
    with served(public.config, port_of(public)), pytest.raises(ConsentCannotEnd, match="redirect URI"):
        Authorizing(public.installation, "contoso", said.append).run(Wanted())
    assert said == []


def test_a_public_url_that_is_not_this_machine_and_is_not_served_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    url = f"https://{ELSEWHERE}:{free_port(ELSEWHERE)}"
    with furnished(sandbox, tmp_path, url) as house, pytest.raises(NotAuthorized, match="No server of ours answers at"):
        Authorizing(house.installation, "contoso", lambda line: None).run(Wanted())
