"""Certificates moved by the command: in bulk from a file, killed at any moment and gone on with, each once with its key."""

from __future__ import annotations

import csv
import io
import random
import time
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from acceptance_house import House, check_run
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from connectors.azure_key_vault.sandbox import Sandbox
from iclients.key_pairs import opened

pytestmark = [pytest.mark.acceptance, pytest.mark.kill]

COUNT = 300
KILLS = 5
PASSWORD = "pl4nted password"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": 0, "fabrikam": 0}) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def rows() -> dict[str, str]:
    """A PFX with a password for every second name, PEM for the others."""
    return {f"cert-{number:03}": _packed(number) for number in range(COUNT)}


@pytest.fixture(scope="module")
def house(sandbox: Sandbox, rows: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> House:
    """An installation whose first vault was filled from a file."""
    folder = tmp_path_factory.mktemp("certificates")
    files = folder / "files"
    files.mkdir()
    house = House(folder / "home", files)
    house.apply(_document(sandbox, files))
    told = io.StringIO()
    writer = csv.writer(told, lineterminator="\n")
    writer.writerow(["name", "value", "password"])
    writer.writerows([name, value, "" if value.startswith("-") else PASSWORD] for name, value in rows.items())
    house.file("new.csv", told.getvalue())
    run = house.run("bring")
    assert run["counts"]["created"] == COUNT
    assert run["calls"]["cert_import"] == COUNT
    return house


def test_rows_of_a_file_are_in_the_vault_with_their_keys(house: House, sandbox: Sandbox, rows: dict[str, str]) -> None:
    there = {name: opened(one.latest.value) for name, one in sandbox.vault("contoso").secrets.items()}
    assert {name: one.digest for name, one in there.items()} == {
        name: opened(value, PASSWORD).digest for name, value in rows.items()
    }
    run = house.run("bring")
    assert run["counts"]["unchanged"] == COUNT
    assert set(run["calls"]) == {"cert_list", "cert_deleted_list"}


def test_a_run_that_is_killed_again_and_again_imports_nothing_twice(
    house: House, sandbox: Sandbox, rows: dict[str, str]
) -> None:
    sandbox.clock.advance(1_000)
    sandbox.latency_seconds = 0.05
    chance, vault = random.Random(7), sandbox.vault("fabrikam")
    done: list[int] = []
    process = house.start("flows", "run", "move")
    for _ in range(KILLS):
        goal = len(vault.secrets) + chance.randint(1, 40)
        until = time.monotonic() + 60
        while len(vault.secrets) < goal and process.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        process.kill()
        process.communicate()
        done.append(len(vault.secrets))
        run = house("runs", "list", "--json").json[0]
        process = house.start("runs", "resume", str(run["run"]))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    sandbox.latency_seconds = 0.0
    assert done[0] > 0, "it was killed before it had begun"
    assert done == sorted(done)
    assert {name: len(one.versions) for name, one in vault.secrets.items()} == dict.fromkeys(rows, 1)
    run = check_run(house("runs", "show", str(run["run"]), "--json").json)
    assert (run["status"], run["counts"]["created"]) == ("succeeded", COUNT)
    assert run["calls"]["cert_import"] <= COUNT + KILLS
    again = house.run("move")
    assert again["counts"]["unchanged"] == COUNT


def test_no_key_and_no_password_is_left_anywhere(house: House, rows: dict[str, str]) -> None:
    traces = [PASSWORD, "PRIVATE KEY", rows["cert-000"][400:460], rows["cert-001"][400:460]]
    for path in house.home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [trace for trace in traces if trace.encode() in content], path


def test_an_export_of_keys_to_a_file_has_to_be_allowed(house: House, sandbox: Sandbox) -> None:
    refused = house.apply(_exporting(sandbox, house.files, plaintext=False), "refused.yaml", code=None)
    ended = house("flows", "run", "out", code=None) if refused.code == 0 else refused
    assert ended.code != 0
    assert "plaintext" in ended.out + ended.err
    house.apply(_exporting(sandbox, house.files, plaintext=True), "out.yaml")
    run = house.run("out")
    assert run["counts"]["created"] == COUNT
    written = list(csv.DictReader(io.StringIO((house.files / "out.csv").read_text())))
    assert (house.files / "out.csv").stat().st_mode & 0o777 == 0o600
    assert {row["thumbprint"] for row in written} == {_thumbprint(row["value"]) for row in written}


def test_metadata_alone_needs_no_such_permission_and_no_key(house: House, sandbox: Sandbox) -> None:
    house.apply(_exporting(sandbox, house.files, plaintext=True, fields=("name", "subject", "policy")), "public.yaml")
    run = house.run("out")
    assert "get" not in run["calls"]
    assert run["counts"]["created"] == COUNT


def _packed(number: int) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string(f"CN={number}.test")
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), number + 1, now, now + timedelta(days=9))
    certificate = builder.sign(key, hashes.SHA256())
    lock = BestAvailableEncryption(PASSWORD.encode())
    packed = b64encode(pkcs12.serialize_key_and_certificates(b"x", key, certificate, None, lock)).decode()
    return opened(packed, PASSWORD).pem().reveal() if number % 2 else packed


def _thumbprint(value: str) -> str:
    return opened(value).certificate.fingerprint(hashes.SHA1()).hex().upper()


def _document(sandbox: Sandbox, files: Path) -> dict[str, Any]:
    lab = sandbox.document()
    return {
        **lab,
        "clouds": [{**lab["clouds"][0], "ca_file": str(sandbox.ca_file)}],
        "connections": [
            *lab["connections"],
            {"name": "here", "connector": "files", "settings": {"folder": str(files)}},
        ],
        "flows": [
            _flow("bring", ("here", "new.csv"), ("contoso", "certificates"), ("name", "value", "password")),
            _flow("move", ("contoso", "certificates"), ("fabrikam", "certificates"), ()),
        ],
    }


def _exporting(
    sandbox: Sandbox, files: Path, *, plaintext: bool, fields: tuple[str, ...] = ("name", "value", "thumbprint")
) -> dict[str, Any]:
    document = _document(sandbox, files)
    out = _flow("out", ("contoso", "certificates"), ("here", f"{'out' if 'value' in fields else 'public'}.csv"), fields)
    out["steps"][0]["import"]["plaintext"] = plaintext
    return {**document, "flows": [out]}


def _flow(name: str, origin: tuple[str, str], into: tuple[str, str], fields: tuple[str, ...]) -> dict[str, Any]:
    step: dict[str, Any] = {"connection": into[0], "resource": into[1]}
    if fields:
        step["mapping"] = [{"to": field, "from": field} for field in fields]
    export = {"connection": origin[0], "resource": origin[1], "values": origin[1] == "certificates"}
    return {"name": name, "exports": [export], "steps": [{"import": step}]}
