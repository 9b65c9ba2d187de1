"""What authorization servers were seen to do, and what we do about it: one test for each row of that list.

What the tests of grants, consents and transport hold already is not here again.
"""

from __future__ import annotations

import hmac
import json
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote_plus

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from scripted_server import Conversation, Script, ScriptedServer, always, answer_bytes

from connectors.azure_key_vault.sandbox.client_certificates import make_certificate
from iclients import certificates, consent
from iclients.clouds import BUILT_IN
from iclients.consent import WrongCallback
from iclients.credentials import ClientSecret
from iclients.endpoints import Endpoints, fetcher
from iclients.errors import DeadlineExceeded, NotAuthorized, Recovery, RemoteError
from iclients.grants import Grants
from iclients.id_tokens import account_of
from iclients.model import DeviceCode, IClient, Token
from iclients.providers.generic import Generic
from iclients.secret import MASK, Secret
from iclients.testing import MovableClock
from iclients.token_endpoint import TokenEndpoint
from iclients.transport import Transport

SECRET = "s+e/c:r%e t&=\u00fc"
CLIENT = "our client:1"
SCOPES = ("read", "write")
GOOD: dict[str, Any] = {"token_type": "Bearer", "access_token": "good", "expires_in": 3600}
NOW = 1_800_000_000.0
Serve = Callable[[Script], ScriptedServer]


def body(document: object) -> bytes:
    return json.dumps(document).encode()


def good(**more: object) -> Script:
    return always(body(GOOD | more))


def refusing(error: str, status: str = "400 Bad Request", **more: object) -> Script:
    return always(body({"error": error} | more), status)


def form_of(server: ScriptedServer, number: int = -1) -> dict[str, list[str]]:
    return parse_qs(server.requests[number].body.decode(), keep_blank_values=True)


def in_turn(*answers: bytes) -> Script:
    """One answer after the other; the last one again and again. An empty one is a connection that breaks."""
    left = list(answers)

    def script(conversation: Conversation) -> None:
        while True:
            conversation.request()
            answer = left.pop(0) if len(left) > 1 else left[0]
            if not answer:
                conversation.reset()
            conversation.send(answer)

    return script


class Lab:
    """Grants of one client at one scripted server."""

    def __init__(self, serve: Serve, transport: Transport, clock: MovableClock) -> None:
        self.serve, self.transport, self.clock = serve, transport, clock

    def grants(self, script: Script, credential: Any = ..., **settings: object) -> tuple[Grants, ScriptedServer]:
        server = self.serve(script)
        names = ("token", "revocation", "device_authorization")
        known = {f"{name}_endpoint": f"{server.url}/{name}" for name in names} | settings
        iclient = IClient(
            "our-app",
            "generic",
            CLIENT,
            credential=ClientSecret(Secret(SECRET)) if credential is ... else credential,
            settings=known,
        )
        return Grants(iclient, Generic(), BUILT_IN["public"], self.transport, self.clock), server


@pytest.fixture
def lab(serve: Serve, transport: Transport, clock: MovableClock) -> Lab:
    return Lab(serve, transport, clock)


def pending(scopes: tuple[str, ...] = SCOPES) -> consent.Pending:
    return consent.begin("http://127.0.0.1:1/callback", scopes, NOW)


DEVICE = DeviceCode(Secret("device-code"), "ABCD", "https://login.test/device", 900.0, 5.0)
ASKED: dict[str, Callable[[Grants], object]] = {
    "client_credentials": lambda grants: grants.client_credentials(SCOPES),
    "authorization_code": lambda grants: grants.redeem(Secret("the-code"), pending(), SCOPES),
    "refresh_token": lambda grants: grants.refresh(Secret("the-refresh-token"), SCOPES),
    "device code": lambda grants: grants.device_poll(DEVICE, SCOPES),
    "device begins": lambda grants: grants.device_begin(SCOPES),
    "revocation": lambda grants: grants.revoke(Secret("the-refresh-token")),
}
ONCE = ("authorization_code", "refresh_token")


# --- a callback without a code becomes an app's token ---


