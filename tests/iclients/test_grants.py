"""Asking for an app's token: of the sandbox's Entra, and of servers that do what token endpoints were seen to do."""

from __future__ import annotations

import base64
import html
import json
import socket
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import parse_qs, quote, quote_plus

import pytest
from scripted_server import Conversation, Script, ScriptedServer, always, answer_bytes, raw

from connectors.azure_key_vault.sandbox import Sandbox
from iclients.answers import Answer
from iclients.clouds import BUILT_IN, CloudProfile
from iclients.credentials import ClientSecret
from iclients.errors import (
    AnswerLost,
    CredentialRefused,
    DeadlineExceeded,
    MalformedAnswer,
    NotAuthorized,
    NotSent,
    Recovery,
    RemoteError,
    ScopeRefused,
    TransportError,
)
from iclients.grants import Grants
from iclients.model import IClient, Token
from iclients.providers.entra import Entra
from iclients.secret import MASK, Secret
from iclients.testing import MovableClock
from iclients.transport import Transport

SCOPES = ("https://vault.azure.net/.default",)
CANARY = "canary/8f3a+<b>&\"='\\ü~"
APP = IClient("contoso-app", "entra", "0f0e-client", tenant="contoso.test", credential=ClientSecret(Secret(CANARY)))
GOOD = {"token_type": "Bearer", "access_token": "good.token", "expires_in": 3600}
Serve = Callable[[Script], ScriptedServer]


class Asking:
    """Asks one scripted server, with a clock that is moved by waiting."""

    def __init__(self, serve: Serve, transport: Transport, clock: MovableClock) -> None:
        self._serve, self.transport, self.clock = serve, transport, clock
        self.server: ScriptedServer

    def __call__(self, script: Script, iclient: IClient = APP) -> Token:
        self.server = self._serve(script)
        cloud = replace(BUILT_IN["public"], authority=self.server.url)
        return Grants(iclient, Entra(), cloud, self.transport, self.clock).client_credentials(SCOPES)

    def fails(self, script: Script, iclient: IClient = APP) -> RemoteError:
        with pytest.raises(RemoteError) as caught:
            self(script, iclient)
        assert_hides(caught.value, iclient)
        return caught.value

    def answer(self, **changes: object) -> Token:
        document = {name: value for name, value in (GOOD | changes).items() if value is not ...}
        return self(always(json.dumps(document).encode()))


def assert_hides(error: BaseException, iclient: IClient) -> None:
    """The secret is nowhere in the whole chain, in no form in which it was sent."""
    assert iclient.credential is not None
    secret = iclient.credential.value.reveal()
    text = "".join(traceback.format_exception(error))
    basic = base64.b64encode(f"{iclient.client_id}:{secret}".encode()).decode()
    forms = (secret, quote(secret, safe=""), quote_plus(secret), html.escape(secret), json.dumps(secret)[1:-1], basic)
    for form in forms:
        assert form not in text
        assert form not in repr(vars(error))


def errors(document: object, status: str) -> Script:
    return always(json.dumps(document).encode(), status)


@pytest.fixture
def ask(serve: Serve, transport: Transport, clock: MovableClock) -> Asking:
    return Asking(serve, transport, clock)


# --- the sandbox's Entra ---


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={}) as running:
        yield running


@pytest.fixture
def app(sandbox: Sandbox) -> IClient:
    sandbox.faults.clear()
    sandbox.reset_calls()
    secret = ClientSecret(Secret(sandbox.client_secret))
    return IClient("sandbox-app", "entra", sandbox.client_id, tenant=sandbox.tenant, credential=secret)


@pytest.fixture
def cloud(sandbox: Sandbox) -> CloudProfile:
    return replace(BUILT_IN["public"], authority=sandbox.authority, arm=sandbox.arm, ca_file=sandbox.ca_file)


@pytest.fixture
def entra(cloud: CloudProfile, clock: MovableClock) -> Iterator[Callable[..., Token]]:
    transport = Transport(cloud.ca_file)
    yield lambda iclient, scopes=SCOPES: Grants(iclient, Entra(), cloud, transport, clock).client_credentials(scopes)
    transport.close()


