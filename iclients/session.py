"""The authorized session: one fresh token for any number of threads, asked for once.

Eight threads that meet an expired token send one request, not eight: the first asks, the others wait and get what it
got, token or error. How a token is asked for is handed in (`acquire`), so client credentials, consent, certificates
and managed identity all end here. A provider's bad moment is no harm while the old token still serves.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from iclients.clock import Clock
from iclients.errors import Recovery, RemoteError
from iclients.model import Token
from iclients.tokens import TokenKey, TokenStore

PAUSE_SECONDS: Final = 30.0
"""How long an old token that still serves is used before the next try, after one that failed and may work later."""

Acquire = Callable[[Token | None, str], Token]
"""Asks for a token; gets the one that is no longer good, where there was one, and the claims that are demanded."""


class AuthorizedSession:
    """Gives `Authorization` headers for one key (iClient and scopes)."""

    def __init__(self, key: TokenKey, acquire: Acquire, tokens: TokenStore, clock: Clock) -> None:
        self._key = key
        self._acquire = acquire
        self._tokens = tokens
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._claims = ""
        self._asking: _Asking | None = None
        self._asks_again_at = 0.0

    def token(self) -> Token:
        """A token that is good for a while yet. Raises what the provider's refusal means (NotAuthorized, …)."""
        token = self._token
        return token if token is not None and self._serves(token) else self._other_than(None)

    def renew(self, refused: Token, claims: str = "") -> Token:
        """A token other than `refused`, which a server did not take: asked for only if nobody has done so yet.

        `claims` are what the server demands of it, where it says so.
        """
        return self._other_than(refused, claims)

    def _other_than(self, refused: Token | None, claims: str = "") -> Token:
        while True:
            with self._lock:
                stored = self._tokens.get(self._key)
                kept = None if stored is None or _is_same(stored, refused) else stored
                if kept is not None and self._serves(kept) and claims in ("", self._claims):
                    self._token = kept
                    return kept
                asking, is_ours = self._asking or _Asking(claims), self._asking is None
                self._asking = asking
            if is_ours:
                self._ask(asking, stored)
            else:
                asking.over.wait()
            if claims not in ("", asking.claims):
                continue  # somebody asked for a token that lacks what is demanded of ours
            if asking.token is not None:
                return asking.token
            if asking.error is not None:
                return self._in_spite_of(asking.error, kept)

    def _serves(self, token: Token) -> bool:
        now = self._clock.now()
        return token.is_fresh(now) or (token.is_valid(now) and self._clock.monotonic() < self._asks_again_at)

    def _ask(self, asking: _Asking, old: Token | None) -> None:
        try:
            token = self._acquire(old, asking.claims)
            self._tokens.save(self._key, token)
            asking.token = token
        except RemoteError as error:
            asking.error = error
        finally:
            with self._lock:
                if asking.token is not None:
                    self._token, self._claims = asking.token, asking.claims
                if asking.token is None or not asking.token.is_fresh(self._clock.now()):
                    self._asks_again_at = self._clock.monotonic() + PAUSE_SECONDS
                self._asking = None
            asking.over.set()

    def _in_spite_of(self, error: RemoteError, kept: Token | None) -> Token:
        if error.recovery is Recovery.RETRY and kept is not None and kept.is_valid(self._clock.now()):
            return kept
        raise error


@dataclass(slots=True)
class _Asking:
    """A request that is under way, and what came of it: neither where whoever asked was interrupted."""

    claims: str = ""
    over: threading.Event = field(default_factory=threading.Event)
    token: Token | None = None
    error: RemoteError | None = None


def _is_same(token: Token, other: Token | None) -> bool:
    return other is not None and token.access_token == other.access_token
