"""Claims challenges: what a vault or ARM demands of tokens, who hears of it, and what a person must prove."""

import base64
import json
import re
import urllib.parse

import pytest

from connectors.azure_key_vault.sandbox.visitor import Visitor, enter_code

VAULT = "https://vault.azure.net/user_impersonation"
ARM_SCOPE = "https://management.azure.com/.default"
CP1 = {"xms_cc": {"values": ["CP1"]}}
CONTEXT = {"acrs": {"essential": True, "value": "c1"}}


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def query_of(url):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))


def wanted(*parts):
    return json.dumps({"access_token": {name: value for part in parts for name, value in part.items()}})


def demanded(reply):
    """The claims of a challenge; None for a 401 without any."""
    assert reply.status == 401
    found = re.fullmatch(
        r'Bearer realm="", authorization_uri="https://[^"]+/oauth2/authorize", '
        r'error="insufficient_claims", claims="([^"]+)"',
        reply.headers["WWW-Authenticate"],
    )
    return json.loads(base64.b64decode(found[1]))["access_token"] if found else None


def app_token(client, *parts, **fields):
    return client.ask_token(claims=wanted(*parts), **fields).json["access_token"]


def read(client, token, name="contoso"):
    return client.vault("GET", "/secrets", name=name, headers={"Authorization": f"Bearer {token}"})


