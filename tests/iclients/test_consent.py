import hashlib
from base64 import urlsafe_b64encode
from urllib.parse import parse_qs, urlsplit

import pytest

from iclients.consent import STATE_SECONDS, WrongCallback, address, begin, code_from, tenant_from
from iclients.endpoints import Endpoints
from iclients.errors import NotAuthorized
from iclients.model import IClient
from iclients.providers.entra import Entra
from iclients.secret import Secret

APP = IClient("app", "entra", "app-id", tenant="t")
ISSUER = "https://issuer.test"
ENDPOINTS = Endpoints(issuer=ISSUER, authorization_endpoint="https://issuer.test/authorize")
NOW = 1_000_000.0


@pytest.fixture
def pending():
    return begin("http://127.0.0.1:1/callback", ("openid", "s"), NOW)


def judged(query, pending, now=NOW):
    return code_from(parse_qs(query, keep_blank_values=True), pending, APP, Entra(), ENDPOINTS, now)


def test_the_address_carries_state_nonce_and_a_hashed_verifier(pending):
    query = parse_qs(urlsplit(address(pending, APP, Entra(), ENDPOINTS)).query)
    digest = hashlib.sha256(pending.verifier.reveal().encode()).digest()
    assert query["code_challenge"] == [urlsafe_b64encode(digest).decode().rstrip("=")]
    assert query["code_challenge_method"] == ["S256"]
    assert (query["state"], query["nonce"]) == ([pending.state], [pending.nonce])
    assert pending.verifier.reveal() not in str(query)


def test_no_two_consents_share_anything(pending):
    other = begin(pending.redirect_uri, pending.scopes, NOW)
    assert other.state != pending.state
    assert other.nonce != pending.nonce
    assert other.verifier != pending.verifier


def test_the_code_of_the_right_callback_is_taken(pending):
    assert judged(f"code=c&state={pending.state}", pending) == Secret("c")
    assert judged(f"code=c&state={pending.state}&iss={ISSUER}", pending) == Secret("c")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=c",
        "code=c&state=",
        "code=c&state=other",
        "state={0}",
        "code=c&code=d&state={0}",
        "code=c&state={0}&state={0}",
        "code=c&error=e&state={0}",
        "code=&state={0}",
        "error=access_denied&state=other",
    ],
)
def test_any_other_callback_is_refused_and_the_waiting_goes_on(query, pending):
    with pytest.raises(WrongCallback):
        judged(query.format(pending.state), pending)


def test_an_answer_from_another_issuer_is_a_mix_up(pending):
    with pytest.raises(NotAuthorized, match="came from another provider") as caught:
        judged(f"code=c&state={pending.state}&iss=https://evil.test", pending)
    assert caught.value.code == "mix_up"


def test_a_refusal_ends_the_consent_with_its_reason(pending):
    with pytest.raises(NotAuthorized, match="was declined"):
        judged(f"error=access_denied&state={pending.state}", pending)


def test_a_consent_that_took_too_long_has_expired(pending):
    with pytest.raises(NotAuthorized, match="longer than ten minutes"):
        judged(f"code=c&state={pending.state}", pending, NOW + STATE_SECONDS + 1)


# --- what Entra's callbacks are like ---


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("error=access_denied&error_subcode=cancel", "The person cancelled"),
        ("error=access_denied&error_description=AADSTS65004: no", "The person cancelled"),
        ("error=access_denied&error_description=AADSTS90094: no", "An administrator of tenant t must approve"),
        ("error=interaction_required&error_description=AADSTS53003: no", "Conditional Access"),
        ("error=server_error&error_description=AADSTS99999: odd", "AADSTS99999: odd"),
    ],
)
def test_a_callbacks_number_or_subcode_says_why(query, words, pending):
    with pytest.raises(NotAuthorized, match=words):
        judged(f"{query}&state={pending.state}", pending)


def test_an_issuer_that_was_promised_must_come(pending):
    endpoints = Endpoints(issuer=ISSUER, sends_issuer=True)
    with pytest.raises(NotAuthorized) as caught:
        code_from({"code": ["c"], "state": [pending.state]}, pending, APP, Entra(), endpoints, NOW)
    assert caught.value.code == "mix_up"


def test_an_issuer_for_any_tenant_fits_every_tenant_and_no_other_server(pending):
    endpoints = Endpoints(issuer="https://login.test/{tenantid}/v2.0")
    callback = {"code": ["c"], "state": [pending.state]}
    guid = "11111111-2222-3333-4444-555555555555"
    told = callback | {"iss": [f"https://login.test/{guid}/v2.0"]}
    assert code_from(told, pending, APP, Entra(), endpoints, NOW) == Secret("c")
    for other in (
        f"https://evil.test/{guid}/v2.0",
        "https://login.test/common/v2.0",
        f"https://login.test/{guid}/v2.0/",
    ):
        with pytest.raises(NotAuthorized, match="came from another provider"):
            code_from(callback | {"iss": [other]}, pending, APP, Entra(), endpoints, NOW)


# --- an administrator's consent ---


def for_all(query, pending, now=NOW):
    return tenant_from(parse_qs(f"{query}&state={pending.state}"), pending, APP, Entra(), now)


def test_an_administrators_consent_names_its_tenant(pending):
    assert for_all("admin_consent=True&tenant=t1&scope=s", pending) == "t1"


@pytest.mark.parametrize("query", ["admin_consent=False&tenant=t1", "admin_consent=True", "code=c&tenant=t1"])
def test_any_other_callback_is_no_administrators_consent(query, pending):
    with pytest.raises(WrongCallback):
        for_all(query, pending)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("admin_consent=True&tenant=t1&error=access_denied&error_description=AADSTS65004: no", "cancelled"),
        ("error=permission_denied&error_description=AADSTS65004: no", "cancelled"),
        ("error=permission_denied", "The administrator of tenant t declined the consent for iClient app"),
    ],
)
def test_an_administrator_who_declines_is_told_although_the_callback_says_consent(query, words, pending):
    with pytest.raises(NotAuthorized, match=words):
        for_all(query, pending)
    with pytest.raises(NotAuthorized, match="longer than ten minutes"):
        for_all("admin_consent=True&tenant=t1", pending, NOW + STATE_SECONDS + 1)
