"""Reading ahead: the next page is asked for while this one is worked on.

A list of pages is a chain: each link is in the page before it. Whatever is done between an answer and the next request
makes the whole list longer, so nothing is: a thread of its own follows the chain.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Final, TypeVar

T = TypeVar("T")

PAGES_AHEAD: Final = 2


def ahead(pages: Iterator[T], depth: int = PAGES_AHEAD) -> Iterator[T]:
    """The same pages, at most `depth` of them fetched before they are asked for. Errors come in their place."""
    ready: SimpleQueue[tuple[bool, T | BaseException | None]] = SimpleQueue()
    room = threading.Semaphore(depth)
    over = threading.Event()

    def fetch() -> None:
        try:
            for page in pages:
                ready.put((True, page))
                room.acquire()
                if over.is_set():
                    return
            ready.put((False, None))
        except BaseException as error:  # noqa: BLE001 - the thread's boundary: it is raised where the page is asked for
            ready.put((False, error))

    threading.Thread(target=fetch, name="pages", daemon=True).start()
    try:
        while True:
            is_page, what = ready.get()
            if isinstance(what, BaseException):
                raise what
            if not is_page:
                return
            yield what  # type: ignore[misc]  # what came with True is a page
            room.release()
    finally:
        over.set()
        room.release()