def list_subscriptions(client, token):
    url = f"{client.sandbox.arm}/subscriptions?api-version=2022-12-01"
    return client.send("GET", url, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def visitor(sandbox):
    return Visitor(sandbox.ca_file)


# --- what a resource demands ------------------------------------------------------------------------


def test_a_client_that_can_hear_it_is_told_what_is_missing(client, sandbox):
    token = app_token(client, CP1)
    sandbox.demands.add(CONTEXT, host="contoso")
    assert demanded(read(client, token)) == CONTEXT
    newer = app_token(client, CP1, CONTEXT)
    assert claims_of(newer)["acrs"] == ["c1"]
    assert read(client, newer).status == 200


def test_a_client_that_cannot_hear_it_gets_the_ordinary_challenge(client, sandbox):
    sandbox.demands.add(CONTEXT, host="contoso")
    reply = read(client, client.token())
    assert demanded(reply) is None
    assert 'resource="https://vault.azure.net"' in reply.headers["WWW-Authenticate"]
    assert read(client, client.token(), "fabrikam").status == 200


def test_a_demand_for_a_newer_token_is_met_by_asking_for_it(client, sandbox):
    token = app_token(client, CP1)
    sandbox.demands.add()
    missing = demanded(read(client, token))
    assert missing["nbf"]["essential"] is True
    assert int(missing["nbf"]["value"]) == pytest.approx(sandbox.clock.now(), abs=5)
    assert demanded(read(client, app_token(client, CP1)))
    newer = app_token(client, CP1, missing)
    assert claims_of(newer)["nbf"] == int(missing["nbf"]["value"])
    assert read(client, newer).status == 200
    sandbox.clock.advance(300)
    assert read(client, app_token(client, CP1)).status == 200


def test_a_moment_to_come_is_never_met(client, sandbox):
    later = {"nbf": {"essential": True, "value": str(int(sandbox.clock.now()) + 1000)}}
    sandbox.demands.add(later, host="contoso")
    assert demanded(read(client, app_token(client, CP1, later))) == later
    sandbox.clock.advance(1001)
    assert read(client, app_token(client, CP1, later)).status == 200


def test_arm_demands_in_the_same_words(client, sandbox):
    token = app_token(client, CP1, scope=ARM_SCOPE)
    sandbox.demands.add(CONTEXT, host="arm")
    assert demanded(list_subscriptions(client, token)) == CONTEXT
    plain = list_subscriptions(client, client.token(ARM_SCOPE))
    assert demanded(plain) is None
    assert plain.error == (401, "InvalidAuthenticationToken", None)
    assert list_subscriptions(client, app_token(client, CP1, CONTEXT, scope=ARM_SCOPE)).status == 200
    assert read(client, app_token(client, CP1)).status == 200


def test_a_revoked_token_is_challenged_at_arm_as_well(client, sandbox):
    token = app_token(client, CP1, scope=ARM_SCOPE)
    sandbox.revoke_tokens()
    assert "nbf" in demanded(list_subscriptions(client, token))


def test_several_demands_are_met_one_after_the_other(client, sandbox):
    token = app_token(client, CP1)
    sandbox.demands.add(CONTEXT)
    sandbox.demands.add()
    first = demanded(read(client, token))
    assert first == CONTEXT
    second = demanded(read(client, app_token(client, CP1, first)))
    assert second.keys() == {"nbf"}
    assert read(client, app_token(client, CP1, first, second)).status == 200


def test_voluntary_claims_travel_but_are_not_insisted_on(client, sandbox):
    address = {"xms_rp_ipaddr": {"value": "127.0.0.1"}}
    token = app_token(client, CP1)
    sandbox.demands.add(CONTEXT | address)
    assert demanded(read(client, token)) == CONTEXT | address
    assert read(client, app_token(client, CP1, CONTEXT, address)).status == 200


def test_one_of_several_contexts_is_enough(client, sandbox):
    sandbox.demands.add({"acrs": {"essential": True, "values": ["c1", "c2"]}})
    other = {"acrs": {"essential": True, "value": "c2"}}
    assert read(client, app_token(client, CP1, other)).status == 200


def test_demands_come_and_go_from_outside(client):
    token = app_token(client, CP1)
    assert client.control("POST", "demands", {"host": "contoso", "claims": CONTEXT}).status == 200
    assert client.control("POST", "demands").status == 200
    assert demanded(read(client, token)) == CONTEXT
    assert client.control("DELETE", "demands").status == 200
    assert read(client, token).status == 200


@pytest.mark.parametrize(
    "body",
    [
        {"host": "nobody"},
        {"claims": {}},
        {"claims": {"acrs": None}},
        {"claims": {"acrs": "c1"}},
        {"claims": {"acrs": {"value": "c1"}}},
        {"claims": {"oid": {"essential": True, "value": "x"}}},
        {"claims": {"nbf": {"essential": True, "value": "soon"}}},
        {"claims": []},
        {"times": 1},
    ],
)
def test_a_demand_that_nobody_could_meet_is_refused(client, body):
    assert client.control("POST", "demands", body).status == 400
    assert client.sandbox.demands.planted == []


# --- what a person must prove -----------------------------------------------------------------------


def stepped_up(client, sandbox, claims, user="ben"):
    """Signs in again with the claims of an error, and gives the token response."""
    url = client.authorize_url(claims=claims)
    return client.redeem(query_of(sandbox.consent(url, user))["code"], claims=claims).json


def test_a_refresh_needs_a_second_proof_once_that_is_required(client, sandbox):
    token = client.signed_in("ben")["refresh_token"]
    others = client.signed_in("ada")["refresh_token"]
    sandbox.entra.require_mfa("ben")
    reply = client.refresh(token)
    error = reply.json
    assert (reply.status, error["error"], error["suberror"], error["error_codes"]) == (
        400,
        "interaction_required",
        "basic_action",
        [50076],
    )
    assert json.loads(error["claims"])["access_token"]["capolids"]["essential"] is True
    answer = stepped_up(client, sandbox, error["claims"])
    assert claims_of(answer["access_token"])["amr"] == ["pwd", "mfa"]
    assert client.refresh(answer["refresh_token"]).status == 200
    assert client.refresh(token).json["error_codes"] == [50076]
    assert client.refresh(others).status == 200


def test_a_second_proof_is_required_from_outside(client):
    token = client.signed_in("ben")["refresh_token"]
    assert client.control("POST", "users/mfa", {"user": "ben"}).status == 200
    assert client.refresh(token).json["error_codes"] == [50076]
    assert client.control("POST", "users/mfa", {"user": "ben", "required": False}).status == 200
    assert client.refresh(token).status == 200
    assert client.control("POST", "users/mfa", {"user": "nobody"}).status == 400


def test_the_second_proof_is_given_on_a_page_once_a_session(client, sandbox, visitor):
    sandbox.entra.require_mfa("ben")
    visitor.consent(client.authorize_url(), "ben")
    assert sandbox.calls()["entra"]["proof"] == 1
    code = query_of(visitor.consent(client.authorize_url(prompt="none")))["code"]
    assert claims_of(client.redeem(code).json["access_token"])["amr"] == ["pwd", "mfa"]
    visitor.consent(client.authorize_url(prompt="login"), "ben")
    assert sandbox.calls()["entra"]["proof"] == 2


def test_without_a_page_a_second_proof_cannot_be_given(client, sandbox, visitor):
    visitor.consent(client.authorize_url(), "ben")
    sandbox.entra.require_mfa("ben")
    returned = query_of(visitor.consent(client.authorize_url(prompt="none")))
    assert (returned["error"], returned["suberror"]) == ("interaction_required", "basic_action")
    assert "AADSTS50076" in returned["error_description"]
    assert "capolids" in json.loads(returned["claims"])["access_token"]
    sandbox.entra.require_mfa("ben", False)
    assert "code" in query_of(visitor.consent(client.authorize_url(prompt="none")))
    returned = query_of(visitor.consent(client.authorize_url(prompt="none", claims=wanted(CONTEXT))))
    assert json.loads(returned["claims"])["access_token"]["acrs"]["values"] == ["c1"]


def test_the_page_of_the_second_proof_cannot_be_passed_by(client, sandbox):
    sandbox.entra.require_mfa("ben")
    page = client.send("GET", client.authorize_url()).body.decode()
    flow = page.partition('name="flow" value="')[2].partition('"')[0]
    for place, answer in (("login", {"account": "ben"}), ("consent", {"decision": "accept"})):
        body = urllib.parse.urlencode({"flow": flow} | answer).encode()
        reply = client.send("POST", f"{sandbox.authority}/common/{place}", body)
    assert reply.status == 400
    assert b"AADSTS50076" in reply.body


def test_a_code_that_came_before_the_rule_is_refused(client, sandbox):
    code = client.returned(client.authorize_url(), "ben")["code"]
    sandbox.entra.require_mfa("ben")
    assert client.redeem(code).json["error"] == "interaction_required"


def test_a_device_gets_its_tokens_after_the_second_proof(client, sandbox):
    sandbox.entra.require_mfa("ben")
    form = {"client_secret": None, "grant_type": None, "scope": f"{VAULT} offline_access"}
    found = client.ask_token("/oauth2/v2.0/devicecode", **form).json
    enter_code(found["verification_uri"], found["user_code"], "ben", ca_file=sandbox.ca_file)
    poll = {"grant_type": "device_code", "device_code": found["device_code"], "scope": None, "client_secret": None}
    assert claims_of(client.ask_token(**poll).json["access_token"])["amr"] == ["pwd", "mfa"]


def test_a_demanded_context_leads_a_person_from_the_vault_to_the_proof(client, sandbox):
    answer = client.redeem(client.returned(client.authorize_url(), "ben")["code"], claims=wanted(CP1)).json
    sandbox.demands.add(CONTEXT)
    missing = demanded(read(client, answer["access_token"]))
    refused = client.refresh(answer["refresh_token"], claims=wanted(CP1, missing)).json
    assert (refused["error"], refused["suberror"]) == ("interaction_required", "basic_action")
    assert json.loads(refused["claims"]) == {"access_token": {"acrs": {"essential": True, "values": ["c1"]}}}
    newer = stepped_up(client, sandbox, wanted(CP1, json.loads(refused["claims"])["access_token"]))
    assert claims_of(newer["access_token"])["acrs"] == ["c1"]
    assert read(client, newer["access_token"]).status == 200
    assert client.refresh(newer["refresh_token"], claims=wanted(CP1, missing)).status == 200


def test_a_revoked_session_has_to_be_proven_again(client, sandbox, visitor):
    sandbox.entra.require_mfa("ben")
    visitor.consent(client.authorize_url(), "ben")
    sandbox.entra.revoke("ben")
    visitor.consent(client.authorize_url(), "ben")
    assert sandbox.calls()["entra"]["proof"] == 2
