"""Consents, from the address that a person opens to the tokens that are kept: once, in time, and for who began them."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from sandbox_house import PERSONS, REDIRECT_URI, Callback, SandboxHouse, TokenServer, as_it_was, finish_in_this_process
from sandbox_house import parameters as query_of

from connectors.azure_key_vault.sandbox import Sandbox
from connectors.azure_key_vault.sandbox.visitor import Stopped
from connectors.errors import SettingsError
from iclients.consent import WrongCallback
from iclients.errors import NotAuthorized, RemoteError
from integrator.consenting import Begun, NotOnline
from integrator.doctor import examine
from integrator.errors import NotFoundHere

SPAWN = multiprocessing.get_context("spawn")
READ, WRITE = "https://vault.azure.net/read", "https://vault.azure.net/write"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": 1, "fabrikam": 1}) as started:
        yield started


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    with as_it_was(running):
        yield running


@pytest.fixture
def house(sandbox: Sandbox, tmp_path: Path) -> Iterator[SandboxHouse]:
    made = SandboxHouse(sandbox, tmp_path)
    made.apply(made.document("authorization_code"))
    yield made
    made.close()


@pytest.fixture
def server(sandbox: Sandbox, tmp_path: Path) -> Iterator[TokenServer]:
    made = TokenServer(sandbox, tmp_path)
    yield made
    made.close()


def account(house: SandboxHouse, name: str = "contoso") -> str | None:
    kept = house.kept(name)
    return kept.consent.account.partition("@")[0] if kept else None


# --- once, in time, in the same browser ---


def test_a_consent_is_ended_once(house: SandboxHouse) -> None:
    callback = house.visited(house.begin())
    house.consenting.finish(callback)
    with pytest.raises(WrongCallback, match="has come already"):
        house.consenting.finish(callback)
    assert house.asked() == 1


def test_of_many_that_end_it_at_once_one_does(house: SandboxHouse) -> None:
    callback, number = house.visited(house.begin()), 6
    together = Barrier(number)

    def finish(_: int) -> str:
        together.wait(10)
        try:
            return house.consenting.finish(callback).account
        except WrongCallback:
            return ""

    with ThreadPoolExecutor(number) as pool:
        assert sorted(map(bool, pool.map(finish, range(number)))) == [False] * (number - 1) + [True]
    assert house.asked() == 1


def test_it_waits_for_ten_minutes(house: SandboxHouse) -> None:
    in_time, late = house.visited(house.begin()), house.visited(house.begin())
    house.clock.advance(599)
    house.consenting.finish(in_time)
    house.clock.advance(2)
    with pytest.raises(WrongCallback, match="begun too long ago"):
        house.consenting.finish(late)


def test_another_browser_ends_nothing_and_uses_nothing_up(house: SandboxHouse) -> None:
    callback = house.visited(house.begin(browser="mine"))
    for browser in ("", "another's"):
        with pytest.raises(WrongCallback, match="another browser"):
            house.consenting.finish(callback, browser=browser)
    assert house.asked() == 0
    assert house.consenting.finish(callback, browser="mine").account.startswith("ada")


def test_whoever_waits_for_one_consent_ends_no_other_one(house: SandboxHouse) -> None:
    mine, other = house.begin(), house.begin()
    callback = house.visited(other)
    with pytest.raises(WrongCallback, match="another consent"):
        house.consenting.finish(callback, only=mine.state)
    house.consenting.finish(callback, only=other.state)


MADE_UP: list[dict[str, Any]] = [
    {"error": ["access_denied"]},
    {"error": ["access_denied"], "admin_consent": ["True"]},
    {"code": []},
    {"code": [""]},
    {"code": [], "admin_consent": ["True"], "tenant": ["t"]},
    {"code": ["x", "y"]},
    {"state": []},
    {"state": ["unknown"]},
    {"state": ["ünknown"]},
    {"iss": ["https://a.test", "https://b.test"]},
    {"error_description": ["a", "b"], "code": [], "error": ["access_denied"]},
]


@pytest.mark.parametrize("changes", MADE_UP, ids=lambda changes: json.dumps(changes))
def test_what_is_no_callback_ends_nothing_and_uses_nothing_up(house: SandboxHouse, changes: Callback) -> None:
    callback = house.visited(house.begin())
    with pytest.raises(WrongCallback):
        house.consenting.finish({**callback, **changes})
    assert house.asked() == 0
    assert house.consenting.finish(callback).account.startswith("ada")


# --- where the person is sent, and from where they come back ---


@pytest.mark.parametrize("more", ["/", "x", "/..", "?a=b", "%2f"])
def test_a_redirect_uri_with_anything_behind_it_is_not_the_registered_one(house: SandboxHouse, more: str) -> None:
    begun = house.consenting.begin("contoso", REDIRECT_URI + more)
    with pytest.raises(Stopped, match="AADSTS50011"):
        house.visited(begun)


def test_hints_are_passed_on(house: SandboxHouse) -> None:
    begun = house.begin(hints={"login_hint": "ben@sandbox.example.com", "prompt": "login"})
    asked = query_of(begun.address)
    assert (asked["login_hint"], asked["prompt"]) == (["ben@sandbox.example.com"], ["login"])


def test_a_connection_that_needs_nobody_begins_nothing(house: SandboxHouse) -> None:
    house.apply(house.document())
    with pytest.raises(SettingsError, match="for which nobody consents"):
        house.begin()
    with pytest.raises(NotFoundHere):
        house.begin("nobody")


# --- what is kept ---


def test_who_declines_is_told_to_whoever_waits_and_the_old_consent_works_on(
    house: SandboxHouse, sandbox: Sandbox
) -> None:
    house.authorize(user="ada")
    sandbox.entra.remove_consent("ben")
    begun = house.begin()
    assert house.consenting.outcome("contoso", begun.state) is None
    with pytest.raises(NotAuthorized) as refused:
        house.consenting.finish(house.visited(begun, "ben", "cancel"))
    with pytest.raises(NotAuthorized, match="cancelled") as told:
        house.consenting.outcome("contoso", begun.state)
    assert (told.value.code, str(told.value)) == (refused.value.code, str(refused.value))
    assert account(house) == "ada"
    assert (house.state(), house.ask() != "") == ("online", True)


def test_authorizing_again_happens_in_place(house: SandboxHouse) -> None:
    house.authorize(user="ada")
    with house.installation.store.reading() as stored:
        before = (stored.connections.id_of("contoso"), stored.connections.get("contoso"))
    done = house.authorize(user="ben")
    with house.installation.store.reading() as stored:
        after = (stored.connections.id_of("contoso"), stored.connections.get("contoso"))
    assert after == before
    assert (done.account.partition("@")[0], account(house), house.state()) == ("ben", "ben", "online")
    assert house.actions("contoso").count("consented") == 2


def test_a_consent_belongs_to_its_connection(house: SandboxHouse) -> None:
    house.authorize("contoso", "ada")
    house.authorize("fabrikam", "ben")
    assert (account(house, "contoso"), account(house, "fabrikam")) == ("ada", "ben")


def test_a_person_who_may_not_use_the_system_is_kept_and_told(house: SandboxHouse, sandbox: Sandbox) -> None:
    sandbox.vault("contoso").deny("list")
    try:
        with pytest.raises(NotOnline, match="The consent is kept, but"):
            house.authorize()
    finally:
        sandbox.vault("contoso").allow()
    assert (account(house), house.state()) == ("ada", "offline")


def test_scopes_that_were_not_given_are_told(house: SandboxHouse, server: TokenServer) -> None:
    server.answer["scope"] = READ
    document = house.document("authorization_code", **server.iclient())
    document["iclients"][0]["scopes"] = [READ, WRITE]
    house.apply(document)
    done = house.consenting.finish({"state": [house.begin().state], "code": ["c"]})
    assert (done.scopes, done.missing) == ((READ,), (WRITE,))


def test_scopes_that_the_server_says_nothing_of_are_given(house: SandboxHouse, server: TokenServer) -> None:
    document = house.document("authorization_code", **server.iclient())
    document["iclients"][0]["scopes"] = [READ, WRITE]
    house.apply(document)
    done = house.consenting.finish({"state": [house.begin().state], "code": ["c"]})
    assert (done.scopes, done.missing) == ((READ, WRITE), ())


# --- id tokens ---


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"iss": "https://login.test/other/v2.0"}, "its issuer is another one"),
        ({"aud": "another app"}, "its audience is another one"),
        ({"nonce": "another"}, "its nonce is another one"),
        ({"exp": 1}, "its expiry is another one"),
    ],
    ids=["mine", "another tenant's", "another app's", "another consent's", "an old one"],
)
def test_an_id_token_that_is_not_ours_ends_the_consent_and_nothing_is_kept(
    house: SandboxHouse, server: TokenServer, changes: dict[str, Any], why: str
) -> None:
    key = RSAKey.generate_key(2048, {"kid": "k", "use": "sig"})
    server.keys = {"keys": [key.as_dict(private=False)]}
    where = {"issuer": "https://login.test/mine/v2.0", "jwks_uri": f"{server.url}/keys"}
    document = house.document("authorization_code", **server.iclient(**where))
    document["connections"][0]["scopes"] = ["openid", READ]
    house.apply(document)
    begun = house.begin()
    asked = query_of(begun.address)
    claims = {"iss": where["issuer"], "aud": asked["client_id"][0], "exp": house.clock.now() + 60, "sub": "ada"}
    claims["nonce"] = asked["nonce"][0]
    server.answer["id_token"] = jwt.encode({"alg": "RS256", "kid": "k"}, claims | changes, key)
    callback = {"state": [begun.state], "code": ["c"]}
    if not why:
        assert house.consenting.finish(callback).account == "ada"
        return
    with pytest.raises(NotAuthorized, match=why):
        house.consenting.finish(callback)
    assert house.kept() is None


def test_an_id_token_that_nobody_asked_for_is_not_looked_at(house: SandboxHouse, server: TokenServer) -> None:
    server.answer["id_token"] = "no.id.token"
    house.apply(house.document("authorization_code", **server.iclient()))
    assert house.consenting.finish({"state": [house.begin().state], "code": ["c"]}).account == ""


def test_a_person_of_another_tenant_is_not_let_in_by_a_changed_address(house: SandboxHouse, sandbox: Sandbox) -> None:
    begun = house.begin()
    elsewhere = Begun(begun.address.replace(sandbox.tenant, sandbox.other_tenant), begun.state)
    with pytest.raises(NotAuthorized):
        house.consenting.finish(house.visited(elsewhere, "olga"))
    assert house.kept() is None


# --- an administrator for everybody ---


def for_all(house: SandboxHouse, user: str = "ada", decision: str = "accept") -> Callback:
    begun = house.consenting.begin_for_all("contoso", REDIRECT_URI)
    return query_of(house.sandbox.consent(begun.address, user, decision))


def test_an_administrator_consents_for_everybody_and_nobodys_consent_is_kept(
    house: SandboxHouse, sandbox: Sandbox
) -> None:
    done = house.consenting.finish(for_all(house))
    assert (done.account, house.kept()) == (sandbox.tenant, None)
    assert f"for tenant {sandbox.tenant}" in done.message
    sandbox.entra.policy.user_consent = False
    try:
        assert house.authorize(user="ben").account.startswith("ben")
    finally:
        sandbox.entra.policy.user_consent = True


def test_an_administrator_who_declines_says_true_and_is_not_believed(house: SandboxHouse) -> None:
    callback = for_all(house, decision="cancel")
    assert callback["admin_consent"] == ["True"]
    with pytest.raises(NotAuthorized):
        house.consenting.finish(callback)


@pytest.mark.parametrize("changes", [{"admin_consent": ["False"]}, {"admin_consent": []}, {"tenant": []}], ids=str)
def test_what_is_no_administrators_callback_ends_nothing_and_uses_nothing_up(
    house: SandboxHouse, sandbox: Sandbox, changes: Callback
) -> None:
    callback = for_all(house)
    with pytest.raises(WrongCallback):
        house.consenting.finish({**callback, **changes})
    assert house.consenting.finish(callback).account == sandbox.tenant


# --- giving it back ---


def test_without_a_revocation_endpoint_it_is_forgotten_here(house: SandboxHouse) -> None:
    house.authorize()
    assert house.consenting.revoke("contoso") is False
    assert (house.kept(), house.state()) == (None, "offline")
    with pytest.raises(NotAuthorized, match="has not been authorized yet"):
        house.ask()
    with pytest.raises(NotAuthorized, match="has no consent to revoke"):
        house.consenting.revoke("contoso")


def test_with_a_revocation_endpoint_the_provider_is_told(house: SandboxHouse, server: TokenServer) -> None:
    house.apply(house.document("authorization_code", **server.iclient(revocation_endpoint=f"{server.url}/revoke")))
    house.consenting.finish({"state": [house.begin().state], "code": ["c"]})
    assert house.consenting.revoke("contoso") is True
    path, form = server.forms[-1]
    assert (path, form["token"], form["token_type_hint"]) == ("/revoke", ["refresh"], ["refresh_token"])
    assert house.kept() is None


def test_where_the_provider_cannot_be_told_nothing_is_forgotten(house: SandboxHouse, server: TokenServer) -> None:
    house.apply(house.document("authorization_code", **server.iclient(revocation_endpoint=f"{server.url}/revoke")))
    house.consenting.finish({"state": [house.begin().state], "code": ["c"]})
    server.revoking_status = 400
    with pytest.raises(RemoteError):
        house.consenting.revoke("contoso")
    assert house.kept() is not None
    server.revoking_status = 200
    assert house.consenting.revoke("contoso")


# --- a stronger proof ---


def test_what_a_refused_refresh_demands_is_asked_for_at_the_next_consent(house: SandboxHouse, sandbox: Sandbox) -> None:
    house.authorize()
    sandbox.entra.require_mfa("ada")
    house.expire()
    with pytest.raises(NotAuthorized) as refused:
        house.ask()
    assert json.loads(refused.value.claims)
    begun = house.begin()
    assert query_of(begun.address)["claims"] == [refused.value.claims]
    house.consenting.finish(house.visited(begun))
    house.expire()
    assert house.ask("contoso", PERSONS)
    assert "claims" not in query_of(house.begin().address)


def test_what_the_system_demands_of_a_new_consent_is_asked_for_at_the_next_one_though_an_old_one_is_there(
    house: SandboxHouse, sandbox: Sandbox
) -> None:
    house.authorize(user="ada")
    house.revoke_at_the_provider("ada")
    sandbox.demands.add({"acrs": {"essential": True, "value": "c1"}}, host="contoso")
    try:
        with pytest.raises(NotAuthorized, match="second proof"):
            house.authorize(user="ben")
        assert account(house) == "ada"
        assert house.authorize(user="ben").account.startswith("ben")
    finally:
        sandbox.demands.clear()
    assert (account(house), house.state()) == ("ben", "online")


def test_a_new_consent_that_the_system_refuses_leaves_a_connection_that_works_online(
    house: SandboxHouse, sandbox: Sandbox
) -> None:
    sandbox.demands.add({"acrs": {"essential": True, "value": "c1"}}, host="contoso")
    try:
        for expected in ("needs authorization", "online"):
            with contextlib.suppress(NotAuthorized):
                house.authorize(user="ada")
            assert house.state() == expected
        with pytest.raises(NotAuthorized, match="second proof"):
            house.authorize(user="ben")
        assert (account(house), house.state(), house.notices()) == ("ada", "online", [])
    finally:
        sandbox.demands.clear()


# --- another place ---


@pytest.mark.parametrize("changed", ["iClient", "connection"])
def test_a_consent_is_never_sent_to_another_provider(house: SandboxHouse, server: TokenServer, changed: str) -> None:
    house.authorize()
    if changed == "iClient":
        house.apply(house.document("authorization_code", **server.iclient()))
    else:
        document = house.document("authorization_code")
        document["iclients"].append({"name": "another", "client_id": "c", **server.iclient()})
        document["connections"][0]["iclient"] = "another"
        house.apply(document)
    house.expire()
    with pytest.raises(NotAuthorized, match="integrator connections authorize contoso"):
        house.ask()
    house.consenting.revoke("contoso")
    assert server.forms == []


def test_a_code_is_never_sent_to_another_provider(house: SandboxHouse, server: TokenServer) -> None:
    callback = house.visited(house.begin())
    house.apply(house.document("authorization_code", **server.iclient()))
    with pytest.raises(NotAuthorized, match="goes to another place"):
        house.consenting.finish(callback)
    assert server.forms == []


# --- crashes ---


@pytest.mark.kill
def test_a_crash_between_the_code_and_the_keeping_leaves_the_old_consent_and_is_told(
    house: SandboxHouse, sandbox: Sandbox
) -> None:
    house.authorize(user="ada")
    begun = house.begin()
    sandbox.entra.policy.token_delay_seconds = 30
    try:
        callback = house.visited(begun, "ben")
        process = SPAWN.Process(target=finish_in_this_process, args=(house.config.home, callback))
        process.start()
        until_taken(house)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join(30)
    finally:
        sandbox.entra.policy.token_delay_seconds = 0.0
    house.expire()
    assert (house.ask() != "", account(house), house.state()) == (True, "ada", "online")
    with pytest.raises(WrongCallback, match="has come already"):
        house.consenting.finish(callback)
    assert interrupted(house) == []
    house.clock.advance(900)  # the process that died had the real time
    assert "run `integrator connections authorize contoso`" in interrupted(house)[0]
    house.authorize(user="ben")
    assert interrupted(house) == []


def until_taken(house: SandboxHouse) -> None:
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        with house.installation.store.reading() as stored:
            if stored.consent_states.interrupted("contoso", time.time() + 3600):
                return
        time.sleep(0.01)
    raise AssertionError("nobody took the state")


def interrupted(house: SandboxHouse) -> list[str]:
    found = [finding for finding in examine(house.installation) if finding.subject == "connection contoso"]
    return [finding.sentence for finding in found if not finding.is_ok]
