"""One fresh token for any number of threads, asked for once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from iclients.errors import AnswerLost, CredentialRefused, MalformedAnswer, NotSent, Recovery, RemoteError
from iclients.model import Token
from iclients.secret import Secret
from iclients.session import AuthorizedSession
from iclients.testing import MovableClock, TokensFromNowhere
from iclients.tokens import TokenKey, TokensInMemory

THREADS = 8
KEY = ("app", ("scope",))


class SlowTokens(TokensFromNowhere):
    """Answers only when every other thread had time to ask too."""

    def acquire(self, old: Token | None, claims: str = "") -> Token:
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

    def acquire(old: Token | None, claims: str = "") -> Token:
        seen.append(old)
        return source.acquire(old)

    session = AuthorizedSession(KEY, acquire, TokensInMemory(), clock)
    first = session.token()
    session.renew(first)
    assert seen == [None, first]


def test_a_refusal_leaves_the_stored_token_and_the_next_call_asks_again(clock: MovableClock) -> None:
    store, source = TokensInMemory(), TokensFromNowhere(clock)
    refusing = True

    def acquire(old: Token | None, claims: str = "") -> Token:
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


# --- a provider that has a bad moment ---

OLD = Secret("old")


class Failing:
    """Raises what it is told to, and counts; gives tokens once `error` is None."""

    def __init__(self, clock: MovableClock, error: RemoteError | None, takes_seconds: float = 0.0) -> None:
        self.error = error
        self.asked = 0
        self._clock, self._takes_seconds = clock, takes_seconds
        self._source = TokensFromNowhere(clock)

    def acquire(self, old: Token | None, claims: str = "") -> Token:
        self.asked += 1
        self._clock.advance(self._takes_seconds)
        if self.error is not None:
            raise self.error
        return self._source.acquire(old)


def aged(source: Failing, clock: MovableClock, valid_seconds: float = 300.0) -> AuthorizedSession:
    """A session whose token is to be replaced, and serves for a while yet."""
    store = TokensInMemory()
    store.save(KEY, Token(OLD, expires_at=clock.now() + valid_seconds, replace_at=clock.now()))
    return AuthorizedSession(KEY, source.acquire, store, clock)


@pytest.mark.parametrize("error", [NotSent("down"), AnswerLost("cut"), MalformedAnswer("page")], ids=lambda e: e.code)
def test_a_token_that_still_serves_outlives_a_failure_that_may_pass(clock: MovableClock, error: RemoteError) -> None:
    session = aged(Failing(clock, error), clock)
    assert session.token().access_token == OLD


def test_after_a_failure_the_old_token_serves_for_thirty_seconds_before_the_next_try(clock: MovableClock) -> None:
    source = Failing(clock, NotSent("down"))
    session = aged(source, clock)
    for _ in range(3):
        session.token()
        clock.advance(9.9)
    assert source.asked == 1
    clock.advance(0.4)
    session.token()
    assert source.asked == 2


def test_an_old_token_is_replaced_as_soon_as_a_later_try_works(clock: MovableClock) -> None:
    source = Failing(clock, NotSent("down"))
    session = aged(source, clock)
    session.token()
    source.error = None
    clock.advance(30)
    assert [session.token().access_token for _ in range(2)] == [Secret("token-1")] * 2
    assert source.asked == 2


def test_a_token_that_ends_within_the_thirty_seconds_is_not_used_any_longer(clock: MovableClock) -> None:
    source = Failing(clock, NotSent("down"))
    session = aged(source, clock, valid_seconds=10.0)
    session.token()
    clock.advance(10)
    with pytest.raises(NotSent):
        session.token()
    assert source.asked == 2


def test_a_token_that_ended_while_another_was_asked_for_is_not_used(clock: MovableClock) -> None:
    session = aged(Failing(clock, NotSent("down"), takes_seconds=120.0), clock, valid_seconds=100.0)
    with pytest.raises(NotSent):
        session.token()


@pytest.mark.parametrize("error", [CredentialRefused("wrong"), NotSent("untrusted", recovery=Recovery.ABORT)])
def test_a_failure_that_does_not_pass_is_told_at_once(clock: MovableClock, error: RemoteError) -> None:
    with pytest.raises(type(error)):
        aged(Failing(clock, error), clock).token()


def test_a_refused_token_is_never_gone_on_with(clock: MovableClock) -> None:
    source = Failing(clock, NotSent("down"))
    session = aged(source, clock)
    old = session.token()
    with pytest.raises(NotSent):
        session.renew(old)
    assert source.asked == 2


class WatchedTokens(TokensInMemory):
    """Says each time that a thread looks for a token."""

    def __init__(self) -> None:
        super().__init__()
        self._looked = threading.Semaphore(0)

    def get(self, key: TokenKey) -> Token | None:
        self._looked.release()
        return super().get(key)

    def await_looks(self, count: int) -> None:
        assert all(self._looked.acquire(timeout=5) for _ in range(count))


def failures(work: Callable[[], Token]) -> list[BaseException | None]:
    """What eight threads that ask together are told."""
    with ThreadPoolExecutor(THREADS) as pool:
        asking = [pool.submit(work) for _ in range(THREADS)]
        return [one.exception(30) for one in asking]


def test_threads_that_wait_while_asking_fails_are_told_the_same_and_ask_no_more(clock: MovableClock) -> None:
    store, source = WatchedTokens(), Failing(clock, NotSent("down"))

    def acquire(old: Token | None, claims: str = "") -> Token:
        store.await_looks(THREADS)
        return source.acquire(old)

    session = AuthorizedSession(KEY, acquire, store, clock)
    assert failures(session.token) == [source.error] * THREADS
    assert source.asked == 1


def test_a_call_after_a_failure_asks_anew(clock: MovableClock) -> None:
    source = Failing(clock, NotSent("down"))
    session = AuthorizedSession(KEY, source.acquire, TokensInMemory(), clock)
    for asked in (1, 2):
        with pytest.raises(NotSent):
            session.token()
        assert source.asked == asked
    source.error = None
    assert session.token().access_token == Secret("token-1")


def test_a_thread_that_waits_asks_itself_when_whoever_asked_was_interrupted(clock: MovableClock) -> None:
    store, source = WatchedTokens(), Failing(clock, None)

    def acquire(old: Token | None, claims: str = "") -> Token:
        if not source.asked:
            source.asked = 1
            store.await_looks(THREADS)
            raise KeyboardInterrupt
        return source.acquire(old)

    session = AuthorizedSession(KEY, acquire, store, clock)
    told = failures(session.token)
    assert [type(one) for one in told if one is not None] == [KeyboardInterrupt]
    assert source.asked == 2
