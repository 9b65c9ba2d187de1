"""Time as a thing that is handed in, so that tests move it instead of sleeping."""

from __future__ import annotations

import threading
import time
from typing import Final, Protocol

BRIEF_SECONDS: Final = 0.05
"""Shorter waits are not worth an event."""


class Clock(Protocol):
    """What we need of time."""

    def now(self) -> float:
        """Unix seconds."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Wait. Raises Stopped where the work is to stop."""

    def check(self) -> None:
        """Raise Stopped where the work is to stop."""


class Stopped(Exception):
    """A wait was ended because the work is to stop: leave everything as it is and return."""


class SystemClock:
    """The machine's clock. `stop()` ends every wait, now and later, with Stopped."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        if seconds >= BRIEF_SECONDS:
            self._stopped.wait(seconds)
        elif seconds > 0:
            time.sleep(seconds)
        self.check()

    def check(self) -> None:
        if self._stopped.is_set():
            raise Stopped

    @property
    def is_stopped(self) -> bool:
        """Whether somebody wants to stop."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Somebody wants to stop."""
        self._stopped.set()
