"""A process that dies between any two calls of a write: whoever takes over ends where an undisturbed run ends."""

from __future__ import annotations

from typing import Any

import pytest
from mortal import Died, Mortal
from vault_lab import Lab, row

from connectors.azure_key_vault.model import DEFAULT_API_VERSION, VaultAddress
from connectors.azure_key_vault.secret_writing.target import SecretsTarget
from connectors.azure_key_vault.vault.secrets import VaultSecrets
from connectors.model import Known, Record, WriteOptions

MOST_CALLS = 40


def attempt(lab: Lab, record: Record, dies_at: int, *, answered: bool, **told: Any) -> bool:
    """One attempt as the engine makes it; whether it died."""
    client = Mortal(lab.connect()._client, dies_at, answered=answered)
    address = VaultAddress.parse(lab.sandbox.vault_url("contoso"))
    secrets = VaultSecrets(client, address, DEFAULT_API_VERSION)  # type: ignore[arg-type]
    options = WriteOptions(fields=tuple(record.fields), options=told)
    target = SecretsTarget(secrets, options, lab.access().fingerprint, lab.clock)
    ledger = lab.ledgers.setdefault(target.identity, {})
    key = record.key.lower()
    try:
        target.begin(None, None)
        change = target.assess(record, ledger.get(key))
        if change.writes:
            lab.journal.intend(target.identity, {key: change.fingerprint})
            target.write(record, change)
    except Died:
        return True
    return False


def _is_whole(lab: Lab, record: Record, policy: str) -> None:
    vault = lab.sandbox.vault("contoso")
    name = f"{record.key}-2" if policy == "suffix" else record.key
    assert vault.value(name) == "v"
    assert len(vault.secrets[name].versions) == (2 if policy == "recover" else 1)


@pytest.mark.parametrize("answered", [False, True], ids=["before a call", "before its answer"])
@pytest.mark.parametrize("settles", [0.0, 5.0], ids=["at once", "slowly"])
@pytest.mark.parametrize("policy", ["recover", "purge", "suffix"])
def test_a_process_may_die_at_any_call(lab: Lab, policy: str, settles: float, answered: bool) -> None:
    vault = lab.sandbox.vault("contoso")
    died = 0
    for dies_at in range(1, MOST_CALLS):
        record = row(f"db{dies_at}x")
        vault.settle_seconds = 0.0
        vault.put(record.key, "old")
        vault.delete(record.key)
        vault.settle_seconds = settles
        lab.settle()
        if not attempt(lab, record, dies_at, answered=answered, deleted=policy):
            break
        died += 1
        assert lab.write(record, deleted=policy) == {"read": 1, "created": 1}, (dies_at, lab.errors())
        _is_whole(lab, record, policy)
        assert lab.write(record, deleted=policy) == {"read": 1, "unchanged": 1}
        _is_whole(lab, record, policy)
    assert died >= (5 if policy != "suffix" else 3)


@pytest.mark.parametrize("policy", ["recover", "suffix"])
def test_a_process_that_died_knows_its_work_although_the_source_has_changed_since(lab: Lab, policy: str) -> None:
    vault = lab.sandbox.vault("contoso")
    vault.put("db", "old")
    vault.delete("db")
    dies_at = {"recover": 4, "suffix": 3}[policy]  # after recovering, after setting
    assert attempt(lab, row("db", "first"), dies_at, answered=True, deleted=policy)
    assert set(vault.secrets) == {"db" if policy == "recover" else "db-2"}
    counts = lab.write(row("db", "second"), deleted=policy)
    assert counts in ({"read": 1, "created": 1}, {"read": 1, "updated": 1})
    assert [secret.latest.value for secret in vault.secrets.values()] == ["second"]


def test_what_somebody_else_made_after_a_death_is_not_taken_for_what_was_to_be_recovered(lab: Lab) -> None:
    vault = lab.sandbox.vault("contoso")
    vault.put("db", "old")
    vault.delete("db")
    lab.settle()
    assert attempt(lab, row("db"), 3, answered=False, deleted="recover")
    vault.purge("db")
    vault.put("db", "theirs")
    assert lab.write(row("db"), deleted="recover") == {"read": 1, "conflicts": 1}
    assert vault.value("db") == "theirs"


def test_a_refusal_after_a_recovery_forgets_nothing(lab: Lab) -> None:
    vault = lab.sandbox.vault("contoso")
    vault.put("db", "old")
    vault.delete("db")
    vault.deny("set")
    assert lab.write(row("db"), deleted="recover") == {"read": 1, "failed": 1}
    (error,) = lab.errors()
    assert error.message.startswith("db was recovered as it had been, and not changed: ")
    assert vault.value("db") == "old"
    vault.allow("set")
    assert lab.write(row("db"), deleted="recover") == {"read": 1, "created": 1}
    assert (vault.value("db"), len(vault.secrets["db"].versions)) == ("v", 2)


def test_an_intent_is_read_as_it_was_noted() -> None:
    from connectors.azure_key_vault.writing.remembered import Intent, Marker

    for intent in (Intent("f"), Intent("f", updates=True), Intent("f", recovers=-5), Intent("f", name="a-2")):
        assert Intent.parse(intent.text) == intent
    for marker in (
        Marker(),
        Marker(5),
        Marker(-5, 7),
        Marker(5, 7, "as-v5"),
        Marker(None, None, "v5"),
        Marker(5, 7, "as-v5", "v5:x"),
    ):
        assert Marker.parse(marker.text) == marker
    assert Known().intent == Intent("").text
