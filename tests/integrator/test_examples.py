"""The documents in examples/ are complete: each is applied as it is, and does what it says against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.azure_key_vault.sandbox import Sandbox
from flows.model import RunStatus
from integrator import documents
from integrator.bootstrap import Installation
from integrator.config import Config
from integrator.runner import Runner
from integrator.store.store import Store

EXAMPLES = Path(__file__).parents[2] / "examples"
ENVIRON = {"CONTOSO_SECRET": "hunter2", "FABRIKAM_SECRET": "hunter3"}
DOCUMENTS = sorted(path.name for path in EXAMPLES.glob("*.yaml"))


def test_there_are_examples() -> None:
    assert DOCUMENTS == [
        "certificates.yaml",
        "csv-to-vault.yaml",
        "encrypt-column.yaml",
        "vault-to-csv.yaml",
        "vault-to-vault.yaml",
    ]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_an_example_is_applied_as_it_is_and_twice_changes_nothing(name: str, store: Store) -> None:
    applied = documents.apply(EXAMPLES / name, store, ENVIRON)
    assert applied.document()["flows"]["created"]
    assert documents.apply(EXAMPLES / name, store, ENVIRON).is_unchanged


def test_all_examples_live_in_one_installation(store: Store) -> None:
    flows = [documents.apply(EXAMPLES / name, store, ENVIRON).document()["flows"]["created"] for name in DOCUMENTS]
    assert len(documents.dumped(store)["flows"]) == sum(map(len, flows))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": 0, "fabrikam": 0}) as sandbox:
        sandbox.vault("contoso").put("prod-db", "hunter4", tags={"team": "blue"})
        sandbox.vault("contoso").put("test-db", "hunter5", tags={"team": "blue"})
        yield sandbox


@pytest.mark.parametrize(
    ("name", "made"),
    [("vault-to-csv.yaml", "test-db"), ("csv-to-vault.yaml", "api-key"), ("vault-to-vault.yaml", "prod-db")],
)
def test_an_example_does_what_it_says_against_the_sandbox(
    name: str, made: str, sandbox: Sandbox, config: Config, tmp_path: Path
) -> None:
    (tmp_path / "exports").mkdir()
    (tmp_path / "imports").mkdir()
    (tmp_path / "imports" / "secrets.csv").write_text(
        "name,value,owner,expires\nAPI_KEY,hunter6,payments,2027-01-31\n,,,\n"
    )
    with Installation(config) as installation:
        documents.apply(_moved(name, sandbox, tmp_path), installation.store, {})
        with installation.store.reading() as stored:
            flow = stored.flows.names()[0]
        run = Runner(installation).run(flow)
    assert run.status is RunStatus.SUCCEEDED, run.error_message
    written = [*sandbox.vault("fabrikam").secrets, *map(Path.read_text, (tmp_path / "exports").iterdir())]
    assert any(made in text for text in written)
    assert "test-db" not in sandbox.vault("fabrikam").secrets


def test_the_example_of_certificates_moves_them_beside_the_secrets(config: Config, tmp_path: Path) -> None:
    policy = {"issuer": {"name": "Self"}, "x509_props": {"subject": "CN=x.test"}, "key_props": {"kty": "EC"}}
    with Sandbox.start(vaults={"contoso": 0, "fabrikam": 0}) as sandbox, Installation(config) as installation:
        documents.apply(_moved("certificates.yaml", sandbox, tmp_path), installation.store, {})
        act = installation.connector("contoso-vault").act
        for name, team in (("tls", "blue"), ("other", "red")):
            act("create_certificate", {"certificateName": name, "policy": policy, "tags": {"team": team}})
        sandbox.vault("contoso").put("db", "hunter4", tags={"team": "blue"})
        runs = [Runner(installation).run(name) for name in ("all-certificates", "all-secrets")]
        assert [run.status for run in runs] == [RunStatus.SUCCEEDED] * 2, [run.error_message for run in runs]
        there = sandbox.vault("fabrikam").secrets
    assert {name: secret.managed for name, secret in there.items()} == {"tls": True, "db": False}


def _moved(name: str, sandbox: Sandbox, folder: Path) -> Path:
    """The same document, with the sandbox's addresses instead of Azure's."""
    document = documents.read(name, (EXAMPLES / name).read_bytes()).data
    lab = sandbox.document()
    document["clouds"] = [{**lab["clouds"][0], "ca_file": str(sandbox.ca_file)}]
    document["iclients"] = [{**lab["iclients"][0], "name": iclient["name"]} for iclient in document["iclients"]]
    for connection in document["connections"]:
        if "vault_url" in connection["settings"]:
            host = connection["settings"]["vault_url"].removeprefix("https://")
            connection["settings"]["vault_url"] = sandbox.vault_url(host.partition(".")[0])
    path = folder / name
    path.write_text(documents.text(document))
    return path


@pytest.mark.parametrize("name", DOCUMENTS)
def test_an_example_says_how_it_is_run(name: str) -> None:
    head = (EXAMPLES / name).read_text().partition("version: 1")[0]
    assert f"integrator apply {name}" in head
    assert "integrator flows run" in head
    assert name in (EXAMPLES / "README.md").read_text()
