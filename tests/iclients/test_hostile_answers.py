"""Servers that echo secrets, forge lines, and want us to wait, to store or to ask without an end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from joserfc import jws, jwt
from joserfc.jwk import RSAKey
from scripted_server import Conversation, Request, Script, ScriptedServer, always, raw

from connectors.azure_key_vault.sandbox.client_certificates import make_certificate
from iclients import certificates, consent
from iclients.answers import MAX_HEADER_BYTES, MAX_HEADERS
from iclients.clouds import BUILT_IN
from iclients.consent import Pending
from iclients.credentials import Certificate, ClientSecret
from iclients.endpoints import Endpoints
from iclients.errors import MalformedAnswer, NotAuthorized, Recovery, RemoteError
from iclients.grants import Grants
from iclients.id_tokens import account_in, account_of
from iclients.model import DeviceCode, IClient, Token
from iclients.providers.generic import Generic
from iclients.secret import Secret
from iclients.testing import MovableClock
from iclients.token_answers import MAX_SCOPES
from iclients.transport import Transport

SECRET = "kanarien-vogel+geheim/9%x"
NOW = 1_800_000_000.0
GOOD: dict[str, Any] = {"token_type": "Bearer", "access_token": "at-kanarien", "refresh_token": "rt-kanarien-1234"}
Serve = Callable[[Script], ScriptedServer]
Make = Callable[..., tuple[Grants, ScriptedServer]]


def body(document: object) -> bytes:
    return json.dumps(document).encode()


def telling(status: str, make: Callable[[Request], dict[str, Any]]) -> Script:
    """Answers every request with what is made of it."""

    def script(conversation: Conversation) -> None:
        while True:
            conversation.answer(body(make(conversation.request())), status)

    return script


def form(request: Request, name: str) -> str:
    return parse_qs(request.body.decode())[name][0]


@pytest.fixture
def make(serve: Serve, transport: Transport, clock: MovableClock) -> Make:
    def made(script: Script, credential: Any = None, **settings: Any) -> tuple[Grants, ScriptedServer]:
        server = serve(script)
        known = {f"{name}_endpoint": f"{server.url}/{name}" for name in ("token", "device_authorization", "revocation")}
        secret = ClientSecret(Secret(SECRET)) if credential is None else credential
        iclient = IClient("app", "generic", "me", credential=secret, settings=known | settings)
        return Grants(iclient, Generic(), BUILT_IN["public"], transport, clock), server

    return made


@pytest.fixture
def key() -> Certificate:
    return certificates.load(make_certificate("app", now=time.time(), days=30, password="").pfx)


def pending(*scopes: str) -> Pending:
    return consent.begin("http://127.0.0.1:1/callback", scopes or ("read",), NOW)


# --- scopes of a success ---

ECHOED = {
    "the client secret": SECRET,
    "the client secret in percent": quote(SECRET, safe=""),
    "the code": "c0de-kanarien-77",
    "the access token": "at-kanarien",
    "the refresh token": "rt-kanarien-1234",
    "a part of a word": "read:rt-kanarien-1234:all",
}


@pytest.mark.parametrize("echoed", ECHOED.values(), ids=ECHOED)
def test_what_is_granted_repeats_no_secret(make: Make, echoed: str) -> None:
    for scope in (f"read {echoed} write", f"read,{echoed},write", ["read", echoed, "write"]):
        grants, _ = make(always(body(GOOD | {"scope": scope})))
        assert grants.redeem(Secret("c0de-kanarien-77"), pending(), ("read",)).scopes == ("read", "write")


def test_what_is_granted_repeats_no_refresh_token_or_assertion_that_was_sent(make: Make, key: Certificate) -> None:
    def echo(request: Request) -> dict[str, Any]:
        return GOOD | {"scope": f"read {form(request, 'client_assertion')} {form(request, 'refresh_token')}"}

    grants, _ = make(telling("200 OK", echo), key, client_authentication="private_key_jwt")
    assert grants.refresh(Secret("an-old-refresh-token"), ("read",)).scopes == ("read",)


def test_a_secret_of_several_words_is_granted_in_no_part(make: Make) -> None:
    grants, _ = make(
        always(body(GOOD | {"scope": "read correct horse battery"})), ClientSecret(Secret("correct horse"))
    )
    assert grants.redeem(Secret("c"), pending(), ("read",)).scopes == ()


@pytest.mark.parametrize("odd", ["\x1b[31m", "\ud800", "a\\b", 'a"b', "\u202e", "x" * 201, "b\u00fc", "\x7f"])
def test_only_words_of_the_standard_are_scopes(make: Make, odd: str) -> None:
    grants, _ = make(always(body(GOOD | {"scope": f"read {odd} write"})))
    assert grants.redeem(Secret("c"), pending(), ("read",)).scopes == ("read", "write")


def test_scopes_have_a_limit(make: Make) -> None:
    grants, _ = make(always(body(GOOD | {"scope": " ".join(map(str, range(100_000)))})))
    assert len(grants.redeem(Secret("c"), pending(), ("read",)).scopes) == MAX_SCOPES


@pytest.mark.parametrize("name", ["refresh_token", "id_token"])
def test_a_token_that_no_request_can_carry_is_none(make: Make, name: str) -> None:
    grants, _ = make(always(body(GOOD | {name: "\ud800x"})))
    with pytest.raises(MalformedAnswer, match=f"cannot be used: {name}"):
        grants.redeem(Secret("c"), pending(), ("read",))


# --- parameters that are typed ---

NAMES = ("url", "body", "method", "headers", "auth", "timeout", "authorization_response", "client_secret")
NAMES += ("client_assertion", "client_assertion_type", "refresh_token", "code", "code_verifier", "request")
NAMES += ("request_uri", "response_mode", "grant_type", "scope", "state", "nonce", "redirect_uri", "response_type")
NAMES += ("client_id", "code_challenge", "code_challenge_method", "device_code", "token", "Client_ID")


@pytest.mark.parametrize("name", [*NAMES, "", "a b", "a\r\nb", "\ud800"])
@pytest.mark.parametrize("where", ["token_parameters", "authorization_parameters"])
def test_no_setting_takes_the_place_of_what_the_request_says_itself(make: Make, where: str, name: str) -> None:
    grants, server = make(always(body(GOOD)), **{where: {name: "x"}})
    for judge in (lambda: grants.provider.check(grants.iclient), lambda: grants.refresh(Secret("r"), ("read",))):
        with pytest.raises(NotAuthorized, match=rf"settings\.{where} of iClient app") as caught:
            judge()
        assert caught.value.code == "setting"
        assert str(caught.value).isprintable()
    assert server.requests == []


@pytest.mark.parametrize("text", ["a\r\nb", "\ud800", "\x00"])
def test_no_setting_says_what_no_request_can_carry(make: Make, text: str) -> None:
    grants, _ = make(always(body(GOOD)), token_parameters={"resource": text})
    with pytest.raises(NotAuthorized, match=r"settings\.token_parameters"):
        grants.provider.check(grants.iclient)


class Careless(Generic):
    """Somebody's provider, whose constants would take the place of what the request says."""

    def traits(self, iclient: IClient) -> Any:
        typed = {"state": "fixed", "redirect_uri": "https://evil.test/", "code_challenge": "x", "method": "GET"}
        typed |= {"grant_type": "password", "client_id": "other", "code": "INJ", "auth": "", "prompt": "login"}
        return replace(super().traits(iclient), authorization_parameters=typed, token_parameters=typed)


