"""Making a link by which somebody else consents: only where the consent can end well, and only its hash is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_house import SandboxHouse, as_it_was

from connectors.azure_key_vault.sandbox import Sandbox
from connectors.errors import SettingsError
from integrator.errors import LinkRefused, NotFoundHere, UserError
from integrator.linking import make_link
from integrator.preflight import ConsentCannotEnd

PUBLIC_URL = "http://127.0.0.1:9"
PORTAL = "https://portal.test/app"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": 1}) as started:
        yield started


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    with as_it_was(running):
        yield running


@pytest.fixture
def house(sandbox: Sandbox, tmp_path: Path) -> Iterator[SandboxHouse]:
    made = SandboxHouse(sandbox, tmp_path, INTEGRATOR_PUBLIC_URL=PUBLIC_URL, INTEGRATOR_RETURN_URLS=PORTAL)
    made.apply(made.document("authorization_code"))
    yield made
    made.close()


def test_a_link_is_an_address_here_with_a_token_that_is_kept_nowhere(house: SandboxHouse) -> None:
    address = make_link(house.installation, "contoso", "ben", 3600.0)
    found = re.fullmatch(rf"{PUBLIC_URL}/consent/([A-Za-z0-9_-]{{43}})", address)
    assert found
    assert all(found[1].encode() not in path.read_bytes() for path in house.config.home.rglob("*") if path.is_file())
    with house.installation.store.reading() as stored:
        link = stored.consent_links.look(found[1], house.clock.now())
    assert (link.connection, link.made_for, link.expires_at) == ("contoso", "ben", house.clock.now() + 3600)
    assert house.actions("contoso")[-1] == "link made"


def test_its_lifetime_counts_by_the_clock(house: SandboxHouse) -> None:
    token = make_link(house.installation, "contoso", "", 3600.0).rpartition("/")[2]
    house.clock.advance(3601)
    with house.installation.store.reading() as stored, pytest.raises(LinkRefused, match="expired"):
        stored.consent_links.look(token, house.clock.now())


def test_no_two_links_are_the_same(house: SandboxHouse) -> None:
    assert len({make_link(house.installation, "contoso", "ben", 60.0) for _ in range(3)}) == 3


def test_the_way_back_must_be_allowed(house: SandboxHouse) -> None:
    token = make_link(house.installation, "contoso", "", 60.0, f"{PORTAL}/done").rpartition("/")[2]
    with house.installation.store.reading() as stored:
        assert stored.consent_links.look(token, house.clock.now()).return_to == f"{PORTAL}/done"
    for elsewhere in ("https://evil.test", "https://portal.test.evil.test/app", "https://portal.test/application", "x"):
        with pytest.raises(UserError, match="add it to INTEGRATOR_RETURN_URLS"):
            make_link(house.installation, "contoso", "", 60.0, elsewhere)


def test_without_a_public_url_there_is_nothing_to_link_to(sandbox: Sandbox, tmp_path: Path) -> None:
    house = SandboxHouse(sandbox, tmp_path)
    house.apply(house.document("authorization_code"))
    with pytest.raises(UserError, match="set INTEGRATOR_PUBLIC_URL and start `integrator serve`"):
        make_link(house.installation, "contoso", "", 60.0)
    house.close()


def test_where_nobody_consents_there_is_no_link(house: SandboxHouse) -> None:
    with pytest.raises(NotFoundHere):
        make_link(house.installation, "nobody", "", 60.0)
    house.apply(house.document())
    with pytest.raises(SettingsError, match="for which nobody consents"):
        make_link(house.installation, "contoso", "", 60.0)


def test_a_consent_that_cannot_end_well_gets_no_link(house: SandboxHouse, sandbox: Sandbox) -> None:
    sandbox.application.redirect_uris[:] = ["https://elsewhere.test/callback"]
    with pytest.raises(ConsentCannotEnd, match="redirect URI"):
        make_link(house.installation, "contoso", "", 60.0)
    assert "link made" not in house.actions("contoso")