@pytest.mark.parametrize("query", ["state={0}", "", "error=access_denied&state=other", "code=&state={0}", "code=c"])
def test_a_callback_without_a_code_is_never_exchanged(query: str) -> None:
    began = pending()
    with pytest.raises(WrongCallback):
        consent.code_from(
            parse_qs(query.format(began.state), keep_blank_values=True),
            began,
            IClient("our-app", "generic", CLIENT),
            Generic(),
            Endpoints(),
            NOW,
        )


def test_a_code_is_exchanged_as_a_code_and_as_nothing_else(lab: Lab) -> None:
    grants, server = lab.grants(good())
    began = pending()
    grants.redeem(Secret("the-code"), began, SCOPES)
    assert form_of(server) == {
        "grant_type": ["authorization_code"],
        "code": ["the-code"],
        "redirect_uri": ["http://127.0.0.1:1/callback"],
        "code_verifier": [began.verifier.reveal()],
        "client_id": [CLIENT],
        "client_secret": [SECRET],
    }


# --- redirects are followed ---


@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
@pytest.mark.parametrize("asked", ASKED)
def test_no_endpoint_leads_us_elsewhere(lab: Lab, serve: Serve, asked: str, status: str) -> None:
    elsewhere = serve(good())
    grants, server = lab.grants(always(b"", status, Location=f"{elsewhere.url}/steal"))
    with pytest.raises(RemoteError) as caught:
        ASKED[asked](grants)
    assert caught.value.recovery is Recovery.ABORT
    assert (len(server.requests), elsewhere.connections) == (1, 0)


@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect"])
def test_no_discovery_or_page_leads_us_elsewhere(lab: Lab, serve: Serve, status: str) -> None:
    elsewhere = serve(good())
    grants, server = lab.grants(always(b"", status, Location=f"{elsewhere.url}/steal"))
    with pytest.raises(RemoteError, match="check the issuer"):
        fetcher(lab.transport)(f"{server.url}/.well-known/openid-configuration")
    assert grants.page(f"{server.url}/authorize", 5.0, 1000).status == int(status[:3])
    assert elsewhere.connections == 0


# --- `iss` in the callback is not compared ---


@pytest.mark.parametrize(
    ("told", "sends", "fits"),
    [
        ("https://a.test", True, True),
        ("https://a.test", False, True),
        (None, False, True),
        (None, True, False),
        ("https://b.test", True, False),
        ("https://b.test", False, False),
        ("https://a.test/", False, False),
        ("", False, False),
    ],
)
def test_the_issuer_of_a_callback_is_compared_where_it_is_told_or_promised(
    told: str | None, sends: bool, fits: bool
) -> None:
    began = pending()
    callback = {"code": ["c"], "state": [began.state]} | ({} if told is None else {"iss": [told]})

    def judge() -> Secret:
        endpoints = Endpoints(issuer="https://a.test", sends_issuer=sends)
        return consent.code_from(callback, began, IClient("our-app", "generic", CLIENT), Generic(), endpoints, NOW)

    if fits:
        assert judge() == Secret("c")
    else:
        with pytest.raises(NotAuthorized) as caught:
            judge()
        assert caught.value.code == "mix_up"


# --- an id token is not looked at ---

KEY = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})
OTHER = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})
FOR_ENCRYPTION = RSAKey.generate_key(2048, {"kid": "e1", "use": "enc"})
CLAIMS: dict[str, Any] = {"iss": "https://a.test", "aud": CLIENT, "nonce": "n", "exp": NOW + 60, "sub": "ada"}


def account(text: str, *keys: RSAKey, nonce: str | None = "n") -> str:
    return account_of(
        Secret(text),
        jwks_uri="https://a.test/keys",
        issuer="https://a.test",
        client_id=CLIENT,
        nonce=nonce,
        now=NOW,
        fetch=lambda url: {"keys": [key.as_dict(private=False) for key in keys or (KEY,)]},
    )


def signed(key: Any = KEY, algorithm: str = "RS256", **changes: object) -> str:
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not ...}
    return jwt.encode({"alg": algorithm, "kid": "k1"}, claims, key, algorithms=[algorithm])