def test_entra_gives_a_token_for_a_day_that_is_replaced_at_noon(
    entra: Callable[..., Token], app: IClient, clock: MovableClock
) -> None:
    token = entra(app)
    assert token.access_token.reveal().count(".") == 2
    assert token.expires_at - clock.now() == 86_399
    assert token.replace_at - clock.now() == 43_199
    assert (token.scopes, token.refresh_token) == (SCOPES, None)
    assert token.is_fresh(clock.now())
    assert not token.is_fresh(token.replace_at)


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"credential": ClientSecret(Secret("wrong"))}, CredentialRefused, "set the secret's value, not its ID"),
        ({"client_id": "00000000-0000-0000-0000-000000000000"}, NotAuthorized, "knows no app 00000000-"),
        ({"tenant": "33333333-3333-3333-3333-333333333333"}, NotAuthorized, "knows no tenant 33333333-"),
        ({"tenant": "common"}, CredentialRefused, "one tenant's ID or domain"),
        ({"tenant": None}, CredentialRefused, "has no tenant"),
        ({"credential": None}, CredentialRefused, "has no credential"),
    ],
    ids=["secret", "app", "tenant", "common", "no tenant", "no credential"],
)
def test_entras_refusals_say_the_next_step_and_are_asked_once(
    entra: Callable[..., Token],
    app: IClient,
    sandbox: Sandbox,
    changes: dict[str, object],
    kind: type[RemoteError],
    words: str,
) -> None:
    with pytest.raises(kind, match=words) as caught:
        entra(replace(app, **changes))  # type: ignore[arg-type]
    assert type(caught.value) is kind
    assert "sandbox-app" in str(caught.value)
    assert caught.value.recovery is Recovery.REAUTHORIZE
    assert sandbox.calls()["entra"].get("token", 0) <= 1
    assert_hides(caught.value, app)


@pytest.mark.parametrize(
    "scopes", [(), ("https://vault.azure.net/user_impersonation",), (*SCOPES, "https://management.azure.com/.default")]
)
def test_one_token_serves_one_audience(entra: Callable[..., Token], app: IClient, scopes: tuple[str, ...]) -> None:
    with pytest.raises(ScopeRefused, match=r"one scope that ends in /\.default"):
        entra(app, scopes)


@pytest.mark.parametrize("kind", ["429", "503", "500", "html", "reset", "lost", "truncated", "broken-json"])
def test_a_bad_moment_of_entra_passes(
    entra: Callable[..., Token], app: IClient, sandbox: Sandbox, clock: MovableClock, kind: str
) -> None:
    sandbox.faults.add(kind, host="entra", times=2)
    assert entra(app).access_token
    assert len(clock.slept) == 2


def test_entra_says_how_long_to_wait(
    entra: Callable[..., Token], app: IClient, sandbox: Sandbox, clock: MovableClock
) -> None:
    sandbox.faults.add("429", host="entra", retry_after=17)
    entra(app)
    assert clock.slept == [17.0]


# --- what a token answer may be ---


@pytest.mark.parametrize("token_type", ["Bearer", "bearer", "BEARER"])
def test_a_bearer_token_is_taken_in_any_case(ask: Asking, token_type: str) -> None:
    assert ask.answer(token_type=token_type).access_token == Secret("good.token")


def test_fields_that_nobody_asked_for_are_passed_over(ask: Asking) -> None:
    extra = {"not-before-policy": 0, "session_state": "x", "refresh_expires_in": 0, "id_token": None}
    assert ask.answer(**extra).access_token == Secret("good.token")


@pytest.mark.parametrize(
    ("expires_in", "seconds"), [(..., 300), (None, 300), ("3599", 3599), (3598.5, 3598.5), (0, 0), ("0", 0), (60, 60)]
)
def test_a_lifetime_may_be_missing_null_text_or_a_fraction(ask: Asking, expires_in: object, seconds: float) -> None:
    token = ask.answer(expires_in=expires_in)
    assert token.expires_at - ask.clock.now() == seconds
    assert token.expires_at - token.replace_at == pytest.approx(min(300, seconds / 5))


def test_the_time_that_asking_took_is_not_added_to_the_lifetime(ask: Asking) -> None:
    began = ask.clock.now()

    def script(conversation: Conversation) -> None:
        conversation.request()
        ask.clock.advance(20)
        conversation.answer(json.dumps(GOOD).encode())

    assert ask(script).expires_at == began + 3600


