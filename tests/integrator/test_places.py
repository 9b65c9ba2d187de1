"""What was given for one place goes to no other: consents, consents that have begun, and tokens of stored credentials."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_house import SandboxHouse, TokenServer, as_it_was

from connectors.azure_key_vault.sandbox import Sandbox
from iclients.errors import NotAuthorized
from integrator.errors import BadDocument

Document = dict[str, Any]
EVIL = "https://evil.example.test"


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


@pytest.fixture
def server(running: Sandbox, tmp_path: Path) -> Iterator[TokenServer]:
    made = TokenServer(running, tmp_path)
    yield made
    made.close()


def another_iclient(document: Document) -> None:
    document["iclients"].append({**document["iclients"][0], "name": "other", "client_id": "other"})
    document["connections"][0]["iclient"] = "other"


def another_authority(document: Document) -> None:
    document["clouds"][0]["authority"] = EVIL


def another_vault_host(document: Document) -> None:
    document["clouds"][0]["vaults"].append("evil.example.test")


def a_global_one_instead(document: Document) -> None:
    document["iclients"].append({**document["iclients"][0], "name": "g", "client_id": "g", "global": True})
    del document["connections"][0]["iclient"]


CHANGES = [another_iclient, another_authority, another_vault_host, a_global_one_instead]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_consent_is_not_used_at_another_place_than_it_was_given_for(
    house: SandboxHouse, change: Callable[[Document], None]
) -> None:
    document = house.document("authorization_code")
    house.apply(document)
    house.authorize()
    moved = copy.deepcopy(document)
    change(moved)
    house.apply(moved)
    house.sandbox.reset_calls()
    with pytest.raises(NotAuthorized, match="another place") as caught:
        house.ask()
    assert (caught.value.code, house.asked()) == ("consent_elsewhere", 0)
    with pytest.raises(NotAuthorized, match="another place"):
        house.installation.admission("contoso").consented().keep_alive()
    house.apply(document)
    assert house.ask()


def test_a_consent_that_has_moved_is_forgotten_without_being_sent(house: SandboxHouse, server: TokenServer) -> None:
    where = server.iclient(client_authentication="none", revocation_endpoint=f"{server.url}/revoke")
    house.apply(house.document("authorization_code", credential=None, **where))
    house.consenting.finish({"state": [house.begin().state], "code": ["c"]})
    where["settings"]["token_endpoint"] = f"{server.url}/elsewhere"
    house.apply(house.document("authorization_code", credential=None, **where))
    sent = len(server.forms)
    with pytest.raises(NotAuthorized, match="another place"):
        house.ask()
    assert house.consenting.revoke("contoso") is False
    assert len(server.forms) == sent
    assert house.kept() is None


def test_a_code_goes_only_where_its_consent_was_begun(house: SandboxHouse) -> None:
    document = house.document("authorization_code")
    house.apply(document)
    callback = house.visited(house.begin())
    another_vault_host(document)
    house.apply(document)
    house.sandbox.reset_calls()
    with pytest.raises(NotAuthorized, match="nothing was sent"):
        house.consenting.finish(callback)
    assert house.asked() == 0


def test_what_leads_nobody_elsewhere_needs_no_new_consent(house: SandboxHouse) -> None:
    house.apply(house.document("authorization_code"))
    house.authorize()
    house.apply(house.document("authorization_code", settings={"login_hint": "ada"}))
    assert house.ask()


def without_credential(document: Document) -> Document:
    return {
        **document,
        "iclients": [{k: v for k, v in one.items() if k != "credential"} for one in document["iclients"]],
    }


def test_a_cloud_that_lists_another_vault_asks_for_the_credential_again(house: SandboxHouse) -> None:
    document = house.document()
    house.apply(document)
    another_vault_host(document)
    with pytest.raises(BadDocument, match="would send the stored credential of iClient sandbox-app to another place"):
        house.apply(without_credential(document))
    house.apply(document)


def test_a_cloud_with_the_same_authority_is_still_another_place(house: SandboxHouse) -> None:
    document = house.document()
    house.apply(document)
    document["clouds"].append({**document["clouds"][0], "name": "twin", "vaults": ["evil.example.test"]})
    document["iclients"][0]["cloud"] = "twin"
    document["connections"][0]["settings"]["vault_url"] = EVIL
    with pytest.raises(BadDocument, match="to another place"):
        house.apply(without_credential(document))


def test_a_new_connection_takes_a_stored_iclient_to_no_new_host(house: SandboxHouse, server: TokenServer) -> None:
    house.apply(house.document(**server.iclient(), tenant=None))
    cloud = {**house.document()["clouds"][0], "name": "evil", "vaults": ["evil.example.test"]}
    connection = {**house.document()["connections"][0], "name": "evil", "settings": {"vault_url": EVIL}}
    with pytest.raises(BadDocument, match="to another place"):
        house.apply({"version": 1, "clouds": [cloud], "connections": [connection]})


def test_another_vault_of_the_same_cloud_needs_nothing(house: SandboxHouse) -> None:
    document = house.document()
    house.apply(document)
    document["connections"].append({**document["connections"][0], "name": "again"})
    house.apply(without_credential(document))
