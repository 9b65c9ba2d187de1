"""One holder at a time, on one host and on several; a holder that is killed keeps nobody waiting longer than it must."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors.model import Connection
from iclients.clock import Stopped
from iclients.model import Consent
from iclients.secret import Secret
from iclients.testing import MovableClock
from integrator.config import Config
from integrator.store.consent_keeping import LEASE_SECONDS
from integrator.store.consents import KeptConsent
from integrator.store.store import Store
from integrator.store.tables import consents

HOLDER = """
import sys
from iclients.testing import MovableClock
from integrator.config import Config
from integrator.store.consents import KeptConsent
from integrator.store.store import Store

with Store.open(Config.from_environment()) as store, KeptConsent(store, "contoso", MovableClock(), sys.argv[1]).exclusive():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def consented(store: Store, contoso: Connection) -> Store:
    with store.writing() as stored:
        stored.consents.save("contoso", Consent(Secret("r1"), "ada", (), 5.0))
    return store


@contextmanager
def _held_by_process(config: Config, host: str) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the consent of contoso; at the end it is killed, if it still runs."""
    command = [sys.executable, "-W", "error", "-c", HOLDER, host]
    environ = {"INTEGRATOR_HOME": str(config.home)}
    with subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def _lease(store: Store) -> str:
    with store.database.reading() as connection:
        return str(connection.scalar(consents.select().with_only_columns(consents.c.lease)))


def test_a_holder_has_a_lease_and_gives_it_back(consented: Store, clock: MovableClock) -> None:
    with KeptConsent(consented, "contoso", clock, "here").exclusive():
        assert _lease(consented).startswith("here:")
    assert _lease(consented) == ""
    assert clock.slept == []


def test_a_lease_names_this_host_by_itself(consented: Store, clock: MovableClock) -> None:
    with KeptConsent(consented, "contoso", clock).exclusive():
        assert len(_lease(consented).split("/")) == 3


def test_a_holder_that_fails_gives_its_lease_back(consented: Store, clock: MovableClock) -> None:
    with pytest.raises(RuntimeError), KeptConsent(consented, "contoso", clock).exclusive():
        raise RuntimeError
    assert _lease(consented) == ""


def test_without_a_consent_there_is_still_one_holder_at_a_time(store: Store, contoso: Connection) -> None:
    _judge_exclusion(store)


def test_threads_hold_one_after_the_other(consented: Store) -> None:
    _judge_exclusion(consented)


def _judge_exclusion(store: Store) -> None:
    inside: list[int] = []
    most: list[int] = []

    def hold() -> None:
        for _ in range(10):
            with KeptConsent(store, "contoso").exclusive():
                inside.append(1)
                with store.reading() as stored:
                    stored.connections.names()
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 40


def test_consents_of_two_connections_are_held_at_once(consented: Store, clock: MovableClock) -> None:
    with consented.writing() as stored:
        stored.connections.save(Connection("fabrikam", "azure-key-vault"))
    with (
        KeptConsent(consented, "contoso", clock).exclusive(),
        KeptConsent(consented, "fabrikam", clock).exclusive(),
    ):
        assert clock.slept == []


@pytest.mark.kill
def test_while_a_process_holds_a_consent_its_lock_is_taken(consented: Store, config: Config) -> None:
    with _held_by_process(config, "here"):
        with consented.reading() as stored:
            lock = consented.consent_locks / f"{stored.connections.id_of('contoso')}.lock"
        assert _is_locked(lock)
    assert not _is_locked(lock)


def _is_locked(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.mark.kill
def test_a_killed_holder_of_the_same_host_keeps_nobody_waiting(
    consented: Store, config: Config, clock: MovableClock
) -> None:
    with _held_by_process(config, "here") as holder:
        holder.kill()
        holder.wait()
        killed = _lease(consented)
        assert killed.startswith(f"here:{holder.pid}:")
        with KeptConsent(consented, "contoso", clock, "here").exclusive():
            assert _lease(consented) not in ("", killed)
    assert clock.slept == []


@pytest.mark.kill
def test_a_killed_holder_of_another_host_is_waited_for_until_its_lease_ends(
    consented: Store, config: Config, clock: MovableClock
) -> None:
    with _held_by_process(config, "elsewhere") as holder:
        holder.kill()
        holder.wait()
        with KeptConsent(consented, "contoso", clock, "here").exclusive():
            assert _lease(consented).startswith("here:")
    assert LEASE_SECONDS <= sum(clock.slept) <= LEASE_SECONDS + 1


def test_a_host_whose_name_begins_like_another_ones_is_not_that_one(consented: Store) -> None:
    with consented.writing() as stored:
        assert stored.consents.take_lease("contoso", "host-1", "host-1:7:a", 0.0, 100.0)
        assert not stored.consents.take_lease("contoso", "host", "host:7:b", 0.0, 100.0)
        assert not stored.consents.take_lease("contoso", "host_1", "host_1:7:c", 0.0, 100.0)
        assert stored.consents.take_lease("contoso", "host", "host:7:b", 100.5, 200.0)


def test_a_lease_that_somebody_else_has_taken_over_is_not_given_back(consented: Store) -> None:
    with consented.writing() as stored:
        stored.consents.take_lease("contoso", "one", "one:1:a", 0.0, 100.0)
        stored.consents.take_lease("contoso", "two", "two:1:b", 101.0, 200.0)
        stored.consents.end_lease("contoso", "one:1:a")
        assert not stored.consents.take_lease("contoso", "one", "one:1:a", 102.0, 200.0)


def test_waiting_for_another_host_ends_where_the_work_is_to_stop(consented: Store, clock: MovableClock) -> None:
    with consented.writing() as stored:
        stored.consents.take_lease("contoso", "elsewhere", "elsewhere:1:a", clock.now(), clock.now() + 100)
    clock.stop()
    with pytest.raises(Stopped), KeptConsent(consented, "contoso", clock, "here").exclusive():
        pass
    assert _lease(consented) == "elsewhere:1:a"
    with KeptConsent(consented, "contoso", clock, "elsewhere").exclusive():
        pass


def test_whoever_opens_the_same_database_from_another_folder_waits_at_the_same_lock(
    consented: Store, config: Config, clock: MovableClock
) -> None:
    other = Config(config.home / "other", config.key_file, f"sqlite:///{config.home / 'integrator.db'}")
    with Store.open(other) as second:
        assert second.consent_locks == consented.consent_locks
        assert second.consent_locks.is_relative_to(config.home)


def test_a_connection_that_is_deleted_while_its_consent_is_held_lets_go(consented: Store, clock: MovableClock) -> None:
    with KeptConsent(consented, "contoso", clock).exclusive(), consented.writing() as stored:
        stored.connections.delete("contoso")
