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
    """One field of the target: taken by a JMESPath expression, made by a template, or a fixed text.

    `codec` names what then makes a name of it, `decode` what makes of a name what it was (`flows.names`).
    """

    to: str
    from_: str | None = None
    template: str | None = None
    codec: str | None = None
    decode: str | None = None


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
class ActionStep:
    """A step that carries out an action for each record, with `inputs` made from it, and puts what it gives `into` it.

    `repeat` is `accept` where an action that does harm when it is carried out twice is meant all the same.
    """

    connection: str
    action: str
    inputs: tuple[MappingRule, ...] = ()
    into: str | None = None
    repeat: str | None = None

    @property
    def field(self) -> str:
        """The field of the record that holds the outputs."""
        return self.into or self.action


Step = Import | ActionStep


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a flow runs by itself: cron in a time zone, and what becomes of due times that nobody was there for."""

    cron: str
    timezone: str = "UTC"
    missed: str = "once"


@dataclass(frozen=True, slots=True)
class Flow:
    """Exports → steps. In this version one export; any number of actions, and one import or action at the end."""

    name: str
    exports: tuple[Export, ...]
    steps: tuple[Step, ...]
    schedule: Schedule | None = None

    @property
    def destination(self) -> Import | None:
        """Where records go; None where the flow ends in an action."""
        last = self.steps[-1]
        return last if isinstance(last, Import) else None

    @property
    def actions(self) -> tuple[ActionStep, ...]:
        """The action steps, in order."""
        return tuple(step for step in self.steps if isinstance(step, ActionStep))

    @property
    def last_rules(self) -> tuple[MappingRule, ...]:
        """What makes the fields that the last step gets: the import's mapping, or the inputs of the action."""
        last = self.steps[-1]
        return last.mapping if isinstance(last, Import) else last.inputs

    @property
    def rules(self) -> tuple[MappingRule, ...]:
        """Every rule of every step: what the flow looks at in a record. None where the import takes it whole."""
        if self.destination is not None and not self.destination.mapping:
            return ()
        inputs = [rule for step in self.steps for rule in (step.mapping if isinstance(step, Import) else step.inputs)]
        return tuple(inputs)

    @property
    def connections(self) -> tuple[str, ...]:
        """Every connection that it uses, each once, in the order of its steps."""
        return tuple(dict.fromkeys(step.connection for step in (*self.exports, *self.steps)))

    @property
    def step_names(self) -> tuple[str, ...]:
        """What each step is called where it is told what went wrong there; no two alike."""
        named: list[str] = []
        for step in self.steps:
            what = f"import {step.connection}/{step.resource}" if isinstance(step, Import) else _action_name(step)
            named.append(f"{what} ({len(named) + 1})" if what in named else what)
        return tuple(named)


def _action_name(step: ActionStep) -> str:
    return f"action {step.connection}/{step.action}"


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
