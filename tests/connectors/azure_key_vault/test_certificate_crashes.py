"""A process that dies between any two calls of an import: whoever takes over ends where an undisturbed run ends."""

from __future__ import annotations

from typing import Any

import pytest
from certificate_lab import bring, held, pair, pfx, plant, row, versions
from mortal import Died, Mortal
from vault_lab import Lab

from connectors.azure_key_vault.certificate_writing.obstacles import Obstacles
from connectors.azure_key_vault.certificate_writing.target import CertificatesTarget
from connectors.azure_key_vault.model import DEFAULT_API_VERSION, VaultAddress
from connectors.azure_key_vault.vault.certificates import VaultCertificates
from connectors.azure_key_vault.vault.keys import VaultKeys
from connectors.azure_key_vault.vault.secrets import VaultSecrets
from connectors.model import Record, WriteOptions

MOST_CALLS = 40


def attempt(lab: Lab, record: Record, dies_at: int, *, answered: bool, **told: Any) -> bool:
    """One attempt as the engine makes it; whether it died."""
    client: Any = Mortal(lab.connect("fabrikam")._client, dies_at, answered=answered)
    address = VaultAddress.parse(lab.sandbox.vault_url("fabrikam"))
    certificates, secrets, keys = (
        collection(client, address, DEFAULT_API_VERSION) for collection in (VaultCertificates, VaultSecrets, VaultKeys)
    )
    options = WriteOptions(fields=tuple(record.fields), options=told)
    obstacles = Obstacles(certificates, secrets, keys)  # type: ignore[arg-type]
    target = CertificatesTarget(obstacles, options, lab.access().fingerprint, lab.clock)
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


@pytest.mark.parametrize("answered", [False, True], ids=["before a call", "before its answer"])
@pytest.mark.parametrize("settles", [0.0, 5.0], ids=["at once", "slowly"])
@pytest.mark.parametrize("policy", ["recover", "purge", "suffix"])
def test_an_import_may_die_at_any_call(lab: Lab, policy: str, settles: float, answered: bool) -> None:
    vault = lab.sandbox.vault("fabrikam")
    certificates = lab.connect("fabrikam")._data_plane().certificates
    old, new = pair("old.test"), pair("new.test")
    died = 0
    for dies_at in range(1, MOST_CALLS):
        record = row(f"c{dies_at}x", pfx(new))
        vault.settle_seconds = 0.0
        plant(lab, record.key, old, vault="fabrikam")
        certificates.delete(record.key)
        vault.settle_seconds = settles
        lab.settle()
        if not attempt(lab, record, dies_at, answered=answered, deleted=policy):
            break
        died += 1
        name = f"{record.key}-2" if policy == "suffix" else record.key
        for effect in ("created", "unchanged"):
            assert bring(lab, record, options={"deleted": policy}) == {"read": 1, effect: 1}, (dies_at, lab.errors())
            assert held(lab, name).digest == new.digest
            assert versions(lab)[name] == (2 if policy == "recover" else 1)
    assert died >= (5 if policy != "suffix" else 3)


def test_what_somebody_else_imported_after_a_death_is_not_taken_for_what_was_to_be_recovered(lab: Lab) -> None:
    certificates = lab.connect("fabrikam")._data_plane().certificates
    plant(lab, "tls", pair("old.test"), vault="fabrikam")
    certificates.delete("tls")
    lab.settle()
    record, theirs = row("tls", pfx(pair())), pair("theirs.test")
    assert attempt(lab, record, 3, answered=False, deleted="recover")
    certificates.purge("tls")
    plant(lab, "tls", theirs, vault="fabrikam")
    assert bring(lab, record, options={"deleted": "recover"}) == {"read": 1, "conflicts": 1}
    assert held(lab, "tls").digest == theirs.digest
