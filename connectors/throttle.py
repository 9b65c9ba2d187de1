"""A budget: how fast calls may leave, shared by all connections to one vault.

Published limits are shares of one budget (a create costs 1/300 of ten seconds, a read 1/4,000), so a call costs
*seconds*: calls are spaced on one virtual clock (the generic cell rate algorithm), and nobody comes in a herd after a
pause, because every call keeps its own slot. A 429 pauses everybody, and slows the pace by a tenth; quiet times give
it back. Source: Key Vault service limits, "transactions per 10 seconds, per vault"; thresholds are weighted.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from connectors.virtual_clock import LONGEST_PAUSE_SECONDS, SLOWEST, VirtualClock
from iclients.clock import Clock

__all__ = ["LONGEST_PAUSE_SECONDS", "SLOWEST", "Both", "Budget", "Budgets", "Whole"]

SHARE: Final = 0.99
"""How much of the published limit is used: the rest covers jitter on the way."""
BURST_SECONDS: Final = 0.05
"""How far behind the clock a slot may be; for short periods half of what SHARE leaves over."""
LOW_WATER: Final = 25
"""Where a system tells how many calls are left, these are left for others."""


@dataclass(frozen=True, slots=True)
class Whole:
    """What several places share besides, by name: it takes `times` what one of them takes."""

    name: str
    times: float


class Budget:
    """Slots for calls. `limits` gives calls a period for each class of call; classes share the one period."""

    share = SHARE
    burst_seconds = BURST_SECONDS

    def __init__(self, limits: Mapping[str, int], period_seconds: float, clock: Clock) -> None:
        self._costs = {kind: period_seconds / (calls * self.share) for kind, calls in limits.items()}
        self._burst_seconds = min(self.burst_seconds, period_seconds * (1 - self.share) / 2)
        self._clock = clock
        self._lock = threading.Lock()
        self._pace = VirtualClock(clock.monotonic())

    def take(self, kind: str) -> None:
        """Wait for the slot of one call of this class."""
        pace = self._pace
        with self._lock:
            now = self._clock.monotonic()
            slot = max(pace.next, now - self._burst_seconds)
            pace.next = slot + self._costs[kind] * pace.slowdown
        if slot > now:
            self._clock.sleep(slot - now)
        else:
            self._clock.check()

    def throttled(self, retry_after_seconds: float | None) -> None:
        """The system said 429: everybody pauses, as long as it said or longer each time in a row."""
        with self._lock:
            self._pace.throttled(self._clock.monotonic(), retry_after_seconds)

    def left(self, calls: int, refill_per_second: float) -> None:
        """The system says how many calls it has left for us: below LOW_WATER it is given the time to refill."""
        if calls < LOW_WATER:
            with self._lock:
                wait = (LOW_WATER - max(0, calls)) / refill_per_second
                self._pace.next = max(self._pace.next, self._clock.monotonic() + wait)

    def answered(self) -> None:
        """A call went through: the pace recovers slowly."""
        if self._pace.slowdown > 1.0:
            with self._lock:
                self._pace.answered(1)

    def owe(self, kind: str, instead_of: str) -> None:
        """A call left as one class, and its answer tells that it was of another: later calls wait for the difference."""
        with self._lock:
            self._pace.next += max(0.0, self._costs[kind] - self._costs[instead_of]) * self._pace.slowdown


class Both(Budget):
    """Two budgets that a call needs a slot of each: what a connection may use, and what its system takes in all."""

    def __init__(self, own: Budget, everybodys: Budget) -> None:
        self._budgets = (own, everybodys)

    def take(self, kind: str) -> None:
        for budget in self._budgets:
            budget.take(kind)

    def throttled(self, retry_after_seconds: float | None) -> None:
        self._budgets[1].throttled(retry_after_seconds)

    def left(self, calls: int, refill_per_second: float) -> None:
        self._budgets[1].left(calls, refill_per_second)

    def answered(self) -> None:
        self._budgets[1].answered()

    def owe(self, kind: str, instead_of: str) -> None:
        for budget in self._budgets:
            budget.owe(kind, instead_of)


class Budgets(Protocol):
    """Gives the budget of a place, the same one to everybody who names it; places that share a whole name that, too."""

    def __call__(
        self, where: str, limits: Mapping[str, int], period_seconds: float, whole: Whole | None = None, /
    ) -> Budget: ...
