"""Passwords: kept as argon2id hashes, which take memory and time to try.

The parameters are among those that OWASP's password storage cheat sheet names, doubled in time; the hash is a PHC string
that says with which ones it was made, so they can be raised without anybody's password being lost. Few are worked on at
once and few wait: strangers who try from many addresses hold up neither the server nor who is known. Source: RFC 9106.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from iclients.secret import Secret

MEMORY_KIB: Final = 47_104
ITERATIONS: Final = 2
LANES: Final = 1
SALT_BYTES: Final = 16
HASH_BYTES: Final = 32
AT_ONCE: Final = 2
"""How many are worked on at the same time: each takes its memory."""
MOST_WAITING: Final = 4
"""How many strangers' may wait for that; for who is known there are as many places more."""

_PREFIX: Final = f"$argon2id$v=19$m={MEMORY_KIB},t={ITERATIONS},p={LANES}$"
_NOBODYS: Final = f"{_PREFIX}AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
"""Of no password: trying it takes as long as trying a real one."""


class PasswordsBusy(Exception):
    """So many passwords are tried at this moment that this one was not."""

    def __init__(self) -> None:
        super().__init__("Many people sign in at this moment. Wait a few seconds, then try again.")


class Turns:
    """Who works and who waits: each of them holds a thread of the server."""

    def __init__(self, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self._most = at_once + most_waiting
        self._more_for_known = most_waiting
        self._free = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._here = 0

    @property
    def here(self) -> int:
        """How many work or wait."""
        return self._here

    @contextmanager
    def turn(self, *, is_known: bool) -> Iterator[None]:
        """Wait for a turn, and have it. Raises PasswordsBusy at once where too many wait."""
        with self._lock:
            if self._here >= self._most + (self._more_for_known if is_known else 0):
                raise PasswordsBusy
            self._here += 1
        try:
            with self._free:
                yield
        finally:
            with self._lock:
                self._here -= 1


TURNS: Final = Turns()


def hashed(password: Secret) -> str:
    """What is kept of this password, which somebody chooses who was let in. Raises PasswordsBusy."""
    kdf = Argon2id(
        salt=os.urandom(SALT_BYTES), length=HASH_BYTES, iterations=ITERATIONS, lanes=LANES, memory_cost=MEMORY_KIB
    )
    with TURNS.turn(is_known=True):
        return kdf.derive_phc_encoded(password.reveal().encode())


def matches(password: Secret, kept: str, *, is_known: bool = False) -> bool:
    """Whether `kept` was made of this password. Where nothing is kept it takes as long, and is False.

    `is_known`: whoever asks is signed in, or was so in this browser. Raises PasswordsBusy.
    """
    with TURNS.turn(is_known=is_known):
        try:
            Argon2id.verify_phc_encoded(password.reveal().encode(), kept or _NOBODYS)
        except InvalidKey:
            return False
    return bool(kept)


def is_outdated(kept: str) -> bool:
    """Whether it was made with other parameters than those of now."""
    return not kept.startswith(_PREFIX)
