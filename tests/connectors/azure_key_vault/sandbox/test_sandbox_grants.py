"""Codes, refresh tokens and device codes: what they bring, once, and what ends them."""

import base64
import hashlib
import json

import pytest

from connectors.azure_key_vault.sandbox.visitor import Stopped, enter_code

VAULT = "https://vault.azure.net/user_impersonation"
ARM = "https://management.azure.com/user_impersonation"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
CP1 = '{"access_token": {"xms_cc": {"values": ["CP1"]}}}'
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def refusal(reply):
    return reply.status, reply.json["error"], reply.json["error_codes"][0]


def code_of(client, user="ada", **fields):
    return client.returned(client.authorize_url(**fields), user)["code"]


def read(client, token):
    return client.vault("GET", "/secrets", headers={"Authorization": f"Bearer {token}"})


# --- codes ------------------------------------------------------------------------------------------


def test_a_code_brings_tokens_about_a_person(client, sandbox):
    answer = client.redeem(code_of(client, nonce="the nonce"), client_info="1").json
    assert (answer["token_type"], answer["expires_in"], answer["scope"]) == ("Bearer", 3599, VAULT)
    assert {"refresh_token", "id_token", "client_info"} <= answer.keys()
    claims = claims_of(answer["access_token"])
    ada = sandbox.entra.user("ada")
    assert (claims["aud"], claims["scp"], claims["oid"]) == (
        "https://vault.azure.net",
        "user_impersonation",
        ada.object_id,
    )
    assert (claims["upn"], claims["acct"], claims["ver"]) == ("ada@sandbox.example.com", 0, "1.0")
    identity = claims_of(answer["id_token"])
    assert (identity["iss"], identity["aud"], identity["nonce"], identity["ver"]) == (
        f"{sandbox.authority}/{sandbox.tenant}/v2.0",
        sandbox.client_id,
        "the nonce",
        "2.0",
    )
    assert identity["sub"] != claims["sub"] != identity["oid"]
    assert read(client, answer["access_token"]).status == 200


def test_an_id_token_opens_no_vault(client):
    assert b"AKV10022" in read(client, client.signed_in()["id_token"]).body


def test_without_offline_access_and_openid_there_is_only_an_access_token(client):
    answer = client.signed_in(scope=VAULT)
    assert {"refresh_token", "id_token", "client_info"}.isdisjoint(answer)


def test_a_vault_denies_people_as_it_denies_apps(client, sandbox):
    token = client.signed_in()["access_token"]
    sandbox.vault("contoso").deny("list")
    reply = read(client, token)
    assert reply.error == (403, "Forbidden", "ForbiddenByRbac")
    assert sandbox.entra.user("ada").object_id in reply.json["error"]["message"]


def test_a_token_of_the_other_tenant_is_refused_by_the_vault(client, sandbox):
    app_token = client.ask_token(tenant=sandbox.other_tenant).json["access_token"]
    assert b"AKV10032" in read(client, app_token).body
    answer = client.redeem(code_of(client, "olga", tenant=sandbox.other_tenant), tenant=sandbox.other_tenant).json
    assert b"AKV10032" in read(client, answer["access_token"]).body


def test_default_stands_for_what_is_registered(client):
    answer = client.signed_in(scope="https://vault.azure.net/.default offline_access")
    assert answer["scope"] == f"{VAULT} https://vault.azure.net/.default"


def test_scopes_of_openid_alone_bring_a_graph_token(client):
    answer = client.signed_in(scope="openid profile")
    assert (claims_of(answer["access_token"])["aud"], answer["scope"]) == (
        "https://graph.microsoft.com",
        "openid profile",
    )


def test_a_code_is_redeemed_once(client):
    code = code_of(client)
    assert client.redeem(code).status == 200
    assert refusal(client.redeem(code)) == (400, "invalid_grant", 54005)


def test_a_code_lives_ten_minutes(client, sandbox):
    code = code_of(client)
    sandbox.clock.advance(600)
    assert refusal(client.redeem(code)) == (400, "invalid_grant", 70008)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"code": "nonsense"}, (400, "invalid_grant", 70000)),
        ({"code": None}, (400, "invalid_request", 900144)),
        ({"redirect_uri": "http://localhost:7777/callback"}, (401, "invalid_client", 500112)),
        ({"redirect_uri": None}, (400, "invalid_request", 700009)),
        ({"client_secret": None}, (401, "invalid_client", 7000218)),
        ({"client_secret": "wrong"}, (401, "invalid_client", 7000215)),
        ({"tenant": "other.example.com"}, (400, "invalid_grant", 700005)),
        ({"scope": f"{VAULT} {ARM}"}, (400, "invalid_request", 28000)),
        ({"scope": ARM}, (400, "invalid_grant", 65001)),
        ({"code_verifier": VERIFIER}, (400, "invalid_grant", 50148)),
    ],
)
def test_a_code_is_refused(client, changed, expected):
    code = code_of(client)
    fields = {"code": code} | changed
    assert refusal(client.redeem(fields.pop("code"), **fields)) == expected


