from __future__ import annotations

import gc
import sqlite3
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from integrator.config import Config
from integrator.errors import DatabaseNewer, DatabaseUnusable
from integrator.store.database import BUSY_TIMEOUT_MS, MIGRATIONS, _prepare, open_database
from integrator.store.migrations import HEAD
from integrator.store.store import Store
from integrator.store.tables import metadata


def _schema(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every table's columns, indexes and foreign keys, as SQLite sees them."""
    connection = sqlite3.connect(path)
    names = [
        name for (name,) in connection.execute("select name from sqlite_master where type = 'table' order by name")
    ]
    found: dict[str, list[tuple[object, ...]]] = {}
    for name in names:
        if name.startswith(("sqlite_", "alembic_")):
            continue
        indexes = sorted(connection.execute(f"pragma index_list({name})"), key=lambda row: row[1])
        found[name] = [
            *connection.execute(f"pragma table_xinfo({name})"),
            *connection.execute(f"pragma foreign_key_list({name})"),
            *[row[2:] for row in indexes],
            *sorted(row for index in indexes for row in connection.execute(f"pragma index_xinfo({index[1]})")),
            *connection.execute(f"pragma table_list({name})"),
            *connection.execute("select sql like '%autoincrement%' from sqlite_master where name = ?", (name,)),
        ]
    found["indexes"] = [
        *connection.execute(
            "select name, sql from sqlite_master where type = 'index' and sql is not null order by name"
        )
    ]
    connection.close()
    return found


def test_the_migrations_make_what_the_tables_say(config: Config, tmp_path: Path) -> None:
    Store.open(config).close()
    engine = create_engine(f"sqlite:///{tmp_path / 'fresh.db'}")
    metadata.create_all(engine)
    engine.dispose()
    assert _schema(config.home / "integrator.db") == _schema(tmp_path / "fresh.db")


def test_the_code_names_the_newest_revision() -> None:
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_the_database_is_its_owners_only(store: Store, config: Config) -> None:
    with store.writing() as stored:
        stored.clouds.names()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in config.home.glob("integrator.db*")}
    assert set(modes.values()) == {0o600}
    assert "integrator.db-wal" in modes


def test_what_is_committed_is_on_the_disk(store: Store) -> None:
    with store.database.reading() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"pragma {name}").scalar() for name in ("journal_mode", "synchronous")
        }
        assert connection.exec_driver_sql("pragma foreign_keys").scalar() == 1
    assert pragmas == {"journal_mode": "wal", "synchronous": 2}


def test_a_database_of_a_newer_version_is_refused_and_left_alone(config: Config) -> None:
    Store.open(config).close()
    path = config.home / "integrator.db"
    with sqlite3.connect(path) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    connection.close()
    with pytest.raises(DatabaseNewer, match=r"integrator\.db was written by a newer Integrator"):
        Store.open(config)
    connection = sqlite3.connect(path)
    assert connection.execute("select version_num from alembic_version").fetchall() == [("9999",)]
    connection.close()


def test_a_file_that_is_no_database_is_refused(config: Config) -> None:
    (config.home / "integrator.db").write_text("a diary, and not a database at all " * 100)
    with pytest.raises(DatabaseUnusable, match=r"integrator\.db is not a database"):
        Store.open(config)


@pytest.mark.parametrize("url", ["nonsense", "nosuch://host/db", "sqlite://", "sqlite:////no/such/folder/x.db"])
def test_an_address_that_cannot_work_is_told(url: str) -> None:
    with pytest.raises(DatabaseUnusable):
        open_database(url)


def test_opening_a_database_that_is_up_to_date_does_not_import_alembic(config: Config) -> None:
    Store.open(config).close()
    program = (
        "import sys\nfrom integrator.config import Config\nfrom integrator.store.store import Store\n"
        "Store.open(Config.from_environment()).close()\nassert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], env={"INTEGRATOR_HOME": str(config.home)}, check=True)


def test_processes_that_open_a_new_database_together_all_succeed(config: Config) -> None:
    program = (
        "from integrator.config import Config\nfrom integrator.store.store import Store\n"
        "Store.open(Config.from_environment()).close()"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    opened = [subprocess.Popen(command, env={"INTEGRATOR_HOME": str(config.home)}) for _ in range(4)]
    assert [process.wait() for process in opened] == [0, 0, 0, 0]


def _switched(path: Path, together: threading.Barrier) -> str:
    with closing(sqlite3.connect(path)) as connection:
        together.wait()
        _prepare(connection, None)
        return str(connection.execute("pragma journal_mode").fetchone()[0])


def test_whoever_switches_a_new_file_to_a_write_ahead_log_together_succeeds(tmp_path: Path) -> None:
    """SQLite's busy timeout does not help here: without trying again, a tenth of these files meets "database is locked"."""
    with ThreadPoolExecutor(6) as pool:
        for number in range(40):
            path, together = tmp_path / f"{number}.db", threading.Barrier(6)
            path.touch()
            assert {*pool.map(lambda _: _switched(path, together), range(6))} == {"wal"}  # noqa: B023 - awaited here


def test_opening_a_database_once_more_takes_no_lock_away(store: Store, config: Config) -> None:
    program = "import sqlite3, sys\nsqlite3.connect(sys.argv[1], timeout=0).execute('pragma journal_mode = delete')"
    command = [sys.executable, "-c", program, str(config.home / "integrator.db")]
    with store.reading() as stored:
        stored.flows.names()
        with Store.open(config) as again, again.reading() as seen:
            seen.flows.names()
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "database is locked" in ended.stderr


def test_a_link_to_a_database_that_is_not_made_yet_makes_it_its_owners_only(config: Config, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    (config.home / "integrator.db").symlink_to(elsewhere)
    Store.open(config).close()
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o600


def test_what_may_as_well_not_be_written_waits_for_nobody_long(store: Store) -> None:
    with store.database.writing():
        with pytest.raises(DatabaseUnusable, match="keeps it busy"), store.database.writing_soon():
            pass
        with store.reading() as stored:
            stored.flows.names()
    with store.database.writing_soon() as connection:
        assert connection.exec_driver_sql("pragma busy_timeout").scalar() == BUSY_TIMEOUT_MS


def test_a_refused_transaction_leaves_nothing_behind(store: Store) -> None:
    from integrator.store.tables import clouds

    with pytest.raises(RuntimeError), store.database.writing() as connection:
        connection.execute(clouds.insert().values(name="x", document="{}"))
        raise RuntimeError
    with store.database.reading() as connection:
        assert connection.execute(clouds.select()).all() == []


def test_a_closed_store_leaves_nothing_open(config: Config) -> None:
    store = Store.open(config)
    with store.reading() as stored:
        stored.flows.names()
    store.close()
    del store
    gc.collect()
    assert not (config.home / "integrator.db-wal").exists()
