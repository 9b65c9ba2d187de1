"""Flows in words and bars, as their pages tell them: what is read, what is written, when, and how the last runs went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from connectors import registry as connectors
from connectors.descriptor import ResourceDescriptor
from flows.errors import FlowDefinitionError
from flows.model import Export, Flow, Import, RunStatus, Schedule, Step
from flows.schedule import in_words
from integrator.scheduler import next_dues
from integrator.store.listing_runs import RunRow
from integrator.web.moments import moment, told, zone
from integrator.web.states import chip_of

NEXT_RUNS: Final = 5
LONGEST_WHERE_CHARACTERS: Final = 60
BAR_HEIGHT: Final = 40
_LEAST_BAR: Final = 4
_WRITTEN: Final = ("created", "updated", "deleted")


@dataclass(frozen=True, slots=True)
class Bar:
    """One run as a bar: how high, which tone, and what it is called."""

    run_id: int
    height: int
    tone: str
    words: str


@dataclass(frozen=True, slots=True)
class End:
    """One card of the strip: a connection's name, its system, and what is done there."""

    connection: str
    connector: str
    system: str
    words: str


def schedule_words(cron: str, timezone: str) -> str:
    """The schedule in plain English; one that cannot be read, as it is."""
    try:
        return in_words(Schedule(cron, timezone))
    except FlowDefinitionError:
        return f"{cron} ({timezone})"


def schedule_briefly(cron: str, timezone: str) -> str:
    """The schedule without its time zone, for a list."""
    return schedule_words(cron, timezone).removesuffix(f" ({timezone})")


def when(unix_seconds: int) -> str:
    """A due time such as `Mon 23 Nov 2026, 03:00 CET`, in the zone of whoever looks."""
    return f"{datetime.fromtimestamp(unix_seconds, zone()):%a} {moment(unix_seconds)}"


def next_runs(flow: Flow, now: float) -> Sequence[int]:
    """When it is due next; nothing where it has no schedule, or one that cannot be read here."""
    try:
        return next_dues(flow.schedule, now, NEXT_RUNS) if flow.schedule else []
    except FlowDefinitionError:
        return []


def source(export: Export, connector: str) -> End:
    """What is read by a connection of this connector."""
    known = connectors.descriptor_of(connector)
    resource = known.resource(export.resource) if known else None
    words = source_words(export.resource, resource, export.where or "", values=export.values)
    return End(export.connection, connector, known.title if known else connector, words)


def destination(step: Import, connector: str) -> End:
    """What is written by a connection of this connector."""
    known = connectors.descriptor_of(connector)
    words = target_words(step.operation, step.resource, adopt=step.adopt, plaintext=step.plaintext)
    return End(step.connection, connector, known.title if known else connector, words)


def step(flow: Flow, one: Step, connector: str) -> End:
    """What a step does on a connection of this connector."""
    if isinstance(one, Import):
        return destination(one, connector)
    known = connectors.descriptor_of(connector)
    words = one.action if one is flow.steps[-1] else f"{one.action}, into {one.field}"
    return End(one.connection, connector, known.title if known else connector, words)


def source_words(resource: str, known: ResourceDescriptor | None, where: str, *, values: bool) -> str:
    """Such as `all enabled secrets, with values`; `known` is what its connector says of the resource."""
    if not resource:
        return "nothing chosen yet"
    is_one = known is None or known.is_pattern
    noun = resource if is_one else known.title.lower() if known else resource
    if where == "enabled":
        told = f"enabled rows of {noun}" if is_one else f"all enabled {noun}"
    elif where:
        short = where if len(where) <= LONGEST_WHERE_CHARACTERS else f"{where[: LONGEST_WHERE_CHARACTERS - 1]}…"
        told = f"{noun} where {short}"
    else:
        told = f"all of {noun}" if is_one else f"all {noun}"
    reads_apart = known is None or "get" in known.verbs
    return f"{told}, {'with' if values else 'without'} values" if reads_apart else told


def mapping_words(rules: Sequence[Mapping[str, Any]]) -> str:
    """Such as `3 fields`."""
    if not rules:
        return "each record as it is"
    return f"{len(rules)} field{'' if len(rules) == 1 else 's'}"


def target_words(operation: str, resource: str, *, adopt: bool, plaintext: bool) -> str:
    """Such as `upsert into secrets`."""
    if not resource:
        return "nothing chosen yet"
    also = [word for word, told in (("adopting what is there", adopt), ("values in plain text", plaintext)) if told]
    return ", ".join([f"{operation} into {resource}", *also])


def bars(runs: Sequence[RunRow]) -> list[Bar]:
    """The runs, given the newest first, as bars from the oldest to the newest; the highest has read most."""
    most = max((run.counts.get("read", 0) for run in runs), default=0)
    return [_bar(run, most) for run in reversed(runs)]


def written(run: RunRow) -> int:
    """How many records it has created, updated and deleted."""
    return sum(run.counts.get(name, 0) for name in _WRITTEN)


def wrong(run: RunRow) -> int:
    """How many records failed, or were in conflict."""
    return run.counts.get("failed", 0) + run.counts.get("conflicts", 0)


def is_unfinished(run: RunRow) -> bool:
    """Whether it waits or runs."""
    return run.status in (RunStatus.WAITING, RunStatus.RUNNING)


def _bar(run: RunRow, most: int) -> Bar:
    word, tone = chip_of(run.status)
    read = run.counts.get("read", 0)
    at = run.ended_at or run.started_at
    when = f", {told(at).relative}" if at is not None else ""
    words = f"Run {run.id}: {word}, {read:,} record{'' if read == 1 else 's'}{when}"
    return Bar(run.id, max(_LEAST_BAR, round(BAR_HEIGHT * read / most)) if most else _LEAST_BAR, tone, words)
