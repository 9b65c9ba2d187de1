"""Browsers in which somebody has signed in before: each keeps a mark, so that strangers' tries do not keep its person out.

How often an account is tried is limited, and whoever knows a name can use those tries up. A browser with a mark is
counted by itself. The mark is a random text with a keyed hash of it, the name and the hash of the password: it serves
for one name, nobody can make one, it lets nobody in, and a new password ends it. Source: OWASP, slow down online
guessing attacks with device cookies.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

from integrator.store.sealed import Seal

NUMBER_BYTES: Final = 16
_MARK: Final = re.compile(r"([A-Za-z0-9_-]{22})\.([0-9a-f]{64})")


def new_mark(seal: Seal, name: str, password_hash: str) -> str:
    """What a browser keeps in which this user has signed in, with the password that this hash was made of."""
    number = secrets.token_urlsafe(NUMBER_BYTES)
    return f"{number}.{_proof(seal, number, name, password_hash)}"


def known_number(seal: Seal, mark: str, name: str, password_hash: str) -> str:
    """Which browser of this user's it is; empty where the mark is not of this name and password."""
    found = _MARK.fullmatch(mark)
    if found is None or not password_hash:
        return ""
    is_ours = secrets.compare_digest(found[2], _proof(seal, found[1], name, password_hash))
    return found[1] if is_ours else ""


def _proof(seal: Seal, number: str, name: str, password_hash: str) -> str:
    return seal.fingerprint(f"integrator known browser {number} {name} {password_hash}".encode())
