"""Flows in words and bars, as their pages tell them: what is read, what is written, when, and how the last runs went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from connectors import registry as connectors
from connectors.errors import SettingsError
from flows.errors import FlowDefinitionError
from flows.model import Export, Flow, Import, RunStatus, Schedule
from flows.schedule import in_words
from integrator.scheduler import next_dues
from integrator.store.listing_runs import RunRow
from integrator.web.moments import moment, told, zone
from integrator.web.states import chip_of

NEXT_RUNS: Final = 5
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


def source(export: Export, systems: dict[str, str]) -> End:
    """What is read, such as `all enabled secrets, with values`."""
    which = f"{export.resource} where {export.where}" if export.where else f"all of {export.resource}"
    if export.where == "enabled":
        which = f"all enabled {export.resource}"
    values = "with values" if export.values else "without values"
    return End(export.connection, systems.get(export.connection, ""), f"{which}, {values}")


def destination(step: Import, systems: dict[str, str]) -> End:
    """What is written, such as `upsert into secrets`."""
    words = f"{step.operation} into {step.resource}"
    words += ", adopting what is there" if step.adopt else ""
    words += ", values in plain text" if step.plaintext else ""
    return End(step.connection, systems.get(step.connection, ""), words)


def system(connector: str) -> str:
    """A connector's title; its name, where it is not installed."""
    try:
        return connectors.connector(connector).descriptor.title
    except SettingsError:
        return connector


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
