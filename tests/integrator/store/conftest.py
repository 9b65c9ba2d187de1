"""A clock that stands still, and a connection that a person can consent for."""

from __future__ import annotations

import pytest

from connectors.model import Connection
from iclients.testing import MovableClock
from integrator.store.store import Store

CONTOSO = Connection("contoso", "azure-key-vault", auth="authorization_code", iclient="app")


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def contoso(store: Store) -> Connection:
    with store.writing() as stored:
        stored.connections.save(CONTOSO)
    return CONTOSO