def test_what_a_provider_adds_never_wins_over_what_is_ours(make: Make) -> None:
    grants, server = make(always(body(GOOD)))
    grants.provider, began = Careless(), pending()
    grants.redeem(Secret("the-code"), began, ("read",))
    sent = {
        name: values[0] for name, values in parse_qs(server.requests[0].body.decode()).items() if name != "client_id"
    }
    assert server.requests[0].line.startswith("POST /token ")
    assert (sent["grant_type"], sent["code"], sent["client_secret"]) == ("authorization_code", "the-code", SECRET)
    assert (sent["redirect_uri"], sent["method"]) == (began.redirect_uri, "GET")
    endpoints = Endpoints(authorization_endpoint="https://a.test/authorize")
    address = consent.address(began, grants.iclient, grants.provider, endpoints, {"prompt": "none"})
    asked = parse_qs(urlsplit(address).query)
    assert (asked["state"], asked["redirect_uri"]) == ([began.state], [began.redirect_uri])
    assert (asked["client_id"], asked["prompt"]) == (["me"], ["none"])
    assert asked["code_challenge"] == [began.challenge("S256")["code_challenge"]]


# --- refusals that hide something ---


def refused(make: Make, **told: Any) -> NotAuthorized:
    grants, _ = make(always(body({"error": "invalid_grant", **told}), "400 Bad Request"))
    with pytest.raises(NotAuthorized) as caught:
        grants.refresh(Secret("rt-kanarien-1234"), ("read",))
    assert caught.value.code == "invalid_grant"
    return caught.value


