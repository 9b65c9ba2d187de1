"""Processes that ask for a connection's token, many threads at once: what the races and the kills are made with."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from iclients.errors import RemoteError
from integrator.admission import Sessions
from integrator.bootstrap import Installation
from integrator.config import Config

THREADS = 8
SCOPES = ("https://vault.azure.net/user_impersonation",)


def ask(installation: Installation, name: str = "contoso") -> str:
    """The access token that this process gets, or the code of the refusal."""
    try:
        return installation.admission(name).session(SCOPES).token().access_token.reveal()
    except RemoteError as error:
        return f"refused: {error.code}"


def race(home: Path, begin: Barrier, end: Barrier, rounds: int, told: Any) -> None:
    """In each round, all threads of this process meet the expired token at the same moment."""
    config = Config.from_environment({"INTEGRATOR_HOME": str(home)})
    with Installation(config) as installation, ThreadPoolExecutor(THREADS) as pool:
        for number in range(rounds):
            installation._sessions = Sessions()
            together = threading.Barrier(THREADS)
            begin.wait(120)

            def one(_: int, together: threading.Barrier = together) -> str:
                together.wait(60)
                return ask(installation)

            told.put((number, list(pool.map(one, range(THREADS)))))
            end.wait(120)


def ask_until_killed(home: Path, begun: Any) -> None:
    """Says that it begins, and asks."""
    with Installation(Config.from_environment({"INTEGRATOR_HOME": str(home)})) as installation:
        installation.admission("contoso")
        begun.set()
        ask(installation)
