"""An installation of its own for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.model import Export, Flow, Import
from integrator.config import Config
from integrator.store.store import Store

FLOW = Flow("vault-to-csv", (Export("vault", "secrets"),), (Import("here", "out.csv"),))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config.from_environment({"INTEGRATOR_HOME": str(tmp_path / "home")})


@pytest.fixture
def store(config: Config) -> Iterator[Store]:
    with Store.open(config) as opened:
        yield opened


@pytest.fixture
def flow(store: Store) -> Flow:
    with store.writing() as stored:
        stored.flows.save(FLOW)
    return FLOW
