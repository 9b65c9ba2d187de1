"""Fakes for tests of whatever stands on this floor: a clock that a test moves, and tokens from nowhere.

They ship with the product, so that a connector's author tests with the same ones as we do.
"""

from __future__ import annotations

import threading

from iclients.clock import Clock, Stopped
from iclients.model import Token
from iclients.secret import Secret
from iclients.session import AuthorizedSession
from iclients.tokens import TokensInMemory


class MovableClock:
    """A Clock that stands still until it is moved; `sleep` moves it at once, and `slept` remembers by how much."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._started = now
        self._elapsed = 0.0
        self._stopped = False
        self._lock = threading.Lock()
        self.slept: list[float] = []

    def now(self) -> float:
        return self._started + self._elapsed

    def monotonic(self) -> float:
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        with self._lock:
            if self._stopped:
                raise Stopped
            self.slept.append(seconds)
            self._elapsed += max(0.0, seconds)

    def check(self) -> None:
        if self._stopped:
            raise Stopped

    def advance(self, seconds: float) -> None:
        """Let this much time pass."""
        if seconds < 0:
            raise ValueError("time does not go back")
        with self._lock:
            self._elapsed += seconds

    def stop(self) -> None:
        """From now on every wait ends with Stopped."""
        self._stopped = True


class TokensFromNowhere:
    """Gives `token-1`, `token-2`, … without asking anybody; `asked` says how many were given."""

    def __init__(self, clock: Clock, *, lifetime_seconds: float = 3600.0) -> None:
        self._clock = clock
        self._lifetime_seconds = lifetime_seconds
        self._lock = threading.Lock()
        self.asked = 0

    def acquire(self, old: Token | None, claims: str = "") -> Token:
        """The next token: hand this to an AuthorizedSession."""
        with self._lock:
            self.asked += 1
            ends = self._clock.now() + self._lifetime_seconds
            return Token(Secret(f"token-{self.asked}"), expires_at=ends, replace_at=ends)

    def session(self) -> AuthorizedSession:
        """A session of its own that is given these tokens."""
        return AuthorizedSession(("nobody", ()), self.acquire, TokensInMemory(), self._clock)
