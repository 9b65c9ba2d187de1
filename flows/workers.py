"""Threads that work on records, and the one that reads pages ahead: as few hand-overs as possible.

A task is put once and done by whoever is free; what is finished is told through one queue of events. Threads start
when there is work for them, up to the width. They are daemons: a process that wants to end does not wait for a call
that hangs; the journal makes sure that nothing is lost by that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Final

from connectors.model import Page

Task = Callable[[], None]
_GRACE_SECONDS: Final = 2.0


class Workers:
    """Runs tasks on up to `width` threads. `failed` gets what a task did not handle."""

    def __init__(self, width: int, failed: Callable[[BaseException], None]) -> None:
        self._width = width
        self._failed = failed
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._closing = False

    def put(self, task: Task) -> None:
        """Have a task done by whoever is free. Called from one thread only."""
        self._tasks.put(task)
        if len(self._threads) < self._width:
            thread = threading.Thread(target=self._work, name=f"record-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """Begin no other task, and tell the threads to end when they are free; wait a moment for them."""
        self._closing = True
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join(_GRACE_SECONDS / len(self._threads))

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None and not self._closing:
            try:
                task()
            except BaseException as error:  # noqa: BLE001 - the thread's boundary: the run decides what follows
                self._failed(error)


class Lister:
    """Reads pages ahead on a thread of its own, as long as not too many records are on their way."""

    def __init__(
        self,
        pages: Iterator[Page],
        most_records: int,
        listed: Callable[[Page], None],
        ended: Callable[[BaseException | None], None],
    ) -> None:
        self._pages = pages
        self._most = most_records
        self._listed = listed
        self._ended = ended
        self._under_way = 0
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, name="lister", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def done(self, records: int) -> None:
        """So many records are no longer on their way."""
        with self._changed:
            self._under_way -= records
            self._changed.notify()

    def close(self) -> None:
        """Stop reading; wait a moment for a call under way."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(_GRACE_SECONDS)

    def _read(self) -> None:
        try:
            for page in self._pages:
                self._listed(page)
                if not self._has_room(len(page.records)):
                    return
            self._ended(None)
        except BaseException as error:  # noqa: BLE001 - the thread's boundary: the run decides what follows
            self._ended(error)

    def _has_room(self, records: int) -> bool:
        with self._changed:
            self._under_way += records
            self._changed.wait_for(lambda: self._under_way < self._most or self._stopping)
            return not self._stopping
