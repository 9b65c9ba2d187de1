"""A connection comes in by what it says, and asks for what its iClient's scopes say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from sandbox_house import SandboxHouse, TokenServer, as_it_was

from connectors.azure_key_vault.sandbox import Sandbox
from integrator.errors import BadDocument


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": 1}) as started:
        yield started


@pytest.fixture
def house(running: Sandbox, tmp_path: Path) -> Iterator[SandboxHouse]:
    with as_it_was(running):
        made = SandboxHouse(running, tmp_path)
        yield made
        made.close()


def test_managed_identity_never_means_the_secret_that_an_iclient_happens_to_have(house: SandboxHouse) -> None:
    with pytest.raises(BadDocument, match=r"connections\[0\]\.auth is managed_identity, and iClient sandbox-app has"):
        house.apply(house.document("managed_identity"))
    house.apply(house.document("managed_identity", credential={"managed_identity": True}))


def test_scopes_for_signing_in_are_asked_for_beside_those_of_the_resource(house: SandboxHouse) -> None:
    server = TokenServer(house.sandbox, house.folder)
    try:
        scopes = ["openid", "offline_access", "https://vault.azure.net/.default"]
        house.apply(house.document("authorization_code", scopes=scopes, **server.iclient()))
        asked = parse_qs(urlsplit(house.begin().address).query)["scope"][0].split()
    finally:
        server.close()
    assert asked == ["https://vault.azure.net/.default", "openid", "offline_access"]
