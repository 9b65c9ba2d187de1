"""Effort: how many calls an end or an action of a flow makes for so many records, and how long they take. No calls.

A connector says what one page, one read and one write cost it; who estimates a flow counts records and adds up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

CPU_SECONDS: Final = 0.0012
"""What a call and its record take of the machine, so that no estimate promises more than it can do."""
BEGINS_SECONDS: Final = 0.2
NO_OPTIONS: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Effort:
    """What one end does, in calls by the names under which runs count them. The empty one makes no calls.

    `reads`, `creates`, `compares`, `updates` and `acts` are the calls for one record, `begins` those that a target makes
    once besides its list. `opens` is the field without which no record is read: false in it, the record fails without a
    call. `seconds` is what a call of a kind takes of the budget of its place, and `usual_seconds` what others do; `place` is
    whose budget that is.
    """

    place: str = ""
    page_size: int = 0
    begins: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    creates: tuple[str, ...] = ()
    compares: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()
    acts: tuple[str, ...] = ()
    opens: str = ""
    usual_seconds: float = 0.0
    seconds: Mapping[str, float] = field(default_factory=dict)

    def reading(self, records: int) -> Counter[str]:
        """The calls that complete so many records."""
        return _times((self.reads, records))

    def writing(self, created: int, compared: int, updated: int) -> Counter[str]:
        """The calls that get ready, and those that make, look at, and change so many records."""
        made = (self.creates, created), (self.compares, compared), (self.updates, updated)
        return _times((self.begins, 1), *made)

    def acting(self, records: int) -> Counter[str]:
        """The calls of an action that is carried out for so many records."""
        return _times((self.acts, records))

    def budget_seconds(self, calls: Mapping[str, int]) -> float:
        """How long the budget of the place takes for these calls."""
        return sum(self.seconds.get(kind, self.usual_seconds) * many for kind, many in calls.items())


def _times(*many: tuple[Sequence[str], int]) -> Counter[str]:
    calls: Counter[str] = Counter()
    for kinds, times in many:
        for kind in kinds:
            calls[kind] += times
    return +calls


def seconds_of(
    ends: Mapping[str, float], calls: int, lists: tuple[int, int], records: int, latency_seconds: float, width: int
) -> float:
    """How long a run takes: the destination's list, page by page; then the slowest of each place's budget, of the source's
    list, of the calls that are made at once, and of the machine."""
    at_once = calls * latency_seconds / max(1, width)
    machine = (calls + records) * CPU_SECONDS
    before, meanwhile = (many * latency_seconds for many in lists)
    return BEGINS_SECONDS + before + max(*ends.values(), meanwhile, at_once, machine, 0.0)
