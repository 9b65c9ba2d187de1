"""The nouns of this floor: flows and what they are made of, runs and what they count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from connectors.model import Effect


@dataclass(frozen=True, slots=True)
class Export:
    """The source step: which resource of which connection, and which of its records."""

    connection: str
    resource: str
    values: bool = False
    type: str = "all"
    where: str | None = None


@dataclass(frozen=True, slots=True)
class MappingRule:
    """One field of the target: taken by a JMESPath expression, made by a template, or a fixed text."""

    to: str
    from_: str | None = None
    template: str | None = None


@dataclass(frozen=True, slots=True)
class Import:
    """The destination step. `options` is what the resource's descriptor offers."""

    connection: str
    resource: str
    operation: str = "upsert"
    plaintext: bool = False
    adopt: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    mapping: tuple[MappingRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a flow runs by itself: cron in a time zone, and what becomes of due times that nobody was there for."""

    cron: str
    timezone: str = "UTC"
    missed: str = "once"


@dataclass(frozen=True, slots=True)
class Flow:
    """Exports → steps. In this version one export and one import."""

    name: str
    exports: tuple[Export, ...]
    steps: tuple[Import, ...]
    schedule: Schedule | None = None


class RunStatus(StrEnum):
    """How a run stands: the words of the contract."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    WITH_ERRORS = "completed with errors"
    FAILED = "failed"
    NEEDS_AUTHORIZATION = "needs authorization"
    CANCELLED = "cancelled"


COUNTS = ("read", *(effect.value for effect in Effect))
"""The keys of a run's counts, in the order in which they are told."""


@dataclass(slots=True)
class Progress:
    """What a run has done so far: counts of records, calls by kind, seconds at work. Survives a resume."""

    counts: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def copy(self) -> Progress:
        """As it stands now."""
        return Progress(self.counts.copy(), self.calls.copy(), self.seconds)

    def document(self) -> dict[str, Any]:
        """As the run's document shows it, every count named."""
        return {
            "counts": {name: self.counts.get(name, 0) for name in COUNTS},
            "calls": dict(sorted(self.calls.items())),
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one record: what is stored of it. Never a value.

    `key` is the record's key at the source, by which it can be read again; `target_key` what it is at the target.
    """

    key: str
    effect: Effect
    line: int | None = None
    step: str = ""
    code: str = ""
    recovery: str = ""
    message: str = ""
    target_key: str = ""

    @property
    def is_error(self) -> bool:
        """Whether `runs errors` tells it."""
        return self.effect in (Effect.FAILED, Effect.CONFLICT)


Cursor = Mapping[str, Any]
"""Where a run goes on: `{"source": checkpoint, "target": state}`; plain JSON, no value in it."""
