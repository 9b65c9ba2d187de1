"""Eight processes with eight threads meet one expired token, and processes die in the middle of a refresh."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from refresh_workers import SCOPES, THREADS, ask, ask_until_killed, race

from connectors.azure_key_vault.sandbox import Sandbox
from connectors.azure_key_vault.sandbox.visitor import consent
from integrator import documents
from integrator.admission import Sessions
from integrator.bootstrap import Installation
from integrator.config import Config
from integrator.consenting import Consenting

PROCESSES = 8
ROUNDS = 50
KILLS = int(os.environ.get("INTEGRATOR_KILLS", "20"))
SPAWN = multiprocessing.get_context("spawn")
REDIRECT_URI = "http://127.0.0.1/callback"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": 1}) as running:
        yield running


@pytest.fixture
def installation(sandbox: Sandbox, config: Config, tmp_path: Path) -> Iterator[Installation]:
    with Installation(config) as opened:
        path = tmp_path / "document.yaml"
        path.write_text(yaml.safe_dump(document(sandbox)))
        documents.apply(path, opened.store, {})
        authorize(opened, sandbox)
        yield opened


def document(sandbox: Sandbox) -> dict[str, Any]:
    made = sandbox.document()
    made["clouds"][0]["ca_file"] = str(sandbox.ca_file)
    made["iclients"][0]["scopes"] = list(SCOPES)
    for connection in made["connections"]:
        if connection["name"] == "contoso":
            connection["auth"] = "authorization_code"
    return made


def authorize(installation: Installation, sandbox: Sandbox) -> None:
    consenting = Consenting(installation)
    begun = consenting.begin("contoso", REDIRECT_URI)
    callback = consent(begun.address, "ada", "accept", ca_file=str(sandbox.ca_file))
    consenting.finish(parse_qs(urlsplit(callback).query))


def expire(installation: Installation) -> None:
    """As if an hour had passed: the kept access token has ended, the refresh token has not."""
    keeper = installation.admission("contoso").keeper
    kept = keeper.get()
    assert kept is not None
    ended = tuple(replace(token, expires_at=0.0, replace_at=0.0) for token in kept.consent.tokens)
    keeper.save(replace(kept.consent, tokens=ended), None)
    installation._sessions = Sessions()


def refreshes(sandbox: Sandbox) -> int:
    return sandbox.calls()["entra"].get("token", 0)


@pytest.mark.kill
def test_sixty_four_threads_in_eight_processes_send_one_refresh_fifty_times(
    installation: Installation, sandbox: Sandbox
) -> None:
    sandbox.entra.policy.refresh_rotation = "reuse_revokes"
    begin, end, told = SPAWN.Barrier(PROCESSES + 1), SPAWN.Barrier(PROCESSES + 1), SPAWN.Queue()
    home = installation.config.home
    processes = [SPAWN.Process(target=race, args=(home, begin, end, ROUNDS, told)) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    seen = set()
    for number in range(ROUNDS):
        expire(installation)
        sandbox.reset_calls()
        begin.wait(120)
        given = [answer for _ in processes for answer in told.get(timeout=120)[1]]
        assert len(given) == PROCESSES * THREADS
        assert len(set(given)) == 1, f"round {number}: {[one[:30] for one in set(given)]}"
        assert not given[0].startswith("refused"), given[0]
        assert refreshes(sandbox) == 1, f"round {number}"
        seen.add(given[0])
        end.wait(120)
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
    assert len(seen) == ROUNDS


@pytest.mark.kill
@pytest.mark.parametrize("rotation", ["entra", "reuse_revokes"])
def test_a_process_that_dies_around_a_refresh_leaves_a_connection_that_works_or_says_what_to_do(
    installation: Installation, sandbox: Sandbox, rotation: str
) -> None:
    sandbox.entra.policy.refresh_rotation = rotation
    told: list[str] = []
    for _ in range(KILLS):
        expire(installation)
        begun = SPAWN.Event()
        process = SPAWN.Process(target=ask_until_killed, args=(installation.config.home, begun))
        process.start()
        assert begun.wait(60)
        time.sleep(random.uniform(0, 0.06))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join(30)
        installation._sessions = Sessions()
        told.append(ask(installation))
        if told[-1].startswith("refused"):
            assert told[-1] in ("refused: interrupted_refresh", "refused: invalid_grant"), told[-1]
            with installation.store.reading() as stored:
                state = stored.connections.state("contoso")
            assert (state.state, "authorize" in state.message) == ("needs authorization", True)
            authorize(installation, sandbox)
            assert not ask(installation).startswith("refused")
    if rotation == "entra":
        assert not [one for one in told if one.startswith("refused")]
