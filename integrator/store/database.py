"""The database: opened fast, brought up to date by migrations, safe against a second writer and a lost machine.

SQLite runs in WAL mode with synchronous FULL: what was committed is on the disk. Writers begin with the write lock
(`begin immediate`), so none fails half-way because another was first. Source: sqlite.org/wal.html, lang_transaction.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError, ProgrammingError

from integrator.errors import DatabaseNewer, DatabaseUnusable
from integrator.store.migrations import HEAD

BUSY_TIMEOUT_MS: Final = 10_000
BRIEF_TIMEOUT_MS: Final = 50
SHARED_TIMEOUT_MS: Final = 300
"""Several runs that store their pages keep the database for a while between them."""
MIGRATIONS: Final = Path(__file__).with_name("migrations")

_PRIMARY_CODE: Final = 0xFF
_DAMAGED: Final = ("not a database", "malformed")
_PRAGMAS: Final = (
    f"pragma busy_timeout = {BUSY_TIMEOUT_MS}",
    "pragma synchronous = full",
    "pragma foreign_keys = on",
)


class Database:
    """One open database. `engine` begins with the write lock; `reader` takes none."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.reader = reader(engine)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that writes: all of it, or nothing when an exception leaves the block."""
        with explained(self.engine.url), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def writing_soon(self) -> Iterator[Connection]:
        """The same for what may as well not be written: waits a moment for other writers, then raises DatabaseUnusable."""
        engine = self.engine.execution_options(waits_ms=BRIEF_TIMEOUT_MS)
        with explained(self.engine.url), engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One transaction that sees the database as it is now, whatever others write meanwhile."""
        with explained(self.engine.url), self.reader.connect() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def open_database(url: str | URL) -> Database:
    """The database at this URL, made or brought up to date where needed.

    Raises DatabaseNewer where a newer version has written it, DatabaseUnusable where it cannot be opened.
    """
    engine = _engine(url)
    try:
        with explained(engine.url):
            if _revision(engine) != HEAD:
                _upgrade(engine)
    except BaseException:
        engine.dispose()
        raise
    return Database(engine)


def brief(engine: Engine) -> Engine:
    """The same database for small things that need not outlast a power cut: no commit waits for the disk, and nobody
    waits long for others. Its connections are its own; dispose of it."""
    other = create_engine(engine.url, hide_parameters=True, connect_args=_connect_args(engine.url))
    if engine.url.get_backend_name() == "sqlite":
        event.listen(other, "connect", _prepare_brief)
        event.listen(other, "begin", _begin)
    return other


def reader(engine: Engine) -> Engine:
    """The same database for transactions that only read."""
    return engine.execution_options(reads_only=True)


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Tell as DatabaseUnusable what the machine, and not the code, does to a database."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        if any(words in str(reason) for words in _DAMAGED):
            raise DatabaseUnusable(
                f"{_shown(url)} is not a database, or is damaged ({reason}): put it back from your backup, or set "
                "INTEGRATOR_HOME elsewhere."
            ) from error
        if not isinstance(error, OperationalError | sqlite3.OperationalError):
            raise
        raise DatabaseUnusable(
            f"The database {_shown(url)} cannot be used ({reason}): see whether another process keeps it busy, "
            "whether the disk is full, and who owns its folder."
        ) from error


def _engine(address: str | URL) -> Engine:
    try:
        url = make_url(address)
        if url.get_backend_name() == "sqlite":
            _make_file(url)
        engine = create_engine(url, hide_parameters=True, connect_args=_connect_args(url))
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise DatabaseUnusable(
            "INTEGRATOR_DATABASE_URL is not an address of a database that is supported here: "
            "write it as sqlite:////folder/integrator.db."
        ) from error
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
    return engine


def _connect_args(url: URL) -> dict[str, Any]:
    return {"timeout": BUSY_TIMEOUT_MS / 1000} if url.get_backend_name() == "sqlite" else {}


def _make_file(url: URL) -> None:
    """A database holds what nobody else should read: its file is its owner's only, and so are WAL and index.

    A file that is there is not opened: closing it would take away every lock that this process has on it.
    Source: sqlite.org/howtocorrupt.html §2.2.
    """
    if not url.database or url.database == ":memory:":
        raise DatabaseUnusable("A database in memory cannot keep runs: name a file in INTEGRATOR_DATABASE_URL.")
    try:
        os.close(os.open(os.path.realpath(url.database), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise DatabaseUnusable(
            f"The database {url.database} cannot be opened ({error.strerror}): check INTEGRATOR_HOME, "
            "INTEGRATOR_DATABASE_URL and who owns that folder."
        ) from error


def _prepare(connection: Any, record: Any) -> None:
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma).close()
    _switch_to_wal(connection)


def _prepare_brief(connection: Any, record: Any) -> None:
    _prepare(connection, record)
    connection.execute("pragma synchronous = normal").close()
    connection.execute(f"pragma busy_timeout = {SHARED_TIMEOUT_MS}").close()


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Use a write-ahead log; where the file has one already, this changes nothing.

    Of two that switch a new file at once, both read it and both want it alone: SQLite refuses one at once, whatever
    the busy timeout is, because waiting would help neither. That one tries again.
    """
    ends_at = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("pragma journal_mode = wal").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY_CODE != sqlite3.SQLITE_BUSY or time.monotonic() > ends_at:
                raise
            time.sleep(random.uniform(0.001, 0.02))  # noqa: S311 - so that they do not meet again
        else:
            return


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("reads_only"):
        connection.exec_driver_sql("begin")
    elif waits_ms := options.get("waits_ms"):
        connection.exec_driver_sql(f"pragma busy_timeout = {waits_ms}")
        try:
            connection.exec_driver_sql("begin immediate")
        finally:
            connection.exec_driver_sql(_PRAGMAS[0])
    else:
        connection.exec_driver_sql("begin immediate")


def _revision(engine: Engine) -> str | None:
    """The stored revision, by plain SQL: Alembic costs a fifth of a second to import."""
    try:
        with reader(engine).connect() as connection:
            found: str | None = connection.scalar(text("select version_num from alembic_version"))
            return found
    except (OperationalError, ProgrammingError) as error:
        if "alembic_version" in str(error.orig):
            return None
        raise


def _upgrade(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise DatabaseNewer(
            f"The database {_shown(engine.url)} was written by a newer Integrator than this one: "
            "install that version again, or point INTEGRATOR_HOME at another folder."
        ) from error


def _shown(url: URL) -> str:
    return url.database or "" if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)
