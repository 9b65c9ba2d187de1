from __future__ import annotations

from pathlib import Path

import pytest

from connectors.model import Connection
from flows.model import Flow
from iclients.clouds import BUILT_IN, CloudProfile
from iclients.model import IClient
from integrator.errors import InUse, NotFoundHere
from integrator.store.named import Saved
from integrator.store.store import Store

LAB = CloudProfile(
    name="lab",
    authority="https://127.0.0.1:8443",
    arm="https://127.0.0.1:8444",
    vaults=("127.0.0.1:8445",),
    vault_audience="https://vault.azure.net",
    arm_audience="https://management.azure.com",
    ca_file=Path("/lab-ca.pem"),
)


def test_what_is_saved_comes_back_equal(store: Store, flow: Flow) -> None:
    app = IClient("app", "entra", "id", cloud="lab", scopes=("a", "b"), settings={"x": {"y": [1, None]}})
    connection = Connection("vault", "azure-key-vault", iclient="app", settings={"vault_url": "https://127.0.0.1:8445"})
    with store.writing() as stored:
        assert stored.clouds.save(LAB) is Saved.CREATED
        assert stored.iclients.save(app) is Saved.CREATED
        assert stored.connections.save(connection) is Saved.CREATED
    with store.reading() as stored:
        assert stored.clouds.all() == [LAB]
        assert stored.iclients.get("app") == app
        assert stored.connections.find("vault") == connection
        assert stored.flows.get(flow.name) == flow


def test_what_is_not_there_is_told_with_what_is(store: Store, flow: Flow) -> None:
    with store.reading() as stored:
        with pytest.raises(NotFoundHere, match=r"There is no flow nope: there are: vault-to-csv\."):
            stored.flows.get("nope")
        with pytest.raises(NotFoundHere, match="There is no iClient nope: there is none yet"):
            stored.iclients.has_credential("nope")
        assert stored.flows.find("nope") is None


def test_built_in_clouds_are_there_without_a_row(store: Store) -> None:
    with store.reading() as stored:
        assert stored.clouds.get("usgov") == BUILT_IN["usgov"]
        assert stored.clouds.names() == []


def test_a_vaults_host_finds_its_cloud(store: Store) -> None:
    with store.writing() as stored:
        stored.clouds.save(LAB)
        assert stored.clouds.listing("https://127.0.0.1:8445") == LAB
        assert stored.clouds.listing("https://contoso.vault.azure.cn") == BUILT_IN["china"]
        assert stored.clouds.listing("https://evil.test") is None


def test_what_something_needs_is_not_deleted(store: Store, flow: Flow) -> None:
    with store.writing() as stored:
        stored.clouds.save(LAB)
        stored.iclients.save(IClient("app", "entra", "id", cloud="lab"))
        stored.connections.save(Connection("vault", "azure-key-vault", iclient="app"))
    for noun, name, user in (
        ("clouds", "lab", "app"),
        ("iclients", "app", "vault"),
        ("connections", "vault", flow.name),
    ):
        with pytest.raises(InUse, match=f"{name} is used by .* {user}"), store.writing() as stored:
            getattr(stored, noun).delete(name)


def test_what_nothing_needs_is_deleted_from_the_top_down(store: Store, flow: Flow) -> None:
    with store.writing() as stored:
        stored.connections.save(Connection("vault", "files"))
        stored.flows.delete(flow.name)
        stored.connections.delete("vault")
    with store.reading() as stored:
        assert (stored.flows.names(), stored.connections.names()) == ([], [])


def test_a_deleted_name_that_comes_back_is_a_new_row(store: Store, flow: Flow) -> None:
    with store.writing() as stored:
        first = stored.flows.id_of(flow.name)
        stored.flows.delete(flow.name)
        stored.flows.save(flow)
        assert stored.flows.id_of(flow.name) != first
