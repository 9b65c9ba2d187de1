"""The test of a control-plane connection looks at what its flows do there: their exports and their action steps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_house import SandboxHouse

from connectors.azure_key_vault.errors import MissingRight
from connectors.azure_key_vault.sandbox import Sandbox
from connectors.azure_key_vault.sandbox.arm.roles import ROLES
from connectors.checks import checks_of
from connectors.model import Need
from integrator.pinging import needs_of, pinged

WRITE = "Microsoft.KeyVault/vaults/write"
FLOW: dict[str, Any] = {
    "name": "vaults-of-a-list",
    "exports": [{"connection": "files", "resource": "in.csv"}],
    "steps": [
        {
            "action": {
                "connection": "arm",
                "action": "create_vault",
                "repeat": "accept",
                "inputs": [
                    {"to": "vaultName", "from": "name"},
                    {"to": "location", "from": "'eastus'"},
                    {"to": "resourceGroup", "from": "'sandbox'"},
                ],
            }
        },
        {"import": {"connection": "files", "resource": "out.csv", "mapping": [{"to": "name", "from": "name"}]}},
    ],
}
LOOKING = {
    "name": "who-has-what",
    "exports": [{"connection": "arm", "resource": "role_assignments"}],
    "steps": [{"import": {"connection": "files", "resource": "who.csv", "mapping": [{"to": "name", "from": "name"}]}}],
}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SandboxHouse]:
    with Sandbox.start(vaults={"contoso": 0}) as sandbox:
        made = SandboxHouse(sandbox, tmp_path)
        (made.files / "in.csv").write_text("name\nnewvault\n")
        document = sandbox.document()
        document["connections"].append({"name": "files", "connector": "files", "settings": {"folder": str(made.files)}})
        made.apply(document | {"flows": [FLOW, LOOKING]})
        yield made
        made.close()


def test_the_needs_of_exports_and_action_steps_are_collected(house: SandboxHouse) -> None:
    found = needs_of(house.installation, "arm")
    assert {one.right for one in found if one.right} == {WRITE, "Microsoft.KeyVault/vaults/read"}
    assert Need("role_assignments", "list") in found


def test_a_test_tells_which_of_them_lacks(house: SandboxHouse) -> None:
    sandbox = house.sandbox
    sandbox.cloud.enforce("somebody else")
    who = sandbox.application.principal(sandbox.tenant)
    roles = {role.name: role for role in ROLES.values()}
    sandbox.cloud.assign(sandbox.cloud.path, who, roles["Reader"])
    with pytest.raises(MissingRight, match="give it the role Key Vault Contributor there") as caught:
        pinged(house.installation, "arm")
    assert [check.name for check in checks_of(caught.value) if not check.ok] == [WRITE]
    sandbox.cloud.assign(sandbox.cloud.path, who, roles["Key Vault Contributor"])
    assert all(check.ok for check in pinged(house.installation, "arm").checks)