@pytest.mark.parametrize("codes", [5, "50173", [None], ["x", 1.5, {}], {"a": 1}, [10**400], True])
def test_odd_numbers_hide_no_refusal(make: Make, codes: object) -> None:
    refused(make, error_codes=codes)


@pytest.mark.parametrize("words", [5, ["a"], {"a": 1}, None, "\ud800\x1b[2J"])
def test_odd_words_hide_no_refusal(make: Make, words: object) -> None:
    assert str(refused(make, error_description=words, suberror=words)).isprintable()


CLAIMS = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'


def test_claims_that_a_provider_wants_are_kept(make: Make) -> None:
    assert refused(make, claims=CLAIMS).claims == CLAIMS


@pytest.mark.parametrize(
    "claims",
    [
        f"not json {SECRET}\r\n",
        body({"access_token": {"acrs": {"value": SECRET}}}).decode(),
        body({"access_token": {"acrs": {"value": "rt-kanarien-1234"}}}).decode(),
        body({"access_token": {"acrs": {"value": "x" * 5000}}}).decode(),
        '{"access_token": 5}',
        '{"access_token": {"a": NaN}}',
        '{"access_token": {"a": "\ud800"}}',
        '{"a":' * 900 + "1" + "}" * 900,
        "[]",
        5,
        {"access_token": {}},
    ],
    ids=range(11),
)
def test_claims_that_cannot_be_passed_on_are_dropped_and_hide_nothing(make: Make, claims: object) -> None:
    assert refused(make, claims=claims).claims == ""


# --- a device ---

DEVICE = {"device_code": "dc-kanarien", "user_code": "U", "verification_uri": "https://login.test/d", "expires_in": 60}


def test_a_refused_device_tells_no_assertion(make: Make, key: Certificate) -> None:
    def echo(request: Request) -> dict[str, Any]:
        return {"error": "invalid_client", "error_description": f"bad {form(request, 'client_assertion')}"}

    grants, server = make(telling("401 Unauthorized", echo), key, client_authentication="private_key_jwt")
    with pytest.raises(NotAuthorized) as caught:
        grants.device_begin(("read",))
    assert form(server.requests[0], "client_assertion")[:20] not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"verification_uri": "http://login.test/d"},
        {"verification_uri": "https://login.test@evil.test/"},
        {"verification_uri": "https://169.254.169.254/"},
        {"verification_uri": "javascript:alert(1)"},
        {"verification_uri": f"https://login.test/?{quote(SECRET)}"},
        {"user_code": SECRET},
        {"user_code": "dc-kanarien"},
    ],
    ids=repr,
)
def test_a_device_sends_a_person_to_https_with_no_secret(make: Make, changes: dict[str, str]) -> None:
    grants, _ = make(always(body(DEVICE | changes)))
    with pytest.raises(MalformedAnswer, match=f"cannot be used: {next(iter(changes))}"):
        grants.device_begin(("read",))


def test_a_devices_page_may_have_a_fragment(make: Make) -> None:
    grants, _ = make(always(body(DEVICE | {"verification_uri": "https://login.test/#/device"})))
    assert grants.device_begin(("read",)).verification_uri == "https://login.test/#/device"


