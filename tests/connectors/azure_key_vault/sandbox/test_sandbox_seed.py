"""What vaults are filled with, and the document and process that the command line makes of a sandbox."""

import signal
import stat
import subprocess
import sys
import time

import pytest
import yaml

from connectors.azure_key_vault.sandbox import Sandbox, write_document
from connectors.azure_key_vault.sandbox.seed import make_secrets

SERVE = """
import pathlib, sys
from connectors.azure_key_vault.sandbox import serve
file = pathlib.Path(sys.argv[1])
serve({"contoso": 5, "fabrikam": 0}, 0, file, 0.0, False, 1, lambda line: print(line, flush=True))
print("ended")
"""


@pytest.fixture(scope="module")
def seeded():
    return list(make_secrets(2_000, "1/contoso"))


def values(seeded):
    return [secret.latest.value for secret in seeded]


def test_the_same_seed_gives_the_same_secrets(seeded):
    def shape(secret):
        return secret.name, [(one.id, one.value, one.created, one.tags) for one in secret.versions]

    assert [shape(one) for one in make_secrets(2_000, "1/contoso")] == [shape(one) for one in seeded]
    assert next(make_secrets(1, "2/contoso")).latest.id != seeded[0].latest.id


def test_no_two_names_are_equal_without_case_and_all_are_legal(seeded):
    names = [secret.name for secret in seeded]
    assert len({name.lower() for name in names}) == len(names)
    assert all(name.replace("-", "").isalnum() and name.isascii() for name in names)
    assert max(map(len, names)) == 127
    assert any(name != name.lower() for name in names)


def test_some_are_disabled_expired_early_and_have_versions(seeded):
    latest = [secret.latest for secret in seeded]
    assert 0.05 <= sum(not one.enabled for one in latest) / len(latest) <= 0.08
    assert any(one.exp and one.exp < time.time() for one in latest)
    assert any(one.nbf and one.nbf > time.time() for one in latest)
    assert any(len(secret.versions) > 3 for secret in seeded)
    assert {len(one.tags or {}) for one in latest} >= {0, 1, 15}
    assert not any(secret.managed for secret in seeded)
    assert all(one.created <= one.updated < time.time() for one in latest)


def test_every_awkward_kind_of_value_is_there(seeded):
    found = values(seeded)
    for start in ("=", "+", "-", "@", "'", "\t", "\r", "{", "-----BEGIN"):
        assert any(value.startswith(start) for value in found), start
    for part in ("\n", "\r\n", "\x00", "\ufeff", "𝔖", "\u2028"):
        assert any(part in value for value in found), part
    assert len(set(found)) == len(found)


def test_one_in_a_hundred_is_as_long_as_can_be(seeded):
    lengths = [len(value) for value in values(seeded)]
    assert max(lengths) == 25_600
    assert lengths.count(25_600) == 20


def test_fifty_thousand_secrets_are_made_in_two_seconds():
    started = time.process_time()
    count = sum(1 for _ in make_secrets(50_000, "1/big"))
    assert (count, time.process_time() - started < 2) == (50_000, True)


def test_a_seeded_vault_is_listed_whole(start, new_client):
    client = new_client(start(vaults={"contoso": 130}))
    assert sum(map(len, client.pages("/secrets"))) == 130


def test_the_document_reaches_every_vault_and_arm(start):
    sandbox = start(vaults={"contoso": 0, "fabrikam": 0})
    document = sandbox.document()
    (cloud,), (iclient,) = document["clouds"], document["iclients"]
    assert (document["version"], cloud["name"], iclient["cloud"]) == (1, "lab", "lab")
    assert (cloud["authority"], cloud["arm"]) == (sandbox.authority, sandbox.arm)
    assert cloud["ca_file"] == str(sandbox.ca_file)
    assert iclient["credential"] == {"client_secret": sandbox.client_secret}
    assert [one["name"] for one in document["connections"]] == ["contoso", "fabrikam", "arm"]
    contoso, _, arm = document["connections"]
    assert contoso["settings"]["vault_url"].removeprefix("https://") in cloud["vaults"]
    assert contoso["limits"] == {"calls": 1_000_000, "period_seconds": 10, "concurrency": 32}
    assert (arm["api_type"], arm["scopes"]) == ("control", ["https://management.azure.com/.default"])
    assert "settings" not in arm


def test_a_throttled_sandbox_leaves_the_limits_to_azures(start):
    sandbox = start(vaults={"contoso": 0}, throttle=True)
    assert "limits" not in sandbox.document()["connections"][0]


def test_the_written_document_is_private_and_its_ca_lies_beside_it(start, tmp_path):
    sandbox = start(vaults={"contoso": 0})
    file = tmp_path / "lab.yaml"
    file.write_text("from before")
    write_document(sandbox, file)
    document = yaml.safe_load(file.read_text())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert document["clouds"][0]["ca_file"] == "lab-ca.pem"
    assert (tmp_path / "lab-ca.pem").read_bytes() == sandbox.ca_file.read_bytes()
    assert document["iclients"][0]["credential"]["client_secret"] == sandbox.client_secret
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lab-ca.pem", "lab.yaml"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_says_when_it_is_ready_and_ends_cleanly_on_a_signal(tmp_path, number):
    file = tmp_path / "lab.yaml"
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", SERVE, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        document = yaml.safe_load(file.read_text())
        assert line.startswith("sandbox ready: ")
        assert document["clouds"][0]["authority"] in line
        process.send_signal(number)
        rest, errors = process.communicate(timeout=10)
    assert (process.returncode, rest, errors) == (0, "ended\n", "")


def test_identifiers_stay_the_same_and_the_client_secret_does_not():
    with (
        Sandbox.start(vaults={}) as first,
        Sandbox.start(vaults={}) as second,
        Sandbox.start(vaults={}, seed=2) as third,
    ):
        assert (first.tenant, first.client_id) == (second.tenant, second.client_id)
        assert first.client_secret != second.client_secret
        assert third.tenant != first.tenant
