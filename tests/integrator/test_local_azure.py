"""The local Azure of a server: started with one click, ready to run, there again after a restart, gone with the server."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.model import RunStatus
from integrator import pinging
from integrator.bootstrap import Installation
from integrator.config import Config
from integrator.local_azure import FILES, FLOW, LocalAzure, Stands
from integrator.runner import Runner

pytestmark = pytest.mark.acceptance


@pytest.fixture
def installation(config: Config) -> Iterator[Installation]:
    with Installation(config, waited_for=True) as opened:
        yield opened


@pytest.fixture
def azure(installation: Installation) -> Iterator[LocalAzure]:
    made = LocalAzure(installation)
    made.begin(installation)
    made.wait()
    yield made
    made.close()


def state(installation: Installation, name: str) -> str:
    with installation.store.reading() as stored:
        return str(stored.connections.state(name).state)


def address(installation: Installation) -> str:
    with installation.store.reading() as stored:
        return str(stored.connections.get("contoso").settings["vault_url"])


def port(installation: Installation) -> int:
    return int(address(installation).rpartition(":")[2])


def answers(installation: Installation) -> bool:
    with socket.socket() as tried:
        tried.settimeout(5)
        return tried.connect_ex(("127.0.0.1", port(installation))) == 0


def emptied(installation: Installation) -> None:
    with installation.store.writing() as stored:
        stored.flows.delete(FLOW)
        for name in ("contoso", "fabrikam", FILES):
            stored.connections.delete(name)


def test_it_brings_connections_that_work_and_a_flow_that_succeeds(
    azure: LocalAzure, installation: Installation, config: Config
) -> None:
    assert azure.state().stands is Stands.RUNNING, azure.state()
    assert azure.connections() == ["contoso", "fabrikam", FILES]
    assert {state(installation, name) for name in azure.connections()} == {"online"}
    run = Runner(installation).run(FLOW)
    assert run.status is RunStatus.SUCCEEDED, run.error_message
    written = config.home / "local-azure" / "files" / "contoso.csv"
    assert len(written.read_text().splitlines()) > 20
    for path in (config.home / "local-azure").iterdir():
        if path.suffix == ".yaml":
            assert path.stat().st_mode & 0o077 == 0, path


def test_a_second_click_starts_no_second_one(azure: LocalAzure, installation: Installation) -> None:
    before = address(installation)
    azure.begin(installation)
    azure.wait()
    assert (azure.state().stands, address(installation)) == (Stands.RUNNING, before)


def test_the_next_server_starts_it_again_at_the_same_place(azure: LocalAzure, installation: Installation) -> None:
    Runner(installation).run(FLOW)
    before = address(installation)
    azure.close()
    assert not answers(installation)
    with Installation(installation.config, waited_for=True) as later:
        again = LocalAzure(later)
        assert again.state().stands is Stands.STOPPED
        with again.kept(is_alone=True):
            again.wait()
            assert again.state().stands is Stands.RUNNING, again.state()
            assert address(later) == before
            assert pinging.tested(later, "contoso")
            assert Runner(later).run(FLOW).status is RunStatus.SUCCEEDED
        assert not answers(later)


def test_it_is_started_again_in_the_same_server_too(azure: LocalAzure, installation: Installation) -> None:
    child = azure._child
    assert child is not None
    child.kill()
    child.wait()
    assert azure.state().stands is Stands.STOPPED
    azure.begin(installation)
    azure.wait()
    assert azure.state().stands is Stands.RUNNING, azure.state()
    assert Runner(installation).run(FLOW).status is RunStatus.SUCCEEDED


def test_a_second_server_leaves_it_to_the_first(azure: LocalAzure, installation: Installation) -> None:
    beside = LocalAzure(installation)
    with beside.kept(is_alone=False):
        assert beside.state().stands is Stands.STOPPED
    assert answers(installation)


def test_deleting_its_connections_ends_it_for_good(azure: LocalAzure, installation: Installation) -> None:
    its_port = port(installation)
    emptied(installation)
    assert azure.state().stands is Stands.ABSENT
    with socket.socket() as tried:
        assert tried.connect_ex(("127.0.0.1", its_port)) != 0
    with LocalAzure(installation).kept(is_alone=True):
        assert azure.state().stands is Stands.ABSENT


def test_what_people_have_changed_stays_when_it_starts_again(azure: LocalAzure, installation: Installation) -> None:
    with installation.store.writing() as stored:
        stored.flows.delete(FLOW)
        stored.connections.delete("fabrikam")
    azure.close()
    azure.resume()
    azure.wait()
    assert azure.connections() == ["contoso", FILES]
    with installation.store.reading() as stored:
        assert stored.flows.names() == []


def test_a_port_that_others_have_taken_is_told(azure: LocalAzure, installation: Installation) -> None:
    entra = port(installation) - 2
    azure.close()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", entra))
        other.listen()
        azure.begin(installation)
        azure.wait()
        told = azure.state()
    assert told.stands is Stands.STOPPED
    assert str(entra) in told.sentence
    azure.begin(installation)
    azure.wait()
    assert azure.state().stands is Stands.RUNNING


def test_it_ends_when_its_server_is_killed(config: Config) -> None:
    script = (
        "import sys; from integrator.config import Config; from integrator.bootstrap import Installation;"
        "from integrator.local_azure import LocalAzure; one = Installation(Config.from_environment());"
        "azure = LocalAzure(one); azure.begin(one); azure.wait(); print(azure._child.pid, flush=True); sys.stdin.read()"
    )
    environ = {**os.environ, "INTEGRATOR_HOME": str(config.home)}
    server = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ, cwd=Path.cwd()
    )
    assert server.stdout is not None
    child = os.pidfd_open(int(server.stdout.readline()))
    server.send_signal(signal.SIGKILL)
    server.communicate()
    try:
        assert select.select([child], [], [], 20)[0], "the sandbox outlives its server"
    finally:
        os.close(child)
