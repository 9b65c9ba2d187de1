"""A budget: how fast calls may leave, shared by all connections to one vault.

Published limits are shares of one budget (a create costs 1/300 of ten seconds, a read 1/4,000), so a call costs
*seconds*: calls are spaced on one virtual clock (the generic cell rate algorithm), and nobody comes in a herd after a
pause, because every call keeps its own slot. A 429 pauses everybody, and slows the pace by a tenth; quiet times give
it back. Source: Key Vault service limits, "transactions per 10 seconds, per vault"; thresholds are weighted.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Final

from iclients.clock import Clock

SHARE: Final = 0.99
"""How much of the published limit is used: the rest covers jitter on the way."""
BURST_SECONDS: Final = 0.05
"""How far behind the clock a slot may be; for short periods half of what SHARE leaves over."""
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 16.0
LONGEST_ASKED_PAUSE_SECONDS: Final = 120.0
"""No server may stop a run for longer than this at a time."""
SLOWEST: Final = 8.0
LOW_WATER: Final = 25
"""Where a system tells how many calls are left, these are left for others."""


class Budget:
    """Slots for calls. `limits` gives calls a period for each class of call; classes share the one period."""

    def __init__(self, limits: Mapping[str, int], period_seconds: float, clock: Clock) -> None:
        self._costs = {kind: period_seconds / (calls * SHARE) for kind, calls in limits.items()}
        self._burst_seconds = min(BURST_SECONDS, period_seconds * (1 - SHARE) / 2)
        self._clock = clock
        self._lock = threading.Lock()
        self._next = clock.monotonic()
        self._slowdown = 1.0
        self._pauses = 0
        self._last_throttled = float("-inf")

    def take(self, kind: str) -> None:
        """Wait for the slot of one call of this class."""
        with self._lock:
            now = self._clock.monotonic()
            slot = max(self._next, now - self._burst_seconds)
            self._next = slot + self._costs[kind] * self._slowdown
        if slot > now:
            self._clock.sleep(slot - now)
        else:
            self._clock.check()

    def throttled(self, retry_after_seconds: float | None) -> None:
        """The system said 429: everybody pauses, as long as it said or longer each time in a row."""
        with self._lock:
            now = self._clock.monotonic()
            if now > self._last_throttled + LONGEST_PAUSE_SECONDS * 2:
                self._pauses = 0
            if now >= self._last_throttled:
                self._last_throttled = now + self._pause(retry_after_seconds)
                self._slowdown = min(SLOWEST, self._slowdown * 1.1)
            self._next = max(self._next, self._last_throttled)

    def left(self, calls: int, refill_per_second: float) -> None:
        """The system says how many calls it has left for us: below LOW_WATER it is given the time to refill."""
        if calls < LOW_WATER:
            with self._lock:
                wait = (LOW_WATER - max(0, calls)) / refill_per_second
                self._next = max(self._next, self._clock.monotonic() + wait)

    def answered(self) -> None:
        """A call went through: the pace recovers slowly."""
        if self._slowdown > 1.0:
            with self._lock:
                self._slowdown = max(1.0, self._slowdown * 0.999)

    def _pause(self, retry_after_seconds: float | None) -> float:
        self._pauses += 1
        own = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (self._pauses - 1))
        return own if retry_after_seconds is None else min(retry_after_seconds, LONGEST_ASKED_PAUSE_SECONDS)
