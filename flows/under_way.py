"""What is under way: records, and the pages that they came on."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from connectors.model import Change, Checkpoint, Known, Record
from flows.model import Outcome
from flows.policy import Patience


@dataclass(slots=True)
class Item:
    """One record on its way through the engine."""

    record: Record
    key: str | None = None
    known: Known | None = None
    mapped: Record | None = None
    change: Change | None = None
    source_marker: str = ""
    step: str = ""
    """The step that it is at, where that is not the last one."""
    outcome: Outcome | None = None
    is_intended: bool = False
    is_refused: bool = False
    """Whether the target said no to the write: then nothing of what was intended can be there."""
    doubt: Patience | None = None
    """Whose failures may show that the record's own failure is no fault of its own."""

    @property
    def writes(self) -> bool:
        """Whether it is to be written, or was."""
        return self.outcome is None and self.change is not None and self.change.writes


@dataclass(slots=True)
class PageUnderWay:
    """A page on its way: what of it is still being worked on, and what is already known of it."""

    size: int
    checkpoint: Checkpoint | None
    items: list[Item] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    skipped: int = 0
    pending: int = 0
    is_done: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_in_doubt(self) -> bool:
        """Whether records of it failed for what may be no fault of theirs."""
        return any(item.doubt is not None and item.doubt.is_in_doubt for item in self.items)

    def one_less(self) -> bool:
        """One of its tasks has ended; whether it was the last."""
        with self.lock:
            self.pending -= 1
            return self.pending == 0
