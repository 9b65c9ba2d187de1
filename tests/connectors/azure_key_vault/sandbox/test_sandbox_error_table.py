"""Entra's table of errors, row by row: each number can be met, as it is told to be."""

import base64
import hashlib
import json
import urllib.parse
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from connectors.azure_key_vault.sandbox import Sandbox
from connectors.azure_key_vault.sandbox.aadsts import ERRORS
from connectors.azure_key_vault.sandbox.visitor import Visitor

VAULT = "https://vault.azure.net/user_impersonation"
ARM = "https://management.azure.com/user_impersonation"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
NOBODY = "99999999-0000-0000-0000-000000000000"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
DAY = 86_400


class Row(NamedTuple):
    """One number: how it is called, its suberror and status, and what brings it about (None: a planted refusal)."""

    code: int
    error: str
    status: int = 400
    suberror: str | None = None
    cause: Callable[..., Any] | None = None


def code_of(client, user="ada", **fields):
    return client.returned(client.authorize_url(**fields), user)["code"]


def refresh_of(client, user="ada"):
    return client.signed_in(user)["refresh_token"]


def encoded(document):
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


# --- what an app does wrong ------------------------------------------------------------------------


def with_assertion(client, assertion):
    fields = {"client_secret": None, "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    return client.ask_token(**fields)


def sends_the_assertion_of_a_stranger(client):
    client.sandbox.certificate()
    claims = {"iss": client.sandbox.client_id, "sub": client.sandbox.client_id}
    return with_assertion(client, f"{encoded({'alg': 'RS256', 'x5t': 'AAAA'})}.{encoded(claims)}.AAAA")


def sends_an_old_assertion(client):
    made = client.sandbox.certificate()
    thumbprint = base64.urlsafe_b64encode(made.certificate.fingerprint(hashes.SHA1())).decode()
    audience = f"{client.sandbox.authority}/{client.sandbox.tenant}/v2.0"
    claims = {"iss": client.sandbox.client_id, "sub": client.sandbox.client_id, "aud": audience, "exp": 1}
    signed = f"{encoded({'alg': 'RS256', 'x5t': thumbprint})}.{encoded(claims)}"
    signature = made.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return with_assertion(client, f"{signed}.{base64.urlsafe_b64encode(signature).decode()}")


def sends_what_is_no_assertion(client):
    client.sandbox.certificate()
    return with_assertion(client, "x")


def sends_an_expired_secret(client):
    client.sandbox.application.secrets[0].expires = 1
    return client.ask_token()


def sends_a_secret_though_public(client):
    app = client.sandbox.entra.register("phone", public=True)
    return client.ask_token(client_id=app.client_id)


def is_disabled(client):
    client.sandbox.application.enabled = False
    return client.ask_token()


def asks_for_what_it_has_not_registered(client):
    client.signed_in()
    token = refresh_of(client)
    del client.sandbox.application.permissions["https://management.azure.com"]
    return client.refresh(token, scope="https://management.azure.com/.default")


# --- what happens to codes and refresh tokens --------------------------------------------------------


def redeems_twice(client):
    code = code_of(client)
    client.redeem(code)
    return client.redeem(code)


def redeems_late(client):
    code = code_of(client)
    client.sandbox.clock.advance(600)
    return client.redeem(code)


def redeems_with(**fields):
    def cause(client):
        code = code_of(client, code_challenge=CHALLENGE, code_challenge_method="S256")
        return client.redeem(code, **({"code_verifier": VERIFIER} | fields))

    return cause


def refreshes_late(client):
    token = refresh_of(client)
    client.sandbox.clock.advance(90 * DAY)
    return client.refresh(token)


def refreshes_after(change, **fields):
    def cause(client):
        token = refresh_of(client, "ben")
        change(client.sandbox)
        return client.refresh(token, **fields)

    return cause


def nothing(sandbox):
    """Nothing happens in between."""


def is_not_assigned(sandbox):
    sandbox.application.assigned = set()


def polls(**fields):
    def cause(client):
        form = {"client_secret": None, "grant_type": None, "scope": VAULT}
        code = client.ask_token("/oauth2/v2.0/devicecode", **form).json["device_code"]
        client.sandbox.clock.advance(fields.get("later", 0))
        return client.ask_token(grant_type="device_code", device_code=code, scope=None, client_secret=None)

    return cause


def asks(**fields):
    return lambda client: client.ask_token(**fields)


AT_THE_TOKEN_ENDPOINT = [
    Row(7000215, "invalid_client", 401, cause=asks(client_secret="wrong")),
    Row(7000222, "invalid_client", 401, cause=sends_an_expired_secret),
    Row(7000218, "invalid_client", 401, cause=asks(client_secret=None)),
    Row(700025, "invalid_client", 401, cause=sends_a_secret_though_public),
    Row(700027, "invalid_client", 401, cause=sends_the_assertion_of_a_stranger),
    Row(700024, "invalid_client", 401, cause=sends_an_old_assertion),
    Row(50027, "invalid_client", 401, cause=sends_what_is_no_assertion),
    Row(700016, "unauthorized_client", cause=asks(client_id=NOBODY)),
    Row(7000112, "unauthorized_client", cause=is_disabled),
    Row(90002, "invalid_request", cause=asks(tenant="nobody.example")),
    Row(900023, "invalid_request", cause=asks(tenant="-")),
    Row(90013, "invalid_request", cause=asks(claims="{")),
    Row(900144, "invalid_request", cause=asks(grant_type=None)),
    Row(90014, "invalid_request"),
    Row(901002, "invalid_request", cause=asks(resource="https://vault.azure.net")),
    Row(9001023, "invalid_request", cause=asks(tenant="common")),
    Row(70003, "unsupported_grant_type", cause=asks(grant_type="password")),
    Row(70002, "invalid_client", 401),
    Row(70011, "invalid_scope", cause=asks(scope="openid")),
    Row(1002012, "invalid_scope", cause=asks(scope=VAULT)),
    Row(500011, "invalid_resource", cause=asks(scope="https://nobody.example/.default")),
    Row(650057, "invalid_resource", cause=asks_for_what_it_has_not_registered),
    Row(65001, "invalid_grant", 400, "consent_required", cause=refreshes_after(nothing, scope=ARM)),
    Row(54005, "invalid_grant", cause=redeems_twice),
    Row(70008, "invalid_grant", 400, "token_expired", cause=redeems_late),
    Row(70000, "invalid_grant", cause=lambda client: client.redeem("nonsense")),
    Row(9002313, "invalid_request"),
    Row(700082, "invalid_grant", 400, "bad_token", cause=refreshes_late),
    Row(700084, "invalid_grant", 400, "bad_token"),
    Row(50173, "invalid_grant", 400, "bad_token", cause=refreshes_after(lambda sandbox: sandbox.entra.revoke("ben"))),
    Row(70043, "invalid_grant", 400, "bad_token"),
    Row(501481, "invalid_grant", cause=redeems_with(code_verifier="w" * 43)),
    Row(50148, "invalid_grant", cause=redeems_with(code_verifier=None)),
    Row(700005, "invalid_grant", cause=redeems_with(tenant="other.example.com")),
    Row(700009, "invalid_request", cause=redeems_with(redirect_uri=None)),
    Row(
        50076,
        "interaction_required",
        400,
        "basic_action",
        cause=refreshes_after(lambda sandbox: sandbox.entra.require_mfa("ben")),
    ),
    Row(50079, "interaction_required", 400, "basic_action"),
    Row(50020, "invalid_grant", cause=refreshes_after(nothing, tenant="other.example.com")),
    Row(51004, "invalid_grant"),
    Row(50105, "invalid_grant", cause=refreshes_after(is_not_assigned)),
    Row(53003, "interaction_required", 400, "message_only"),
    Row(530003, "interaction_required", 400, "message_only"),
    Row(50034, "invalid_grant"),
    Row(50126, "invalid_grant"),
    Row(50053, "invalid_grant"),
    Row(50055, "invalid_grant", 400, "user_password_expired"),
    Row(50057, "invalid_grant", cause=refreshes_after(lambda sandbox: sandbox.entra.enable("ben", False))),
    Row(70016, "authorization_pending", cause=polls()),
    Row(70020, "expired_token", cause=polls(later=900)),
    Row(50196, "invalid_grant"),
    Row(90055, "temporarily_unavailable", 429),
]


def named(row):
    return f"{row.code}{'' if row.cause else ' planted'}"


@pytest.mark.parametrize("row", AT_THE_TOKEN_ENDPOINT, ids=named)
def test_the_token_endpoint_answers_each_error_as_the_table_has_it(client, row):
    if row.cause is None:
        assert client.control("POST", "refusals", {"code": row.code}).status == 200
        reply = client.ask_token()
    else:
        reply = row.cause(client)
    found = reply.json
    assert (reply.status, found["error"], found.get("suberror")) == (row.status, row.error, row.suberror)
    assert found["error_codes"] == [row.code]
    assert found["error_description"].startswith(f"AADSTS{row.code}: ")
    assert {"timestamp", "trace_id", "correlation_id"} <= found.keys()
    assert ("claims" in found) is (row.error == "interaction_required")
    assert reply.headers["Cache-Control"].startswith("no-store")


def visits(user="ada", decision="accept", **fields):
    return lambda client: client.sandbox.consent(client.authorize_url(**fields), user, decision)


def visits_again(client):
    visitor = Visitor(client.sandbox.ca_file)
    visitor.consent(client.authorize_url(scope="openid"), "ben")
    return visitor.consent(client.authorize_url(prompt="none"))


def visits_again_without_proof(client):
    visitor = Visitor(client.sandbox.ca_file)
    visitor.consent(client.authorize_url(), "ben")
    client.sandbox.entra.require_mfa("ben")
    return visitor.consent(client.authorize_url(prompt="none"))


BACK_AT_THE_APP = [
    Row(700051, "unsupported_response_type", cause=visits(response_type="token")),
    Row(700054, "unsupported_response_type", cause=visits(response_type="code id_token")),
    Row(65004, "access_denied", cause=visits(decision="cancel")),
    Row(65001, "consent_required", cause=visits_again),
    Row(90094, "access_denied", cause=visits("ben", scope="Directory.Read.All")),
    Row(90093, "access_denied"),
    Row(50058, "login_required", cause=visits(prompt="none")),
    Row(50147, "invalid_request", cause=visits(code_challenge="short")),
    Row(900144, "invalid_request", cause=visits(scope=None)),
    Row(901002, "invalid_request", cause=visits(resource="https://vault.azure.net")),
    Row(70011, "invalid_scope", cause=visits(scope=f"{VAULT} https://vault.azure.net/.default")),
    Row(500011, "invalid_resource", cause=visits(scope="https://nobody.example/x")),
    Row(50076, "interaction_required", cause=visits_again_without_proof),
    Row(53003, "access_denied"),
    Row(530003, "access_denied"),
    Row(90055, "temporarily_unavailable"),
    Row(50173, "login_required"),
    Row(70043, "login_required"),
]


@pytest.mark.parametrize("row", BACK_AT_THE_APP, ids=named)
def test_the_app_hears_each_error_as_the_table_has_it(client, row):
    if row.cause is None:
        client.sandbox.entra.refusals.add(row.code, endpoint="authorize")
    returned = (row.cause or visits())(client)
    found = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(returned).query))
    assert (found["error"], found["state"]) == (row.error, "the state")
    assert found["error_description"].startswith(f"AADSTS{row.code}: ")
    assert ("claims" in found) is (row.error == "interaction_required")