@pytest.mark.parametrize(
    "changes",
    [
        {"access_token": ...},
        {"access_token": None},
        {"access_token": ""},
        {"access_token": 12345},
        {"access_token": ["a"]},
        {"access_token": "a b"},
        {"access_token": "a\n"},
        {"access_token": "a\r\nX-Evil: 1"},
        {"access_token": "t\u00fcr"},
        {"access_token": "\ud800"},
        {"token_type": ...},
        {"token_type": None},
        {"token_type": "mac"},
        {"token_type": "N_A"},
        {"token_type": 1},
        {"expires_in": "soon"},
        {"expires_in": -1},
        {"expires_in": []},
        {"expires_in": float("nan")},
        {"expires_in": float("inf")},
        {"expires_in": "1e999"},
        {"expires_in": 10**400},
        {"refresh_token": 7},
        {"scope": ["a", 7]},
        {"scope": {}},
    ],
    ids=repr,
)
def test_an_answer_whose_token_cannot_be_used_is_refused_at_once_and_names_the_field(
    ask: Asking, changes: dict[str, object]
) -> None:
    with pytest.raises(MalformedAnswer, match=f"cannot be used: {next(iter(changes))}") as caught:
        ask.answer(**changes)
    assert caught.value.recovery is Recovery.ABORT
    assert len(ask.server.requests) == 1
    assert_hides(caught.value, APP)


def test_an_empty_refresh_token_is_none(ask: Asking) -> None:
    assert ask.answer(refresh_token="").refresh_token is None
    assert ask.answer(refresh_token="again").refresh_token == Secret("again")


def test_scopes_are_those_that_were_given(ask: Asking) -> None:
    assert ask.answer(scope="b a").scopes == ("b", "a")
    assert ask.answer(scope=None).scopes == SCOPES
    assert ask.answer(scope="").scopes == SCOPES
    assert ask.answer(scope=["b", "a"]).scopes == ("b", "a")


# --- what is sent ---


def test_the_request_is_a_form_with_the_credential_in_its_body(ask: Asking) -> None:
    ask.answer()
    request = ask.server.requests[0]
    assert request.line == "POST /contoso.test/oauth2/v2.0/token HTTP/1.1"
    assert request.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert "authorization" not in request.headers
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["0f0e-client"],
        "client_secret": [CANARY],
        "scope": [SCOPES[0]],
        "claims": ['{"access_token":{"xms_cc":{"values":["CP1"]}}}'],
    }


# --- answers that are not tokens ---


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("body", [b"", json.dumps(GOOD).encode(), b"<html>moved</html>"])
def test_a_redirect_is_never_followed_and_never_a_token(ask: Asking, serve: Serve, status: str, body: bytes) -> None:
    elsewhere = serve(always(json.dumps(GOOD).encode()))
    error = ask.fails(always(body, status, Location=f"{elsewhere.url}/steal"))
    assert "redirects token requests, which are never followed" in str(error)
    assert error.recovery is Recovery.ABORT
    assert (len(ask.server.requests), elsewhere.connections) == (1, 0)


@pytest.mark.parametrize("location", ["http://[", "", "\\\\x", "javascript:alert(1)"])
def test_a_redirect_to_nowhere_is_the_same_error(ask: Asking, location: str) -> None:
    assert ask.fails(always(b"", "302 Found", Location=location)).recovery is Recovery.ABORT


def test_a_busy_page_of_html_is_asked_again_within_two_minutes_and_eight_requests(ask: Asking) -> None:
    error = ask.fails(always(b"<html>busy</html>", "503 Service Unavailable", Content_Type="text/html"))
    assert isinstance(error, TransportError)
    assert str(error) == "The provider of iClient contoso-app is busy (HTTP 503): try again later."
    assert 2 <= len(ask.server.requests) <= 8
    assert ask.clock.monotonic() <= 120


def test_retry_after_is_obeyed(ask: Asking) -> None:
    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.answer(b"", "429 Too Many Requests", Retry_After="23")
        conversation.request()
        conversation.answer(json.dumps(GOOD).encode())

    assert ask(script).access_token
    assert ask.clock.slept == [23.0]