def test_a_code_for_two_resources_is_redeemed_for_one_and_refreshed_for_the_other(client):
    code = code_of(client, scope=f"{VAULT} {ARM} offline_access")
    answer = client.redeem(code, scope=VAULT).json
    assert claims_of(answer["access_token"])["aud"] == "https://vault.azure.net"
    other = client.refresh(answer["refresh_token"], scope=ARM).json
    assert claims_of(other["access_token"])["aud"] == "https://management.azure.com"


def test_a_code_belongs_to_the_app_it_was_issued_to(client, sandbox):
    other = sandbox.entra.register("another")
    reply = client.redeem(code_of(client), client_id=other.client_id, client_secret=other.secrets[0].value)
    assert (refusal(reply), reply.json["suberror"]) == ((400, "invalid_grant", 70000), "client_mismatch")


@pytest.mark.parametrize(("method", "challenge"), [("S256", CHALLENGE), ("plain", VERIFIER), (None, VERIFIER)])
def test_a_challenge_is_answered_by_its_verifier(client, method, challenge):
    code = code_of(client, code_challenge=challenge, code_challenge_method=method)
    assert client.redeem(code, code_verifier=VERIFIER).status == 200


@pytest.mark.parametrize(
    ("verifier", "expected"), [("w" * 43, 501481), (None, 50148), ("v" * 42, 50148), ("ä" * 43, 50148)]
)
def test_a_wrong_verifier_burns_the_code(client, verifier, expected):
    code = code_of(client, code_challenge=CHALLENGE, code_challenge_method="S256")
    assert refusal(client.redeem(code, code_verifier=verifier)) == (400, "invalid_grant", expected)
    assert refusal(client.redeem(code, code_verifier=VERIFIER)) == (400, "invalid_grant", 54005)


def test_a_public_app_sends_no_secret(client, sandbox):
    app = sandbox.entra.register("phone", public=True)
    url = client.authorize_url(client_id=app.client_id)
    code = client.returned(url)["code"]
    assert refusal(client.redeem(code, client_id=app.client_id)) == (401, "invalid_client", 700025)
    answer = client.redeem(code, client_id=app.client_id, client_secret=None).json
    assert claims_of(answer["access_token"])["appidacr"] == "0"
    assert client.refresh(answer["refresh_token"], client_id=app.client_id, client_secret=None).status == 200


def test_the_first_generation_answers_with_strings(client):
    url = client.authorize_url("/oauth2/authorize", scope=None, resource="https://vault.azure.net")
    answer = client.redeem(client.returned(url)["code"], path="/oauth2/token").json
    assert all(isinstance(value, str) for value in answer.values())
    assert (answer["resource"], answer["scope"]) == ("https://vault.azure.net", "user_impersonation")
    assert claims_of(answer["id_token"])["ver"] == "1.0"
    arm = {"path": "/oauth2/token", "resource": "https://management.azure.com"}
    assert refusal(client.refresh(answer["refresh_token"], **arm))[2] == 65001
    client.returned(client.authorize_url(scope=ARM))
    assert client.refresh(answer["refresh_token"], **arm).json["resource"] == "https://management.azure.com"


def test_the_first_generation_serves_a_code_and_its_refresh_token_alone(client):
    url = client.authorize_url("/oauth2/authorize", scope=None, resource="https://vault.azure.net/")
    answer = client.redeem(client.returned(url, "ben")["code"], path="/oauth2/token").json
    claims = claims_of(answer["access_token"])
    assert (claims["aud"], claims["upn"]) == ("https://vault.azure.net", "ben@sandbox.example.com")
    assert (int(answer["expires_on"]), int(answer["not_before"])) == (claims["exp"], claims["nbf"])
    newer = client.refresh(answer["refresh_token"], path="/oauth2/token", resource="https://vault.azure.net/").json
    assert (newer["resource"], newer["token_type"]) == ("https://vault.azure.net/", "Bearer")
    assert all(isinstance(value, str) for value in newer.values())
    assert newer["refresh_token"] != answer["refresh_token"]
    assert read(client, newer["access_token"]).status == 200


def test_the_first_generation_refuses_a_code_as_the_second_does(client):
    url = client.authorize_url("/oauth2/authorize", scope=None, resource="https://vault.azure.net")
    code = client.returned(url)["code"]
    assert client.redeem(code, path="/oauth2/token").status == 200
    assert refusal(client.redeem(code, path="/oauth2/token")) == (400, "invalid_grant", 54005)


# --- refresh tokens ---------------------------------------------------------------------------------


