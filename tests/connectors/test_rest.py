"""A call leaves only for an allowed host, with a good token, in its slot; and is repeated only where that does no harm."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest

from connectors.azure_key_vault.sandbox import Sandbox
from connectors.errors import BadRequest, HostNotAllowed, NotFound, Throttled, Unavailable, error_for
from connectors.rest import Call, RestClient
from connectors.throttle import Budget
from iclients.answers import Answer
from iclients.clouds import BUILT_IN, CloudProfile
from iclients.credentials import ClientSecret
from iclients.errors import AnswerLost, MalformedAnswer, NotAuthorized, NotSent, RemoteError
from iclients.grants import Grants
from iclients.model import IClient, Token
from iclients.providers.entra import Entra
from iclients.retrying import Retrying
from iclients.secret import Secret
from iclients.session import AuthorizedSession
from iclients.testing import MovableClock, TokensFromNowhere
from iclients.tokens import TokensInMemory
from iclients.transport import Transport

VERSION = "?api-version=7.4"
OK = Answer(200, {}, b'{"a": 1}')


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


# --- with a vault ---


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": 3}) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.faults.clear()
    running.reset_calls()
    return running


@pytest.fixture
def cloud(sandbox: Sandbox) -> CloudProfile:
    hosts = (sandbox.vault_url("contoso").removeprefix("https://"),)
    return replace(BUILT_IN["public"], authority=sandbox.authority, vaults=hosts, ca_file=sandbox.ca_file)


@pytest.fixture
def client(sandbox: Sandbox, cloud: CloudProfile, clock: MovableClock) -> Iterator[RestClient]:
    transport = Transport(cloud.ca_file)
    secret = ClientSecret(Secret(sandbox.client_secret))
    app = IClient("app", "entra", sandbox.client_id, tenant=sandbox.tenant, credential=secret)
    scopes = ("https://vault.azure.net/.default",)

    def acquire(old: Token | None, claims: str) -> Token:
        return Grants(app, Entra(), cloud, transport, clock).client_credentials(scopes)

    session = AuthorizedSession(("app", scopes), acquire, TokensInMemory(), clock)
    yield rest_client(transport, session, clock, cloud.allows_vault)
    transport.close()


def rest_client(
    transport: Transport,
    session: AuthorizedSession,
    clock: MovableClock,
    is_allowed: Callable[[str], bool] = lambda url: True,
    retrying: Retrying | None = None,
) -> RestClient:
    return RestClient(
        transport=transport,
        session=session,
        budget=Budget({"other": 4000, "create": 300}, 10.0, clock),
        clock=clock,
        is_allowed=is_allowed,
        explain=lambda answer, call: error_for(answer.status)(f"{call.kind} got HTTP {answer.status}."),
        **({"retrying": retrying} if retrying else {}),
    )


def listing(sandbox: Sandbox) -> Call:
    return Call("list", "GET", f"{sandbox.vault_url('contoso')}/secrets{VERSION}")


def putting(sandbox: Sandbox, name: str) -> Call:
    url = f"{sandbox.vault_url('contoso')}/secrets/{name}{VERSION}"
    return Call("put", "PUT", url, {"value": "v"}, weight="create", repeatable=False)


def versions(client: RestClient, sandbox: Sandbox, name: str) -> int:
    url = f"{sandbox.vault_url('contoso')}/secrets/{name}/versions{VERSION}"
    return len(client.json(Call("versions", "GET", url))["value"])


def test_an_answers_json_is_given_and_every_call_counted(client: RestClient, sandbox: Sandbox) -> None:
    assert len(client.json(listing(sandbox))["value"]) == 3
    assert client.json(putting(sandbox, "counted"))["value"] == "v"
    assert client.calls == {"list": 1, "put": 1}
    assert sum(sandbox.calls()["contoso"].values()) == 2
    assert sandbox.calls()["entra"] == {"token": 1, "client_credentials": 1}


def test_a_revoked_token_is_renewed_once_and_the_call_repeated_once(client: RestClient, sandbox: Sandbox) -> None:
    client.json(listing(sandbox))
    sandbox.clock.advance(1)
    sandbox.revoke_tokens()
    sandbox.clock.advance(1)
    client.json(listing(sandbox))
    assert client.calls == {"list": 3}
    assert sandbox.calls()["entra"] == {"token": 2, "client_credentials": 2}


def test_many_threads_with_a_revoked_token_renew_it_once(client: RestClient, sandbox: Sandbox) -> None:
    client.json(listing(sandbox))
    sandbox.clock.advance(1)
    sandbox.revoke_tokens()
    sandbox.clock.advance(1)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.json(listing(sandbox)), range(24)))
    assert sandbox.calls()["entra"] == {"token": 2, "client_credentials": 2}


def test_a_claims_challenge_is_answered_with_another_token(client: RestClient, sandbox: Sandbox) -> None:
    sandbox.faults.add("claims", host="contoso")
    assert client.json(listing(sandbox))
    assert client.calls == {"list": 2}


@pytest.mark.parametrize("kind", ["500", "503", "html", "reset", "lost", "truncated", "broken-json"])
def test_a_read_is_repeated_after_a_bad_moment(client: RestClient, sandbox: Sandbox, kind: str) -> None:
    sandbox.faults.add(kind, host="contoso", times=2)
    assert client.json(listing(sandbox))["value"]
    assert client.calls == {"list": 3}


@pytest.mark.parametrize("kind", ["lost", "truncated", "broken-json", "reset"])
def test_a_write_whose_answer_was_lost_is_not_repeated(client: RestClient, sandbox: Sandbox, kind: str) -> None:
    name = f"once-{kind}"
    sandbox.faults.add(kind, host="contoso", method="PUT")
    with pytest.raises((AnswerLost, MalformedAnswer)):
        client.json(putting(sandbox, name))
    assert client.calls == {"put": 1}
    if kind != "reset":
        assert versions(client, sandbox, name) == 1


def test_a_write_that_was_throttled_is_repeated(client: RestClient, sandbox: Sandbox) -> None:
    sandbox.faults.add("429", host="contoso", method="PUT", times=2, retry_after=3)
    client.json(putting(sandbox, "throttled"))
    assert versions(client, sandbox, "throttled") == 1
    assert client.calls["put"] == 3


def test_a_429_pauses_as_long_as_the_vault_says(client: RestClient, sandbox: Sandbox, clock: MovableClock) -> None:
    sandbox.faults.add("429", host="contoso", retry_after=5)
    began = clock.monotonic()
    client.json(listing(sandbox))
    assert 5.0 <= clock.monotonic() - began < 5.5
    assert client.calls == {"list": 2}


def test_a_503_waits_as_long_as_it_says(client: RestClient, sandbox: Sandbox, clock: MovableClock) -> None:
    sandbox.faults.add("503", host="contoso", retry_after=9)
    client.json(listing(sandbox))
    assert 9.0 in clock.slept


@pytest.mark.parametrize(("path", "kind"), [("/secrets/none", NotFound), ("/secrets/bad_name", BadRequest)])
def test_a_refusal_is_not_repeated(client: RestClient, sandbox: Sandbox, path: str, kind: type[RemoteError]) -> None:
    with pytest.raises(kind, match="get got HTTP 40"):
        client.json(Call("get", "GET", f"{sandbox.vault_url('contoso')}{path}{VERSION}"))
    assert client.calls == {"get": 1}


def test_a_vault_that_stays_unwell_is_given_up_with_the_last_error(
    client: RestClient, sandbox: Sandbox, clock: MovableClock
) -> None:
    sandbox.faults.add("html", host="contoso", times=100)
    with pytest.raises(Unavailable, match=r"^list got HTTP 502\.$"):
        client.json(listing(sandbox))
    assert client.calls["list"] <= 8
    assert clock.monotonic() <= 180


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/secrets",
        "http://127.0.0.1/secrets",
        "https://contoso.vault.azure.net.evil.test/secrets",
        "https://[::1",
    ],
)
def test_no_token_is_even_asked_for_when_the_host_is_not_allowed(
    client: RestClient, sandbox: Sandbox, url: str
) -> None:
    with pytest.raises(HostNotAllowed, match="no token was sent to it"):
        client.json(Call("get", "GET", url))
    assert (client.calls, sandbox.calls()["entra"]) == ({}, {})


# --- with answers from nowhere ---


class Playing(Transport):
    """Plays answers and errors in turn, the last one for ever; remembers what left."""

    def __init__(self, *script: Answer | RemoteError) -> None:
        super().__init__()
        self.script = list(script)
        self.sent: list[tuple[str, str, dict[str, str], bytes | None]] = []

    def exchange(self, method: str, url: str, headers: dict[str, str], body: bytes | None = None) -> Answer:  # type: ignore[override]
        self.sent.append((method, url, dict(headers), body))
        now = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(now, RemoteError):
            raise now
        return now


READ = Call("get", "GET", "https://a/secrets/x")
WRITE = Call("put", "PUT", "https://a/secrets/x", {"value": "\u00fc"}, weight="create", repeatable=False)


def test_a_call_carries_token_and_json(clock: MovableClock) -> None:
    transport = Playing(OK)
    rest_client(transport, TokensFromNowhere(clock).session(), clock).json(WRITE)
    method, url, headers, body = transport.sent[0]
    assert (method, url) == ("PUT", "https://a/secrets/x")
    assert headers == {
        "Authorization": "Bearer token-1",
        "Accept": "application/json",
        "Content-Type": "application/json",
    }
    assert json.loads(body or b"") == {"value": "\u00fc"}


def test_a_token_that_is_refused_twice_is_the_end(clock: MovableClock) -> None:
    transport, tokens = Playing(Answer(401, {}, b"")), TokensFromNowhere(clock)
    with pytest.raises(NotAuthorized):
        rest_client(transport, tokens.session(), clock).json(READ)
    assert [headers["Authorization"] for _, _, headers, _ in transport.sent] == ["Bearer token-1", "Bearer token-2"]
    assert tokens.asked == 2


def test_a_write_that_never_left_is_repeated(clock: MovableClock) -> None:
    transport = Playing(NotSent("unreachable"), OK)
    assert rest_client(transport, TokensFromNowhere(clock).session(), clock).json(WRITE) == {"a": 1}
    assert len(transport.sent) == 2


@pytest.mark.parametrize("body", [b"<html>", b"{", b"[" * 100_000, b"\xff\xfe\x00"])
def test_a_success_that_is_no_json_is_malformed_and_shows_nothing_of_itself(clock: MovableClock, body: bytes) -> None:
    client = rest_client(Playing(Answer(200, {}, body)), TokensFromNowhere(clock).session(), clock)
    with pytest.raises(MalformedAnswer, match=r"^https://a answered get with something that is not JSON\.$"):
        client.json(READ)
    assert 2 <= client.calls["get"] <= 8


def test_an_empty_answer_is_none(clock: MovableClock) -> None:
    assert rest_client(Playing(Answer(204, {}, b"")), TokensFromNowhere(clock).session(), clock).json(READ) is None


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_is_a_refusal_and_is_not_followed(clock: MovableClock, status: int) -> None:
    transport = Playing(Answer(status, {"location": "https://evil.test"}, b""))
    with pytest.raises(BadRequest):
        rest_client(transport, TokensFromNowhere(clock).session(), clock).json(READ)
    assert len(transport.sent) == 1


def test_endless_429_end(clock: MovableClock) -> None:
    client = rest_client(Playing(Answer(429, {}, b"")), TokensFromNowhere(clock).session(), clock)
    with pytest.raises(Throttled, match="asks for fewer calls"):
        client.json(READ)
    assert client.calls["get"] <= 8


def test_how_patient_it_is_can_be_said(clock: MovableClock) -> None:
    client = rest_client(
        Playing(Answer(503, {}, b"")),
        TokensFromNowhere(clock).session(),
        clock,
        retrying=Retrying(attempts=2, total_seconds=10.0),
    )
    with pytest.raises(Unavailable):
        client.json(READ)
    assert client.calls == {"get": 2}


def test_what_refused_the_token_request_is_not_asked_again_by_the_call(clock: MovableClock) -> None:
    asked = []

    def acquire(old: Token | None, claims: str) -> Token:
        asked.append(old)
        raise NotAuthorized("refused")

    session = AuthorizedSession(("app", ()), acquire, TokensInMemory(), clock)
    transport = Playing(OK)
    with pytest.raises(NotAuthorized):
        rest_client(transport, session, clock).json(READ)
    assert (len(asked), transport.sent) == (1, [])


def test_a_token_runs_out_between_two_tries_and_the_next_try_has_a_fresh_one(clock: MovableClock) -> None:
    tokens = TokensFromNowhere(clock, lifetime_seconds=20)
    transport = Playing(Answer(503, {"retry-after": "30"}, b""), OK)
    assert rest_client(transport, tokens.session(), clock).json(READ) == {"a": 1}
    assert [headers["Authorization"] for _, _, headers, _ in transport.sent] == ["Bearer token-1", "Bearer token-2"]


def test_a_refusal_that_may_pass_is_repeated_and_one_that_may_not_is_not(clock: MovableClock) -> None:
    for status, tries in ((403, 1), (409, 1), (503, 2)):
        transport = Playing(Answer(status, {}, b""), OK)
        client = rest_client(transport, TokensFromNowhere(clock).session(), clock)
        with suppress(RemoteError):
            client.json(READ)
        assert len(transport.sent) == tries


def test_counts_that_were_looked_at_stay_as_they_were(clock: MovableClock) -> None:
    client = rest_client(Playing(OK), TokensFromNowhere(clock).session(), clock)
    before = client.calls
    client.json(READ)
    assert (before, client.calls) == ({}, {"get": 1})
