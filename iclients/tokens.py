"""Where tokens are kept between requests. The port, and the form that lives in memory only."""

from __future__ import annotations

import threading
from typing import Protocol

from iclients.model import Token

TokenKey = tuple[str, tuple[str, ...]]
"""Whose token, for what: the iClient's or the connection's name, and the scopes."""


class TokenStore(Protocol):
    """Keeps one token a key. Stores that outlive the process seal what they keep."""

    def get(self, key: TokenKey) -> Token | None:
        """The token last saved, or None."""

    def save(self, key: TokenKey, token: Token) -> None:
        """Keep this token instead of the one before."""


class TokensInMemory:
    """Tokens of this process; gone with it."""

    def __init__(self) -> None:
        self._tokens: dict[TokenKey, Token] = {}
        self._lock = threading.Lock()

    def get(self, key: TokenKey) -> Token | None:
        with self._lock:
            return self._tokens.get(key)

    def save(self, key: TokenKey, token: Token) -> None:
        with self._lock:
            self._tokens[key] = token
