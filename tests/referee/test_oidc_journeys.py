"""Whole journeys through the command line with an OpenID-certified server: authorize, use, refresh, give back.

The system that is connected to is the server's own userinfo endpoint, by a connector that is installed as plug-ins are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from oidc_server import BASIC, DEVICE_GRANT, OidcServer, running_oidc_server
from oidc_visitor import OidcVisitor

pytestmark = [pytest.mark.referee, pytest.mark.acceptance]

COMMAND = Path(sys.executable).with_name("integrator")
TIMEOUT_SECONDS = 100.0
READ = ["openid", "offline_access", "records.read"]

DESCRIPTOR = """
name = "who-am-i"
title = "Who am I"
summary = "Says who has consented."
auth_types = ["authorization_code", "device_code"]

[[settings]]
name = "address"
title = "Address"
kind = "url"
required = true
help = "the userinfo endpoint."

[[settings]]
name = "ca_file"
title = "CA"
required = true
help = "whom the endpoint's certificate is from."
"""
CONNECTOR = """
import json
from contextlib import closing
from pathlib import Path

from connectors.connector import Connector
from connectors.descriptor import load
from connectors.model import Ping
from iclients.errors import NotAuthorized
from iclients.transport import Transport


class WhoAmI(Connector):
    descriptor = load("who_am_i")

    def ping(self):
        session = self.access.session(self.scopes)
        token = session.token()
        answer = self._asked(token)
        if answer.status == 401:
            answer = self._asked(session.renew(token))
        if answer.status != 200:
            raise NotAuthorized(f"The userinfo endpoint answers HTTP {answer.status}.")
        return Ping(f"You are {json.loads(answer.body)['sub']}.")

    def _asked(self, token):
        headers = {"Authorization": f"Bearer {token.access_token.reveal()}"}
        with closing(Transport(Path(self.connection.settings["ca_file"]))) as transport:
            return transport.exchange("GET", self.connection.settings["address"], headers)
"""


class Ended:
    """How a command ended, and what it said."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.out, self.err = process.communicate(timeout=TIMEOUT_SECONDS)
        self.code = process.returncode
        assert "Traceback" not in self.out + self.err, self.err

    def json(self, code: int = 0) -> Any:
        """Its document, once it is sure that it ended with this code."""
        assert self.code == code, f"ended {self.code}, not {code}:\n{self.out}\n{self.err}"
        return json.loads(self.out)


class Home:
    """One installation with the plug-in, and the command."""

    def __init__(self, folder: Path, plugin: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("INTEGRATOR_")}
        own = {"INTEGRATOR_HOME": str(folder / "home"), "PYTHONPATH": str(plugin), "PYTHONWARNINGS": "error"}
        self._environment = {**kept, **own}

    def __call__(self, *arguments: str) -> Ended:
        return Ended(self.start(*arguments))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command that prints JSON."""
        command = [str(COMMAND), *arguments, "--json"]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=self._environment, cwd=self.folder)

    def begun(self, *options: str) -> tuple[subprocess.Popen[str], str]:
        """A consent that has begun, and where the person goes."""
        process = self.start("connections", "authorize", "me", *options)
        return process, said(process, "Open: ")

    def authorized(self, server: OidcServer, user: str = "ada") -> Any:
        """A person has consented in their browser: what the command printed."""
        process, url = self.begun("--prompt", "consent")
        callback(OidcVisitor(server.ca_file, user).consent(url))
        return Ended(process).json()


def said(process: subprocess.Popen[str], before: str) -> str:
    """What the command's next line says after these words."""
    assert process.stderr is not None
    line = process.stderr.readline()
    if not line.startswith(before):
        raise AssertionError(line + process.communicate(timeout=TIMEOUT_SECONDS)[1])
    return line.removeprefix(before).strip()


