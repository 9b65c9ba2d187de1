"""Tokens and discovery, as Entra gives and refuses them."""

import base64
import json
import urllib.parse

import pytest

ARM_SCOPE = "https://management.azure.com/.default"


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def refusal(reply):
    return reply.status, reply.json["error"], reply.json["error_codes"][0]


def test_a_v2_token_has_integers_and_v1_claims(client, sandbox):
    reply = client.ask_token()
    assert reply.status == 200
    assert reply.headers["Cache-Control"].startswith("no-store")
    assert (reply.json["token_type"], reply.json["expires_in"], reply.json["ext_expires_in"]) == (
        "Bearer",
        3599,
        3599,
    )
    assert {"scope", "refresh_token", "refresh_in"}.isdisjoint(reply.json)
    claims = claims_of(reply.json["access_token"])
    assert claims["aud"] == "https://vault.azure.net"
    assert claims["iss"] == f"https://sts.windows.net/{sandbox.tenant}/"
    assert (claims["ver"], claims["tid"], claims["appid"], claims["appidacr"]) == (
        "1.0",
        sandbox.tenant,
        sandbox.client_id,
        "1",
    )
    assert claims["oid"] == claims["sub"] != sandbox.client_id
    assert claims["exp"] == int(sandbox.clock.now()) + 3599 or claims["exp"] - sandbox.clock.now() > 3590


def test_a_v1_token_has_strings_and_echoes_the_resource(client):
    resource = "https://vault.azure.net/"
    reply = client.ask_token("/oauth2/token", scope=None, resource=resource)
    assert reply.status == 200
    assert all(isinstance(value, str) for value in reply.json.values())
    assert reply.json["resource"] == resource
    assert int(reply.json["expires_on"]) - int(reply.json["not_before"]) == 3599 + 300
    assert claims_of(reply.json["access_token"])["aud"] == "https://vault.azure.net"


V1 = {"path": "/oauth2/token", "scope": None}
V1_MEMBERS = ["token_type", "expires_in", "ext_expires_in", "expires_on", "not_before", "resource", "access_token"]


def test_a_v1_token_has_just_these_members_and_the_lifetime_of_any_other(client, sandbox):
    answer = client.ask_token(**V1, resource="https://vault.azure.net").json
    assert list(answer) == V1_MEMBERS
    claims = claims_of(answer["access_token"])
    assert (int(answer["expires_on"]), int(answer["not_before"])) == (claims["exp"], claims["nbf"])
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", "3599")
    assert client.vault("GET", "/secrets", headers={"Authorization": f"Bearer {answer['access_token']}"}).status == 200


def test_a_v1_token_for_arm_opens_arm(client, sandbox):
    token = client.ask_token(**V1, resource="https://management.azure.com/").json["access_token"]
    url = f"{sandbox.arm}/subscriptions?api-version=2022-12-01"
    assert client.send("GET", url, headers={"Authorization": f"Bearer {token}"}).status == 200


def test_a_v1_client_may_take_claims_challenges_too(client):
    declared = '{"access_token": {"xms_cc": {"values": ["CP1"]}}}'
    answer = client.ask_token(**V1, resource="https://vault.azure.net", claims=declared).json
    assert (answer["expires_in"], answer["refresh_in"]) == ("86399", "43199")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"resource": None}, (400, "invalid_request", 900144)),
        ({"resource": "https://nobody.example"}, (400, "invalid_resource", 500011)),
        ({"client_secret": "wrong"}, (401, "invalid_client", 7000215)),
        ({"client_secret": None}, (401, "invalid_client", 7000218)),
        ({"client_id": "99999999-0000-0000-0000-000000000000"}, (400, "unauthorized_client", 700016)),
        ({"tenant": "common"}, (400, "invalid_request", 9001023)),
        ({"tenant": "nobody.example"}, (400, "invalid_request", 90002)),
        ({"grant_type": "password"}, (400, "unsupported_grant_type", 70003)),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, (400, "invalid_grant", 70000)),
        ({"grant_type": "authorization_code", "code": "x"}, (400, "invalid_grant", 70000)),
        ({"claims": "{"}, (400, "invalid_request", 90013)),
    ],
)
def test_the_first_generation_refuses_as_the_second_does(client, changed, expected):
    reply = client.ask_token(**(V1 | {"resource": "https://vault.azure.net"} | changed))
    assert refusal(reply) == expected
    assert reply.json["error_description"].startswith(f"AADSTS{expected[2]}: ")


def test_the_slash_too_many_can_be_refused(client, sandbox):
    assert client.control("POST", "settings", {"strict_resources": True}).status == 200
    assert refusal(client.ask_token(**V1, resource="https://vault.azure.net/"))[1:] == ("invalid_resource", 500011)
    assert refusal(client.ask_token(scope="https://vault.azure.net//.default"))[1:] == ("invalid_resource", 500011)
    assert client.ask_token(**V1, resource="https://vault.azure.net").status == 200
    assert client.ask_token(**V1, resource="https://management.core.windows.net/").status == 200


