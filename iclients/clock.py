"""Time as a thing that is handed in, so that tests move it instead of sleeping."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What we need of time."""

    def now(self) -> float:
        """Unix seconds."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Wait; a `wake` from another thread ends it."""


class SystemClock:
    """The machine's clock. `wake()` ends every wait, now and later: somebody wants to stop."""

    def __init__(self) -> None:
        self._woken = threading.Event()

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        if seconds > 0 and not self._woken.is_set():
            if seconds < 0.05:
                time.sleep(seconds)
            else:
                self._woken.wait(seconds)

    def wake(self) -> None:
        self._woken.set()
