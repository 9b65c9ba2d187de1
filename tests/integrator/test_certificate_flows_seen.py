"""Flows of certificates as the pages and `connections test` see them: no key is shown, asked for, or wanted needlessly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_house import SandboxHouse

from connectors.azure_key_vault.sandbox import Sandbox
from connectors.model import Need
from flows.ends import open_source
from flows.mapping import looked_at
from flows.model import Export, Flow, Import, MappingRule
from integrator.pinging import needs_of
from integrator.preview import HIDDEN, LATER, SHOWN, preview

FIELDS = ("name", "value", "password", "policy", "thumbprint")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SandboxHouse]:
    with Sandbox.start(vaults={"contoso": 0, "fabrikam": 0}) as sandbox:
        made = SandboxHouse(sandbox, tmp_path)
        made.apply(made.document())
        contoso = made.installation.connector("contoso")
        policy = {"issuer": {"name": "Self"}, "x509_props": {"subject": "CN=x.test"}, "key_props": {"kty": "EC"}}
        contoso.act("create_certificate", {"certificateName": "tls", "policy": policy, "waitSeconds": 0})
        contoso.act("get_certificate", {"certificateName": "tls"})
        sandbox.reset_calls()
        yield made
        made.close()


def flow(*rules: MappingRule, where: str | None = None) -> Flow:
    export = Export("contoso", "certificates", True, where=where)
    return Flow("f", (export,), (Import("fabrikam", "certificates", mapping=rules),))


def test_a_preview_hides_key_and_password_and_reads_neither(house: SandboxHouse) -> None:
    rules = [MappingRule(name, from_=name) for name in FIELDS]
    found = preview(house.installation, flow(*rules, MappingRule("cut", template="{{ value[:9] }}")))
    assert found.problem == ""
    kinds = {to: cell.kind for to, cell in found.rows[0].cells.items()}
    assert kinds == {
        "name": SHOWN,
        "value": HIDDEN,
        "password": HIDDEN,
        "policy": LATER,
        "thumbprint": SHOWN,
        "cut": HIDDEN,
    }
    assert set(house.sandbox.calls()["contoso"]) <= {"challenge", "cert_list"}


def test_a_filter_may_look_at_no_key(house: SandboxHouse) -> None:
    assert preview(house.installation, flow(where="value")).problem.startswith("where cannot use value")


def test_a_flow_reads_what_it_looks_at_and_without_a_mapping_all(house: SandboxHouse) -> None:
    contoso = house.installation.connector("contoso")
    export = Export("contoso", "certificates", True, where="enabled")
    assert "value" in open_source(export, contoso).unread
    named = (MappingRule("name", from_="name"), MappingRule("x", template="{{ policy.issuer }}"))
    assert open_source(export, contoso, named).unread == {"policy"}
    assert open_source(export, contoso, (MappingRule("all", from_="@"),)).unread >= {"value", "policy"}
    assert looked_at("tags.a", named) == {"name", "policy", "tags"}


def test_what_a_connection_needs_is_what_its_flows_look_at(house: SandboxHouse) -> None:
    document = house.document()
    step = {
        "connection": "fabrikam",
        "resource": "certificates",
        "mapping": [{"to": "name", "from": "name"}, {"to": "value", "from": "value"}],
    }
    export = {"connection": "contoso", "resource": "certificates", "values": True}
    document["flows"] = [{"name": "move", "exports": [export], "steps": [{"import": step}]}]
    house.apply(document)
    assert needs_of(house.installation, "contoso") == {Need("certificates", "get", fields=frozenset({"name", "value"}))}
    assert needs_of(house.installation, "fabrikam") == {Need("certificates", "upsert")}
    house.sandbox.vault("contoso").deny("get")
    with pytest.raises(Exception, match="may not get secrets"):
        _ping(house, "contoso")
    assert "certificates" in _ping(house, "fabrikam")


def _ping(house: SandboxHouse, name: str) -> str:
    connector = house.installation.connector(name)
    connector.needs = needs_of(house.installation, name)
    return connector.ping().message
