"""A budget that several processes share: each takes short stretches of one virtual clock, and has the slots in them.

A stretch is as long as what was used of late takes in a tenth of a second, so nothing is asked per call, and what a process
that is killed had taken is over at once. Nobody gives a stretch back: what is not used goes by. Stretches never overlap,
so whatever the processes do, no more calls leave than the one clock allows. A pause is in the row that stretches come
from: whoever learnt of it later than LOOK_SECONDS ago looks again before its next call leaves.

Rows have wall times, slots the process's own: a wall clock that jumps moves no slot that was given. Where nobody can be
asked (the database is locked, or gone), calls go on alone, at half the pace or at what they used before, and the next
stretch that is given is paid for them.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from connectors.throttle import LOW_WATER, Budget
from connectors.virtual_clock import VirtualClock
from iclients.clock import Clock

HORIZON_SECONDS: Final = 0.1
"""A stretch lasts about so long at the pace at which it is used; half of it where others use the place too, because what
one has and does not use in time is lost to all."""
MOST_SECONDS: Final = 0.25
"""No stretch is longer, but for one call that costs more."""
LOOK_SECONDS: Final = 0.15
ALONE_SECONDS: Final = 0.5
"""So long nobody is asked again who could not be asked."""
MOST_OWED_SECONDS: Final = 1.0
_SLIVER: Final = 1e-6
"""Less than any call costs, and more than Unix seconds in a float are rounded by."""
_SEAM_SECONDS: Final = 0.0001
"""Two stretches that are no further apart are one: so much is lost when wall times are told by another clock."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a place's virtual clock, and how the place stands. Times are Unix seconds."""

    start: float
    end: float
    paused_until: float
    slowdown: float


def take_stretch(pace: VirtualClock, now: float, seconds: float, start: float, *, owed: float = 0.0) -> Stretch:
    """The next so many seconds of this clock, at its slowdown; what is owed goes by first. Moves the clock."""
    begin = max(pace.begin(now), start) + owed
    pace.next = begin + seconds * pace.slowdown
    return Stretch(begin, pace.next, pace.paused_until, pace.slowdown)


class Share(Protocol):
    """A place's row, as one process sees it. Every method gives None where the row cannot be reached soon."""

    def take(self, seconds: float, *, answered: int, owed: float, held_seconds: float) -> Stretch | None:
        """The next stretch, not before `held_seconds` from now; `answered` calls went through since the last one."""

    def look(self) -> VirtualClock | None:
        """How the place stands. Takes no lock."""

    def throttled(self, retry_after_seconds: float | None) -> VirtualClock | None:
        """The system said 429. How the place stands then."""


