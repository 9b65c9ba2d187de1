"""Who the client is, judged by an OpenID-certified server: secrets, assertions, and apps that have neither."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from oidc_client import CLIENTS, CONFIDENTIAL, READ, Make, oidc_clients
from oidc_server import OidcServer, running_oidc_server
from oidc_visitor import OidcVisitor

from iclients import assertions
from iclients.credentials import ClientSecret
from iclients.errors import CredentialRefused, ScopeRefused
from iclients.secret import Secret

pytestmark = pytest.mark.referee


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


@pytest.mark.parametrize("name", CONFIDENTIAL)
def test_an_app_gets_a_token_of_its_own(client: Make, server: OidcServer, name: str) -> None:
    token = client(name).grants.client_credentials(("records.read",))
    assert (token.scopes, token.refresh_token) == (("records.read",), None)
    assert server.seen()["requests"] == {"client_credentials": 1}


@pytest.mark.parametrize("name", CLIENTS)
def test_every_endpoint_is_asked_in_the_way_that_the_settings_say(client: Make, server: OidcServer, name: str) -> None:
    app = client(name)
    token = app.token().refresh_token
    assert token is not None
    app.grants.device_begin(READ)
    app.grants.revoke(token)
    way = str(app.iclient.settings["client_authentication"])
    asked = ("token", "device_authorization", "revocation")
    assert server.seen()["authentications"] == {f"{endpoint} {way}": 1 for endpoint in asked}


@pytest.mark.parametrize("name", ["posting", "basic"])
def test_a_wrong_secret_is_a_credential_refused(client: Make, server: OidcServer, name: str) -> None:
    with pytest.raises(CredentialRefused) as caught:
        client(name, ClientSecret(Secret("wrong %+&"))).grants.client_credentials(())
    assert server.seen()["refusals"] == {"invalid secret provided": 1}
    assert "wrong %+&" not in str(caught.value)


@pytest.mark.parametrize(("name", "other"), [("posting", "basic"), ("basic", "none"), ("signing", "post")])
def test_another_way_to_authenticate_is_explained_with_its_setting(client: Make, name: str, other: str) -> None:
    app = client(name, ClientSecret(Secret("x")), client_authentication=other)
    with pytest.raises(CredentialRefused, match=r"settings\.client_authentication"):
        app.grants.client_credentials(())


def test_a_scope_that_an_app_may_not_have_is_refused_as_a_scope(client: Make) -> None:
    with pytest.raises(ScopeRefused, match="does not give the scopes"):
        client("posting").grants.client_credentials(("records.read", "records.delete"))


@pytest.mark.parametrize("algorithm", ["PS256", "RS256"])
@pytest.mark.parametrize("name", ["signing", "named"])
def test_an_assertion_lives_a_minute_is_for_the_issuer_and_has_a_number_of_its_own(
    client: Make, server: OidcServer, name: str, algorithm: str
) -> None:
    app = client(name, replace(server.certificate, algorithm=algorithm))
    for _ in range(2):
        app.grants.client_credentials(("records.read",))
    first, second = server.seen()["assertions"]
    assert first["jti"] != second["jti"]
    assert 0 < first["lifetime"] <= 60
    assert first["audience"] == server.issuer
    assert first["header"] == (["alg", "kid", "typ"] if name == "named" else ["alg", "typ"])


def test_an_assertion_may_be_for_the_token_endpoint(client: Make, server: OidcServer) -> None:
    app = client("signing", assertion_audience="token_endpoint")
    app.grants.client_credentials(("records.read",))
    assert [seen["audience"] for seen in server.seen()["assertions"]] == [app.endpoints.token_endpoint]


def test_a_key_that_goes_by_another_name_is_refused(client: Make) -> None:
    with pytest.raises(CredentialRefused):
        client("named", key_id="another").grants.client_credentials(("records.read",))


def test_an_assertion_that_is_sent_again_is_refused(client: Make, server: OidcServer) -> None:
    app = client("signing")
    assertion = assertions.signed(
        server.certificate, "signing", server.issuer, app.clock.now(), lifetime_seconds=60, names_certificate=False
    )
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": assertions.TYPE,
        "client_assertion": assertion.reveal(),
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    statuses = [
        app.transport.exchange("POST", app.endpoints.token_endpoint, headers, urlencode(form).encode()).status
        for _ in range(2)
    ]
    assert statuses == [200, 401]
    assert server.seen()["refusals"] == {"client assertion tokens must only be used once": 1}


def test_a_native_app_has_no_secret_and_any_port(client: Make) -> None:
    app = client("native")
    for port in (50_123, 50_124):
        pending, url = app.begin(redirect_uri=f"http://127.0.0.1:{port}/callback")
        code = app.judged(OidcVisitor(app.server.ca_file).consent(url), pending)
        assert app.grants.redeem(code, pending, READ).refresh_token
    with pytest.raises(CredentialRefused, match="has no credential"):
        app.grants.client_credentials(("records.read",))