def test_each_refresh_brings_a_new_token_and_leaves_the_old_one(client):
    first = client.signed_in(nonce="n")
    second = client.refresh(first["refresh_token"]).json
    assert second["refresh_token"] != first["refresh_token"]
    assert second["scope"] == VAULT
    assert "nonce" not in claims_of(second["id_token"])
    assert client.refresh(first["refresh_token"]).status == 200
    assert client.refresh(second["refresh_token"]).status == 200


def test_where_reuse_revokes_the_second_use_ends_the_family(client):
    assert client.control("POST", "settings", {"refresh_rotation": "reuse_revokes"}).status == 200
    first = client.signed_in()["refresh_token"]
    assert refusal(client.refresh(first, scope=ARM))[2] == 65001
    second = client.refresh(first).json["refresh_token"]
    third = client.refresh(second).json["refresh_token"]
    assert refusal(client.refresh(first)) == (400, "invalid_grant", 50173)
    assert refusal(client.refresh(third)) == (400, "invalid_grant", 50173)
    assert client.refresh(client.signed_in()["refresh_token"]).status == 200


def test_a_refresh_token_dies_of_inactivity(client, sandbox):
    token = client.signed_in()["refresh_token"]
    client.control("POST", "settings", {"refresh_inactive_seconds": 100})
    sandbox.clock.advance(60)
    newer = client.refresh(token).json["refresh_token"]
    sandbox.clock.advance(60)
    assert refusal(client.refresh(token)) == (400, "invalid_grant", 700082)
    assert client.refresh(newer).status == 200


def test_a_revoked_user_has_no_refresh_tokens_left(client):
    token = client.signed_in("ben")["refresh_token"]
    others = client.signed_in("ada")["refresh_token"]
    assert client.control("POST", "users/revoke", {"user": "ben"}).status == 200
    reply = client.refresh(token)
    assert (refusal(reply), reply.json["suberror"]) == ((400, "invalid_grant", 50173), "bad_token")
    assert client.refresh(others).status == 200
    assert client.refresh(client.signed_in("ben")["refresh_token"]).status == 200


def test_a_disabled_user_cannot_refresh_until_enabled_again(client, sandbox):
    token = client.signed_in("ben")["refresh_token"]
    sandbox.entra.enable("ben", False)
    assert refusal(client.refresh(token)) == (400, "invalid_grant", 50057)
    sandbox.entra.enable("ben")
    assert client.refresh(token).status == 200


@pytest.mark.parametrize("body", [{"user": "ben"}, {}])
def test_a_removed_consent_is_consent_required(client, body):
    token = client.signed_in("ben")["refresh_token"]
    assert client.control("POST", "consent/remove", body).status == 200
    reply = client.refresh(token)
    assert (refusal(reply), reply.json["suberror"]) == ((400, "invalid_grant", 65001), "consent_required")
    client.returned(client.authorize_url(), "ben")
    assert client.refresh(token).status == 200


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"client_secret": None}, (401, "invalid_client", 7000218)),
        ({"tenant": "other.example.com"}, (400, "invalid_grant", 50020)),
        ({"scope": f"{VAULT} {ARM}"}, (400, "invalid_request", 28000)),
        ({"refresh_token": "nonsense"}, (400, "invalid_grant", 70000)),
    ],
)
def test_a_refresh_is_refused(client, changed, expected):
    token = client.signed_in()["refresh_token"]
    fields = {"refresh_token": token} | changed
    assert refusal(client.ask_token(grant_type="refresh_token", **({"scope": None} | fields))) == expected


def test_a_revoked_user_is_challenged_under_continuous_access_evaluation(client, sandbox):
    answer = client.redeem(code_of(client), claims=CP1).json
    assert (answer["expires_in"], answer["refresh_in"]) == (86_399, 43_199)
    ordinary = client.signed_in()["access_token"]
    assert read(client, answer["access_token"]).status == 200
    sandbox.entra.revoke("ada")
    reply = read(client, answer["access_token"])
    assert 'error="insufficient_claims"' in reply.headers["WWW-Authenticate"]
    assert read(client, ordinary).status == 200


def test_lifetimes_are_set_from_outside(client):
    client.control("POST", "settings", {"access_token_seconds": 7})
    assert client.signed_in()["expires_in"] == 7
    assert client.ask_token(claims=CP1).json["expires_in"] == 7
    client.control("POST", "settings", {"access_token_seconds": None})
    assert client.signed_in()["expires_in"] == 3599


@pytest.mark.parametrize(
    "settings", [{"refresh_rotation": "never"}, {"access_token_seconds": -1}, {"device_interval_seconds": "soon"}]
)
def test_a_setting_that_makes_no_sense_changes_nothing(client, settings):
    before = client.sandbox.entra.policy.lifetime_seconds(long=False)
    assert client.control("POST", "settings", {"code_seconds": 1} | settings).status == 400
    assert client.sandbox.entra.policy.code_seconds == 600
    assert client.sandbox.entra.policy.lifetime_seconds(long=False) == before


