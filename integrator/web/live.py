"""A run as it moves: how fast, how long still, and the stream of events that tells a page so.

Every stream holds one of the server's threads, so there are only so many; whoever finds no place asks for the page again
and again instead. Between two looks nothing is held: no transaction, no lock. A stream ends within seconds when who watches
may not any more, and after two minutes in any case: the browser then opens the next one, or is sent to sign in.
Source: WHATWG HTML §9.2, server-sent events.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Final

from flows.model import Progress
from integrator.errors import StoreError

MOST_STREAMS: Final = 16
TICK_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 120.0
HEARTBEAT_SECONDS: Final = 5.0
ASKED_AGAIN_SECONDS: Final = 5.0
"""So often it is asked whether who watches may watch still."""
RECONNECT_MS: Final = 1000
MINUTE_SECONDS: Final = 60.0
SPEED_SECONDS: Final = 10.0
"""Over so long the records of a second are counted: pages are stored in bursts."""
MOST_WATCHED: Final = 200


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a run is: records a second, and calls in the last minute."""

    records_a_second: float
    calls_this_minute: int


@dataclass(frozen=True, slots=True)
class _Seen:
    at: float
    read: int
    calls: int


class Watched:
    """What was seen of runs lately, by whoever looked: from its growth comes the pace."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[int, deque[_Seen]] = {}

    def pace(self, run_id: int, progress: Progress) -> Pace:
        """The pace of this run, which has done this by now."""
        now = _Seen(self._clock(), progress.counts["read"], progress.calls.total())
        with self._lock:
            seen = self._seen.pop(run_id, deque())
            if seen and (seen[-1].read > now.read or now.at - seen[-1].at > MINUTE_SECONDS):
                seen.clear()  # it began anew, or nobody looked for long
            while len(seen) > 1 and now.at - seen[1].at >= MINUTE_SECONDS:
                seen.popleft()
            if not seen or now.at - seen[-1].at >= TICK_SECONDS / 2:
                seen.append(now)
            self._seen[run_id] = seen
            while len(self._seen) > MOST_WATCHED:
                del self._seen[next(iter(self._seen))]
            return Pace(_speed(seen, now, progress), _calls(seen, now, progress))

    def forget(self, run_id: int) -> None:
        """It is over."""
        with self._lock:
            self._seen.pop(run_id, None)


class Streams:
    """The streams of one server. `tick_seconds` is how often each looks, `longest_seconds` how long it lasts.

    `clock` gives seconds that only grow.
    """

    def __init__(
        self,
        most: int = MOST_STREAMS,
        tick_seconds: float = TICK_SECONDS,
        longest_seconds: float = LONGEST_SECONDS,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._places = threading.BoundedSemaphore(most)
        self._tick_seconds = tick_seconds
        self._longest_seconds = longest_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._clock = clock
        self._ending = threading.Event()

    def take(self) -> Callable[[], None] | None:
        """A place, as what gives it back; None where there is none."""
        if self._ending.is_set() or not self._places.acquire(blocking=False):
            return None
        return _Once(self._places.release)

    def end(self) -> None:
        """The server stops: every stream ends now. May be called from any thread."""
        self._ending.set()

    def told(self, look: Callable[[], str | None], may_watch: Callable[[], bool]) -> Iterator[str]:
        """What a browser is sent: whatever `look` gives, whenever that changes; where it gives None, the run is over.

        In between a comment now and then: so it is noticed when the browser is gone. It ends where `may_watch` says no.
        """
        yield f"retry: {RECONNECT_MS}\n\n"
        began = spoke = asked = self._clock()
        last = ""
        while not self._ending.is_set() and self._clock() - began < self._longest_seconds:
            try:
                if self._clock() - asked >= ASKED_AGAIN_SECONDS:
                    asked = self._clock()
                    if not may_watch():
                        return
                text = look()
            except StoreError:
                return  # the browser comes again, and the page says what is wrong
            if text is None:
                yield event("over", "")
                return
            if text != last:
                last, spoke = text, self._clock()
                yield event("moved", text)
            elif self._clock() - spoke >= self._heartbeat_seconds:
                spoke = self._clock()
                yield ": still here\n\n"
            self._ending.wait(self._tick_seconds)


def event(name: str, text: str) -> str:
    """One event as it is sent, however many lines its text has."""
    lines = "".join(f"data: {line}\n" for line in text.splitlines() or [""])
    return f"event: {name}\n{lines}\n"


class _Once:
    """Does it the first time only."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._left = [act]

    def __call__(self) -> None:
        while self._left:
            self._left.pop()()


def _speed(seen: deque[_Seen], now: _Seen, progress: Progress) -> float:
    since = next((one for one in seen if now.at - one.at <= SPEED_SECONDS), now)
    if now.at - since.at >= TICK_SECONDS * 2:
        return (now.read - since.read) / (now.at - since.at)
    return now.read / progress.seconds if progress.seconds else 0.0


def _calls(seen: deque[_Seen], now: _Seen, progress: Progress) -> int:
    """What was seen of the last minute, and for the rest of it what the run has needed on the whole."""
    covered = now.at - seen[0].at
    grown = now.calls - seen[0].calls
    if covered >= MINUTE_SECONDS:
        return round(grown * MINUTE_SECONDS / covered)
    before = min(MINUTE_SECONDS - covered, max(0.0, progress.seconds - covered))
    average = seen[0].calls / (progress.seconds - covered) if progress.seconds > covered else 0.0
    return grown + round(average * before)
