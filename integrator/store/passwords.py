"""Passwords: kept as argon2id hashes, which take memory and time to try.

The parameters are among those that OWASP's password storage cheat sheet names, doubled in time; the hash is a PHC string
that says with which ones it was made, so they can be raised without anybody's password being lost. Source: RFC 9106.
"""

from __future__ import annotations

import os
import threading
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

_TURNS: Final = threading.BoundedSemaphore(AT_ONCE)
_PREFIX: Final = f"$argon2id$v=19$m={MEMORY_KIB},t={ITERATIONS},p={LANES}$"
_NOBODYS: Final = f"{_PREFIX}AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
"""Of no password: trying it takes as long as trying a real one."""


def hashed(password: Secret) -> str:
    """What is kept of this password."""
    kdf = Argon2id(
        salt=os.urandom(SALT_BYTES), length=HASH_BYTES, iterations=ITERATIONS, lanes=LANES, memory_cost=MEMORY_KIB
    )
    with _TURNS:
        return kdf.derive_phc_encoded(password.reveal().encode())


def matches(password: Secret, kept: str) -> bool:
    """Whether `kept` was made of this password. Where nothing is kept it takes as long, and is False."""
    with _TURNS:
        try:
            Argon2id.verify_phc_encoded(password.reveal().encode(), kept or _NOBODYS)
        except InvalidKey:
            return False
    return bool(kept)


def is_outdated(kept: str) -> bool:
    """Whether it was made with other parameters than those of now."""
    return not kept.startswith(_PREFIX)
