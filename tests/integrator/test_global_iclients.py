"""Global iClients: registered once, they let in the connections that name none, each in its own cloud."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_house import APPS, SandboxHouse, as_it_was

from connectors.azure_key_vault.sandbox import Sandbox
from connectors.errors import SettingsError
from integrator import documents, pinging
from integrator.doctor import examine
from integrator.errors import BadDocument, NotFoundHere
from integrator.global_iclients import served_by


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": 1, "fabrikam": 1}) as started:
        yield started


@pytest.fixture
def house(running: Sandbox, tmp_path: Path) -> Iterator[SandboxHouse]:
    with as_it_was(running):
        made = SandboxHouse(running, tmp_path)
        yield made
        made.close()


def unnamed(house: SandboxHouse, *iclients: dict[str, Any], **first: Any) -> dict[str, Any]:
    """The sandbox's iClient is global, with these others beside it, and no connection names one."""
    document = house.document(**({"global": True} | first))
    document["iclients"] += [{**document["iclients"][0], "global": True, **changes} for changes in iclients]
    for connection in document["connections"]:
        del connection["iclient"]
    return document


def abroad(document: dict[str, Any]) -> dict[str, Any]:
    """The same document with a second cloud, which lists no vault of the sandbox."""
    cloud = {**document["clouds"][0], "name": "abroad", "vaults": ["vault.abroad.test"]}
    return {**document, "clouds": [*document["clouds"], cloud]}


def wrong(house: SandboxHouse) -> dict[str, str]:
    found = examine(house.installation)
    return {finding.subject: finding.sentence for finding in found if not finding.is_ok}


def test_a_connection_that_names_none_is_let_in_by_the_global_one(house: SandboxHouse) -> None:
    house.apply(unnamed(house))
    assert "let the connection in" in pinging.tested(house.installation, "contoso")
    assert house.installation.admission("contoso").iclient.name == "sandbox-app"
    assert wrong(house) == {}


def test_connections_of_a_global_iclient_share_its_token(house: SandboxHouse) -> None:
    house.apply(unnamed(house))
    for name in ("contoso", "fabrikam"):
        house.installation.admission(name).session(APPS).token()
    assert house.asked() == 1


def test_a_consent_through_a_global_iclient_is_the_connections_own(house: SandboxHouse) -> None:
    document = house.document("authorization_code", **{"global": True})
    for connection in document["connections"]:
        del connection["iclient"]
    house.apply(document)
    assert house.authorize().account.startswith("ada")
    assert (house.kept("contoso") is None, house.kept("fabrikam") is None) == (False, True)


def test_the_connection_itself_still_names_none(house: SandboxHouse) -> None:
    house.apply(unnamed(house))
    dumped = documents.dumped(house.installation.store)
    assert [connection.get("iclient") for connection in dumped["connections"]] == [None, None]
    assert dumped["iclients"][0]["global"] is True


def test_an_iclient_that_is_not_global_stands_in_for_nobody(house: SandboxHouse) -> None:
    with pytest.raises(BadDocument, match="needs an iclient: the name of one in the document, or one that is global"):
        house.apply(unnamed(house, **{"global": False}))


def test_a_named_iclient_wins_over_a_global_one(house: SandboxHouse) -> None:
    document = unnamed(house, {"name": "mine", "global": False})
    document["connections"][0]["iclient"] = "mine"
    house.apply(document)
    names = [house.installation.admission(name).iclient.name for name in ("contoso", "fabrikam")]
    assert names == ["mine", "sandbox-app"]


def test_of_two_global_ones_none_is_guessed_and_both_are_named(house: SandboxHouse) -> None:
    with pytest.raises(BadDocument, match="several global ones: another, sandbox-app") as refused:
        house.apply(unnamed(house, {"name": "another"}))
    assert "connections[0] cannot work" in str(refused.value)


def test_a_second_global_one_that_comes_later_is_told_by_doctor_and_test_and_by_nothing_else(
    house: SandboxHouse,
) -> None:
    house.apply(unnamed(house))
    document = unnamed(house, {"name": "another"})
    house.apply({"version": 1, "iclients": document["iclients"][1:]})
    with pytest.raises(SettingsError, match="another, sandbox-app"):
        pinging.tested(house.installation, "contoso")
    assert "another, sandbox-app" in wrong(house)["connection contoso"]
    with house.installation.store.reading() as stored:
        assert served_by(stored, "sandbox-app") == []
    documents.dump(house.installation.store)


def test_only_one_of_the_connections_own_cloud_is_meant(house: SandboxHouse) -> None:
    house.apply(abroad(unnamed(house, {"name": "another", "cloud": "abroad"})))
    assert house.installation.admission("contoso").iclient.name == "sandbox-app"
    assert "let the connection in" in pinging.tested(house.installation, "contoso")


def test_one_of_another_cloud_alone_is_not_taken(house: SandboxHouse) -> None:
    with pytest.raises(BadDocument, match="needs an iclient"):
        house.apply(abroad(unnamed(house, cloud="abroad")))


def test_a_connection_that_needs_none_gets_none(house: SandboxHouse) -> None:
    document = unnamed(house, {"name": "another"})
    folder = {"name": "here", "connector": "files", "settings": {"folder": str(house.files)}}
    house.apply({**document, "connections": [folder]})
    pinging.tested(house.installation, "here")
    with pytest.raises(SettingsError, match="has no iClient"):
        house.installation.admission("here")


def test_an_iclient_knows_whom_it_lets_in(house: SandboxHouse) -> None:
    document = unnamed(house, {"name": "mine", "global": False})
    document["connections"][0]["iclient"] = "mine"
    house.apply(document)
    with house.installation.store.reading() as stored:
        assert (served_by(stored, "mine"), served_by(stored, "sandbox-app")) == (["contoso"], ["fabrikam"])
        with pytest.raises(NotFoundHere):
            stored.iclients.get("nobody")


def test_when_the_global_one_is_gone_the_connection_says_what_it_needs(house: SandboxHouse) -> None:
    house.apply(unnamed(house))
    house.apply({"version": 1, "iclients": house.document()["iclients"]})
    with pytest.raises(SettingsError, match="needs an iclient"):
        house.installation.connector("contoso")
    assert "needs an iclient" in wrong(house)["connection contoso"]