def opens(**fields):
    return lambda client: client.send("GET", client.authorize_url(**fields))


def opens_after(change, **fields):
    def cause(client):
        change(client.sandbox)
        return opens(**fields)(client)

    return cause


def signs_in_after(change):
    def cause(client):
        change(client.sandbox)
        page = client.send("GET", client.authorize_url()).body.decode()
        flow = page.partition('name="flow" value="')[2].partition('"')[0]
        body = urllib.parse.urlencode({"flow": flow, "account": "ben"}).encode()
        return client.send("POST", f"{client.sandbox.authority}/common/login", body)

    return cause


def has_no_reply_address(sandbox):
    sandbox.application.redirect_uris.clear()


def is_of_one_tenant(sandbox):
    sandbox.application.multi_tenant = False


def disable(sandbox):
    sandbox.application.enabled = False


ON_A_PAGE = [
    Row(50011, "", cause=opens(redirect_uri="https://evil.example/")),
    Row(500113, "", cause=opens_after(has_no_reply_address)),
    Row(900971, "", cause=opens(redirect_uri=None)),
    Row(700016, "", cause=opens(client_id=NOBODY)),
    Row(7000112, "", cause=opens_after(disable)),
    Row(50194, "", cause=opens_after(is_of_one_tenant, tenant="common")),
    Row(90002, "", cause=opens(tenant="nobody.example")),
    Row(900023, "", cause=opens(tenant="-")),
    Row(50105, "", cause=signs_in_after(is_not_assigned)),
    Row(50057, "", cause=signs_in_after(lambda sandbox: sandbox.entra.enable("ben", False))),
    Row(50020, ""),
    Row(51004, ""),
    Row(50034, ""),
    Row(50126, ""),
    Row(50053, ""),
    Row(50055, ""),
]


