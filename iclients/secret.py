"""A value that hides itself: in text, logs, exceptions, pickles and JSON.

Whoever needs the value says so, by calling `reveal()`; everything else shows dots. The length is hidden too.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, Final, NoReturn

MASK: Final = "••••"


class Secret:
    """One secret text. Compares in constant time, never prints, never pickles."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError("a Secret holds text")
        self.__value = value

    def reveal(self) -> str:
        """The text itself: call it at the last moment, and keep what it gives in a local variable."""
        return self.__value

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self.__value), _bytes(other.reveal()))

    def __hash__(self) -> int:
        raise TypeError("a Secret is not a key: hashing it would let it be looked up")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied to another process")


def revealed(value: Any) -> Any:
    """`value`, and where it is a Secret the text inside."""
    return value.reveal() if isinstance(value, Secret) else value


def holds_secret(value: Any) -> bool:
    """Whether it is a Secret, or a map or list that holds one at any depth."""
    if isinstance(value, Mapping):
        return any(holds_secret(inner) for inner in value.values())
    if isinstance(value, list | tuple):
        return any(holds_secret(inner) for inner in value)
    return isinstance(value, Secret)


def opened(value: Any) -> Any:
    """`value` with every Secret in it, at any depth, as the text inside."""
    if isinstance(value, Mapping):
        return {name: opened(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [opened(inner) for inner in value]
    return revealed(value)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