def test_an_id_token_names_who_consented() -> None:
    assert account(signed()) == "ada"
    assert account(signed(aud=[CLIENT, "another"], azp=CLIENT)) == "ada"
    assert account(signed(email="ada@a.test")) == "ada@a.test"


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "other"},
        {"nonce": ...},
        {"aud": "another"},
        {"aud": ...},
        {"aud": []},
        {"aud": [CLIENT, "another"]},
        {"azp": "another"},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"iss": "https://b.test"},
        {"iss": ...},
        {"exp": NOW - 3600},
        {"exp": ...},
    ],
    ids=repr,
)
def test_an_id_token_that_is_not_for_us_now_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(NotAuthorized, match="is another one: nothing was kept") as caught:
        account(signed(**changes))
    assert caught.value.code == "id_token"


def test_an_id_token_that_nobody_signed_is_refused() -> None:
    head, payload, _ = signed().split(".")
    unsigned, shared = (urlsafe_b64encode(body({"alg": name})).decode().rstrip("=") for name in ("none", "HS256"))
    digest = hmac.digest(KEY.as_pem(private=False), f"{shared}.{payload}".encode(), "sha256")
    by_name = f"{shared}.{payload}.{urlsafe_b64encode(digest).decode().rstrip('=')}"
    for text in (f"{unsigned}.{payload}.", f"{head}.{payload}.", signed(OTHER), by_name, "a.b.c", "x", ""):
        with pytest.raises(NotAuthorized, match="its signature cannot be checked"):
            account(text)


def test_keys_for_encryption_are_passed_over() -> None:
    assert account(signed(), FOR_ENCRYPTION, KEY) == "ada"
    with pytest.raises(NotAuthorized, match="its signature cannot be checked"):
        account(signed(), FOR_ENCRYPTION)


def test_an_id_token_after_a_refresh_has_no_nonce() -> None:
    assert account(signed(nonce=...), nonce=None) == "ada"


# --- what a token response may be ---


@pytest.mark.parametrize("given", [None, ""])
def test_a_refresh_without_a_new_refresh_token_keeps_the_old_one(lab: Lab, given: str | None) -> None:
    grants, _ = lab.grants(good(refresh_token=given))
    assert grants.refresh(Secret("old"), SCOPES).refresh_token == Secret("old")


def test_a_refresh_with_a_new_refresh_token_gives_that_one(lab: Lab) -> None:
    grants, _ = lab.grants(good(refresh_token="new"))
    assert grants.refresh(Secret("old"), SCOPES).refresh_token == Secret("new")


def test_no_grant_but_a_refresh_invents_a_refresh_token(lab: Lab) -> None:
    grants, _ = lab.grants(good())
    assert grants.redeem(Secret("c"), pending(), SCOPES).refresh_token is None


@pytest.mark.parametrize("token_type", ["mac", "N_A", "DPoP"])
@pytest.mark.parametrize("asked", ["client_credentials", "authorization_code", "refresh_token", "device code"])
def test_a_token_of_a_type_that_we_cannot_send_is_refused_by_every_grant(lab: Lab, asked: str, token_type: str) -> None:
    grants, server = lab.grants(good(token_type=token_type))
    with pytest.raises(RemoteError, match="cannot be used: token_type"):
        ASKED[asked](grants)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("scope", "granted"), [("write read", ("write", "read")), ("read", ("read",)), (..., SCOPES), ("", SCOPES)]
)
def test_scopes_may_come_in_another_order_fewer_or_not_at_all(
    lab: Lab, scope: object, granted: tuple[str, ...]
) -> None:
    grants, _ = lab.grants(good(**({} if scope is ... else {"scope": scope})))
    token = grants.redeem(Secret("c"), pending(), SCOPES)
    assert (token.scopes, token.asked) == (granted, SCOPES)


def test_scopes_are_sent_and_read_with_the_servers_own_delimiter(lab: Lab) -> None:
    grants, server = lab.grants(good(scope="read,write"), scope_delimiter=",")
    assert grants.client_credentials(SCOPES).scopes == SCOPES
    assert form_of(server)["scope"] == ["read,write"]


# --- Basic does not percent-encode ---


def test_basic_authentication_encodes_both_parts(lab: Lab) -> None:
    grants, server = lab.grants(good(), client_authentication="basic")
    grants.client_credentials(SCOPES)
    scheme, _, pair = server.requests[0].headers["authorization"].partition(" ")
    client_id, _, secret = b64decode(pair).decode("ascii").partition(":")
    assert (scheme, unquote_plus(client_id), unquote_plus(secret)) == ("Basic", CLIENT, SECRET)
    assert "client_secret" not in form_of(server)


