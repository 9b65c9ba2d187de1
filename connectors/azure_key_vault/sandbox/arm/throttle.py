"""ARM's token buckets: a caller's reads, writes and deletes, each refilled by the second (Azure reference sheet, 7.4)."""

from __future__ import annotations

from typing import Final, NamedTuple

from connectors.azure_key_vault.sandbox.clock import Clock


class _Class(NamedTuple):
    word: str
    size: int
    refill: int


_CLASSES: Final = {
    "GET": _Class("reads", 250, 25),
    "HEAD": _Class("reads", 250, 25),
    "DELETE": _Class("deletes", 200, 10),
}
_WRITES: Final = _Class("writes", 200, 10)


class Buckets:
    """One for each caller and class of call."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left: dict[tuple[str, str, str], tuple[float, float]] = {}

    def take(self, caller: str, method: str, *, tenant_wide: bool) -> tuple[int, bytes]:
        """The seconds to wait, 0 where the call may pass, and the header line that says what remains."""
        kind, scope = _CLASSES.get(method, _WRITES), "tenant" if tenant_wide else "subscription"
        key, now = (caller, scope, kind.word), self._clock.now()
        left, at = self._left.get(key, (float(kind.size), now))
        left = min(float(kind.size), left + max(0.0, now - at) * kind.refill)
        wait = 0 if left >= 1 else 1
        left = left if wait else left - 1
        self._left[key] = (left, now)
        return wait, b"x-ms-ratelimit-remaining-%s-%s: %d\r\n" % (scope.encode(), kind.word.encode(), int(left))
