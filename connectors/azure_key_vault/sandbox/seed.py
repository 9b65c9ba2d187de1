"""Secrets to fill a vault with: the same for the same seed, and as odd as what people keep in vaults.

Every awkward kind of value appears in any hundred or so: line ends of both sorts, JSON, PEM, control
characters, characters beyond the basic plane, base64, what a spreadsheet would execute, and exactly
25,600 characters. None of them is a real secret.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterator

from connectors.azure_key_vault.sandbox.state import Secret, Version

FIRST_CREATED = 1_672_531_200  # 2023-01-01
SPREAD_SECONDS = 2 * 365 * 86_400
LONGEST_VALUE_CHARACTERS = 25_600
LONGEST_NAME_CHARACTERS = 127

_WORDS = (
    "api",
    "billing",
    "cache",
    "Checkout",
    "db",
    "edge",
    "Invoice",
    "jobs",
    "ledger",
    "mail",
    "Orders",
    "Payments",
    "queue",
    "search",
    "smtp",
    "Web",
)
_PURPOSES = ("password", "Token", "key", "connection-string", "ApiKey", "certificate", "webhook-secret", "Salt")
_STAGES = ("dev", "test", "Staging", "prod")
_CONTENT_TYPES = (None, None, "text/plain", "application/json", "application/x-pem-file", "password", "")
_TAG_NAMES = (
    "env",
    "team",
    "owner",
    "costCenter",
    "rotated-by",
    "service",
    "tier",
    "region",
    "ticket",
    "Purpose",
    "expires-note",
    "compliance",
    "source",
    "app",
    "zone",
)


def make_secrets(count: int, seed: str) -> Iterator[Secret]:
    """That many secrets; no two names are equal without case."""
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    for number in range(count):
        yield Secret(_name(chance, number), list(_versions(chance, number)))


def _name(chance: random.Random, number: int) -> str:
    name = f"{chance.choice(_WORDS)}-{chance.choice(_STAGES)}-{chance.choice(_PURPOSES)}-{number:05d}"
    if number % 97 == 11:
        name = f"{name}-{'Long-Name-' * 12}{'x' * LONGEST_NAME_CHARACTERS}"[:LONGEST_NAME_CHARACTERS]
    return name


def _versions(chance: random.Random, number: int) -> Iterator[Version]:
    """One version for most, up to five for every sixth; nbf, exp and enabled are the latest's alone."""
    created = FIRST_CREATED + chance.randrange(SPREAD_SECONDS)
    for _ in range(chance.randrange(1, 5) if number % 6 == 4 else 0):
        yield Version(f"{chance.getrandbits(128):032x}", _value(chance, number), created, created)
        created += chance.randrange(60, 90 * 86_400)
    nbf, exp = _window(created, number)
    yield Version(
        f"{chance.getrandbits(128):032x}",
        _value(chance, number),
        created,
        created + (chance.randrange(86_400) if number % 5 == 3 else 0),
        enabled=number % 16 != 9,
        nbf=nbf,
        exp=exp,
        content_type=_CONTENT_TYPES[chance.randrange(len(_CONTENT_TYPES))],
        tags=_tags(chance),
    )


def _window(created: int, number: int) -> tuple[int | None, int | None]:
    """Some are expired, some not valid before 2100, some valid for long."""
    match number % 25:
        case 7:
            return created, created + 30 * 86_400
        case 17:
            return 4_102_444_800, None
        case 3:
            return created, 4_102_444_800
    return None, None


def _tags(chance: random.Random) -> dict[str, str] | None:
    count = chance.choice((0, 0, 0, 1, 1, 2, 3, 5, 15))
    return {name: f"{name}-{chance.randrange(100)}" for name in _TAG_NAMES[:count]} or None


def _value(chance: random.Random, number: int) -> str:
    """Most are passwords; eleven in forty are awkward, one in a hundred is as long as can be."""
    if number % 100 == 42:
        line = f"{chance.getrandbits(256):064x}"
        return (line * (LONGEST_VALUE_CHARACTERS // 64))[:LONGEST_VALUE_CHARACTERS]
    make = _AWKWARD.get(number % 40)
    return make(chance) if make is not None else _password(chance)


def _password(chance: random.Random) -> str:
    return f"{chance.getrandbits(144):036x}~{chance.randrange(10_000)}"


def _lines(chance: random.Random) -> str:
    return f"first={chance.getrandbits(64):x}\nsecond={chance.getrandbits(64):x}\n\nlast line"


def _windows_lines(chance: random.Random) -> str:
    return f"user=svc\r\npassword={chance.getrandbits(64):x}\r\n"


def _json(chance: random.Random) -> str:
    return f'{{"user": "svc", "password": "{chance.getrandbits(96):x}", "nested": {{"list": [1, null, "ü"]}}}}'


def _pem(chance: random.Random) -> str:
    body = base64.b64encode(chance.randbytes(384)).decode()
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join(("-----BEGIN SANDBOX KEY-----", *lines, "-----END SANDBOX KEY-----", ""))


def _binary(chance: random.Random) -> str:
    """Control characters, NUL among them, and characters beyond the basic plane."""
    controls = "".join(map(chr, chance.randbytes(12).translate(_TO_CONTROLS)))
    return f"{controls}\x00\x7f\u0085\u2028{chr(0x1F600 + chance.randrange(60))}𝔖\ufeff{chance.getrandbits(32):x}"


def _base64(chance: random.Random) -> str:
    return base64.b64encode(chance.randbytes(100)).decode()


def _executable(chance: random.Random) -> str:
    """What a spreadsheet would execute, or what our own escaping must not confuse."""
    return f"{chance.choice(_DANGEROUS)}cmd|' /C calc'!A{chance.getrandbits(48)}"


def _edges(chance: random.Random) -> str:
    return f"  spaces, \"quotes\", commas; and 'apostrophes' {chance.getrandbits(32):x}\t "


_TO_CONTROLS = bytes(byte % 32 for byte in range(256))
_DANGEROUS = ("=", "+", "-", "@", "'", "\t", "\r", "'=", "''")
_AWKWARD: dict[int, Callable[[random.Random], str]] = {
    2: _lines,
    5: _windows_lines,
    8: _json,
    12: _pem,
    15: _binary,
    18: _base64,
    22: _executable,
    26: _executable,
    29: _edges,
    33: _json,
    37: _executable,
}
