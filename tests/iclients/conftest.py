"""A throw-away CA, servers that follow a script, and a transport that trusts them."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings
from scripted_server import Script, ScriptedServer

from connectors.azure_key_vault.sandbox.tls import Certificates, make_certificates, server_context
from iclients.testing import MovableClock
from iclients.transport import Transport

settings.register_profile("busy machine", deadline=None, database=None)
settings.load_profile("busy machine")


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    return make_certificates()


@pytest.fixture(scope="session")
def server_tls(certificates: Certificates) -> ssl.SSLContext:
    return server_context(certificates)


@pytest.fixture(scope="session")
def ca_file(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    path.write_bytes(certificates.authority)
    return path


@pytest.fixture
def serve(server_tls: ssl.SSLContext) -> Iterator[Callable[[Script], ScriptedServer]]:
    """Starts servers that end with the test."""
    with ExitStack() as running:
        yield lambda script: running.enter_context(ScriptedServer(server_tls, script))


@pytest.fixture
def transport(ca_file: Path) -> Iterator[Transport]:
    opened = Transport(ca_file, deadline_seconds=5.0)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()
