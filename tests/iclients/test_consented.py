"""The tokens of a consent: refreshed once, kept before they are used, and not given up for a provider's bad moment."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from scripted_server import Script, ScriptedServer, always

from iclients.clouds import BUILT_IN
from iclients.consented import ConsentedTokens
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
    """A consent in memory."""

    def __init__(self, consent: Consent | None) -> None:
        self.consent = consent

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        yield

    def get(self) -> Consent | None:
        return self.consent

    def save(self, consent: Consent) -> None:
        self.consent = consent


@pytest.fixture
def keeper(clock: MovableClock) -> KeptHere:
    """A consent whose token is to be replaced, and serves for five minutes yet."""
    old = Token(Secret("old"), expires_at=clock.now() + 300, replace_at=clock.now())
    return KeptHere(Consent(Secret("r1"), "ada", SCOPES, clock.now(), old))


def consented(server: ScriptedServer, keeper: KeptHere, transport: Transport, clock: MovableClock) -> ConsentedTokens:
    cloud = replace(BUILT_IN["public"], authority=server.url)
    return ConsentedTokens("contoso", Grants(APP, Entra(), cloud, transport, clock), keeper, clock)


def test_a_new_refresh_token_is_kept_with_the_new_token(
    serve: Serve, keeper: KeptHere, transport: Transport, clock: MovableClock
) -> None:
    token = consented(serve(always(GOOD)), keeper, transport, clock).acquire(SCOPES, None)
    assert keeper.consent is not None
    assert (keeper.consent.token, keeper.consent.refresh_token) == (token, Secret("r2"))


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
        consented(serve(BUSY), keeper, transport, clock).acquire(SCOPES, keeper.consent.token)


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
