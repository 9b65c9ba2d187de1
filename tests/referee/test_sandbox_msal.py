"""Microsoft's MSAL judges the sandbox's consent and its tokens for people."""

import base64
import json
import urllib.parse

import msal
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from msal.oauth2cli.assertion import JwtAssertionCreator

from connectors.azure_key_vault.sandbox.visitor import Visitor, enter_code

pytestmark = [pytest.mark.referee, pytest.mark.filterwarnings("ignore:response_mode=:UserWarning")]

VAULT = ["https://vault.azure.net/user_impersonation"]
ARM = ["https://management.azure.com/user_impersonation"]
APP_ONLY = ["https://vault.azure.net/.default"]
CONTEXT = {"acrs": {"essential": True, "value": "c1"}}
CALLBACK = "http://localhost:5000/callback"


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def query_of(url):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))


@pytest.fixture(autouse=True)
def no_bundle(monkeypatch):
    """These would win over `verify`."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def new_app(sandbox):
    def new(credential=None, **options):
        authority = f"{sandbox.authority}/{sandbox.tenant}"
        options = {"authority": authority, "instance_discovery": False, "verify": str(sandbox.ca_file)} | options
        secret = sandbox.client_secret if credential is None else credential
        return msal.ConfidentialClientApplication(sandbox.client_id, client_credential=secret, **options)

    return new


@pytest.mark.parametrize("mode", [None, "form_post"])
def test_a_person_consents_and_the_app_reads_a_secret(sandbox, new_app, read_secret, mode):
    app = new_app()
    flow = app.initiate_auth_code_flow(VAULT, redirect_uri=CALLBACK, prompt="consent", response_mode=mode)
    answer = app.acquire_token_by_auth_code_flow(flow, query_of(sandbox.consent(flow["auth_uri"], "ben")))
    assert answer["id_token_claims"]["preferred_username"] == "ben@sandbox.example.com"
    assert read_secret(answer) == "the value"
    (account,) = app.get_accounts()
    assert account["username"] == "ben@sandbox.example.com"
    ben = sandbox.entra.user("ben")
    assert account["home_account_id"] == f"{ben.object_id}.{sandbox.tenant}"


def test_the_second_resource_comes_in_silence_once_it_is_consented_to(sandbox, new_app, read_secret):
    app = new_app()
    asked = [*VAULT, *ARM]
    url = app.initiate_auth_code_flow(asked, redirect_uri=CALLBACK)["auth_uri"]
    sandbox.consent(url, "ben")
    flow = app.initiate_auth_code_flow(VAULT, redirect_uri=CALLBACK)
    answer = app.acquire_token_by_auth_code_flow(flow, query_of(sandbox.consent(flow["auth_uri"], "ben")))
    assert read_secret(answer) == "the value"
    (account,) = app.get_accounts()
    second = app.acquire_token_silent(ARM, account)
    assert claims_of(second["access_token"])["aud"] == "https://management.azure.com"
    assert read_secret(app.acquire_token_silent(VAULT, account)) == "the value"
    assert sandbox.calls()["entra"]["refresh_token"] == 1


def test_what_was_not_consented_to_needs_the_person(sandbox, new_app):
    app = new_app()
    flow = app.initiate_auth_code_flow(VAULT, redirect_uri=CALLBACK)
    app.acquire_token_by_auth_code_flow(flow, query_of(sandbox.consent(flow["auth_uri"], "ben")))
    (account,) = app.get_accounts()
    refused = app.acquire_token_silent_with_error(ARM, account)
    assert (refused["error"], refused["suberror"], refused["error_codes"]) == (
        "invalid_grant",
        "consent_required",
        [65001],
    )


def test_a_cancelled_consent_reaches_the_app(sandbox, new_app):
    app = new_app()
    flow = app.initiate_auth_code_flow(VAULT, redirect_uri=CALLBACK)
    returned = query_of(sandbox.consent(flow["auth_uri"], "ben", "cancel"))
    assert app.acquire_token_by_auth_code_flow(flow, returned)["error"] == "access_denied"


def test_another_nonce_is_noticed(sandbox, new_app):
    app = new_app()
    flow = app.initiate_auth_code_flow(VAULT, redirect_uri=CALLBACK)
    other = urllib.parse.urlsplit(flow["auth_uri"])
    query = urllib.parse.urlencode(dict(urllib.parse.parse_qsl(other.query)) | {"nonce": "another"})
    returned = query_of(sandbox.consent(other._replace(query=query).geturl(), "ben"))
    with pytest.raises(RuntimeError, match="nonce"):
        app.acquire_token_by_auth_code_flow(flow, returned)


def test_another_state_is_noticed(sandbox, new_app):
    app = new_app()
    flow = app.initiate_auth_code_flow(VAULT, redirect_uri=CALLBACK)
    returned = query_of(sandbox.consent(flow["auth_uri"], "ben"))
    with pytest.raises(ValueError, match="state"):
        app.acquire_token_by_auth_code_flow(flow, returned | {"state": "another"})


def test_another_verifier_is_refused(sandbox, new_app):
    app = new_app()
    flow = app.initiate_auth_code_flow(VAULT, redirect_uri=CALLBACK)
    returned = query_of(sandbox.consent(flow["auth_uri"], "ben"))
    flow["code_verifier"] = "w" * 43
    assert app.acquire_token_by_auth_code_flow(flow, returned)["error_codes"] == [501481]


@pytest.mark.parametrize("form", ["PS256 from PEM", "PS256 from PFX", "RS256 by thumbprint"])
def test_a_certificate_in_every_form(sandbox, new_app, read_secret, tmp_path, form):
    made = sandbox.certificate(password="open sesame")
    credential = {"private_key": made.key_pem.decode()}
    if form == "PS256 from PEM":
        credential["public_certificate"] = made.certificate_pem.decode()
    elif form == "PS256 from PFX":
        credential = {"private_key_pfx_path": str(made.save(tmp_path)[0]), "passphrase": "open sesame"}
    else:
        credential["thumbprint"] = made.thumbprint
    answer = new_app(credential).acquire_token_for_client(["https://vault.azure.net/.default"])
    assert claims_of(answer["access_token"])["appidacr"] == "2"
    assert read_secret(answer) == "the value"


def test_a_person_and_a_certificate(sandbox, new_app, read_secret):
    made = sandbox.certificate()
    credential = {"private_key": made.key_pem.decode(), "public_certificate": made.certificate_pem.decode()}
    app = new_app(credential)
    flow = app.initiate_auth_code_flow(VAULT, redirect_uri=CALLBACK)
    answer = app.acquire_token_by_auth_code_flow(flow, query_of(sandbox.consent(flow["auth_uri"], "gus")))
    assert read_secret(answer) == "the value"
    assert claims_of(answer["access_token"])["appidacr"] == "2"


def test_a_revoked_person_must_come_back(sandbox, new_app):
    app = new_app()
    flow = app.initiate_auth_code_flow(VAULT, redirect_uri=CALLBACK)
    app.acquire_token_by_auth_code_flow(flow, query_of(sandbox.consent(flow["auth_uri"], "ben")))
    (account,) = app.get_accounts()
    sandbox.entra.revoke("ben")
    assert app.acquire_token_silent_with_error(VAULT, account, force_refresh=True)["error_codes"] == [50173]


def test_a_second_visit_needs_no_page(sandbox, new_app, read_secret):
    app, visitor = new_app(), Visitor(sandbox.ca_file)
    for prompt in (None, "none"):
        flow = app.initiate_auth_code_flow(VAULT, redirect_uri=CALLBACK, prompt=prompt)
        answer = app.acquire_token_by_auth_code_flow(flow, query_of(visitor.consent(flow["auth_uri"], "ben")))
        assert read_secret(answer) == "the value"


def test_a_public_app_with_a_device_code(sandbox, read_secret):
    sandbox.entra.policy.device_interval_seconds = 0
    public = sandbox.entra.register("command line", public=True)
    authority = f"{sandbox.authority}/{sandbox.tenant}"
    options = {"authority": authority, "instance_discovery": False, "verify": str(sandbox.ca_file)}
    app = msal.PublicClientApplication(public.client_id, **options)
    flow = app.initiate_device_flow(VAULT)
    enter_code(flow["verification_uri"], flow["user_code"], "ben", ca_file=sandbox.ca_file)
    answer = app.acquire_token_by_device_flow(flow)
    assert read_secret(answer) == "the value"
    (account,) = app.get_accounts()
    assert "access_token" in app.acquire_token_silent(VAULT, account, force_refresh=True)


def test_instance_discovery_tells_msal_that_a_host_is_one_of_the_clouds(sandbox, redirected):
    session = redirected({"login.microsoftonline.com": "entra"}).session
    session.verify = str(sandbox.ca_file)
    authority = f"https://login.microsoftonline.com/{sandbox.tenant}"
    app = msal.ConfidentialClientApplication(
        sandbox.client_id, sandbox.client_secret, authority=authority, http_client=session
    )
    assert "access_token" in app.acquire_token_for_client(["https://vault.azure.net/.default"])
    url = "https://login.microsoftonline.com/common/discovery/instance"
    found = session.get(url, params={"api-version": "1.1", "authorization_endpoint": f"{authority}/oauth2/authorize"})
    aliases = {alias for cloud in found.json()["metadata"] for alias in cloud["aliases"]}
    assert {"login.windows.net", "login.microsoftonline.us", "login.chinacloudapi.cn"} <= aliases


# --- claims challenges ------------------------------------------------------------------------------


@pytest.fixture
def challenge(sandbox):
    """What the vault says to a token that it does not take: the claims, as MSAL wants them."""

    def ask(answer):
        url = f"{sandbox.vault_url('contoso')}/secrets?api-version=2026-04-01"
        headers = {"Authorization": f"Bearer {answer['access_token']}"}
        with requests.get(url, headers=headers, verify=str(sandbox.ca_file), timeout=10) as response:
            assert response.status_code == 401
            line = response.headers["WWW-Authenticate"]
        assert 'error="insufficient_claims"' in line
        return base64.b64decode(line.partition('claims="')[2].partition('"')[0]).decode()

    return ask


def test_an_app_that_takes_claims_challenges_has_a_token_for_a_day(new_app, read_secret):
    answer = new_app(client_capabilities=["CP1"]).acquire_token_for_client(APP_ONLY)
    assert (answer["expires_in"], claims_of(answer["access_token"])["xms_cc"]) == (86_399, ["CP1"])
    assert read_secret(answer) == "the value"
    plain = new_app().acquire_token_for_client(APP_ONLY)
    assert (plain["expires_in"], "xms_cc" in claims_of(plain["access_token"])) == (3599, False)


def test_an_app_meets_what_the_vault_demands(sandbox, new_app, read_secret, challenge):
    app = new_app(client_capabilities=["CP1"])
    first = app.acquire_token_for_client(APP_ONLY)
    sandbox.demands.add(CONTEXT, host="contoso")
    second = app.acquire_token_for_client(APP_ONLY, claims_challenge=challenge(first))
    assert second["access_token"] != first["access_token"]
    assert read_secret(second) == "the value"


def test_an_app_that_takes_no_challenges_is_just_refused(sandbox, new_app, read_secret):
    answer = new_app().acquire_token_for_client(APP_ONLY)
    sandbox.demands.add(CONTEXT, host="contoso")
    with pytest.raises(ClientAuthenticationError, match="AKV10006"):
        read_secret(answer)


def test_claims_that_are_no_json_are_an_error(new_app, monkeypatch):
    monkeypatch.setattr(msal.application, "_merge_claims_challenge_and_capabilities", lambda *_: "{")
    assert new_app().acquire_token_for_client(APP_ONLY)["error_codes"] == [90013]


def test_a_person_is_led_from_the_vault_to_the_second_proof_and_back(sandbox, new_app, read_secret, challenge):
    app = new_app(client_capabilities=["CP1"])
    flow = app.initiate_auth_code_flow(VAULT, redirect_uri=CALLBACK)
    answer = app.acquire_token_by_auth_code_flow(flow, query_of(sandbox.consent(flow["auth_uri"], "ben")))
    assert answer["expires_in"] == 86_399
    sandbox.demands.add(CONTEXT)
    (account,) = app.get_accounts()
    refused = app.acquire_token_silent_with_error(VAULT, account, claims_challenge=challenge(answer))
    assert (refused["error"], refused["suberror"]) == ("interaction_required", "basic_action")
    flow = app.initiate_auth_code_flow(VAULT, redirect_uri=CALLBACK, claims_challenge=refused["claims"])
    answer = app.acquire_token_by_auth_code_flow(flow, query_of(sandbox.consent(flow["auth_uri"], "ben")))
    assert claims_of(answer["access_token"])["amr"] == ["pwd", "mfa"]
    assert read_secret(answer) == "the value"


def test_a_rule_for_a_person_stops_the_refresh_until_they_have_proven_more(sandbox, new_app, read_secret):
    app = new_app()
    flow = app.initiate_auth_code_flow(VAULT, redirect_uri=CALLBACK)
    app.acquire_token_by_auth_code_flow(flow, query_of(sandbox.consent(flow["auth_uri"], "ben")))
    (account,) = app.get_accounts()
    sandbox.entra.require_mfa("ben")
    refused = app.acquire_token_silent_with_error(VAULT, account, force_refresh=True)
    assert (refused["error"], refused["suberror"], refused["error_codes"]) == (
        "interaction_required",
        "basic_action",
        [50076],
    )
    flow = app.initiate_auth_code_flow(VAULT, redirect_uri=CALLBACK, claims_challenge=refused["claims"])
    app.acquire_token_by_auth_code_flow(flow, query_of(sandbox.consent(flow["auth_uri"], "ben")))
    assert read_secret(app.acquire_token_silent(VAULT, account)) == "the value"


# --- the first generation -----------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["secret", "certificate"])
def test_the_first_generation_takes_what_msal_proves_an_app_with(sandbox, read_secret, form):
    url = f"{sandbox.authority}/{sandbox.tenant}/oauth2/token"
    fields = {"grant_type": "client_credentials", "client_id": sandbox.client_id, "resource": "https://vault.azure.net"}
    if form == "secret":
        fields["client_secret"] = sandbox.client_secret
    else:
        made = sandbox.certificate()
        creator = JwtAssertionCreator(made.key_pem, algorithm="RS256", sha1_thumbprint=made.thumbprint)
        fields["client_assertion"] = creator.create_normal_assertion(url, sandbox.client_id)
        fields["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    with requests.post(url, fields, verify=str(sandbox.ca_file), timeout=10) as response:
        answer = response.json()
    assert all(isinstance(value, str) for value in answer.values())
    assert claims_of(answer["access_token"])["appidacr"] == ("1" if form == "secret" else "2")
    assert read_secret({"access_token": answer["access_token"], "expires_in": int(answer["expires_in"])}) == "the value"