def test_a_public_client_sends_its_name_alone(lab: Lab) -> None:
    grants, server = lab.grants(good(), None, client_authentication="none")
    grants.refresh(Secret("r"), SCOPES)
    assert form_of(server) == {"grant_type": ["refresh_token"], "refresh_token": ["r"], "client_id": [CLIENT]}
    assert "authorization" not in server.requests[0].headers


# --- forms, sizes, time ---


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "application/json"])
def test_an_answer_is_judged_by_what_it_is_and_not_by_its_type(lab: Lab, kind: str) -> None:
    form = b"access_token=good&token_type=bearer&expires_in=3600&scope=read+write"
    for content in (form, body(GOOD)):
        grants, _ = lab.grants(always(content, Content_Type=kind))
        assert grants.client_credentials(SCOPES).access_token == Secret("good")


def test_a_refusal_may_be_a_form_too(lab: Lab) -> None:
    grants, server = lab.grants(always(b"error=invalid_grant&error_description=Gone+now"))
    with pytest.raises(NotAuthorized, match=r"It says: Gone now\.") as caught:
        grants.refresh(Secret("r"), SCOPES)
    assert (caught.value.code, len(server.requests)) == ("invalid_grant", 1)


def test_a_server_that_sends_a_byte_at_a_time_has_one_deadline_for_all_of_it(lab: Lab) -> None:
    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.drip(answer_bytes(body(GOOD) + b" " * 5000))

    grants, _ = lab.grants(script)
    endpoint = TokenEndpoint(grants.iclient, grants.provider, lab.transport, grants.endpoints())
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        endpoint.ask("client_credentials", SCOPES, {}, NOW, 0.3)
    assert time.monotonic() - began < 2.0


# --- an error that echoes what was sent ---


@pytest.mark.parametrize("asked", ASKED)
def test_no_error_repeats_what_was_sent(lab: Lab, asked: str) -> None:
    def script(conversation: Conversation) -> None:
        while True:
            sent = conversation.request().body.decode()
            words = " ".join(f"{name} {value[0]}" for name, value in parse_qs(sent).items())
            conversation.answer(body({"error": "invalid_grant", "error_description": words}), "400 Bad Request")

    grants, _ = lab.grants(script)
    with pytest.raises(NotAuthorized) as caught:
        ASKED[asked](grants)
    for secret in (SECRET, "the-code", "the-refresh-token", "device-code"):
        assert secret not in str(caught.value)


@pytest.mark.parametrize("written", [SECRET, "s%2Be%2Fc%3Ar%25e+t%26%3D%C3%BC"])
def test_an_echoed_secret_is_masked_in_a_form_too(lab: Lab, written: str) -> None:
    grants, _ = lab.grants(refusing("invalid_client", "401 Unauthorized", error_description=f"<b>{written}</b> is bad"))
    with pytest.raises(NotAuthorized) as caught:
        grants.refresh(Secret("r"), SCOPES)
    assert MASK in str(caught.value) or "not shown" in str(caught.value)
    assert not set("<>") & set(str(caught.value))


# --- refusals ---


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("401 Unauthorized", "invalid_client"),
        ("401 Unauthorized", "unauthorized_client"),
        ("400 Bad Request", "invalid_client"),
    ],
)
@pytest.mark.parametrize("asked", ["authorization_code", "refresh_token", "device code", "revocation"])
def test_a_wrong_secret_is_one_whatever_the_server_calls_it(lab: Lab, asked: str, status: str, error: str) -> None:
    grants, server = lab.grants(refusing(error, status))
    with pytest.raises(NotAuthorized) as caught:
        ASKED[asked](grants)
    assert (type(caught.value).__name__, caught.value.code) == ("CredentialRefused", error)
    assert len(server.requests) == 1