@pytest.mark.parametrize("retry_after", ["121", "3600", "999999999"])
def test_a_wait_beyond_two_minutes_is_not_waited(ask: Asking, retry_after: str) -> None:
    ask.fails(always(b"", "429 Too Many Requests", Retry_After=retry_after))
    assert (len(ask.server.requests), ask.clock.slept) == (1, [])


def test_no_wait_at_all_still_ends_after_eight_requests(ask: Asking) -> None:
    ask.fails(always(b"", "429 Too Many Requests", Retry_After="0"))
    assert len(ask.server.requests) == 8


class Stalling(Transport):
    """A server that holds every request until its deadline, on a clock that moves."""

    def __init__(self, clock: MovableClock) -> None:
        super().__init__()
        self.clock = clock
        self.requests = 0

    def exchange(self, *request: object, deadline_seconds: float | None = None, **options: object) -> Answer:  # type: ignore[override]
        self.requests += 1
        self.clock.advance(deadline_seconds or 0.0)
        raise DeadlineExceeded("too late")


def test_a_stalling_provider_is_given_up_after_two_minutes_in_all(clock: MovableClock) -> None:
    transport = Stalling(clock)
    with pytest.raises(DeadlineExceeded):
        Grants(APP, Entra(), BUILT_IN["public"], transport, clock).client_credentials(SCOPES)
    assert clock.monotonic() <= 120
    assert 2 <= transport.requests <= 8


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        ("400 Bad Request", "invalid_client", CredentialRefused),
        ("401 Unauthorized", "invalid_client", CredentialRefused),
        ("401 Unauthorized", "unauthorized_client", CredentialRefused),
        ("400 Bad Request", "invalid_scope", ScopeRefused),
        ("400 Bad Request", "invalid_grant", NotAuthorized),
        ("200 OK", "invalid_client", CredentialRefused),
        ("200 OK", "access_denied", NotAuthorized),
    ],
)
def test_a_refusal_is_one_whatever_its_status_and_is_not_repeated(
    ask: Asking, status: str, error: str, kind: type[RemoteError]
) -> None:
    caught = ask.fails(errors({**GOOD, "error": error}, status))
    assert type(caught) is kind
    assert (caught.code, caught.recovery) == (error, Recovery.REAUTHORIZE)
    assert "contoso-app" in str(caught)
    assert len(ask.server.requests) == 1


@pytest.mark.parametrize("error", ["server_error", "temporarily_unavailable"])
def test_an_error_that_says_nothing_against_us_is_asked_again(ask: Asking, error: str) -> None:
    caught = ask.fails(errors({"error": error}, "400 Bad Request"))
    assert (caught.code, caught.recovery) == ("provider_busy", Recovery.RETRY)
    assert 2 <= len(ask.server.requests) <= 8


@pytest.mark.parametrize("absent", [{}, {"error_description": None, "error_codes": None, "correlation_id": None}])
def test_a_bare_refusal_says_at_least_its_word(ask: Asking, absent: dict[str, object]) -> None:
    assert str(ask.fails(errors({"error": "unmet_policy"} | absent, "400 Bad Request"))).endswith(": unmet_policy.")


@pytest.mark.parametrize("document", [{"error": {"code": "x"}}, {"error": 7}, [], "text", None, {}])
def test_a_refusal_that_cannot_be_read_is_a_refusal_all_the_same(ask: Asking, document: object) -> None:
    error = ask.fails(errors(document, "400 Bad Request"))
    assert isinstance(error, NotAuthorized)
    assert "HTTP 400 without a reason we can read" in str(error)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>hello</html>",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"access_token": "x',
        b"\xff\xfe\x00",
        b'{"expires_in": ' + b"9" * 5000 + b"}",
        b"null",
    ],
    ids=["empty", "html", "deep list", "deep object", "cut", "no text", "endless number", "null"],
)
def test_what_is_no_json_object_is_malformed_and_asked_again(ask: Asking, body: bytes) -> None:
    error = ask.fails(always(body))
    assert isinstance(error, MalformedAnswer)
    assert 2 <= len(ask.server.requests) <= 8


