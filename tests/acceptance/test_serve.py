"""The server and the command line together: a consent that one begins and the other ends."""

from __future__ import annotations

import copy
import http.cookiejar
import json
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from acceptance_house import House, Lab, finish

from connectors.azure_key_vault.sandbox.visitor import consent

pytestmark = pytest.mark.acceptance

SCOPE = "https://vault.azure.net/user_impersonation"


class Served:
    """A running `integrator serve`, and where it is."""

    def __init__(self, house: House, process: subprocess.Popen[str], url: str) -> None:
        self.house, self.process, self.url = house, process, url

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        return opened(urllib.request.build_opener(), urllib.request.Request(f"{self.url}{path}", headers=headers))


def opened(opener: urllib.request.OpenerDirector, request: urllib.request.Request | str) -> tuple[int, str]:
    """Status and text; redirects are followed."""
    try:
        with opener.open(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@contextmanager
def serving(house: House, port: int, *options: str) -> Iterator[Served]:
    process = house.start("serve", "--port", str(port), *options)
    assert process.stderr is not None
    lines = []
    while not (lines and lines[-1].startswith(("Integrator is at ", "Error: "))):
        lines.append(process.stderr.readline())
        assert lines[-1], lines
    try:
        yield Served(house, process, lines[-1].removeprefix("Integrator is at ").strip().rstrip("/"))
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        ended = finish(process, ("serve",))
        assert ended.code == 0, ended.err
        (house.home.parent / "serve.log").write_text("".join(lines) + ended.err + ended.out)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def served(house: House, lab: Lab) -> Iterator[Served]:
    """A server at the public URL of an installation whose connections need a person."""
    lab.control("POST", "consent/remove")
    house.apply(document(lab))
    port = free_port()
    house.environ["INTEGRATOR_PUBLIC_URL"] = f"http://127.0.0.1:{port}"
    with serving(house, port) as running:
        yield running


def document(lab: Lab) -> dict[str, Any]:
    made = copy.deepcopy(lab.document)
    made["iclients"][0]["scopes"] = [SCOPE]
    for connection in made["connections"]:
        if "vault_url" in connection.get("settings", {}):
            connection["auth"] = "authorization_code"
    return made


def test_the_server_receives_the_consent_that_the_command_line_waits_for(served: Served, lab: Lab) -> None:
    house = served.house
    process = house.start("connections", "authorize", "contoso", "--json")
    assert process.stderr is not None
    address = process.stderr.readline().removeprefix("Open: ").strip()
    callback = consent(address, "ada", "accept", ca_file=lab.cloud["ca_file"])
    assert callback.startswith(f"{served.url}/callback?")
    status, page = served.get(callback.removeprefix(served.url))
    assert (status, "contoso is online" in page) == (200, True)
    done = finish(process, ("connections", "authorize")).ended(0).json
    assert done["account"].startswith("ada@")
    house("connections", "test", "contoso")
    assert served.get(callback.removeprefix(served.url))[0] == 400


def test_a_declined_consent_ends_the_command_with_4(served: Served, lab: Lab) -> None:
    process = served.house.start("connections", "authorize", "contoso")
    assert process.stderr is not None
    address = process.stderr.readline().removeprefix("Open: ").strip()
    callback = consent(address, "ben", "cancel", ca_file=lab.cloud["ca_file"])
    status, page = served.get(callback.removeprefix(served.url))
    assert (status, "The consent was declined" in page) == (200, True)
    assert finish(process, ("connections", "authorize")).ended(4).sentence


def test_somebody_else_consents_by_a_link(served: Served, lab: Lab) -> None:
    link = served.house("connections", "link", "contoso", "--for", "ada", "--json").json["link"]
    browser = urllib.request.build_opener(
        urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), _NoRedirects()
    )
    status, page = opened(browser, link)
    assert (status, "Meant for" in page) == (200, True)
    proof = re.search(r'name="form" value="([0-9a-f]+)"', page)
    assert proof is not None
    form = urllib.parse.urlencode({"form": proof[1]}).encode()
    with pytest.raises(urllib.error.HTTPError) as redirect:
        browser.open(urllib.request.Request(link, form), timeout=60)
    with redirect.value as answer:
        address = answer.headers["Location"]
    callback = consent(address, "ada", "accept", ca_file=lab.cloud["ca_file"])
    assert served.get(callback.removeprefix(served.url))[0] == 400  # another browser
    status, page = opened(browser, callback)
    assert (status, "contoso is online" in page) == (200, True)
    served.house("connections", "test", "contoso")
    assert opened(browser, link)[0] == 410


def test_what_comes_by_is_in_no_log(house: House, lab: Lab) -> None:
    lab.control("POST", "consent/remove")
    house.apply(document(lab))
    port = free_port()
    house.environ["INTEGRATOR_PUBLIC_URL"] = f"http://127.0.0.1:{port}"
    with serving(house, port) as served:
        served.get("/consent/l1nkt0ken")
        served.get("/callback?code=c0dec0de&state=st4te")
        served.get("/nothing?code=c0dec0de")
        assert served.get("/", Host="evil.test")[0] == 421
        assert json.loads(served.get("/health/ready")[1]) == {"status": "ready"}
    log = (house.home.parent / "serve.log").read_text()
    assert [word for word in ("l1nkt0ken", "c0dec0de", "st4te", "evil.test") if word in log] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_with_0(new_house: House, number: signal.Signals) -> None:
    with serving(new_house, 0) as served:
        assert served.get("/health/live")[0] == 200
        served.process.send_signal(number)
        assert served.process.wait(30) == 0


def test_without_a_public_url_consents_come_back_to_this_machine(new_house: House) -> None:
    with serving(new_house, 0) as served:
        pass
    log = (new_house.home.parent / "serve.log").read_text()
    assert f"INTEGRATOR_PUBLIC_URL is not set: consents come back to {served.url}, which only browsers on this" in log


def test_a_server_for_others_needs_a_public_url_for_consents(new_house: House) -> None:
    with serving(new_house, 0, "--host", "0.0.0.0"):
        pass
    log = (new_house.home.parent / "serve.log").read_text()
    assert "INTEGRATOR_PUBLIC_URL is not set: consents come back only to the command line." in log


def test_a_port_that_is_taken_is_one_sentence(new_house: House) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = new_house("serve", "--port", str(taken.getsockname()[1]), code=1)
    assert "cannot listen at 127.0.0.1" in ended.sentence


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> None:
        """None: what answers 303 is what the test looks at."""
