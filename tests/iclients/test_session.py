"""One fresh token for any number of threads, asked for once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from iclients.errors import CredentialRefused
from iclients.model import Token
from iclients.secret import Secret
from iclients.session import AuthorizedSession
from iclients.testing import MovableClock, TokensFromNowhere
from iclients.tokens import TokensInMemory

THREADS = 8
KEY = ("app", ("scope",))


class SlowTokens(TokensFromNowhere):
    """Answers only when every other thread had time to ask too."""

    def acquire(self, old: Token | None) -> Token:
        self.waiting.wait(0.05)
        return super().acquire(old)

    waiting = threading.Event()


@pytest.fixture
def tokens(clock: MovableClock) -> TokensFromNowhere:
    return SlowTokens(clock)


def at_once(work: object) -> list[str]:
    """What `work` gives to eight threads that begin together."""
    together = threading.Barrier(THREADS)

    def one(_: int) -> str:
        together.wait(5)
        return work().access_token.reveal()  # type: ignore[operator]

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, range(THREADS)))


def test_eight_threads_without_a_token_ask_once(tokens: TokensFromNowhere) -> None:
    assert at_once(tokens.session().token) == ["token-1"] * THREADS
    assert tokens.asked == 1


def test_eight_threads_and_an_expired_token_ask_once(tokens: TokensFromNowhere, clock: MovableClock) -> None:
    session = tokens.session()
    session.token()
    clock.advance(3600)
    assert at_once(session.token) == ["token-2"] * THREADS
    assert tokens.asked == 2


def test_eight_threads_with_the_same_refused_token_renew_it_once(tokens: TokensFromNowhere) -> None:
    session = tokens.session()
    refused = session.token()
    assert at_once(lambda: session.renew(refused)) == ["token-2"] * THREADS
    assert tokens.asked == 2


def test_a_late_renewal_of_an_old_token_asks_for_nothing(tokens: TokensFromNowhere) -> None:
    session = tokens.session()
    first = session.token()
    second = session.renew(first)
    assert session.renew(first) is second
    assert session.token() is second
    assert tokens.asked == 2


def test_a_renewal_never_gives_an_expired_token(tokens: TokensFromNowhere, clock: MovableClock) -> None:
    session = tokens.session()
    first = session.token()
    session.renew(first)
    clock.advance(3600)
    assert session.renew(first).access_token == Secret("token-3")


def test_a_fresh_token_is_used_until_it_is_to_be_replaced(tokens: TokensFromNowhere, clock: MovableClock) -> None:
    session = tokens.session()
    for _ in range(3):
        session.token()
        clock.advance(1199)
    assert tokens.asked == 1
    clock.advance(3)
    session.token()
    assert tokens.asked == 2


def test_a_token_that_is_to_be_replaced_at_once_is_given_all_the_same(clock: MovableClock) -> None:
    tokens = TokensFromNowhere(clock, lifetime_seconds=0.0)
    session = tokens.session()
    assert [session.token().access_token.reveal() for _ in range(2)] == ["token-1", "token-2"]


def test_sessions_over_one_store_share_a_token(clock: MovableClock) -> None:
    store, source = TokensInMemory(), TokensFromNowhere(clock)
    one, other = (AuthorizedSession(KEY, source.acquire, store, clock) for _ in range(2))
    assert one.token() is other.token()
    one.renew(one.token())
    assert (other.renew(other.token()), source.asked) == (one.token(), 2)


def test_different_scopes_never_share_a_token(clock: MovableClock) -> None:
    store, source = TokensInMemory(), TokensFromNowhere(clock)
    one, other = (AuthorizedSession(("app", (scope,)), source.acquire, store, clock) for scope in ("a", "b"))
    assert one.token().access_token != other.token().access_token


def test_the_old_token_is_handed_to_whoever_asks_anew(clock: MovableClock) -> None:
    seen: list[Token | None] = []
    source = TokensFromNowhere(clock)

    def acquire(old: Token | None) -> Token:
        seen.append(old)
        return source.acquire(old)

    session = AuthorizedSession(KEY, acquire, TokensInMemory(), clock)
    first = session.token()
    session.renew(first)
    assert seen == [None, first]


def test_a_refusal_leaves_the_stored_token_and_the_next_call_asks_again(clock: MovableClock) -> None:
    store, source = TokensInMemory(), TokensFromNowhere(clock)
    refusing = True

    def acquire(old: Token | None) -> Token:
        if refusing:
            raise CredentialRefused("wrong")
        return source.acquire(old)

    good = source.acquire(None)
    store.save(KEY, good)
    session = AuthorizedSession(KEY, acquire, store, clock)
    with pytest.raises(CredentialRefused):
        session.renew(good)
    assert store.get(KEY) is good
    refusing = False
    assert session.renew(good).access_token == Secret("token-2")
