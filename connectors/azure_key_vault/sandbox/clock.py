"""The sandbox's clock: real time plus an offset that a test or the control endpoint moves.

Token lifetimes, soft delete and throttling windows all follow it, so an hour passes in no time.
"""

from __future__ import annotations

import time


class Clock:
    """Unix seconds that can be moved; it keeps running after it was moved."""

    def __init__(self) -> None:
        self._offset_seconds = 0.0

    def now(self) -> float:
        """Unix seconds."""
        return time.time() + self._offset_seconds

    def advance(self, seconds: float) -> None:
        """Jumps by that much; a negative number goes back."""
        self._offset_seconds += seconds

    def set(self, epoch: float) -> None:
        """Makes it that moment now, in Unix seconds."""
        self._offset_seconds = epoch - time.time()
