"""Names with a number behind them, for records whose own name a deleted object blocks: `db-2`, `db-3`, …

In one run a name is one record's only: whoever comes first has it, be it by its own name or by a suffix.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Final

from connectors.azure_key_vault.model import LONGEST_NAME_CHARACTERS

LAST: Final = 99
"""So many deleted objects of one name mean that something is wrong."""


class Suffixes:
    """Who has which name. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owners: dict[str, str] = {}

    def of(self, name: str) -> Iterator[str]:
        """The names to try, in the order that every run keeps."""
        for number in range(2, LAST + 1):
            if len(suffixed := f"{name}-{number}") <= LONGEST_NAME_CHARACTERS:
                yield suffixed

    def take(self, name: str, record: str) -> bool:
        """Whether the name is this record's: it was free, or was its own before."""
        with self._lock:
            return self._owners.setdefault(name.lower(), record.lower()) == record.lower()