def test_an_answer_of_two_megabytes_is_refused_once(ask: Asking) -> None:
    error = ask.fails(always(json.dumps(GOOD | {"more": "x" * 2_000_000}).encode()))
    assert (error.code, error.recovery) == ("answer_too_large", Recovery.ABORT)
    assert ask.server.connections == 1


def test_a_lost_answer_is_asked_again(ask: Asking) -> None:
    def script(conversation: Conversation) -> None:
        conversation.request()
        if conversation.number == 1:
            conversation.reset()
        conversation.answer(json.dumps(GOOD).encode())

    assert ask(script).access_token
    assert len(ask.server.requests) == 2


def test_a_cut_answer_is_never_a_token(ask: Asking) -> None:
    whole = answer_bytes(json.dumps(GOOD).encode() + b" " * 50)
    assert isinstance(ask.fails(raw(whole[:-10])), AnswerLost)


def test_a_provider_whose_certificate_is_not_trusted_is_asked_once(serve: Serve, clock: MovableClock) -> None:
    server = serve(always())
    cloud = replace(BUILT_IN["public"], authority=server.url)
    with pytest.raises(NotSent, match="not trusted") as caught:
        Grants(APP, Entra(), cloud, Transport(), clock).client_credentials(SCOPES)
    assert (server.requests, clock.slept) == ([], [])
    assert_hides(caught.value, APP)


@pytest.mark.parametrize("authority", ["http://127.0.0.1", "https://[::1", "https://", "https://a b", "ftp://x", "x"])
def test_an_authority_that_is_no_https_address_is_an_error_of_ours(clock: MovableClock, authority: str) -> None:
    cloud = replace(BUILT_IN["public"], authority=authority)
    with pytest.raises(RemoteError) as caught:
        Grants(APP, Entra(), cloud, Transport(), clock).client_credentials(SCOPES)
    assert caught.value.recovery is Recovery.ABORT
    assert_hides(caught.value, APP)


def test_a_secret_never_leaves_in_the_clear(clock: MovableClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0)
        cloud = replace(BUILT_IN["public"], authority=f"http://127.0.0.1:{listening.getsockname()[1]}")
        with pytest.raises(NotSent, match="is not an https address"):
            Grants(APP, Entra(), cloud, Transport(), clock).client_credentials(SCOPES)
        with pytest.raises(BlockingIOError):
            listening.accept()


# --- what the server's words may do ---


@pytest.mark.parametrize(
    "echo",
    [
        CANARY,
        quote(CANARY, safe=""),
        quote_plus(CANARY),
        html.escape(CANARY),
        base64.b64encode(f"0f0e-client:{CANARY}".encode()).decode(),
        "&".join(["client_id=0f0e-client", f"client_secret={quote_plus(CANARY)}"]),
    ],
    ids=["as it is", "percent", "form", "html", "basic", "the whole form"],
)
@pytest.mark.parametrize("where", ["error_description", "error"])
def test_an_echoed_secret_is_masked(ask: Asking, echo: str, where: str) -> None:
    document = {"error": "invalid_client"} | {where: f"the secret {echo} is wrong"}
    error = ask.fails(errors(document, "401 Unauthorized"))
    assert MASK in str(error)


def test_the_servers_words_lose_markup_control_characters_and_length(ask: Asking) -> None:
    words = "<script>alert(1)</script>\r\nnext \x1b[31mred\u202e\x9b\u2028 \ud800" + "x" * 5000
    text = str(ask.fails(errors({"error": "invalid_grant", "error_description": words}, "400 Bad Request")))
    assert text.isprintable()
    assert not set("<>") & set(text)
    assert len(text) < 500


def test_a_trace_id_is_not_shown(ask: Asking) -> None:
    words = "AADSTS1: Not this way. Trace ID: 123 Correlation ID: 456"
    text = str(ask.fails(errors({"error": "invalid_grant", "error_description": words}, "400 Bad Request")))
    assert text.endswith("Not this way.")


def test_an_iclients_error_code_is_explained_before_its_word(ask: Asking) -> None:
    document = {"error": "invalid_client", "error_codes": [1, 7000222], "error_description": "whatever"}
    assert "has expired: make a new one" in str(ask.fails(errors(document, "401 Unauthorized")))
