"""The virtual clock of one place: where it stands, and what calls, pauses and quiet times make of it.

It is plain arithmetic over times that are handed in, so that one process may keep it in memory and several may keep it in
a row: there the times are Unix seconds. A place's clock runs ahead by what each call costs; who takes a stretch of it has
the slots in it for himself. Source: the generic cell rate algorithm, ITU-T I.371, with stretches instead of cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 16.0
LONGEST_ASKED_PAUSE_SECONDS: Final = 120.0
"""No server may stop a run for longer than this at a time."""
SLOWEST: Final = 8.0
TURNED_BACK_SECONDS: Final = 1.0
"""A wall clock that is less behind the last writer's is believed, and waits so much longer."""
LONGEST_AHEAD_SECONDS: Final = 30.0
"""No virtual clock stands further ahead of now and of the pause: who finds one there finds a clock that jumped."""


@dataclass(slots=True)
class VirtualClock:
    """`next` is the first moment that nobody has; `slowdown` what costs are multiplied by; `pauses` how many came in a
    row; `at` when this was last written, by the clock of whoever wrote it."""

    next: float
    paused_until: float = 0.0
    slowdown: float = 1.0
    pauses: int = 0
    at: float = 0.0

    def settle(self, now: float) -> None:
        """Mend what a wall clock that was turned back, or one that was far ahead, has left: nobody waits for such a time."""
        if self.at - now > TURNED_BACK_SECONDS:
            self.next += now - self.at
            self.paused_until += now - self.at
        self.paused_until = min(self.paused_until, now + LONGEST_ASKED_PAUSE_SECONDS)
        self.next = min(self.next, max(now, self.paused_until) + LONGEST_AHEAD_SECONDS)
        self.at = now

    def begin(self, now: float) -> float:
        """Where a stretch that is taken now begins: quiet times are not saved up, nor is a pause used."""
        return max(self.next, now, self.paused_until)

    def throttled(self, now: float, retry_after_seconds: float | None) -> None:
        """The system said 429: a pause as long as it said, or longer each time in a row; many at once are one."""
        if now > self.paused_until + LONGEST_PAUSE_SECONDS * 2:
            self.pauses = 0
        if now >= self.paused_until:
            self.paused_until = now + self._pause(retry_after_seconds)
            self.slowdown = min(SLOWEST, self.slowdown * 1.1)
        self.next = max(self.next, self.paused_until)

    def answered(self, calls: int) -> None:
        """So many calls went through: the pace recovers slowly."""
        if calls:
            self.slowdown = max(1.0, self.slowdown * 0.999**calls)

    def _pause(self, retry_after_seconds: float | None) -> float:
        self.pauses += 1
        own = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(self.pauses - 1, 10))
        return own if retry_after_seconds is None else min(retry_after_seconds, LONGEST_ASKED_PAUSE_SECONDS)
