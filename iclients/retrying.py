"""When to ask again, and how long to wait: a decision object, no loop of its own hidden anywhere.

Wait before attempt n+1: what the server said (`Retry-After`), else base × 2^(n-1) seconds, with up to 25 % jitter so
that many clients do not come back at once. Source: Key Vault throttling guidance (1, 2, 4, 8, 16 s).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from iclients.clock import Clock
from iclients.errors import Recovery, RemoteError

T = TypeVar("T")

JITTER: Final = 0.25


@dataclass(frozen=True, slots=True)
class Retrying:
    """At most `attempts` tries within `total_seconds`, the first wait `base_seconds`, no wait of our own over
    `max_wait_seconds`."""

    attempts: int = 6
    total_seconds: float = 120.0
    base_seconds: float = 0.5
    max_wait_seconds: float = 60.0

    def wait_seconds(self, tries: int, error: RemoteError) -> float:
        """How long to wait after the `tries`th failure."""
        if error.retry_after_seconds is not None:
            return error.retry_after_seconds
        wait = min(self.max_wait_seconds / (1 + JITTER), self.base_seconds * 2.0 ** (tries - 1))
        return wait * (1 + JITTER * random.random())  # noqa: S311 - jitter is no secret

    def call(
        self, attempt: Callable[[], T], clock: Clock, may_repeat: Callable[[RemoteError], bool] | None = None
    ) -> T:
        """The first result of `attempt`; its last error when tries, time or `may_repeat` say that it is enough."""
        started = clock.monotonic()
        tries = 0
        while True:
            try:
                return attempt()
            except RemoteError as error:
                tries += 1
                wait = self.wait_seconds(tries, error)
                spent = clock.monotonic() - started
                allowed = may_repeat(error) if may_repeat else error.recovery is Recovery.RETRY
                if not allowed or error.was_retried:
                    raise
                if tries >= self.attempts or spent + wait > self.total_seconds:
                    error.was_retried = True
                    raise
                clock.sleep(wait)


IMPATIENT: Final = Retrying(attempts=2, total_seconds=10.0, base_seconds=0.5)
"""For a person who waits for the answer."""
