"""From the sandbox's control plane, and from keys of a vault, to files: flows like any other."""

from __future__ import annotations

import csv
import json

import pytest
from acceptance_house import House, Lab

pytestmark = pytest.mark.acceptance


def _flow(name: str, connection: str, resource: str, fields: str, values: bool = False) -> dict[str, object]:
    mapping = [{"to": field, "from": field} for field in fields.split()]
    step = {"connection": "here", "resource": f"{name}.csv", "plaintext": True, "mapping": mapping}
    export = {"connection": connection, "resource": resource, "values": values}
    return {"name": name, "exports": [export], "steps": [{"import": step}]}


def test_vaults_are_exported_to_a_file(house: House, lab: Lab) -> None:
    flow = _flow("inventory", "arm", "vaults", "name vault_uri location rbac tags")
    document = {"version": 1, "flows": [flow]}
    house.apply(document)
    run = json.loads(house("flows", "run", "inventory", "--json").out)
    with (house.files / "inventory.csv").open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert run["counts"]["created"] == len(rows) >= 2
    assert rows["contoso"]["vault_uri"].startswith("https://")
    assert rows["contoso"]["rbac"] == "true"


def test_a_test_of_a_connection_prints_each_check_and_the_missing_role(house: House, lab: Lab) -> None:
    found = json.loads(house("connections", "test", "contoso", "--json").out)
    assert [check["name"] for check in found["checks"]][:3] == ["token", "address", "reach"]
    assert "ok     firewall: " in house("connections", "test", "contoso").out
    lab.deny("contoso", "get")
    told = house("connections", "test", "contoso", "--json", code=1)
    checks = {check["name"]: check for check in json.loads(told.out)["checks"]}
    assert not checks["secrets get"]["ok"]
    assert "Key Vault Secrets " in checks["secrets get"]["sentence"]
    assert "wrong  secrets get: " in house("connections", "test", "contoso", code=1).out


def test_the_control_plane_offers_its_subscriptions(house: House, lab: Lab) -> None:
    found = json.loads(house("connections", "test", "arm", "--json").out)
    assert "(Sandbox)" in next(check for check in found["checks"] if check["name"] == "subscriptions")["sentence"]
