"""The tokens of a consent: refreshed once, kept before they are used, and not given up for a provider's bad moment."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from scripted_server import Conversation, Script, ScriptedServer, always

from iclients.clouds import BUILT_IN
from iclients.consented import ConsentedTokens, ConsentReplaced, Kept
from iclients.errors import NotAuthorized, TransportError
from iclients.grants import Grants
from iclients.model import Consent, IClient, Token
from iclients.providers.entra import Entra
from iclients.secret import Secret
from iclients.testing import MovableClock
from iclients.transport import Transport

SCOPES = ("https://vault.azure.net/user_impersonation",)
APP = IClient("app", "entra", "0f0e-client", tenant="contoso.test")
GOOD = json.dumps({"token_type": "Bearer", "access_token": "new", "expires_in": 3600, "refresh_token": "r2"}).encode()
BUSY = always(b"busy", "503 Service Unavailable")
Serve = Callable[[Script], ScriptedServer]


class KeptHere:
    """A consent in memory, which remembers in which order things happened."""

    def __init__(self, consent: Consent | None) -> None:
        self.consent = consent
        self.version = 1
        self.exchanging_since: float | None = None
        self.happened: list[str] = []

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        yield

    def get(self) -> Kept | None:
        return None if self.consent is None else Kept(self.consent, self.version, self.exchanging_since)

    def note(self, version: int, now: float) -> None:
        self.happened.append("note")
        self.exchanging_since = now

    def save(self, consent: Consent, version: int | None) -> None:
        if version not in (None, self.version):
            raise ConsentReplaced
        self.happened.append("save")
        self.consent, self.exchanging_since = consent, None
        self.version += 1

    def clear_note(self, version: int) -> None:
        self.happened.append("clear")
        self.exchanging_since = None


@pytest.fixture
def keeper(clock: MovableClock) -> KeptHere:
    """A consent whose token is to be replaced, and serves for five minutes yet."""
    old = Token(Secret("old"), expires_at=clock.now() + 300, replace_at=clock.now(), asked=SCOPES)
    return KeptHere(Consent(Secret("r1"), "ada", SCOPES, clock.now(), (old,)))


def consented(server: ScriptedServer, keeper: KeptHere, transport: Transport, clock: MovableClock) -> ConsentedTokens:
    cloud = replace(BUILT_IN["public"], authority=server.url)
    return ConsentedTokens("contoso", Grants(APP, Entra(), cloud, transport, clock), keeper, clock)


def test_a_new_refresh_token_is_kept_with_the_new_token(
    serve: Serve, keeper: KeptHere, transport: Transport, clock: MovableClock
) -> None:
    token = consented(serve(always(GOOD)), keeper, transport, clock).acquire(SCOPES, None)
    assert keeper.consent is not None
    assert (keeper.consent.token_for(SCOPES), keeper.consent.refresh_token) == (token, Secret("r2"))
    assert keeper.happened == ["note", "save"]


def test_a_kept_token_that_still_serves_outlives_a_failure_that_may_pass(
    serve: Serve, keeper: KeptHere, transport: Transport, clock: MovableClock
) -> None:
    before = keeper.consent
    given = consented(serve(BUSY), keeper, transport, clock).acquire(SCOPES, None)
    assert (given.access_token, keeper.consent) == (Secret("old"), before)


def test_a_kept_token_that_was_no_good_is_not_given_again(
    serve: Serve, keeper: KeptHere, transport: Transport, clock: MovableClock
) -> None:
    assert keeper.consent is not None
    with pytest.raises(TransportError):
        consented(serve(BUSY), keeper, transport, clock).acquire(SCOPES, keeper.consent.token_for(SCOPES))


def test_a_kept_token_that_has_ended_is_not_given(
    serve: Serve, keeper: KeptHere, transport: Transport, clock: MovableClock
) -> None:
    clock.advance(300)
    with pytest.raises(TransportError):
        consented(serve(BUSY), keeper, transport, clock).acquire(SCOPES, None)


def test_a_refused_refresh_is_told_although_the_kept_token_still_serves(
    serve: Serve, keeper: KeptHere, transport: Transport, clock: MovableClock
) -> None:
    refusing = always(b'{"error": "invalid_grant", "error_codes": [50173]}', "400 Bad Request")
    with pytest.raises(NotAuthorized, match="was revoked"):
        consented(serve(refusing), keeper, transport, clock).acquire(SCOPES, None)


OTHER = ("https://management.azure.com/user_impersonation",)
GONE = always(b'{"error": "invalid_grant", "error_codes": [70000]}', "400 Bad Request")


def test_each_audience_has_a_token_of_its_own_from_the_same_consent(
    serve: Serve, keeper: KeptHere, transport: Transport, clock: MovableClock
) -> None:
    tokens = consented(serve(always(GOOD)), keeper, transport, clock)
    vault, arm = tokens.acquire(SCOPES, None), tokens.acquire(OTHER, None)
    assert keeper.consent is not None
    assert (keeper.consent.token_for(SCOPES), keeper.consent.token_for(OTHER)) == (vault, arm)
    assert tokens.acquire(SCOPES, None) == vault


def test_a_crash_in_the_middle_of_a_refresh_is_recovered_with_the_old_refresh_token(
    serve: Serve, keeper: KeptHere, transport: Transport, clock: MovableClock
) -> None:
    keeper.exchanging_since = clock.now() - 60
    server = serve(always(GOOD))
    assert consented(server, keeper, transport, clock).acquire(SCOPES, None).access_token == Secret("new")
    assert b"refresh_token=r1" in server.requests[0].body
    assert keeper.exchanging_since is None


def test_a_crash_that_cannot_be_recovered_says_so_and_is_not_tried_again_and_again(
    serve: Serve, keeper: KeptHere, transport: Transport, clock: MovableClock
) -> None:
    keeper.exchanging_since = clock.now() - 60
    server = serve(GONE)
    with pytest.raises(NotAuthorized, match="when a process ended in the middle of refreshing") as caught:
        consented(server, keeper, transport, clock).acquire(SCOPES, None)
    assert (caught.value.code, len(server.requests), keeper.exchanging_since) == ("interrupted_refresh", 1, None)


def test_a_refusal_is_final_only_for_the_token_that_was_used(
    serve: Serve, keeper: KeptHere, transport: Transport, clock: MovableClock
) -> None:
    def refuse_while_somebody_else_refreshes(conversation: Conversation) -> None:
        conversation.request()
        assert keeper.consent is not None
        fresh = Token(Secret("theirs"), clock.now() + 3600, clock.now() + 3600, SCOPES, SCOPES)
        keeper.save(keeper.consent.with_token(fresh), None)
        conversation.answer(b'{"error": "invalid_grant"}', "400 Bad Request")

    server = serve(refuse_while_somebody_else_refreshes)
    assert consented(server, keeper, transport, clock).acquire(SCOPES, None).access_token == Secret("theirs")


def test_a_token_that_is_refreshed_while_somebody_authorizes_anew_does_not_replace_what_they_keep(
    serve: Serve, keeper: KeptHere, transport: Transport, clock: MovableClock
) -> None:
    newer = Consent(Secret("r9"), "bob", SCOPES, clock.now())

    def answer_after_a_new_consent(conversation: Conversation) -> None:
        conversation.request()
        keeper.save(newer, None)
        conversation.answer(GOOD)

    assert consented(serve(answer_after_a_new_consent), keeper, transport, clock).acquire(SCOPES, None)
    assert keeper.consent == newer


def test_an_idle_consent_is_kept_alive_by_using_its_refresh_token_once(
    serve: Serve, keeper: KeptHere, transport: Transport, clock: MovableClock
) -> None:
    server = serve(always(GOOD))
    consented(server, keeper, transport, clock).keep_alive()
    assert keeper.consent is not None
    assert (len(server.requests), keeper.consent.refresh_token) == (1, Secret("r2"))
