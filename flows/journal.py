"""The port through which a run remembers: outcomes, cursor and ledger, one transaction a page.

`integrator.store` keeps it in the database under the run's fence; `JournalInMemory` keeps it here, for libraries and
tests. Both pass the same suite.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from connectors.model import Known
from flows.model import Cursor, Outcome, Progress

WHOLE = ""
"""The ledger key of a target as a whole (a file)."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A page that is done: what `commit` stores at once."""

    outcomes: Sequence[Outcome]
    cursor: Cursor
    progress: Progress
    entries: Mapping[str, Known] = field(default_factory=dict)


class Journal(Protocol):
    """What one run remembers. Every method is one transaction, and raises Fenced when the run is no longer ours."""

    def start(self) -> tuple[Cursor | None, Progress]:
        """Where the run goes on (None: at the beginning), and what it has done so far."""

    def restart(self) -> None:
        """Forget cursor, outcomes and counts of this run: it starts over. The ledger stays."""

    def keys(self) -> Iterable[str]:
        """The keys, at the target, of all records that have an outcome in this run."""

    def known(self, target: str, keys: Sequence[str]) -> Mapping[str, Known]:
        """Ledger entries of this flow for these keys at this target; an entry that another flow wrote tells only that
        it is owned."""

    def intend(self, target: str, fingerprints: Mapping[str, str]) -> None:
        """Note, before writing, what is about to be written: key → fingerprint."""

    def commit(self, target: str, page: Settled) -> bool:
        """Store a settled page. True: go on. False: somebody asked for the run to be cancelled."""


class JournalInMemory:
    """A journal of one process. `ledgers` may be shared by several runs: target → key → entry."""

    def __init__(self, ledgers: dict[str, dict[str, Known]] | None = None) -> None:
        self.ledgers = ledgers if ledgers is not None else {}
        self.outcomes: dict[tuple[str, int | None], Outcome] = {}
        self.cursor: Cursor | None = None
        self.progress = Progress()
        self.cancel = False

    def start(self) -> tuple[Cursor | None, Progress]:
        return self.cursor, self.progress.copy()

    def restart(self) -> None:
        self.outcomes.clear()
        self.cursor = None
        self.progress = Progress()

    def keys(self) -> Iterable[str]:
        return [outcome.target_key for outcome in self.outcomes.values()]

    def known(self, target: str, keys: Sequence[str]) -> Mapping[str, Known]:
        ledger = self.ledgers.get(target, {})
        return {key: replace(ledger[key]) for key in keys if key in ledger}

    def intend(self, target: str, fingerprints: Mapping[str, str]) -> None:
        ledger = self.ledgers.setdefault(target, {})
        for key, fingerprint in fingerprints.items():
            ledger.setdefault(key, Known()).intent = fingerprint

    def commit(self, target: str, page: Settled) -> bool:
        self.outcomes.update({(outcome.key, outcome.line): outcome for outcome in page.outcomes})
        self.cursor, self.progress = page.cursor, page.progress
        ledger = self.ledgers.setdefault(target, {})
        ledger.update({key: replace(entry, intent="") for key, entry in page.entries.items()})
        return not self.cancel
