"""When failures of single records mean that the whole run should stop."""

from __future__ import annotations

import threading
from typing import Final

from iclients.errors import Recovery, RemoteError

MOST_FAILURES_IN_A_ROW: Final = 10
MOST_REFUSALS_AT_FIRST: Final = 25


class Patience:
    """Counts failures that say nothing about the record itself: a system that is down, a right that is missing.

    A system that fails ten records in a row is down. Twenty-five refusals before anything worked mean that the right
    is missing altogether; later refusals may be about single records, and the run goes on.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._refusals = 0
        self._worked = False

    @property
    def is_in_doubt(self) -> bool:
        """Whether the latest failures may be about the system, and not about their records."""
        return bool(self._in_a_row or (self._refusals and not self._worked))

    def worked(self) -> None:
        """A record went through."""
        if not self._worked or self._in_a_row:
            with self._lock:
                self._worked = True
                self._in_a_row = 0

    def is_over(self, error: RemoteError) -> bool:
        """Whether this failure is one too many."""
        with self._lock:
            if error.recovery is Recovery.RETRY:
                self._in_a_row += 1
                return self._in_a_row >= MOST_FAILURES_IN_A_ROW
            if error.code == "forbidden" and not self._worked:
                self._refusals += 1
                return self._refusals >= MOST_REFUSALS_AT_FIRST
            return error.recovery in (Recovery.ABORT, Recovery.REAUTHORIZE)
