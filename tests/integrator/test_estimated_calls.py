"""What is told before a run is what it then calls: of each kind, and as often; first, and where nothing has changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from connectors.azure_key_vault.sandbox import Sandbox
from integrator import documents
from integrator.bootstrap import Installation
from integrator.cli.flows import flows
from integrator.config import Config

SECRETS, CERTIFICATES, LINES = 33, 4, 6
AGE_SECONDS = 1000.0
POLICY = {"issuer": {"name": "Self"}, "x509_props": {"subject": "CN=contoso.test"}}
POLICY["key_props"] = {"kty": "EC", "exportable": True}  # type: ignore[dict-item]

Step = Mapping[str, Any]
Told = Callable[[str], tuple[Mapping[str, int], Mapping[str, int]]]


def rules(**taken: str) -> list[dict[str, str]]:
    return [{"to": to, "from": name} for to, name in taken.items()]


def reading(resource: str, **told: Any) -> dict[str, Any]:
    return {"connection": "contoso", "resource": resource, "values": True, **told}


def into(connection: str, resource: str, **told: Any) -> Step:
    return {"import": {"connection": connection, "resource": resource, **told}}


def saved(resource: str, **taken: str) -> Step:
    return into("here", resource, plaintext=True, mapping=rules(**taken))


def acting(action: str, inputs: Sequence[Mapping[str, str]], connection: str = "contoso") -> Step:
    repeat = {"repeat": "accept"} if action == "create_secret" else {}
    return {"action": {"connection": connection, "action": action, "inputs": inputs, **repeat}}


LINE = {"connection": "here", "resource": "in.csv"}
ENCRYPTING = [{"to": "keyName", "template": "wrapping"}, {"to": "algorithm", "template": "RSA-OAEP-256"}]
SEALED = {"name": "name", "sealed": "encrypt.encryptedData"}
UPDATING = [{"to": "secretName", "from": "name"}, {"to": "contentType", "template": "text/plain"}]
VERSION = {"to": "secretVersion", "from": "version"}
FLOWS: Mapping[str, tuple[dict[str, Any], list[Step]]] = {
    "secrets to file": (reading("secrets"), [saved("a.jsonl", name="name", value="value")]),
    "names to file": (reading("secrets"), [saved("b.jsonl", name="name")]),
    "secrets to vault": (
        reading("secrets", where="enabled"),
        [into("fabrikam", "secrets", mapping=rules(name="name", value="value"), options={"deleted": "recover"})],
    ),
    "certificates to vault": (
        reading("certificates"),
        [into("fabrikam", "certificates", mapping=rules(name="name", value="value", tags="tags"))],
    ),
    "policies to file": (reading("certificates"), [saved("c.jsonl", name="name", policy="policy")]),
    "keys to file": (reading("keys"), [saved("k.jsonl", name="name", pem="pem")]),
    "secrets to action": (reading("secrets", values=False, where="enabled"), [acting("update_secret", UPDATING)]),
    "secrets to action with version": (
        reading("secrets", where="enabled"),
        [acting("update_secret", [*UPDATING, VERSION])],
    ),
    "secrets to action elsewhere": (
        reading("secrets", where="enabled"),
        [acting("create_secret", rules(secretName="name", value="value"), "fabrikam")],
    ),
    "file to action to file": (
        LINE,
        [acting("encrypt", [*ENCRYPTING, *rules(rawData="value")]), saved("d.jsonl", **SEALED)],
    ),
    "versions to file": (reading("secret_versions"), [saved("e.jsonl", name="name", version="version", value="value")]),
}

UNCHANGED: Mapping[str, Mapping[str, int]] = {
    "secrets to vault": {"deleted": 1, "list": 4},
    "certificates to vault": {"cert_deleted_list": 1, "cert_list": 2},
    "secrets to action elsewhere": {"list": 2},
}
"""Where a place remembers what it was given. An action that touches what the flow reads makes it new each time."""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": SECRETS, "fabrikam": 0}) as running:
        yield running


@pytest.fixture
def told_and_made(sandbox: Sandbox, config: Config, tmp_path: Path) -> Iterator[Told]:
    """Estimates a flow and runs it, by the command line; gives the calls that were told, and those that were made."""
    made = sandbox.document()
    made["clouds"][0]["ca_file"] = str(sandbox.ca_file)
    made["connections"].append({"name": "here", "connector": "files", "settings": {"folder": str(tmp_path)}})
    made["flows"] = [
        {"name": name.replace(" ", "-"), "exports": [export], "steps": steps} for name, (export, steps) in FLOWS.items()
    ]
    document = tmp_path / "document.yaml"
    document.write_text(yaml.safe_dump(made))
    (tmp_path / "in.csv").write_text("name,value\n" + "".join(f"line-{n},v{n}\n" for n in range(LINES)))
    with Installation(config) as opened:
        documents.apply(document, opened.store, {})
        contoso = opened.connector("contoso")
        sandbox.clock.advance(-2 * AGE_SECONDS)  # what was touched just now may have been touched once more
        contoso.act("create_key", {"keyName": "wrapping", "keyType": "RSA"})
        for number in range(CERTIFICATES):
            named = {"certificateName": f"web-{number}"}
            contoso.act("create_certificate", {**named, "policy": POLICY, "waitSeconds": 0})
            sandbox.clock.advance(AGE_SECONDS / CERTIFICATES)
            contoso.act("get_certificate_operation", named)
        sandbox.clock.advance(AGE_SECONDS)
    environ = {"INTEGRATOR_HOME": str(config.home)}

    def told(flow: str) -> tuple[Mapping[str, int], Mapping[str, int]]:
        name = flow.replace(" ", "-")
        asked = CliRunner(env=environ).invoke(flows, ["estimate", name, "--json"])
        assert asked.exit_code == 0, asked.output
        ran = CliRunner(env=environ).invoke(flows, ["run", name, "--json"])
        return json.loads(asked.stdout)["calls"], json.loads(ran.stdout)["calls"]

    yield told


@pytest.mark.parametrize("flow", list(FLOWS))
def test_a_flow_calls_what_its_estimate_says(told_and_made: Told, flow: str) -> None:
    first, again = told_and_made(flow), told_and_made(flow)
    assert first[0] == first[1]
    assert again[0] == again[1]
    assert again[1] == (UNCHANGED[flow] if flow in UNCHANGED else first[1])
