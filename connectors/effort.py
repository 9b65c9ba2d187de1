"""Effort: how many calls an end of a flow makes for so many records, and how long they take. Arithmetic, no calls.

A connector says what one page, one read and one write cost it; who estimates a flow counts records and adds up.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

CPU_SECONDS: Final = 0.0012
"""What a call and its record take of the machine, so that no estimate promises more than it can do."""
BEGINS_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Effort:
    """What one end does, in calls by the names under which runs count them. The empty one makes no calls.

    `seconds` is what one call of a kind takes of the budget of its place, `place` whose budget that is.
    """

    place: str = ""
    page_size: int = 0
    lists: str = "list"
    reads: str = ""
    creates: tuple[str, ...] = ()
    compares: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)

    def listing(self, records: int) -> Counter[str]:
        """The calls that bring so many records; an empty list is a page, too."""
        return Counter({self.lists: max(1, math.ceil(records / self.page_size))}) if self.page_size else Counter()

    def reading(self, records: int) -> Counter[str]:
        """The calls that complete so many records."""
        return Counter({self.reads: records}) if self.reads and records else Counter()

    def writing(self, created: int, compared: int, updated: int) -> Counter[str]:
        """The calls that make, look at, and change so many records."""
        calls: Counter[str] = Counter()
        for kinds, many in ((self.creates, created), (self.compares, compared), (self.updates, updated)):
            for kind in kinds:
                calls[kind] += many
        return +calls

    def budget_seconds(self, calls: Mapping[str, int]) -> float:
        """How long the budget of the place takes for these calls."""
        return sum(self.seconds.get(kind, 0.0) * many for kind, many in calls.items())


def seconds_of(
    ends: Mapping[str, float], calls: int, lists: tuple[int, int], records: int, latency_seconds: float, width: int
) -> float:
    """How long a run takes: the destination's list, page by page; then the slowest of each place's budget, of the source's
    list, of the calls that are made at once, and of the machine."""
    at_once = calls * latency_seconds / max(1, width)
    machine = (calls + records) * CPU_SECONDS
    before, meanwhile = (many * latency_seconds for many in lists)
    return BEGINS_SECONDS + before + max(*ends.values(), meanwhile, at_once, machine, 0.0)