def test_a_client_that_declares_claims_challenges_gets_a_long_token(client):
    declared = '{"access_token": {"xms_cc": {"values": ["CP1"]}}}'
    reply = client.ask_token(claims=declared)
    assert (reply.json["expires_in"], reply.json["refresh_in"]) == (86_399, 43_199)
    assert claims_of(reply.json["access_token"])["xms_cc"] == ["CP1"]


@pytest.mark.parametrize("value", ['"soon"', "{}", "1.5", "[" * 5000])
def test_the_value_of_a_demanded_moment_is_a_number(client, value):
    claims = f'{{"access_token": {{"nbf": {{"essential": true, "value": {value}}}}}}}'
    assert refusal(client.ask_token(claims=claims)) == (400, "invalid_request", 90013)


def test_claims_that_are_not_known_are_ignored(client):
    claims = '{"access_token": {"oid": {"essential": true, "value": "me"}, "x": null}, "id_token": {"email": null}}'
    reply = client.ask_token(claims=claims)
    assert (reply.status, reply.json["expires_in"]) == (200, 3599)
    assert claims_of(reply.json["access_token"])["oid"] != "me"


@pytest.mark.parametrize("sent", ["CP1", "[]", "[1", '{"access_token": 3}', '{"access_token": {"nbf": []}}'])
def test_claims_that_are_no_claims_request_are_refused(client, sent):
    assert refusal(client.ask_token(claims=sent)) == (400, "invalid_request", 90013)


def test_basic_authentication_is_percent_decoded(client, sandbox):
    pair = f"{sandbox.client_id}:{urllib.parse.quote(sandbox.client_secret, safe='')}"
    basic = {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    assert client.ask_token(client_id=None, client_secret=None, headers=basic).status == 200


def test_basic_authentication_without_percent_encoding_fails(client, sandbox):
    pair = f"{sandbox.client_id}:{sandbox.client_secret}"
    basic = {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    reply = client.ask_token(client_id=None, client_secret=None, headers=basic)
    assert refusal(reply) == (401, "invalid_client", 7000215)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"client_secret": "wrong"}, (401, "invalid_client", 7000215)),
        ({"client_secret": None}, (401, "invalid_client", 7000218)),
        ({"client_secret": None, "client_assertion": "a.b.c"}, (401, "invalid_client", 700027)),
        ({"client_id": "99999999-0000-0000-0000-000000000000"}, (400, "unauthorized_client", 700016)),
        ({"client_id": None}, (400, "invalid_request", 900144)),
        ({"grant_type": None}, (400, "invalid_request", 900144)),
        ({"grant_type": "password"}, (400, "unsupported_grant_type", 70003)),
        ({"scope": None}, (400, "invalid_request", 900144)),
        ({"scope": "https://vault.azure.net/user_impersonation"}, (400, "invalid_scope", 1002012)),
        ({"scope": f"https://vault.azure.net/.default {ARM_SCOPE}"}, (400, "invalid_scope", 70011)),
        ({"scope": "openid"}, (400, "invalid_scope", 70011)),
        ({"scope": "https://nobody.example/.default"}, (400, "invalid_resource", 500011)),
        ({"resource": "https://vault.azure.net"}, (400, "invalid_request", 901002)),
        ({"tenant": "99999999-0000-0000-0000-000000000000"}, (400, "invalid_request", 90002)),
        ({"tenant": "common"}, (400, "invalid_request", 9001023)),
        ({"tenant": "organizations"}, (400, "invalid_request", 9001023)),
        ({"tenant": "not%20a%20tenant"}, (400, "invalid_request", 900023)),
    ],
)
def test_a_bad_token_request_is_refused_with_entras_code(client, changed, expected):
    reply = client.ask_token(**changed)
    assert refusal(reply) == expected
    assert reply.json["error_description"].startswith(f"AADSTS{expected[2]}: ")
    assert {"trace_id", "correlation_id", "timestamp"} <= reply.json.keys()


def test_an_expired_client_secret_is_told_from_a_wrong_one(client, sandbox):
    sandbox.application.secrets[0].expires = sandbox.clock.now() - 1
    assert refusal(client.ask_token()) == (401, "invalid_client", 7000222)


def test_a_disabled_application_is_refused(client, sandbox):
    sandbox.application.enabled = False
    assert refusal(client.ask_token()) == (400, "unauthorized_client", 7000112)


def test_the_error_carries_the_clients_correlation_id(client):
    reply = client.ask_token(grant_type="password", headers={"client-request-id": "here-i-am"})
    assert reply.json["correlation_id"] == "here-i-am"
    reply = client.ask_token("/oauth2/v2.0/token?client-request-id=in-the-query", grant_type="password")
    assert reply.json["correlation_id"] == "in-the-query"


def test_a_parameter_that_is_sent_twice_is_refused(client, sandbox):
    body = b"grant_type=client_credentials&grant_type=client_credentials"
    url = f"{sandbox.authority}/{sandbox.tenant}/oauth2/v2.0/token"
    assert refusal(client.send("POST", url, body)) == (400, "invalid_request", 90013)


