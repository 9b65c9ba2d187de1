"""Pages that change something outside are sent once: a browser that loads the answer anew sends the form again.

Each form has a mark of its own; a mark that was used is refused. They lie in memory: what a server that began anew has
forgotten, the question of the browser still stands before.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from typing import Final

ONCE_FIELD: Final = "once"
MOST_REMEMBERED: Final = 10_000


class Once:
    """The marks that were used, the newest ones. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: OrderedDict[str, None] = OrderedDict()

    def mark(self) -> str:
        """A new mark, for a form."""
        return secrets.token_urlsafe(16)

    def use(self, mark: str) -> bool:
        """Whether this mark was not used before; one that is empty never was."""
        if not mark:
            return True
        with self._lock:
            if mark in self._used:
                return False
            self._used[mark] = None
            if len(self._used) > MOST_REMEMBERED:
                self._used.popitem(last=False)
            return True
