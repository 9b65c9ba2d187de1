"""What a connector's author writes: a Connector, and for each resource a Source, a Target, or both.

Reading has two steps, so that what is left out or unchanged costs no read of a value: `pages` lists, `read` completes
one record. Writing has four, so that a crash between any two lines can be mended: `assess` compares without touching,
the engine notes the intent, `write` changes one record, `settle` makes a page durable before its checkpoint is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from connectors.actions import Action, find
from connectors.descriptor import Descriptor
from connectors.effort import NO_OPTIONS, Effort
from connectors.errors import SettingsError
from connectors.model import (
    Change,
    Checkpoint,
    Connection,
    Known,
    Need,
    Page,
    Ping,
    ReadOptions,
    Recognized,
    Record,
    WriteOptions,
)
from connectors.schemas import load_actions
from connectors.throttle import Budgets
from iclients.clock import Clock
from iclients.clouds import CloudProfile
from iclients.retrying import Retrying
from iclients.session import AuthorizedSession
from iclients.transport import Transport


@dataclass(frozen=True, slots=True)
class Access:
    """What a connection is given to work with, made by the composition root.

    `session` gives tokens for a list of scopes; `budget` a shared budget by name; `fingerprint` a keyed digest, so
    that equality can be remembered without a value; `folder` is where relative paths begin; `retrying` how patient it is;
    `scopes` what its iClient has chosen, `tenant` its directory; `progress` is told, in a sentence, what is waited for.
    """

    clock: Clock
    fingerprint: Callable[[bytes], str]
    folder: Path
    cloud: CloudProfile | None = None
    transport: Transport | None = None
    session: Callable[[Sequence[str]], AuthorizedSession] | None = None
    budget: Budgets | None = None
    retrying: Retrying | None = None
    scopes: tuple[str, ...] = ()
    tenant: str = ""
    progress: Callable[[str], None] | None = None


class Source:
    """Reads one resource."""

    identity: str = ""
    """What it reads, the same for every connection that means the same place."""
    unread: frozenset[str] = frozenset()
    """Fields that `pages` does not bring and `read` does."""

    def fields(self) -> Sequence[str] | None:
        """The fields that every record has, where that is known before reading (a CSV's header); else None."""
        return None

    def pages(self, checkpoint: Checkpoint | None) -> Iterator[Page]:
        """Pages from the checkpoint on, in an order that does not change between two runs over the same data."""
        raise NotImplementedError

    def read(self, record: Record) -> Record:
        """The record with the fields that listing leaves out. Called from many threads."""
        return record

    def close(self) -> None:
        """Let go of what is open. Called once, however the run ends."""


class Target:
    """Writes one resource."""

    identity: str = ""
    """What the ledger calls it: the same for every connection that means the same place."""
    key_field: str = "name"
    original_field: str = ""
    """The field that takes what a record was called before its name was made of it; empty where there is none."""
    remembers: bool = True
    """Whether the ledger keeps an entry for each record (a vault), or only one for the whole (a file)."""

    def begin(self, resume: Mapping[str, Any] | None, known: Known | None) -> bool:
        """Get ready. `resume` is what `settle` last gave; `known` the ledger's entry for the whole target.

        False: cannot go on from there, the run must start over. Raises RunRefused where a safety limit says so.
        """
        return True

    def key(self, fields: Mapping[str, Any]) -> str | None:
        """The record's key as the target compares it (without case, say), None if it has none."""
        key = fields.get(self.key_field)
        return key if isinstance(key, str) and key else None

    def is_current(self, key: str, known: Known) -> bool:
        """Whether the target still is as `known` says, by what listing showed: no call."""
        return False

    def assess(self, record: Record, known: Known | None) -> Change:
        """What writing this record would do. Never changes anything. Called from many threads.

        Raises RecordError, before any write, for a record that the target cannot take.
        """
        raise NotImplementedError

    def write(self, record: Record, change: Change) -> Change:
        """Carry the change out, and say what became of it. Called from many threads, each record once."""
        raise NotImplementedError

    def settle(self, changes: Sequence[Change]) -> Mapping[str, Any] | None:
        """Make a page's writes durable, in page order, on one thread. What it gives comes back to `begin`."""
        return None

    def finish(self) -> Known | None:
        """All pages are settled: complete the whole. What it gives is the ledger's entry for the whole target.

        A crash may come before that entry is stored: `begin` with the last `resume` must then know its own work.
        """
        return None

    def close(self) -> None:
        """Let go of what is open. Called once, however the run ends."""


class Connector:
    """One system, as one connection sees it. Authors override what their system can do."""

    descriptor: ClassVar[Descriptor]
    needs: frozenset[Need] = frozenset()
    """What its flows do, where somebody knows: what `ping` looks at. Empty: nobody has said."""

    def __init__(self, connection: Connection, access: Access) -> None:
        self.connection = connection
        self.access = access

    @property
    def calls(self) -> Mapping[str, int]:
        """How often each kind of call was made."""
        return Counter()

    @property
    def concurrency(self) -> int:
        """How many records may be worked on at once."""
        return self.connection.limits.concurrency or self.descriptor.concurrency

    @property
    def scopes(self) -> tuple[str, ...]:
        """What its tokens are asked for."""
        return self.connection.scopes or self.access.scopes

    @classmethod
    def recognized(
        cls, setting: str, typed: str, clouds: Sequence[CloudProfile], home: CloudProfile | None
    ) -> Recognized | None:
        """What a setting is taken for while it is typed, without a call; None where there is nothing to tell.

        `clouds` are those that are known; `home` is the iClient's, where one is chosen.
        """
        return None

    @classmethod
    def tenant_of(cls, connection: Connection, cloud: CloudProfile, transport: Transport) -> str:
        """The tenant that the system names to whoever comes without a token; empty where it names none that counts.

        Asked where the iClient names none. Raises RemoteError where the system cannot be asked.
        """
        return ""

    def choices(self, setting: str) -> Sequence[tuple[str, str]]:
        """What can be chosen for a setting whose descriptor says that it `offers`: values with titles, as the system shows
        them to this connection. Raises RemoteError."""
        raise SettingsError(f"{self.descriptor.title} cannot say what there is for the setting {setting}.")

    def effort(
        self, resource: str, unread: frozenset[str] = frozenset(), options: Mapping[str, Any] = NO_OPTIONS
    ) -> Effort:
        """What reading and writing this resource takes, for estimates; nothing, where it makes no calls. Makes none.

        `unread` is what the source leaves to be read, `options` what the import is told.
        """
        return Effort()

    def effort_of_action(self, action_id: str, named: Collection[str]) -> Effort:
        """What carrying out an action takes where these parameters are named. Makes no call. Raises BadInput."""
        return Effort(self.connection.name, acts=self.action(action_id).kinds(named))

    def ping(self) -> Ping:
        """Reach the system as this connection. Raises RemoteError with the sentence that says what is wrong.

        `connectors.checks.with_checks` lets the error carry what was looked at before it.
        """
        raise NotImplementedError

    def source(self, resource: str, options: ReadOptions) -> Source:
        """Reads this resource."""
        raise SettingsError(f"{self.descriptor.title} has nothing to read that is called {resource}.")

    def target(self, resource: str, options: WriteOptions) -> Target:
        """Writes this resource."""
        raise SettingsError(f"{self.descriptor.title} has nothing to write that is called {resource}.")

    @classmethod
    def actions(cls, api_type: str | None) -> tuple[Action, ...]:
        """What can be done on a connection of this API type: `actions/*.toml` beside the connector's module."""
        package = cls.__module__.rpartition(".")[0]
        found = load_actions(package) if package else ()
        return tuple(action for action in found if action.api_type in (None, api_type))

    def action(self, action_id: str) -> Action:
        """The action of this id. Raises BadInput, a SettingsError, naming those that there are."""
        return find(self.actions(self.connection.api_type), action_id, f"Connection {self.connection.name}")

    def act(self, action_id: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out one action; gives its outputs, those that are secret in a `Secret`.

        Raises BadInput, before any call, for an unknown action or an input that is unknown, missing or wrong; else
        RemoteError, whose recovery says what follows.
        """
        action = self.action(action_id)
        return action.classified(self.perform(action, action.converted(inputs)))

    def perform(self, action: Action, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Carry out one of the connector's actions; the inputs are converted, None where there is none."""
        raise SettingsError(f"{self.descriptor.title} cannot {action.id}.")
