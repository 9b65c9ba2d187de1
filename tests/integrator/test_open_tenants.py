"""An iClient without a tenant: its vault is asked once whose it is, and nobody else is believed."""

from __future__ import annotations

import csv
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sandbox_house import APPS, PERSONS, SandboxHouse, as_it_was

from connectors.azure_key_vault.sandbox import Sandbox
from connectors.azure_key_vault.sandbox.tls import make_certificates, server_context
from connectors.errors import HostNotAllowed
from flows.model import RunStatus
from iclients.errors import CredentialRefused, NotAuthorized, Recovery, RemoteError
from integrator import pinging
from integrator.doctor import examine
from integrator.preflight import preflight
from integrator.runner import Runner
from integrator.tenants import OpenTenant

MAPPING = [{"to": "name", "from": "name"}, {"to": "value", "from": "value"}]
ELSEWHERE = "6bf90dc6-4b2a-4f0c-9a53-1d5a1f0a3b11"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": 3, "fabrikam": 1}) as started:
        yield started


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    with as_it_was(running):
        yield running


@pytest.fixture
def house(sandbox: Sandbox, tmp_path: Path) -> Iterator[SandboxHouse]:
    made = SandboxHouse(sandbox, tmp_path)
    made.apply(made.document(tenant=None))
    yield made
    made.close()


class Answering:
    """A vault that gives everybody the same challenge, and remembers what came."""

    def __init__(self, folder: Path, *challenges: str, status: int = 401) -> None:
        self.seen: list[tuple[str, str, str | None, int]] = []
        certificates = make_certificates()
        self.ca_file = folder / "answering-ca.pem"
        self.ca_file.write_bytes(certificates.authority)
        vault = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                vault.seen.append((self.command, self.path, self.headers.get("Authorization"), length))
                self.send_response(status)
                for one in challenges:
                    self.send_header("WWW-Authenticate", one)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = server_context(certificates).wrap_socket(self._server.socket, server_side=True)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def to_this_vault(house: SandboxHouse, vault: Answering, auth: str = "client_credentials") -> None:
    """The connection `contoso` leads to that vault now, which its cloud lists."""
    made = house.document(auth, tenant=None)
    made["clouds"][0] |= {"vaults": [vault.host], "ca_file": str(vault.ca_file)}
    made["connections"] = made["connections"][:1]
    made["connections"][0]["settings"]["vault_url"] = f"https://{vault.host}"
    house.apply(made)