def test_the_token_endpoint_alone_can_be_slow(client, sandbox):
    client.control("POST", "settings", {"token_delay_seconds": 0.2})
    started = sandbox.clock.now()
    client.ask_token()
    assert sandbox.clock.now() - started >= 0.2


@pytest.mark.parametrize(
    ("code", "status", "suberror"), [(50076, 400, "basic_action"), (90055, 429, None), (70043, 400, "bad_token")]
)
def test_an_error_without_a_cause_can_be_planted(client, code, status, suberror):
    token = client.signed_in()["refresh_token"]
    planted = {"code": code, "grant": "refresh_token"}
    assert client.control("POST", "refusals", planted).status == 200
    assert client.ask_token().status == 200
    reply = client.refresh(token)
    assert (reply.status, reply.json["error_codes"], reply.json.get("suberror")) == (status, [code], suberror)
    assert client.refresh(token).status == 200
    assert client.control("POST", "refusals", {"code": 1}).status == 400


def test_token_requests_are_counted_by_grant(client, sandbox):
    token = client.signed_in()["refresh_token"]
    client.refresh(token)
    client.refresh("nonsense")
    client.ask_token()
    sandbox.faults.add("503", host="entra")
    client.refresh(token)
    calls = client.control("GET", "calls").json["entra"]
    assert (calls["authorization_code"], calls["refresh_token"], calls["client_credentials"]) == (1, 3, 1)
    assert calls["token"] == 5


# --- device codes -----------------------------------------------------------------------------------


def device(client, **fields):
    form = {"client_secret": None, "grant_type": None, "scope": f"{VAULT} offline_access"} | fields
    reply = client.ask_token("/oauth2/v2.0/devicecode", **form)
    assert reply.status == 200, reply.body
    return reply.json


def poll(client, found, **fields):
    form = {"grant_type": DEVICE, "device_code": found["device_code"], "scope": None, "client_secret": None}
    return client.ask_token(**(form | fields))


def allow(client, found, user="ben", decision="accept"):
    return enter_code(found["verification_uri"], found["user_code"], user, decision, ca_file=client.sandbox.ca_file)


def test_a_device_waits_until_somebody_allows_it(client, sandbox):
    sandbox.entra.policy.device_interval_seconds = 0
    found = device(client)
    assert (found["expires_in"], found["interval"]) == (900, 0)
    assert found["user_code"] in found["message"]
    assert refusal(poll(client, found)) == (400, "authorization_pending", 70016)
    assert "signed in" in allow(client, found)
    answer = poll(client, found, code=found["device_code"]).json
    assert claims_of(answer["access_token"])["upn"] == "ben@sandbox.example.com"
    assert client.refresh(answer["refresh_token"], client_secret=None).status == 200
    assert refusal(poll(client, found)) == (400, "invalid_grant", 54005)


def test_a_declined_device_is_told_so(client):
    found = device(client)
    assert "declined" in allow(client, found, decision="cancel")
    assert refusal(poll(client, found))[:2] == (400, "authorization_declined")


def test_a_device_that_polls_too_fast_is_slowed_down(client, sandbox):
    found = device(client)
    assert refusal(poll(client, found))[1] == "authorization_pending"
    assert refusal(poll(client, found))[1] == "slow_down"
    sandbox.clock.advance(5)
    assert refusal(poll(client, found))[1] == "slow_down"
    sandbox.clock.advance(15)
    assert refusal(poll(client, found))[1] == "authorization_pending"


def test_a_device_code_expires(client, sandbox):
    found = device(client)
    sandbox.clock.advance(900)
    assert refusal(poll(client, found)) == (400, "expired_token", 70020)
    with pytest.raises(Stopped, match="didn't work"):
        allow(client, found)


def test_an_unknown_device_code_is_refused(client):
    assert refusal(poll(client, {"device_code": "x"})) == (400, "bad_verification_code", 70018)


def test_a_device_needs_a_secret_where_public_flows_are_off(client, sandbox):
    sandbox.application.allow_public_flows = False
    found = device(client)
    allow(client, found)
    assert refusal(poll(client, found)) == (401, "invalid_client", 7000218)
    assert poll(client, found, client_secret=sandbox.client_secret).status == 200


def test_a_device_is_asked_for_what_needs_an_administrator(client):
    found = device(client, scope="Directory.Read.All")
    assert "AADSTS90094" in allow(client, found)
    assert refusal(poll(client, found))[1] == "authorization_declined"


def test_the_user_code_is_read_kindly(client):
    found = device(client)
    typed = " " + found["user_code"].lower()[:4] + "-" + found["user_code"].lower()[4:]
    assert "signed in" in allow(client, found | {"user_code": typed})