@pytest.mark.parametrize("asked", ONCE)
def test_what_was_refused_is_not_sent_again(lab: Lab, asked: str) -> None:
    grants, server = lab.grants(refusing("invalid_grant"))
    with pytest.raises(NotAuthorized):
        ASKED[asked](grants)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        answer_bytes(b"<html>oops</html>", "500 Internal Server Error"),
        answer_bytes(b"<html>oops</html>", "502 Bad Gateway"),
        answer_bytes(b"not json"),
        answer_bytes(body({"error": "server_error"}), "500 Internal Server Error"),
        answer_bytes(body({"error": "server_error"}), "400 Bad Request"),
        answer_bytes(body(GOOD))[:-5] + b"",
    ],
    ids=["reset", "500 page", "502 page", "not json", "500 server_error", "400 server_error", "cut"],
)
@pytest.mark.parametrize("asked", ONCE)
def test_what_may_have_been_used_up_is_not_sent_again(lab: Lab, asked: str, answer: bytes) -> None:
    def script(conversation: Conversation) -> None:
        conversation.request()
        if not answer:
            conversation.reset()
        conversation.send(answer)
        conversation.goodbye()

    grants, server = lab.grants(script)
    with pytest.raises(RemoteError):
        ASKED[asked](grants)
    assert len(server.requests) == 1


@pytest.mark.parametrize("asked", ONCE)
@pytest.mark.parametrize("status", ["503 Service Unavailable", "429 Too Many Requests"])
def test_what_was_not_looked_at_is_sent_again(lab: Lab, asked: str, status: str) -> None:
    grants, server = lab.grants(in_turn(answer_bytes(b"<html>", status, Retry_After="7"), answer_bytes(body(GOOD))))
    assert ASKED[asked](grants)
    assert (len(server.requests), lab.clock.slept) == (2, [7.0])


@pytest.mark.parametrize("query", ["error=access_denied", "error=access_denied&error_description="])
def test_a_bare_refusal_of_a_consent_is_told(query: str) -> None:
    began = pending()
    callback = parse_qs(f"{query}&state={began.state}", keep_blank_values=True)
    with pytest.raises(
        NotAuthorized, match=r"was declined, by the person or by a policy: start it again and accept\.$"
    ):
        consent.code_from(callback, began, IClient("our-app", "generic", CLIENT), Generic(), Endpoints(), NOW)


def test_a_missing_verifier_comes_back_as_an_error_of_the_callback() -> None:
    began = pending()
    callback = {"error": ["invalid_request"], "error_description": ["code_challenge required"], "state": [began.state]}
    with pytest.raises(NotAuthorized, match=r"It says: code_challenge required\.") as caught:
        consent.code_from(callback, began, IClient("our-app", "generic", CLIENT), Generic(), Endpoints(), NOW)
    assert caught.value.code == "invalid_request"


@pytest.mark.parametrize("both", ["code=c&error=access_denied", "code=c&error=access_denied&admin_consent=True"])
def test_a_callback_with_a_code_and_an_error_is_neither(both: str) -> None:
    began = pending()
    with pytest.raises(WrongCallback):
        consent.code_from(
            parse_qs(f"{both}&state={began.state}"),
            began,
            IClient("our-app", "generic", CLIENT),
            Generic(),
            Endpoints(),
            NOW,
        )


def test_an_administrators_callback_ends_no_persons_consent() -> None:
    began = pending()
    callback = parse_qs(f"admin_consent=True&tenant=t&state={began.state}")
    with pytest.raises(WrongCallback):
        consent.code_from(callback, began, IClient("our-app", "generic", CLIENT), Generic(), Endpoints(), NOW)


# --- revocation ---


def test_a_consent_is_given_back_with_its_refresh_token(lab: Lab) -> None:
    grants, server = lab.grants(always(b""))
    grants.revoke(Secret("the-refresh-token"))
    form = form_of(server)
    assert (form["token"], form["token_type_hint"]) == (["the-refresh-token"], ["refresh_token"])
    assert server.requests[0].line.startswith("POST /revocation ")


def test_rubbish_that_is_revoked_with_200_and_an_error_is_an_error(lab: Lab) -> None:
    grants, _ = lab.grants(refusing("unsupported_token_type", "200 OK"))
    with pytest.raises(NotAuthorized) as caught:
        grants.revoke(Secret("rubbish"))
    assert caught.value.code == "unsupported_token_type"