def callback(url: str) -> None:
    """The browser comes back to the command."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert answer.status == 200


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the connector, as `pip install --target` would leave it."""
    folder = tmp_path_factory.mktemp("plugin")
    files = {
        "who_am_i/__init__.py": CONNECTOR,
        "who_am_i/descriptor.toml": DESCRIPTOR,
        "who_am_i-1.dist-info/METADATA": "Metadata-Version: 2.4\nName: who-am-i\nVersion: 1\n",
        "who_am_i-1.dist-info/entry_points.txt": "[integrator.connectors]\nwho-am-i = who_am_i:WhoAmI\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcServer]:
    with running_oidc_server(tmp_path_factory.mktemp("oidc")) as server:
        yield server


@pytest.fixture
def server(running: OidcServer) -> OidcServer:
    running.reset(deviceIntervalSeconds=1)
    return running


@pytest.fixture
def home(server: OidcServer, plugin: Path, tmp_path: Path) -> Home:
    """An installation whose connection needs a person's consent in the browser."""
    home = Home(tmp_path, plugin)
    apply(home, server, "native", "authorization_code")
    return home


def apply(home: Home, server: OidcServer, client: str, auth: str, scopes: list[str] = READ) -> None:
    """Apply the document of a connection to the server's own userinfo."""
    settings = {"issuer": server.issuer, "ca_file": str(server.ca_file), "client_authentication": "none"}
    iclient: dict[str, Any] = {"name": "app", "provider": "generic", "client_id": client, "settings": settings}
    iclient["scopes"] = scopes
    if client == "basic":
        settings["client_authentication"] = "basic"
        iclient |= {"client_id": BASIC["client_id"], "credential": {"client_secret": BASIC["client_secret"]}}
    address = {"address": f"{server.issuer}/me", "ca_file": str(server.ca_file)}
    connection = {"name": "me", "connector": "who-am-i", "auth": auth, "iclient": "app", "settings": address}
    document = {"version": 1, "iclients": [iclient], "connections": [connection]}
    (home.folder / "document.yaml").write_text(yaml.safe_dump(document))
    home("apply", "document.yaml").json()


def test_a_person_lets_a_connection_in_with_their_browser(home: Home, server: OidcServer) -> None:
    done = home.authorized(server)
    assert (done["ok"], done["account"], done["message"]) == (True, "ada", "You are ada.")
    assert set(done["scopes"]) == set(READ)
    assert home("connections", "test", "me").json()["message"] == "You are ada."
    assert server.seen()["requests"] == {"authorization_code": 1}


@pytest.mark.parametrize("client", ["native", "basic"])
def test_a_person_lets_a_connection_in_with_a_code_on_any_device(home: Home, server: OidcServer, client: str) -> None:
    apply(home, server, client, "device_code")
    process, url = home.begun()
    OidcVisitor(server.ca_file, "eve").enter_code(url, said(process, "Code: "))
    done = Ended(process).json()
    assert (done["account"], done["message"]) == ("eve", "You are eve.")
    assert set(server.seen()["requests"]) == {DEVICE_GRANT}


def test_a_person_who_cancels_leaves_the_connection_as_it_was(home: Home, server: OidcServer) -> None:
    home.authorized(server)
    process, url = home.begun()
    callback(OidcVisitor(server.ca_file).consent(url, "cancel"))
    ended = Ended(process)
    assert (ended.code, "was declined" in ended.err) == (4, True)
    assert home("connections", "test", "me").json()["ok"]


def test_what_a_person_did_not_give_is_said(home: Home, server: OidcServer) -> None:
    apply(home, server, "native", "authorization_code", [*READ, "records.write"])
    done = home.authorized(server, "ben")
    assert (set(done["scopes"]), done["missing_scopes"]) == (set(READ), ["records.write"])


def test_many_processes_whose_token_has_ended_refresh_once_and_the_rotated_grant_lives(
    home: Home, server: OidcServer
) -> None:
    home.authorized(server)
    for times in (1, 2):
        server.end_access_tokens()
        with ThreadPoolExecutor(4) as pool:
            tests = [pool.submit(home, "connections", "test", "me") for _ in range(4)]
            assert [test.result().json()["message"] for test in tests] == ["You are ada."] * 4
        assert server.seen()["requests"]["refresh_token"] == times
    assert (server.seen()["refusals"], server.seen()["revokedGrants"]) == ({}, 0)


def test_a_consent_is_given_back_to_the_server(home: Home, server: OidcServer) -> None:
    home.authorized(server)
    assert home("connections", "revoke", "me").json()["provider_told"]
    assert server.seen()["revokedGrants"] == 1
    ended = home("connections", "test", "me")
    assert (ended.code, "integrator connections authorize me" in ended.err) == (4, True)