class SharedBudget(Budget):
    """Slots for calls, out of stretches that come from a row which other processes use too."""

    share = 0.985
    """A slot may be used later than one of a process's own, until another call comes: more is left over for that."""
    burst_seconds = 0.1

    def __init__(self, limits: Mapping[str, int], period_seconds: float, clock: Clock, row: Share) -> None:
        super().__init__(limits, period_seconds, clock)
        now = clock.monotonic()
        self._row = row
        self._asking = threading.Lock()
        self._end = self._pace.next
        self._ahead: tuple[float, float] | None = None
        self._stretch_seconds = 0.0
        self._wanting = self._used = self._rate = self._owed = 0.0
        self._answers = 0
        self._asked_at = self._seen_at = now
        self._held_until = self._alone_next = self._alone_until = now

    def take(self, kind: str) -> None:
        cost = self._costs[kind]
        while True:
            slot = self._slot(cost)
            if slot is None:
                slot = self._asked_for(cost)
            elif self._is_low(cost):
                self._ask_ahead(cost)
            wait = slot - self._clock.monotonic()
            if wait > 0:
                self._clock.sleep(wait)
            else:
                self._clock.check()
            if self._clock.monotonic() - self._seen_at > LOOK_SECONDS:
                self._look()
            if slot >= self._pace.paused_until - _SLIVER:
                return

    def throttled(self, retry_after_seconds: float | None) -> None:
        with self._asking:
            now = self._clock.monotonic()
            if now < self._pace.paused_until:
                return
            told = self._row.throttled(retry_after_seconds)
            with self._lock:
                if told is None:
                    self._pace.throttled(now, retry_after_seconds)
                    self._held_until = self._pace.paused_until
                    self._drop()
                else:
                    self._learn(told.paused_until, told.slowdown)

    def left(self, calls: int, refill_per_second: float) -> None:
        if calls < LOW_WATER:
            with self._lock:
                wait = (LOW_WATER - max(0, calls)) / refill_per_second
                self._held_until = max(self._held_until, self._clock.monotonic() + wait)
                self._drop()

    def answered(self) -> None:
        if self._pace.slowdown > 1.0:
            with self._lock:
                self._answers += 1

    def owe(self, kind: str, instead_of: str) -> None:
        with self._lock:
            self._owed += max(0.0, self._costs[kind] - self._costs[instead_of]) * self._pace.slowdown

    def _slot(self, cost: float) -> float | None:
        """A slot of what we have, None where there is none: of the stretch at hand, else of the one ahead."""
        with self._lock:
            need = cost * self._pace.slowdown
            while True:
                slot = max(self._pace.next, self._clock.monotonic() - self._burst_seconds)
                if slot + need <= self._end + _SLIVER:
                    self._pace.next = slot + need
                    self._used += need
                    return slot
                if self._ahead is None:
                    return None
                self._move_on(*self._ahead)

    def _move_on(self, start: float, end: float) -> None:
        if abs(start - self._end) > _SEAM_SECONDS:
            self._pace.next = start
        self._end, self._ahead = end, None

    def _asked_for(self, cost: float) -> float:
        with self._lock:
            self._wanting += cost
        try:
            with self._asking:
                while (slot := self._slot(cost)) is None:
                    self._ask(cost)
                    slot = self._first_slot(cost)
                    if slot is not None:
                        break
                return slot
        finally:
            with self._lock:
                self._wanting -= cost

    def _first_slot(self, cost: float) -> float | None:
        """The first slot of the stretch that just came, however long it took to come: else a slow database stops us."""
        with self._lock:
            if self._ahead is None:
                return None
            self._move_on(*self._ahead)
            slot, need = self._pace.next, cost * self._pace.slowdown
            if slot + need > self._end + _SLIVER:
                return None
            self._pace.next = slot + need
            self._used += need
            return slot

    def _is_low(self, cost: float) -> bool:
        """Whether the next stretch is asked for while this one lasts: only where more calls are sure to come."""
        if self._ahead is not None or self._rate * HORIZON_SECONDS < 2 * cost:
            return False
        return (
            self._end - max(self._pace.next, self._clock.monotonic() - self._burst_seconds) < self._stretch_seconds / 2
        )

    def _ask_ahead(self, cost: float) -> None:
        if self._asking.acquire(blocking=False):
            try:
                if self._ahead is None:
                    self._ask(cost)
            finally:
                self._asking.release()

    def _ask(self, cost: float) -> None:
        """Take the next stretch; alone, where nobody answers. The caller holds `_asking`."""
        now = self._clock.monotonic()
        with self._lock:
            seconds = self._wish(cost, now)
            answers, owed, held = self._answers, self._owed, max(0.0, self._held_until - now)
        stretch, offset = None, self._offset()
        if now >= self._alone_until:
            stretch = self._row.take(seconds, answered=answers, owed=owed, held_seconds=held)
        with self._lock:
            if stretch is None:
                self._go_alone(seconds)
                return
            self._answers -= answers
            self._owed -= owed
            self._learn(stretch.paused_until, stretch.slowdown)
            offset = min(offset, self._offset())  # a clock that is turned back just now puts nothing off
            self._ahead = (stretch.start + offset, stretch.end + offset)
            self._stretch_seconds = stretch.end - stretch.start

    def _wish(self, cost: float, now: float) -> float:
        """How much is asked for: what was used of late, or what callers wait for, in whole calls of this cost."""
        elapsed = max(now - self._asked_at, 0.001)
        self._rate = (self._rate + min(1.0, self._used / elapsed)) / 2
        self._used, self._asked_at = 0.0, now
        expected = self._rate * HORIZON_SECONDS * max(0.5, self._rate)
        wanted = min(MOST_SECONDS, max(self._wanting, expected))
        return max(1, int(wanted / cost + 0.001)) * cost

    def _go_alone(self, seconds: float) -> None:
        """A stretch that nobody gave, at half the pace or at what was our part of it; it is owed."""
        now = self._clock.monotonic()
        if now >= self._alone_until:
            self._alone_until = now + ALONE_SECONDS
        taken = seconds * self._pace.slowdown
        start = max(self._alone_next, now, self._pace.paused_until, self._held_until)
        self._ahead = (start, start + taken)
        self._stretch_seconds = taken
        self._alone_next = start + taken * max(2.0, 1 / max(self._rate, 0.125))
        self._owed = min(MOST_OWED_SECONDS, self._owed + taken)
        self._seen_at = now

    def _look(self) -> None:
        if self._asking.acquire(blocking=False):
            try:
                pace = self._row.look()
                with self._lock:
                    if pace is None:
                        self._seen_at = self._clock.monotonic()
                    else:
                        self._learn(pace.paused_until, pace.slowdown)
            finally:
                self._asking.release()

    def _learn(self, paused_until: float, slowdown: float) -> None:
        """How the place stands: a pause that is new to us ends what we have."""
        self._pace.slowdown = slowdown
        self._seen_at = now = self._clock.monotonic()
        paused = paused_until + self._offset()
        if paused > now and paused > self._pace.paused_until + 0.001:
            self._pace.paused_until = paused
            self._drop()

    def _drop(self) -> None:
        self._pace.next = self._end = self._clock.monotonic()
        self._ahead = None

    def _offset(self) -> float:
        return self._clock.monotonic() - self._clock.now()
