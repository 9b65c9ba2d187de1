"""Which rights moving certificates takes: told before a run, and no more than it needs."""

from __future__ import annotations

import pytest
from vault_lab import Lab

from connectors.azure_key_vault.errors import MissingRight
from connectors.azure_key_vault.preflight import rights_for
from connectors.azure_key_vault.rights import smallest_roles
from connectors.checks import checks_of
from connectors.model import Check, Need

WITH_KEYS = Need("certificates", "get", fields=None)
IMPORTING = Need("certificates", "upsert")


def checked(lab: Lab, *needs: Need) -> dict[str, Check]:
    connector = lab.connect()
    connector.needs = frozenset(needs)
    return {check.name: check for check in connector.ping().checks}


def test_a_key_takes_the_right_to_read_secrets_and_metadata_does_not() -> None:
    assert rights_for([WITH_KEYS]) == ("certificates/list", "certificates/get", "secrets/get")
    assert rights_for([Need("certificates", "get", fields=frozenset({"value"}))]) == rights_for([WITH_KEYS])
    assert rights_for([Need("certificates", "get", fields=frozenset({"policy"}))]) == (
        "certificates/list", "certificates/get"
    )  # fmt: skip
    assert rights_for([Need("certificates", "list")]) == ("certificates/list",)


def test_importing_takes_rights_of_its_own() -> None:
    rights = ("certificates/list", "certificates/get", "certificates/update", "certificates/import")
    for verb in ("add", "update", "upsert"):
        assert rights_for([Need("certificates", verb)]) == rights
    assert smallest_roles(rights) == ("Key Vault Certificates Officer",)
    assert smallest_roles(rights_for([WITH_KEYS])) == ("Key Vault Certificate User",)


def test_rights_that_are_there_are_told_and_nothing_is_changed(lab: Lab) -> None:
    found = checked(lab, WITH_KEYS, IMPORTING)
    assert {name for name in found if name.startswith(("certificates", "secrets"))} == {
        "certificates list", "certificates get", "certificates import", "certificates update", "secrets get"
    }  # fmt: skip
    assert all(check.ok for check in found.values())
    assert lab.sandbox.vault("contoso").secrets == {}


@pytest.mark.parametrize(
    ("right", "need", "role"),
    [
        ("certificates/import", IMPORTING, "Key Vault Certificates Officer"),
        ("certificates/update", IMPORTING, "Key Vault Certificates Officer"),
        ("get", WITH_KEYS, "Key Vault Secrets User"),
    ],
)
def test_the_one_right_that_lacks_is_named(lab: Lab, right: str, need: Need, role: str) -> None:
    lab.sandbox.vault("contoso").deny(right)
    with pytest.raises(MissingRight, match=f"give it the role {role}") as caught:
        checked(lab, need)
    word = (right if "/" in right else f"secrets/{right}").replace("/", " ")
    assert [check.name for check in checks_of(caught.value) if not check.ok] == [word]