# --- private_key_jwt ---


@pytest.mark.parametrize(
    ("settings", "audience", "kid"),
    [
        ({"issuer": "https://a.test"}, "https://a.test", None),
        ({"issuer": "https://a.test", "assertion_audience": "token_endpoint"}, "{token}", None),
        ({}, "{token}", None),
        ({"issuer": "https://a.test", "key_id": "our-key"}, "https://a.test", "our-key"),
    ],
)
def test_a_signed_assertion_is_for_one_audience_one_minute_and_one_request(
    lab: Lab, settings: dict[str, str], audience: str, kid: str | None
) -> None:
    key = certificates.load(make_certificate("our-app", now=time.time(), days=30, password="").pfx)
    busy = answer_bytes(b"", "503 Service Unavailable")
    typed = {"client_authentication": "private_key_jwt", "authorization_endpoint": "https://a.test/authorize"}
    grants, server = lab.grants(in_turn(busy, answer_bytes(body(GOOD))), key, **typed, **settings)
    grants.client_credentials(SCOPES)
    made = [
        jwt.decode(
            form_of(server, number)["client_assertion"][0], RSAKey.import_key(key.private_key.reveal()), ["PS256"]
        )
        for number in (0, 1)
    ]
    for one in made:
        assert one.claims["aud"] == audience.format(token=f"{server.url}/token")
        assert (one.claims["iss"], one.claims["sub"]) == (CLIENT, CLIENT)
        assert 0 < one.claims["exp"] - one.claims["iat"] <= 60
        assert one.header.get("kid") == kid
        assert not {"x5t", "x5t#S256"} & set(one.header)
    assert made[0].claims["jti"] != made[1].claims["jti"]
    assert made[0].claims["iat"] == int(NOW)
    assert "client_secret" not in form_of(server)


# --- the device flow ---


def begun(lab: Lab, **changes: object) -> DeviceCode:
    document = {"device_code": "d", "user_code": "U", "verification_uri": "https://login.test/d", "expires_in": 60}
    grants, _ = lab.grants(always(body({name: value for name, value in (document | changes).items() if value != ...})))
    return grants.device_begin(SCOPES)


@pytest.mark.parametrize(("interval", "seconds"), [(..., 5.0), (None, 5.0), (9, 9.0), ("7", 7.0), (0, 0.0)])
def test_a_device_asks_every_five_seconds_unless_it_is_told_otherwise(
    lab: Lab, interval: object, seconds: float
) -> None:
    assert begun(lab, interval=interval).interval_seconds == seconds


def polled(lab: Lab, *documents: dict[str, Any]) -> tuple[Token, ScriptedServer]:
    answers = [answer_bytes(body(one), "400 Bad Request" if "error" in one else "200 OK") for one in documents]
    grants, server = lab.grants(in_turn(*answers))
    return grants.device_poll(DEVICE, SCOPES), server


def test_a_device_waits_until_the_code_was_typed_and_slower_where_it_is_told(lab: Lab) -> None:
    waiting, slower = {"error": "authorization_pending"}, {"error": "slow_down"}
    token, server = polled(lab, waiting, slower, waiting, slower, GOOD)
    assert token.access_token == Secret("good")
    assert lab.clock.slept == [5.0, 5.0, 10.0, 10.0, 15.0]
    assert form_of(server)["grant_type"] == ["urn:ietf:params:oauth:grant-type:device_code"]
    assert form_of(server)["device_code"] == ["device-code"]


@pytest.mark.parametrize("error", ["access_denied", "authorization_declined", "expired_token", "invalid_grant"])
def test_a_device_that_is_refused_stops_asking(lab: Lab, error: str) -> None:
    with pytest.raises(NotAuthorized) as caught:
        polled(lab, {"error": "authorization_pending"}, {"error": error})
    assert caught.value.code == error
    assert len(lab.clock.slept) == 2


def test_a_code_that_nobody_types_ends_by_our_own_clock(lab: Lab) -> None:
    with pytest.raises(NotAuthorized, match="was not typed in time") as caught:
        polled(lab, {"error": "authorization_pending"})
    assert caught.value.code == "expired_token"
    assert lab.clock.monotonic() <= DEVICE.expires_seconds + 5.0
