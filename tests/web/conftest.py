"""One sandbox for each module, one installation for each test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from web_house import WebHouse

from connectors.azure_key_vault.sandbox import Sandbox
from integrator.web.server import Server


@pytest.fixture(scope="module")
def module_sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": 3, "fabrikam": 2}) as started:
        yield started


@pytest.fixture
def sandbox(module_sandbox: Sandbox) -> Sandbox:
    """The sandbox, calm: nobody has consented yet."""
    module_sandbox.faults.clear()
    module_sandbox.entra.remove_consent(None, None)
    module_sandbox.reset_calls()
    return module_sandbox


@pytest.fixture
def web(sandbox: Sandbox, tmp_path: Path) -> Iterator[WebHouse]:
    made = WebHouse(sandbox, tmp_path)
    yield made
    made.close()


@pytest.fixture
def served(sandbox: Sandbox, tmp_path: Path) -> Iterator[WebHouse]:
    """An installation with its server at its public URL."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    house = WebHouse(sandbox, tmp_path, INTEGRATOR_PUBLIC_URL=f"http://127.0.0.1:{port}")
    server = Server(house.app, "127.0.0.1", port)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield house
    server.stop()
    thread.join(30)
    server.close()
    house.close()
