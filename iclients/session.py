"""The authorized session: one fresh token for any number of threads, asked for once.

Eight threads that meet an expired token send one request, not eight: the first holds the lock and asks, the others
wait and read what it saved. How a token is asked for is handed in (`acquire`), so client credentials, consent,
certificates and managed identity all end here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from iclients.clock import Clock
from iclients.model import Token
from iclients.tokens import TokenKey, TokenStore

Acquire = Callable[[Token | None], Token]
"""Asks for a token; gets the one that is no longer good, where there was one."""


class AuthorizedSession:
    """Gives `Authorization` headers for one key (iClient and scopes)."""

    def __init__(self, key: TokenKey, acquire: Acquire, tokens: TokenStore, clock: Clock) -> None:
        self._key = key
        self._acquire = acquire
        self._tokens = tokens
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Token | None = None

    def token(self) -> Token:
        """A token that is good for a while yet. Raises what the provider's refusal means (NotAuthorized, …)."""
        token = self._token
        if token is not None and token.is_fresh(self._clock.now()):
            return token
        with self._lock:
            stored = self._tokens.get(self._key)
            if stored is None or not stored.is_fresh(self._clock.now()):
                stored = self._ask(stored)
            self._token = stored
            return stored

    def renew(self, refused: Token) -> Token:
        """A token other than `refused`, which a server did not take: asked for only if nobody has done so yet."""
        with self._lock:
            stored = self._tokens.get(self._key)
            is_other = stored is not None and stored.access_token != refused.access_token
            if stored is None or not is_other or not stored.is_fresh(self._clock.now()):
                stored = self._ask(stored)
            self._token = stored
            return stored

    def _ask(self, old: Token | None) -> Token:
        token = self._acquire(old)
        self._tokens.save(self._key, token)
        return token