@pytest.mark.parametrize("row", ON_A_PAGE, ids=named)
def test_what_never_goes_back_to_an_app_is_on_a_page_with_its_number(client, row):
    if row.cause is None:
        client.sandbox.entra.refusals.add(row.code, endpoint="authorize")
    page = (row.cause or opens())(client)
    assert (page.status, page.headers["Location"]) == (400, None)
    assert page.headers["Content-Type"].startswith("text/html")
    assert f"AADSTS{row.code}: " in page.body.decode()


@pytest.fixture(scope="module")
def lasting(new_client):
    with Sandbox.start(vaults={"contoso": 0}) as sandbox:
        yield new_client(sandbox)


@pytest.mark.parametrize("number", sorted(ERRORS))
def test_every_number_that_is_known_can_be_planted(lasting, number):
    lasting.sandbox.entra.refusals.add(number)
    lasting.sandbox.entra.refusals.add(number, endpoint="authorize")
    reply, known = lasting.ask_token(), ERRORS[number]
    found = reply.json
    assert (reply.status, found["error"], found["error_codes"]) == (known.status, known.error, [number])
    assert found.get("suberror", "") == known.suberror
    page = lasting.send("GET", lasting.authorize_url())
    assert f"AADSTS{number}" in (page.headers["Location"] or page.body.decode())
