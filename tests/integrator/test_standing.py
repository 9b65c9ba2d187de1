"""How connections stand: what asking for tokens teaches becomes their state, and flows wait for whom a person must let in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_house import APPS, OWNER, SandboxHouse, as_it_was

from connectors.azure_key_vault.sandbox import Sandbox
from flows.model import RunStatus
from iclients.errors import CredentialRefused, NotAuthorized, RemoteError
from integrator import pinging
from integrator.bootstrap import Installation
from integrator.doctor import examine
from integrator.errors import ExitCode
from integrator.runner import Runner, exit_code
from integrator.store.runs import Run

NEEDED = "needs authorization"
SECRETS = 400


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": SECRETS, "fabrikam": 2}) as started:
        yield started


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    with as_it_was(running):
        yield running


@pytest.fixture
def house(sandbox: Sandbox, tmp_path: Path) -> Iterator[SandboxHouse]:
    made = SandboxHouse(sandbox, tmp_path)
    made.apply(furnished(made))
    yield made
    made.close()


@pytest.fixture
def authorized(house: SandboxHouse) -> SandboxHouse:
    """An installation whose vaults ada has let in."""
    house.apply(furnished(house, "authorization_code"))
    house.authorize("contoso")
    house.authorize("fabrikam")
    return house


def furnished(house: SandboxHouse, auth: str = "client_credentials", **iclient: Any) -> dict[str, Any]:
    """Vaults, a folder, and three flows: of contoso, of fabrikam, of both."""
    document = house.document(auth, **iclient)
    document["connections"].append({"name": "here", "connector": "files", "settings": {"folder": str(house.files)}})
    document["flows"] = [
        flow("contoso-csv", "contoso", ("here", "contoso.csv")),
        flow("fabrikam-csv", "fabrikam", ("here", "fabrikam.csv")),
        flow("copy", "contoso", ("fabrikam", "secrets")),
    ]
    return document


def flow(name: str, origin: str, destination: tuple[str, str]) -> dict[str, Any]:
    connection, resource = destination
    plaintext = {"plaintext": True} if connection == "here" else {}
    mapping = [{"to": field, "from": field} for field in ("name", "value")]
    export = {"connection": origin, "resource": "secrets", "values": True, "where": "enabled"}
    step = {"connection": connection, "resource": resource, "mapping": mapping, **plaintext}
    return {"name": name, "exports": [export], "steps": [{"import": step}]}


def run(house: SandboxHouse, name: str = "contoso-csv") -> Run:
    return Runner(house.installation).run(name)


# --- a person must act ---


def test_a_revoked_consent_is_told_once_and_pauses_the_flows_that_use_it(authorized: SandboxHouse) -> None:
    authorized.revoke_at_the_provider()
    for _ in range(3):
        with pytest.raises(NotAuthorized, match="was revoked"):
            authorized.ask()
    assert authorized.state() == NEEDED
    assert authorized.paused() == {"contoso-csv": NEEDED, "copy": NEEDED}
    assert authorized.notices() == [(OWNER, "Connection contoso needs authorization")]
    assert authorized.actions("contoso")[-1] == "state"
    assert authorized.actions("contoso-csv") == ["created", "paused"]


def test_the_owner_of_the_connection_is_told_before_that_of_its_iclient(house: SandboxHouse) -> None:
    document = furnished(house, "authorization_code")
    document["connections"][0]["owner"] = "ken@contoso.test"
    house.apply(document)
    with pytest.raises(NotAuthorized, match="has not been authorized yet"):
        house.ask()
    assert house.notices() == [("ken@contoso.test", "Connection contoso needs authorization")]


def test_the_state_says_why_and_the_doctor_and_the_next_step_with_it(authorized: SandboxHouse) -> None:
    authorized.revoke_at_the_provider()
    with pytest.raises(NotAuthorized) as refused:
        authorized.ask()
    with authorized.installation.store.reading() as stored:
        state = stored.connections.state("contoso")
    assert (state.code, state.message) == (refused.value.code, str(refused.value))
    found = {finding.subject: finding for finding in examine(authorized.installation)}
    assert not found["connection contoso"].is_ok
    assert "authorize the connection again" in found["connection contoso"].sentence
    assert found["connection fabrikam"].is_ok


def test_a_run_whose_consent_is_revoked_in_the_middle_goes_on_after_authorizing_again(
    authorized: SandboxHouse, sandbox: Sandbox
) -> None:
    revoked: list[int] = []

    def revoke(progress: Any) -> None:
        if not revoked:
            revoked.append(1)
            sandbox.entra.revoke("ada")
            sandbox.revoke_tokens()
            sandbox.clock.advance(2)

    stopped = Runner(authorized.installation, revoke).run("contoso-csv")
    assert (stopped.status, exit_code(stopped)) == (RunStatus.NEEDS_AUTHORIZATION, ExitCode.NEEDS_AUTHORIZATION)
    assert "was revoked" in stopped.error_message
    before = stopped.document()["counts"]["read"]
    assert 0 < before < SECRETS
    assert (authorized.state(), authorized.paused()["contoso-csv"]) == (NEEDED, NEEDED)
    authorized.authorize()
    assert authorized.paused() == {}
    sandbox.reset_calls()
    resumed = Runner(authorized.installation).resume(stopped.id)
    assert (resumed.id, resumed.status) == (stopped.id, RunStatus.SUCCEEDED)
    assert sandbox.calls()["contoso"]["get"] < resumed.document()["counts"]["read"]
    written = (authorized.files / "contoso.csv").read_bytes()
    run(authorized)
    assert written == (authorized.files / "contoso.csv").read_bytes()


def test_a_run_without_a_consent_ends_so_too(house: SandboxHouse) -> None:
    house.apply(furnished(house, "authorization_code"))
    ended = run(house)
    assert (ended.status, exit_code(ended)) == (RunStatus.NEEDS_AUTHORIZATION, ExitCode.NEEDS_AUTHORIZATION)
    assert "integrator connections authorize contoso" in ended.error_message


# --- a person has acted ---


def test_after_authorizing_again_it_is_online_and_its_flows_wait_no_more(authorized: SandboxHouse) -> None:
    authorized.revoke_at_the_provider()
    with pytest.raises(NotAuthorized):
        authorized.ask()
    authorized.authorize()
    assert (authorized.state(), authorized.paused(), authorized.notices()) == ("online", {}, [])
    assert authorized.actions("contoso-csv") == ["created", "paused", "resumed"]
    authorized.revoke_at_the_provider()
    with pytest.raises(NotAuthorized):
        authorized.ask()
    assert authorized.notices() == [(OWNER, "Connection contoso needs authorization")]


def test_a_flow_waits_for_all_its_connections(authorized: SandboxHouse, sandbox: Sandbox) -> None:
    authorized.expire("fabrikam")
    authorized.revoke_at_the_provider()
    for name in ("contoso", "fabrikam"):
        with pytest.raises(NotAuthorized):
            authorized.ask(name)
    assert sorted(authorized.paused()) == ["contoso-csv", "copy", "fabrikam-csv"]
    authorized.authorize("contoso")
    assert sorted(authorized.paused()) == ["copy", "fabrikam-csv"]
    authorized.authorize("fabrikam")
    assert authorized.paused() == {}


def test_a_token_that_was_only_refused_elsewhere_ends_the_waiting_too(authorized: SandboxHouse) -> None:
    authorized.revoke_at_the_provider()
    with pytest.raises(NotAuthorized):
        authorized.ask()
    with Installation(authorized.config) as other:
        tested_before = authorized.state()
        authorized.authorize()
        assert pinging.tested(other, "contoso")
    assert (tested_before, authorized.state(), authorized.paused()) == (NEEDED, "online", {})


def test_a_test_that_needs_no_new_token_ends_the_waiting_too(authorized: SandboxHouse) -> None:
    pinging.tested(authorized.installation, "contoso")
    with authorized.installation.store.writing() as stored:
        stored.connections.set_state("contoso", NEEDED)
        stored.flows.pause("contoso-csv", NEEDED, authorized.clock.now())
    pinging.tested(authorized.installation, "contoso")
    assert (authorized.state(), authorized.paused()) == ("online", {})


def test_a_flow_that_uses_the_connection_no_more_waits_no_longer_than_until_the_next_one_works(
    authorized: SandboxHouse,
) -> None:
    authorized.revoke_at_the_provider()
    with pytest.raises(NotAuthorized):
        authorized.ask()
    document = furnished(authorized, "authorization_code")
    document["flows"][0] = flow("contoso-csv", "fabrikam", ("here", "contoso.csv"))
    authorized.apply(document)
    pinging.tested(authorized.installation, "here")
    assert authorized.paused() == {"copy": NEEDED}
    with authorized.installation.store.writing() as stored:
        stored.flows.pause("fabrikam-csv", "another reason", authorized.clock.now())
    authorized.authorize()
    assert authorized.paused() == {"fabrikam-csv": "another reason"}


# --- apps ---


def test_a_refused_credential_concerns_every_connection_that_asked_for_the_token(
    house: SandboxHouse, sandbox: Sandbox
) -> None:
    house.apply(furnished(house, credential={"client_secret": "wrong"}))
    contoso, fabrikam = (house.installation.connector(name) for name in ("contoso", "fabrikam"))
    for connector in (contoso, fabrikam):
        with pytest.raises(CredentialRefused):
            connector.ping()
    assert (house.state("contoso"), house.state("fabrikam")) == (NEEDED, NEEDED)
    assert sorted(house.paused()) == ["contoso-csv", "copy", "fabrikam-csv"]
    house.apply(furnished(house, credential={"client_secret": sandbox.client_secret}))
    for name in ("contoso", "fabrikam"):
        pinging.tested(house.installation, name)
    assert (house.state("contoso"), house.state("fabrikam"), house.paused()) == ("online", "online", {})


def test_a_flow_between_two_vaults_of_one_app_says_of_both_that_they_work(house: SandboxHouse) -> None:
    assert run(house, "copy").status is RunStatus.SUCCEEDED
    assert (house.state("contoso"), house.state("fabrikam")) == ("online", "online")


def test_a_connection_that_has_another_iclient_now_hears_nothing_of_the_old_one(
    house: SandboxHouse, sandbox: Sandbox
) -> None:
    house.installation.connector("fabrikam")
    document = furnished(house)
    document["iclients"].append({**document["iclients"][0], "name": "another"})
    next(one for one in document["connections"] if one["name"] == "fabrikam")["iclient"] = "another"
    house.apply(document)
    pinging.tested(house.installation, "fabrikam")
    document["iclients"][0]["credential"] = {"client_secret": "wrong"}
    house.apply(document)
    with pytest.raises(CredentialRefused):
        house.installation.connector("contoso").ping()
    assert (house.state("contoso"), house.state("fabrikam")) == (NEEDED, "online")


def test_a_provider_that_wants_to_be_left_alone_for_a_while_needs_nobody(house: SandboxHouse, sandbox: Sandbox) -> None:
    sandbox.entra.refusals.add(50196, times=20)
    with pytest.raises(NotAuthorized) as refused:
        house.ask("contoso", APPS)
    assert refused.value.code == "provider_busy"
    assert (house.state(), house.paused(), house.notices()) == ("offline", {}, [])


# --- the system ---


def test_testing_sets_online_and_offline_with_the_reason(house: SandboxHouse, sandbox: Sandbox) -> None:
    assert house.state() == "offline"
    assert "let the connection in" in pinging.tested(house.installation, "contoso")
    assert house.state() == "online"
    sandbox.vault("contoso").deny("list")
    try:
        with pytest.raises(RemoteError) as refused:
            pinging.tested(house.installation, "contoso")
    finally:
        sandbox.vault("contoso").allow()
    with house.installation.store.reading() as stored:
        state = stored.connections.state("contoso")
    assert (state.state, state.code, state.message) == ("offline", refused.value.code, str(refused.value))
    pinging.tested(house.installation, "contoso")
    assert house.state() == "online"


def test_testing_a_folder_sets_online_too(house: SandboxHouse) -> None:
    pinging.tested(house.installation, "here")
    assert house.state("here") == "online"


def test_a_changed_document_sets_offline_and_an_unchanged_one_does_not(house: SandboxHouse) -> None:
    pinging.tested(house.installation, "contoso")
    house.apply(furnished(house))
    assert house.state() == "online"
    document = furnished(house)
    document["connections"][0]["limits"] = {"concurrency": 2}
    house.apply(document)
    assert house.state() == "offline"
