import hashlib
from base64 import urlsafe_b64encode
from urllib.parse import parse_qs, urlsplit

import pytest

from iclients.consent import STATE_SECONDS, WrongCallback, address, begin, code_from
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
    return code_from(parse_qs(query, keep_blank_values=True), pending, APP, Entra(), ISSUER, now)


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
