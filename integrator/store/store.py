"""The store of one installation: opened once, used in transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import URL, Connection

from iclients.clock import Clock, SystemClock
from integrator.config import DATABASE_NAME, Config
from integrator.store.audit import Audit, local_actor
from integrator.store.clouds import Clouds
from integrator.store.connections import Connections
from integrator.store.consent_links import ConsentLinks
from integrator.store.consent_states import ConsentStates
from integrator.store.consents import Consents
from integrator.store.database import Database, open_database
from integrator.store.flows import Flows
from integrator.store.iclients import IClients
from integrator.store.journal import DatabaseJournal
from integrator.store.keys import KeysReport, any_sealed, keys_doctor, rotate
from integrator.store.liveness import RunLocks
from integrator.store.notices import Notices
from integrator.store.run_events import note, warnings_of
from integrator.store.runs import Claim, Run, Runs
from integrator.store.sealed import Key, Seal
from integrator.store.wrong_records import WrongRecords


class Transaction:
    """Every repository over one transaction."""

    def __init__(self, connection: Connection, seal: Seal, actor: str, clock: Clock) -> None:
        self.audit = Audit(connection, actor, clock)
        self.notices = Notices(connection, clock)
        self.clouds = Clouds(connection, self.audit)
        self.iclients = IClients(connection, self.audit, seal)
        self.flows = Flows(connection, self.audit)
        self.connections = Connections(connection, self.audit, self.flows)
        self.consents = Consents(connection, self.audit, self.connections, seal)
        self.consent_states = ConsentStates(connection, self.connections, seal)
        self.consent_links = ConsentLinks(connection, self.audit, self.connections)
        self.runs = Runs(connection, self.flows)
        self.note = partial(note, connection)
        self.warnings = partial(warnings_of, connection)


class Store:
    """What an installation remembers. Close it, or use it in a `with` block.

    `actor` is who acts, as audit rows have it: whoever opens the store for somebody else says so.
    """

    def __init__(self, database: Database, config: Config, actor: str = "", clock: Clock | None = None) -> None:
        self.actor = actor or local_actor()
        self.clock: Clock = clock or SystemClock()
        self.database = database
        self.home = config.home
        self.seal = Seal(config.key_file, self._any_sealed)
        self.locks = RunLocks(_lock_folder(database, config))
        self.consent_locks = _lock_folder(database, config) / "consents"

    @classmethod
    def open(cls, config: Config, *, actor: str = "", clock: Clock | None = None) -> Store:
        """The store of this installation, made where there is none. Raises StoreError."""
        where = config.database_url or URL.create("sqlite", database=str(config.home / DATABASE_NAME))
        return cls(open_database(where), config, actor, clock)

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """One transaction that writes: all of it, or nothing when an exception leaves the block."""
        with self.database.writing() as connection:
            yield self._transaction(connection)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """One transaction that only reads."""
        with self.database.reading() as connection:
            yield self._transaction(connection)

    def journal(self, claim: Claim) -> DatabaseJournal:
        """The journal of a run that was claimed."""
        return DatabaseJournal(self.database.engine, claim.run_id, claim.flow_id, claim.fence)

    def retried(self, run: Run) -> WrongRecords | None:
        """What this run tries again, and nothing else; None where it moves everything."""
        return None if run.retry_of is None else WrongRecords(self.database.engine, run.retry_of, run.retry_only)

    def keys_doctor(self) -> KeysReport:
        """What is wrong with the keys."""
        with self.database.reading() as connection:
            return keys_doctor(connection, self.seal)

    def rotate_keys(self) -> Key:
        """Seal everything anew with a new key. Raises SealError where something does not open."""
        with self.database.writing() as connection:
            return rotate(connection, self.seal)

    def close(self) -> None:
        """Close every connection."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _transaction(self, connection: Connection) -> Transaction:
        return Transaction(connection, self.seal, self.actor, self.clock)

    def _any_sealed(self) -> bool:
        with self.database.reading() as connection:
            return any_sealed(connection)


def _lock_folder(database: Database, config: Config) -> Path:
    """Beside the database, because what is locked is numbered in it: whoever opens the same one sees the same locks."""
    url = database.engine.url
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return config.home / "locks"
    path = Path(url.database).absolute()
    return path.with_name(f"{path.name}-locks")