def test_a_connection_test_and_a_run_work_without_a_tenant(house: SandboxHouse, sandbox: Sandbox) -> None:
    assert "let the connection in" in pinging.tested(house.installation, "contoso")
    made = house.document(tenant=None)
    made["connections"].append({"name": "files", "connector": "files", "settings": {"folder": str(house.files)}})
    made["flows"] = [
        {
            "name": "out",
            "exports": [{"connection": "contoso", "resource": "secrets", "values": True}],
            "steps": [
                {
                    "import": {
                        "connection": "files",
                        "resource": "out.csv",
                        "plaintext": True,
                        "mapping": MAPPING,
                    }
                }
            ],
        }
    ]
    house.apply(made)
    run = Runner(house.installation).run("out")
    assert run.status is RunStatus.SUCCEEDED
    with (house.files / "out.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 3


def test_the_vault_is_asked_once_for_all_tokens_of_a_process(house: SandboxHouse, sandbox: Sandbox) -> None:
    for _ in range(3):
        house.ask(scopes=APPS)
    assert sandbox.calls()["contoso"]["challenge"] == 1
    assert house.asked() == 3


def test_making_a_connector_asks_nobody(house: SandboxHouse, sandbox: Sandbox) -> None:
    house.installation.connector("contoso")
    assert sandbox.calls()["contoso"].get("challenge", 0) == 0


def test_two_vaults_of_one_iclient_have_a_token_each(house: SandboxHouse) -> None:
    both = [house.installation.admission(name).session(APPS) for name in ("contoso", "fabrikam")]
    assert both[0] is not both[1]
    house.apply(house.document())
    both = [house.installation.admission(name).session(APPS) for name in ("contoso", "fabrikam")]
    assert both[0] is both[1]


@pytest.mark.parametrize(
    "challenges",
    [
        (f'Bearer authorization="https://login.evil.test/{ELSEWHERE}", resource="https://vault.azure.net"',),
        (f'Bearer authorization="http://127.0.0.1/{ELSEWHERE}"',),
        (f'Bearer authorization="https://login.microsoftonline.com/{ELSEWHERE}"',),
        ('Bearer authorization="{authority}/common"',),
        ('Bearer authorization="{authority}/' + ELSEWHERE + '"', 'Bearer authorization="{authority}/contoso.com"'),
        (),
    ],
    ids=["another host", "http", "another cloud", "common", "two tenants", "none"],
)
def test_a_vault_that_names_another_authority_gets_no_token(
    house: SandboxHouse, sandbox: Sandbox, tmp_path: Path, challenges: tuple[str, ...]
) -> None:
    vault = Answering(tmp_path, *[one.replace("{authority}", sandbox.authority) for one in challenges])
    try:
        to_this_vault(house, vault)
        with pytest.raises(CredentialRefused, match=r"name the tenant in iClient sandbox-app\.$") as caught:
            pinging.tested(house.installation, "contoso")
        assert caught.value.code == "no_tenant"
        assert caught.value.recovery is Recovery.REAUTHORIZE
        assert vault.seen
        assert all((method, token, body) == ("GET", None, 0) for method, _, token, body in vault.seen)
        assert house.asked() == 0
    finally:
        vault.close()


@pytest.mark.parametrize("status", [200, 307, 403, 404])
def test_an_answer_that_is_no_challenge_is_none(house: SandboxHouse, tmp_path: Path, status: int) -> None:
    vault = Answering(tmp_path, f'Bearer authorization="{house.sandbox.authority}/{ELSEWHERE}"', status=status)
    try:
        to_this_vault(house, vault)
        with pytest.raises(CredentialRefused, match="name the tenant in iClient"):
            pinging.tested(house.installation, "contoso")
    finally:
        vault.close()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_bad_moment_of_the_vault_is_no_useless_challenge(house: SandboxHouse, tmp_path: Path, status: int) -> None:
    vault = Answering(tmp_path, status=status)
    try:
        to_this_vault(house, vault)
        with pytest.raises(RemoteError, match=f"answered HTTP {status} when it was asked for its tenant") as caught:
            pinging.tested(house.installation, "contoso")
        assert caught.value.recovery is Recovery.RETRY
        assert house.state() != "needs authorization"
    finally:
        vault.close()


def test_a_vault_that_the_cloud_does_not_list_is_not_even_asked(house: SandboxHouse, tmp_path: Path) -> None:
    vault = Answering(tmp_path)
    try:
        made = house.document(tenant=None)
        made["connections"][0]["settings"]["vault_url"] = f"https://{vault.host}"
        house.apply(made)
        with pytest.raises(HostNotAllowed):
            pinging.tested(house.installation, "contoso")
        with pytest.raises(HostNotAllowed):
            house.installation.admission("contoso").grants()
        assert vault.seen == []
    finally:
        vault.close()


def test_a_tenant_that_the_provider_refuses_is_asked_for_again(house: SandboxHouse, sandbox: Sandbox) -> None:
    open_tenant = house.installation.admission("contoso").tenant
    assert open_tenant is not None
    open_tenant.tenants.keep(open_tenant._key, ELSEWHERE)
    with pytest.raises(NotAuthorized, match=f"knows no tenant {ELSEWHERE}"):
        house.ask(scopes=APPS)
    assert house.ask(scopes=APPS)
    assert sandbox.calls()["contoso"]["challenge"] == 1


def test_a_good_token_that_the_vault_refuses_makes_it_say_its_tenant_again(
    house: SandboxHouse, sandbox: Sandbox
) -> None:
    session = house.installation.admission("contoso").session(APPS)
    first = session.token()
    assert sandbox.calls()["contoso"]["challenge"] == 1
    assert session.renew(first).access_token.reveal()
    assert sandbox.calls()["contoso"]["challenge"] == 2


def test_the_iclients_own_tenant_comes_first(house: SandboxHouse, sandbox: Sandbox) -> None:
    house.apply(house.document())
    assert house.installation.admission("contoso").tenant is None
    house.ask(scopes=APPS)
    assert sandbox.calls()["contoso"].get("challenge", 0) == 0


def test_a_person_consents_in_the_vaults_tenant_and_the_consent_is_for_that_vault(house: SandboxHouse) -> None:
    house.apply(house.document("authorization_code", tenant=None))
    assert all(one.is_ok for one in preflight(house.installation, "contoso"))
    assert f"{house.sandbox.authority}/{house.sandbox.tenant}/" in house.begin().address
    house.authorize()
    assert house.ask(scopes=PERSONS)
    made = house.document("authorization_code", tenant=None)
    made["connections"][0]["settings"]["vault_url"] = house.sandbox.vault_url("fabrikam")
    house.apply(made)
    with pytest.raises(NotAuthorized):
        house.ask(scopes=PERSONS)


def test_a_consent_that_no_tenant_can_be_found_for_is_told_before_anybody_is_sent_away(
    house: SandboxHouse, tmp_path: Path
) -> None:
    vault = Answering(tmp_path)
    try:
        to_this_vault(house, vault, "authorization_code")
        found = {one.subject: one for one in preflight(house.installation, "contoso")}
        assert not found["provider"].is_ok
        assert "name the tenant in iClient sandbox-app" in found["provider"].sentence
    finally:
        vault.close()


def test_the_control_plane_is_asked_likewise(house: SandboxHouse, sandbox: Sandbox) -> None:
    whole = sandbox.document()
    whole["iclients"][0].pop("tenant")
    house.apply(whole)
    assert "Azure Resource Manager answered" in pinging.tested(house.installation, "arm")


def test_the_doctor_finds_nothing_wrong(house: SandboxHouse) -> None:
    wrong = [one for one in examine(house.installation) if not one.is_ok]
    assert wrong == []


def test_where_nobody_answers_that_is_the_error(house: SandboxHouse, tmp_path: Path) -> None:
    vault = Answering(tmp_path)
    to_this_vault(house, vault)
    vault.close()
    with pytest.raises(RemoteError) as caught:
        pinging.tested(house.installation, "contoso")
    assert not isinstance(caught.value, NotAuthorized)


def test_nothing_of_an_open_tenant_shows_a_secret(house: SandboxHouse, sandbox: Sandbox) -> None:
    open_tenant = house.installation.admission("contoso").tenant
    assert isinstance(open_tenant, OpenTenant)
    assert sandbox.client_secret not in repr(open_tenant)
