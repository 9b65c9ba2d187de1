"""Turns: what another system is asked for while somebody waits at a page is done by few at a time, and waited for only
so long. A slow system may then hold some threads of its own, and never those that serve pages.

What was given up goes on to its end, and keeps its place until then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from integrator.errors import UserError

T = TypeVar("T")


class TooMany(UserError):
    """Every place is taken: nothing was begun."""


class GoesOn(UserError):
    """It takes longer than anybody waits: it goes on by itself."""


class Turns:
    """So many at a time. `noun` is what they are, in the plural."""

    def __init__(self, number: int, noun: str) -> None:
        self._free = threading.BoundedSemaphore(number)
        self._noun = noun

    def take(self, work: Callable[[], T], seconds: float) -> T:
        """What the work gives, or what it raises. Raises TooMany, at once, and GoesOn."""
        if not self._free.acquire(blocking=False):
            raise TooMany(f"As many {self._noun} as this server takes at a time are under way: try again in a moment.")
        asked = _Asked(work, self._free.release)
        try:
            threading.Thread(target=asked.run, name=self._noun, daemon=True).start()
        except RuntimeError:  # the machine has no thread left
            self._free.release()
            raise TooMany(f"This server has no room for {self._noun} just now: try again in a moment.") from None
        return asked.answer(seconds)


class _Asked(Generic[T]):
    """One piece of work, and how it ended: what it gave in a list of one, or what it raised."""

    def __init__(self, work: Callable[[], T], over: Callable[[], None]) -> None:
        self._work, self._over = work, over
        self._ended: SimpleQueue[tuple[list[T], Exception | None]] = SimpleQueue()

    def run(self) -> None:
        try:
            ended: tuple[list[T], Exception | None] = [self._work()], None
        except Exception as error:  # noqa: BLE001 - the thread's boundary: raised again where somebody waits
            ended = [], error
        self._over()
        self._ended.put(ended)

    def answer(self, seconds: float) -> T:
        try:
            given, error = self._ended.get(timeout=seconds)
        except Empty:
            raise GoesOn(
                f"There is no answer after {seconds:.0f} s: it is no longer waited for, and goes on by itself."
            ) from None
        if error is not None:
            raise error
        return given[0]
