"""Consent with the generic provider, judged by an OpenID-certified server: codes, refreshing, giving back, devices."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from oidc_client import CLIENTS, NATIVE_REDIRECT_URI, READ, Make, oidc_clients
from oidc_server import DEVICE_GRANT, REDIRECT_URI, OidcServer, running_oidc_server
from oidc_visitor import OidcVisitor, Stopped

from iclients import consent
from iclients.errors import NotAuthorized

pytestmark = pytest.mark.referee

WRITE = (*READ, "records.write")
API = "https://records.test/api"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcServer]:
    with running_oidc_server(tmp_path_factory.mktemp("oidc")) as server:
        yield server


@pytest.fixture
def server(running: OidcServer) -> OidcServer:
    running.reset()
    return running


@pytest.fixture
def client(server: OidcServer) -> Iterator[Make]:
    with oidc_clients(server) as make:
        yield make


# --- consent ---


def test_discovery_finds_every_endpoint(client: Make, server: OidcServer) -> None:
    found = client("posting").endpoints
    assert (found.issuer, found.sends_issuer) == (server.issuer, True)
    addresses = (
        found.authorization_endpoint,
        found.token_endpoint,
        found.device_authorization_endpoint,
        found.revocation_endpoint,
        found.jwks_uri,
    )
    assert all(address.startswith(f"{server.issuer}/") for address in addresses)


@pytest.mark.parametrize("name", CLIENTS)
def test_a_code_with_pkce_becomes_a_token_whose_id_token_is_checked(client: Make, name: str) -> None:
    app = client(name)
    pending, code = app.allowed()
    token = app.grants.redeem(code, pending, READ)
    assert (set(token.scopes), token.refresh_token is not None) == (set(READ), True)
    assert 200 < token.expires_at - app.clock.now() <= 300
    assert app.account(token, pending.nonce) == "ada"
    with pytest.raises(NotAuthorized, match="its nonce is another one"):
        app.account(token, "another")


def test_a_wrong_verifier_is_refused(client: Make, server: OidcServer) -> None:
    app = client("posting")
    pending, code = app.allowed()
    with pytest.raises(NotAuthorized) as caught:
        app.grants.redeem(code, replace(pending, verifier=consent.begin("", (), 0).verifier), READ)
    assert caught.value.code == "invalid_grant"
    assert server.seen()["refusals"] == {"code_verifier does not match code_challenge": 1}


def test_a_code_serves_once_and_whoever_brings_it_again_ends_the_grant(client: Make, server: OidcServer) -> None:
    app = client("posting")
    pending, code = app.allowed()
    token = app.grants.redeem(code, pending, READ)
    assert server.seen()["requests"] == {"authorization_code": 1}
    with pytest.raises(NotAuthorized, match="it was used, revoked or has expired"):
        app.grants.redeem(code, pending, READ)
    assert server.seen()["revokedGrants"] == 1
    assert token.refresh_token is not None
    with pytest.raises(NotAuthorized):
        app.grants.refresh(token.refresh_token, READ)


@pytest.mark.parametrize("method", ["none", "plain"])
def test_a_server_that_requires_s256_says_so_in_its_callback(client: Make, method: str) -> None:
    app = client("posting", pkce=method)
    pending, url = app.begin()
    with pytest.raises(NotAuthorized, match=r"PKCE|code_challenge_method") as caught:
        app.judged(OidcVisitor(app.server.ca_file).consent(url), pending)
    assert caught.value.code == "invalid_request"


def test_the_callback_names_the_issuer_and_no_other_is_taken(client: Make) -> None:
    app = client("posting")
    pending, url = app.begin()
    callback = OidcVisitor(app.server.ca_file).consent(url)
    query = {name: values[0] for name, values in parse_qs(urlsplit(callback).query).items()}
    assert query["iss"] == app.server.issuer
    without = {name: value for name, value in query.items() if name != "iss"}
    for wrong in (without, without | {"iss": "https://other.test"}, without | {"iss": f"{app.server.issuer}/"}):
        with pytest.raises(NotAuthorized, match="came from another provider") as caught:
            app.judged(f"{REDIRECT_URI}?{urlencode(wrong)}", pending)
        assert caught.value.code == "mix_up"
    assert app.judged(callback, pending)


def test_a_person_who_cancels_has_declined(client: Make) -> None:
    app = client("native")
    pending, url = app.begin()
    with pytest.raises(NotAuthorized, match="was declined") as caught:
        app.judged(OidcVisitor(app.server.ca_file).consent(url, "cancel"), pending)
    assert caught.value.code == "access_denied"


@pytest.mark.parametrize(
    ("name", "redirect_uri"),
    [
        ("posting", f"{REDIRECT_URI}/"),
        ("posting", f"{REDIRECT_URI}?a=b"),
        ("posting", f"{REDIRECT_URI}.evil.test"),
        ("posting", REDIRECT_URI.replace(":9/", ":10/")),
        ("native", f"{NATIVE_REDIRECT_URI}/"),
        ("native", f"{NATIVE_REDIRECT_URI}s"),
        ("native", "http://127.0.0.1.evil.test:50123/callback"),
    ],
)
def test_another_redirect_uri_is_refused_before_anybody_signs_in(client: Make, name: str, redirect_uri: str) -> None:
    app = client(name)
    _, url = app.begin(redirect_uri=redirect_uri)
    with pytest.raises(Stopped, match="redirect_uri") as caught:
        OidcVisitor(app.server.ca_file).consent(url)
    assert caught.value.status == 400


def test_a_scope_that_a_person_does_not_give_is_missing_in_the_token_for_ever(client: Make) -> None:
    app = client("posting")
    token = app.token(WRITE, user="ben")
    assert (set(token.asked), set(token.scopes)) == (set(WRITE), set(READ))
    assert token.refresh_token is not None
    assert set(app.grants.refresh(token.refresh_token, WRITE).scopes) == set(READ)


def test_offline_access_without_prompt_is_dropped_in_silence_and_seen_in_the_token(client: Make) -> None:
    app = client("posting")
    pending, url = app.begin()
    silent = url.replace("&prompt=consent", "")
    token = app.grants.redeem(app.judged(OidcVisitor(app.server.ca_file).consent(silent), pending), pending, READ)
    assert set(token.scopes) == {"openid", "records.read"}
    assert token.refresh_token is None


def test_parameters_of_its_own_reach_the_page_and_the_token_endpoint(client: Make) -> None:
    resource = {"resource": API}
    app = client("posting", authorization_parameters=resource, token_parameters=resource)
    token = app.token(WRITE)
    payload = token.access_token.reveal().split(".")[1]
    claims = json.loads(urlsafe_b64decode(payload + "=="))
    assert (claims["aud"], claims["scope"]) == (API, "records.read records.write")


# --- refreshing and revoking ---


def test_a_refresh_brings_another_refresh_token(client: Make, server: OidcServer) -> None:
    app = client("native")
    first = app.token().refresh_token
    assert first is not None
    second = app.grants.refresh(first, READ)
    assert second.refresh_token not in (None, first)
    assert second.id_token is None or app.account(second, None) == "ada"
    assert server.seen()["refusals"] == {}


def test_a_refresh_token_that_is_used_again_ends_the_grant_and_we_say_what_to_do(
    client: Make, server: OidcServer
) -> None:
    app = client("posting")
    old = app.token().refresh_token
    assert old is not None
    new = app.grants.refresh(old, READ).refresh_token
    assert new is not None
    for token in (old, new):
        with pytest.raises(
            NotAuthorized, match="used, revoked or has expired: authorize the connection again"
        ) as caught:
            app.grants.refresh(token, READ)
        assert caught.value.code == "invalid_grant"
    seen = server.seen()
    assert seen["refusals"] == {"refresh token already used": 1, "refresh token not found": 1}
    assert (seen["requests"]["refresh_token"], seen["revokedGrants"]) == (3, 1)


@pytest.mark.parametrize("name", CLIENTS)
def test_a_consent_that_is_given_back_is_over(client: Make, server: OidcServer, name: str) -> None:
    app = client(name)
    token = app.token().refresh_token
    assert token is not None
    app.grants.revoke(token)
    assert server.seen()["revokedGrants"] == 1
    with pytest.raises(NotAuthorized) as caught:
        app.grants.refresh(token, READ)
    assert caught.value.code == "invalid_grant"
    app.grants.revoke(token)  # a token that the server does not know is no error


# --- a code on any device ---


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("interval", [0, 2])
def test_a_device_waits_until_the_person_has_typed_its_code(
    client: Make, server: OidcServer, name: str, interval: int
) -> None:
    server.reset(deviceIntervalSeconds=interval)
    app = client(name)
    device = app.grants.device_begin(READ)

    def person(number: int) -> None:
        if number == 3:
            OidcVisitor(server.ca_file).enter_code(device.verification_uri, device.user_code)

    app.clock.meanwhile = person
    token = app.grants.device_poll(device, READ)
    assert app.clock.slept == [interval or 5.0] * 3
    assert app.account(token, None) == "ada"
    seen = server.seen()
    assert seen["requests"] == {DEVICE_GRANT: 3}
    assert sum(seen["refusals"].values()) == 2


def test_a_person_who_cancels_on_the_device_page_ends_the_waiting(client: Make, server: OidcServer) -> None:
    app = client("native")
    device = app.grants.device_begin(READ)
    visitor = OidcVisitor(server.ca_file)
    app.clock.meanwhile = lambda number: visitor.enter_code(device.verification_uri, device.user_code, "cancel")
    with pytest.raises(NotAuthorized, match="was declined"):
        app.grants.device_poll(device, READ)
    assert len(app.clock.slept) == 1