@pytest.mark.parametrize(
    ("interval", "waits"), [(0.0, [1.0] * 100), (1e9, [60.0, 40.0]), (70.0, [60.0, 40.0]), (30.0, [30.0] * 3 + [10.0])]
)
def test_a_device_asks_neither_without_a_pause_nor_too_late(
    make: Make, clock: MovableClock, interval: float, waits: list[float]
) -> None:
    grants, server = make(always(body({"error": "authorization_pending"}), "400 Bad Request"))
    device = DeviceCode(Secret("device-code"), "U", "https://login.test/d", 100.0, interval)
    with pytest.raises(NotAuthorized, match="was not typed in time"):
        grants.device_poll(device, ("read",))
    assert clock.slept == waits
    assert len(server.requests) == len(waits)


# --- callbacks ---


def called_back(**told: str) -> NotAuthorized:
    began = pending()
    query = {name: [text.replace("VERIFIER", began.verifier.reveal())] for name, text in told.items()}
    app = IClient("app", "generic", "me", credential=ClientSecret(Secret(SECRET)))
    with pytest.raises(NotAuthorized) as caught:
        consent.code_from(query | {"state": [began.state]}, began, app, Generic(), Endpoints(), NOW)
    assert began.verifier.reveal() not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("words", ["\x1b]0;pwn\x07", "a\r\nOpen: https://phish.test/", "\ud800", SECRET, "VERIFIER"])
def test_a_callbacks_words_are_one_line_without_secrets(words: str) -> None:
    for told in ({"error": "odd", "error_description": words}, {"error": words}, {"error": "odd", "suberror": words}):
        error = called_back(**told)
        assert (str(error) + error.code).isprintable()
        assert SECRET not in str(error) + error.code


def test_a_callbacks_tenant_is_one_line() -> None:
    began = pending()
    query = {"admin_consent": ["True"], "tenant": ["t\x1b[2J\ud800" + "x" * 500], "state": [began.state]}
    tenant = consent.tenant_from(query, began, IClient("app", "generic", "me"), Generic(), NOW)
    assert tenant.isprintable()
    assert len(tenant) == 100


# --- id tokens ---

KEY = RSAKey.generate_key(2048, {"kid": "k", "use": "sig"})
KEYS = {"keys": [KEY.as_dict(private=False)]}


def account(claims: dict[str, Any] | bytes, *secrets: str) -> str:
    usual = {"iss": "https://a.test", "aud": "me", "nonce": "n", "exp": NOW + 60, "sub": "ada"}
    head = {"alg": "RS256", "kid": "k"}
    text = jws.serialize_compact(head, claims if isinstance(claims, bytes) else body(usual | claims), KEY)
    return account_of(
        Secret(text),
        jwks_uri="https://a.test/keys",
        issuer="https://a.test",
        client_id="me",
        nonce="n",
        now=NOW,
        fetch=lambda url: KEYS,
        secrets=secrets,
    )


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x1b]0;pwn\x07\x1b[2J ada", "]0;pwn [2J ada"),
        ("\ud800x", "x"),
        ("A" * 3000, "A" * 200),
        ({"a": [1]}, "ada"),
        (5, "ada"),
        ("\x07", "ada"),
        (SECRET, "ada"),
        (f"ada {SECRET.encode().hex()}", "ada"),
    ],
)
def test_an_account_is_a_short_printable_name_without_a_secret(name: object, shown: str) -> None:
    assert account({"preferred_username": name}, SECRET) == shown


@pytest.mark.parametrize("depth", [400, 900, 2000, 3500, 100_000])
def test_an_id_token_that_goes_on_and_on_is_refused(depth: int) -> None:
    with pytest.raises(NotAuthorized) as caught:
        account(b'{"x":' + b"[" * depth + b"]" * depth + b"}")
    assert caught.value.code == "id_token"


@pytest.mark.parametrize("ends", [float("inf"), float("nan"), True, "1e999", None, []])
def test_an_id_token_ends_at_a_time(ends: object) -> None:
    with pytest.raises(NotAuthorized, match="its expiry is another one"):
        account({"exp": ends})


def test_a_number_too_large_for_a_clock_is_a_time_all_the_same() -> None:
    assert account({"exp": 10**400}) == "ada"


def consented(make: Make, began: Pending | None, token: Token, **settings: Any) -> str:
    grants, _ = make(always(body(KEYS)), issuer="https://a.test", authorization_endpoint="https://a.test/a", **settings)
    return account_in(token, began, grants, NOW)


