"""The nouns of this floor: what connectors read and write, independent of any one system."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class ApiType(StrEnum):
    """Which side of a system a connection talks to."""

    DATA = "data"
    CONTROL = "control"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a connection may use: calls in a period, and how many at once. None: what the system publishes."""

    calls: int | None = None
    period_seconds: float = 60.0
    concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """A connector with settings, and the iClient that lets it in."""

    name: str
    connector: str
    api_type: ApiType | None = None
    auth: str | None = None
    iclient: str | None = None
    scopes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    limits: Limits = Limits()
    owner: str = ""


class Record:
    """One record on its way. It prints its key, never its fields: they may hold values.

    `key` names it for people; `line` is where it stands in a file; `marker` says which state of the source's record
    this is (None: not settled yet, so it counts as changed); `left_out` says why the source itself leaves it out.
    """

    __slots__ = ("fields", "key", "left_out", "line", "marker")

    def __init__(
        self,
        key: str,
        fields: dict[str, Any],
        *,
        line: int | None = None,
        marker: str | None = None,
        left_out: str | None = None,
    ) -> None:
        self.key = key
        self.fields = fields
        self.line = line
        self.marker = marker
        self.left_out = left_out

    def __repr__(self) -> str:
        return f"Record({self.key!r})"


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that could not even be read: where it stands and why."""

    key: str
    line: int | None
    code: str
    message: str


Checkpoint = Mapping[str, Any]
"""Where to go on reading: plain JSON, made and understood by the source alone; holds no value."""


@dataclass(frozen=True, slots=True)
class Page:
    """What one request brings. `checkpoint` is where to go on after it, None after the last one."""

    records: Sequence[Record | BadRecord]
    checkpoint: Checkpoint | None


class Effect(StrEnum):
    """What became of a record: the words of a run's counts."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    SKIPPED = "skipped"
    CONFLICT = "conflicts"
    FAILED = "failed"


@dataclass(slots=True)
class Known:
    """What the ledger remembers of one record at a target; never a value.

    `fingerprint` is keyed and covers what was last written or found equal there; `marker` is the target's own mark of
    that state; `source_marker` the source's; `owned` whether a flow of ours wrote it; `intent` what the target gave as
    the fingerprint of a planned write that began and whose end was not recorded.
    """

    fingerprint: str = ""
    marker: str = ""
    source_marker: str = ""
    owned: bool = False
    intent: str = ""


@dataclass(slots=True)
class Change:
    """What would become of one record at the target, and after the write what became of it.

    `payload` is the target's own: how to write it. `reason` explains a conflict; with a `code`, beside an effect that
    went well, it is a warning, which the run's events tell.
    """

    effect: Effect
    fingerprint: str = ""
    marker: str = ""
    owned: bool = False
    payload: Any = field(default=None, repr=False)
    code: str = ""
    reason: str = ""

    @property
    def writes(self) -> bool:
        """Whether carrying it out changes the target."""
        return self.effect in (Effect.CREATED, Effect.UPDATED, Effect.DELETED)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a flow reads a resource. `values`: with what only a read brings; `fields`: what the flow looks at, None: all."""

    values: bool = False
    fields: frozenset[str] | None = None

    def unread(self, only_read: Iterable[str]) -> frozenset[str]:
        """Which of the fields that cost a read are wanted."""
        if not self.values:
            return frozenset()
        return frozenset(name for name in only_read if self.fields is None or name in self.fields)


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a flow writes a resource. `options` is what its descriptor offers, every one of them with a value."""

    operation: str = "upsert"
    plaintext: bool = False
    adopt: bool = False
    fields: tuple[str, ...] = ()
    """The fields that the mapping names, in its order."""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a ping looked at: whether it is as it must be, and a sentence, which names the next step if not."""

    name: str
    ok: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Recognized:
    """What a setting is taken for as it is typed: a sentence, and the value as it is used, in which cloud.

    Without a value it cannot be used; `offered` is what was probably meant then.
    """

    sentence: str
    value: str = ""
    cloud: str = ""
    offered: str = ""


@dataclass(frozen=True, slots=True)
class Need:
    """What a flow does on a connection: a verb of one of its resources, as the descriptor names them.

    Or `right`: the word of a permission that one of its actions needs (`keys/encrypt`).
    """

    resource: str = ""
    verb: str = ""
    right: str = ""
    fields: frozenset[str] | None = frozenset()
    """Where it reads: the fields that the flow looks at, None: all."""
    options: tuple[tuple[str, str], ...] = ()
    """Where it writes: what the import was told in words, by name (`deleted`: `recover`)."""


@dataclass(frozen=True, slots=True)
class Ping:
    """A connection that works: what was reached, in one sentence, and what was looked at on the way."""

    message: str
    checks: tuple[Check, ...] = ()