def test_the_token_endpoint_only_takes_posts(client, sandbox):
    url = f"{sandbox.authority}/{sandbox.tenant}/oauth2/v2.0/token"
    assert refusal(client.send("GET", url)) == (400, "invalid_request", 900561)


@pytest.mark.parametrize("version", ["/v2.0", ""])
def test_discovery_leads_to_the_other_endpoints(client, sandbox, version):
    where = f"{sandbox.authority}/{sandbox.tenant}"
    found = client.send("GET", f"{where}{version}/.well-known/openid-configuration").json
    assert found["token_endpoint"] == f"{where}/oauth2{version}/token"
    assert sandbox.tenant in found["issuer"]
    keys = client.send("GET", found["jwks_uri"]).json["keys"]
    header = json.loads(base64.urlsafe_b64decode(client.token().split(".")[0] + "=="))
    assert header["kid"] in [key["kid"] for key in keys]


def test_the_published_key_verifies_a_token(client, sandbox):
    from joserfc import jwt
    from joserfc.jwk import KeySet

    keys = client.send("GET", f"{sandbox.authority}/common/discovery/keys").json
    token = jwt.decode(client.token(), KeySet.import_key_set(keys), algorithms=["RS256"])
    assert token.claims["appid"] == sandbox.client_id


def test_common_has_the_template_issuer(client, sandbox):
    url = f"{sandbox.authority}/common/v2.0/.well-known/openid-configuration"
    assert client.send("GET", url).json["issuer"] == f"{sandbox.authority}/{{tenantid}}/v2.0"


def test_discovery_of_an_unknown_tenant_is_invalid_tenant(client, sandbox):
    url = f"{sandbox.authority}/nobody.example/v2.0/.well-known/openid-configuration"
    assert refusal(client.send("GET", url)) == (400, "invalid_tenant", 90002)


def test_instance_discovery_knows_azure_and_itself_and_nobody_else(client, sandbox):
    url = f"{sandbox.authority}/common/discovery/instance?api-version=1.1&authorization_endpoint="
    for host in ("login.microsoftonline.com", sandbox.authority.removeprefix("https://")):
        found = client.send("GET", f"{url}https://{host}/{sandbox.tenant}/oauth2/v2.0/authorize")
        assert host in found.json["tenant_discovery_endpoint"]
    assert refusal(client.send("GET", f"{url}https://evil.example/common"))[2] == 50049


def test_what_entra_does_not_serve_is_not_found(client, sandbox):
    assert client.send("GET", f"{sandbox.authority}/robots.txt").status == 404


def test_arm_lists_the_subscription_for_a_token_of_its_own(client, sandbox):
    headers = {"Authorization": f"Bearer {client.token(ARM_SCOPE)}"}
    reply = client.send("GET", f"{sandbox.arm}/subscriptions?api-version=2022-12-01", headers=headers)
    (found,) = reply.json["value"]
    assert (found["subscriptionId"], found["tenantId"], found["state"]) == (
        sandbox.subscription,
        sandbox.tenant,
        "Enabled",
    )
    one = client.send(
        "GET", f"{sandbox.arm}/subscriptions/{sandbox.subscription}?api-version=2022-12-01", headers=headers
    )
    assert one.json == found


def test_arm_takes_a_token_for_its_classic_audience(client, sandbox):
    token = client.ask_token(scope="https://management.core.windows.net//.default").json["access_token"]
    assert claims_of(token)["aud"] == "https://management.core.windows.net/"
    url = f"{sandbox.arm}/subscriptions?api-version=2022-12-01"
    assert client.send("GET", url, headers={"Authorization": f"Bearer {token}"}).status == 200


def test_arm_refuses_the_vaults_token_and_none_at_all(client, sandbox):
    url = f"{sandbox.arm}/subscriptions?api-version=2022-12-01"
    missing = client.send("GET", url)
    assert missing.error == (401, "AuthenticationFailed", None)
    assert "authorization_uri=" in missing.headers["WWW-Authenticate"]
    wrong = client.send("GET", url, headers={"Authorization": f"Bearer {client.token()}"})
    assert wrong.error == (401, "InvalidAuthenticationTokenAudience", None)


def test_arm_refuses_an_expired_token(client, sandbox):
    headers = {"Authorization": f"Bearer {client.token(ARM_SCOPE)}"}
    sandbox.clock.advance(3600)
    reply = client.send("GET", f"{sandbox.arm}/subscriptions?api-version=2022-12-01", headers=headers)
    assert reply.error == (401, "ExpiredAuthenticationToken", None)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/subscriptions", (400, "MissingApiVersionParameter", None)),
        ("/subscriptions/00000000-0000-0000-0000-000000000000?api-version=1", (404, "SubscriptionNotFound", None)),
        ("/providers?api-version=1", (404, "ResourceNotFound", None)),
    ],
)
def test_arm_refuses_what_it_does_not_know(client, sandbox, target, expected):
    headers = {"Authorization": f"Bearer {client.token(ARM_SCOPE)}"}
    assert client.send("GET", f"{sandbox.arm}{target}", headers=headers).error == expected