BARE = Token(Secret("at"), NOW + 60, NOW + 60, asked=("read",))


def test_an_id_token_that_was_asked_for_must_come_with_the_token_for_a_code(make: Make) -> None:
    with pytest.raises(NotAuthorized, match="sent no id token although it was asked for openid") as caught:
        consented(make, pending("openid", "read"), BARE, jwks_uri="https://a.test/keys")
    assert caught.value.code == "id_token"


@pytest.mark.parametrize(
    ("began", "settings"),
    [
        (pending("read"), {"jwks_uri": "https://a.test/keys"}),
        (pending("openid", "read"), {}),
        (None, {"jwks_uri": "https://a.test/keys"}),
    ],
    ids=["not asked for", "a server without keys", "a device"],
)
def test_an_id_token_may_be_missing_otherwise(make: Make, began: Pending | None, settings: dict[str, str]) -> None:
    assert consented(make, began, BARE, **settings) == ""


def test_an_id_token_that_nobody_asked_for_is_not_looked_at(make: Make) -> None:
    assert consented(make, pending("read"), replace(BARE, id_token=Secret("x")), jwks_uri="https://a.test/k") == ""


def test_an_account_is_no_secret_of_the_consent(make: Make, serve: Serve) -> None:
    began = pending("openid", "read")
    server = serve(always(body(KEYS)))
    for secret in (SECRET, began.verifier.reveal(), "at-kanarien"):
        claims = {
            "iss": "https://a.test",
            "aud": "me",
            "nonce": began.nonce,
            "exp": NOW + 60,
            "email": secret,
            "sub": "s",
        }
        text = jwt.encode({"alg": "RS256", "kid": "k"}, claims, KEY)
        token = replace(BARE, access_token=Secret("at-kanarien"), id_token=Secret(text))
        assert consented(make, began, token, jwks_uri=f"{server.url}/keys") == "s"


# --- headers ---


def asked(serve: Serve, transport: Transport, data: bytes) -> RemoteError:
    server = serve(raw(data))
    began = time.monotonic()
    with pytest.raises(MalformedAnswer) as caught:
        transport.exchange("GET", f"{server.url}/", {})
    assert time.monotonic() - began < 3.0
    assert (caught.value.code, caught.value.recovery) == ("answer_too_large", Recovery.ABORT)
    return caught.value


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"A: b\r\n" * MAX_HEADERS + b"\r\n",
        HEAD + b"A: b\r\n" * 1_000_000 + b"\r\n",
        HEAD + b"A: " + b"x" * MAX_HEADER_BYTES + b"\r\n\r\n",
        HEAD + b"A: " + b"x" * 8_000_000,
        HEAD + b"x" * 8_000_000,
        CHUNKED + b"A: b\r\n" * (MAX_HEADERS + 1) + b"\r\n",
        CHUNKED + b"A: " + b"x" * 8_000_000,
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10 + (b"HTTP/1.1 103 E\r\n" + b"A: b\r\n" * 50 + b"\r\n") * 5,
    ],
    ids=["lines", "very many", "long", "endless", "endless name", "trailers", "endless trailer", "hints"],
)
def test_headers_and_trailers_have_a_limit(serve: Serve, transport: Transport, data: bytes) -> None:
    assert "headers" in str(asked(serve, transport, data))


def test_as_many_headers_as_may_be_are_read(serve: Serve, transport: Transport) -> None:
    server = serve(raw(HEAD + b"A: b\r\n" * (MAX_HEADERS - 1) + b"\r\n"))
    assert transport.exchange("GET", f"{server.url}/", {}).headers["a"].count("b") == MAX_HEADERS - 1


def test_a_large_body_is_no_header(serve: Serve, transport: Transport) -> None:
    server = serve(always(b"x" * 1_000_000))
    assert len(transport.exchange("GET", f"{server.url}/", {}).body) == 1_000_000
    chunk = b"%x\r\n" % 500_000 + b"x" * 500_000 + b"\r\n"
    chunked = serve(raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 2 + b"0\r\nA: b\r\n\r\n"))
    assert len(transport.exchange("GET", f"{chunked.url}/", {}).body) == 1_000_000
