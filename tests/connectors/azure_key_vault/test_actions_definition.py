"""Every action is defined and carried out, asks for no more than it needs, and hides what is secret."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connectors.actions import Action
from connectors.azure_key_vault import AzureKeyVault
from connectors.azure_key_vault.actions.performers import DATA_PLANE
from connectors.azure_key_vault.errors import needed
from connectors.azure_key_vault.sandbox.access import OPERATIONS
from connectors.azure_key_vault.sandbox.arm.roles import ROLES

ACTIONS = AzureKeyVault.actions("data")
BY_ID = {action.id: action for action in ACTIONS}
EACH = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
HERE = Path(__file__).parent
GUIDE = (HERE.parents[2] / "docs" / "actions.md").read_text("utf-8")

KEY_VERSION = ("keyName", "keyVersion", "algorithm")
METADATA = ("name", "version", "isEnabled", "createdTime", "lastUpdatedTime", "validityStartTime", "validityEndTime")
PROMISED = {
    "decrypt": (("keyName", "algorithm", "encryptedData"), ("rawData",)),
    "decrypt_with_version": ((*KEY_VERSION, "encryptedData"), ("rawData",)),
    "encrypt": (("keyName", "algorithm", "rawData"), ("encryptedData",)),
    "encrypt_with_version": ((*KEY_VERSION, "rawData"), ("encryptedData",)),
    "get_key_metadata": (("keyName",), (*METADATA, "allowedOperations", "keyType")),
    "get_key_version_metadata": (("keyName", "keyVersion"), (*METADATA, "allowedOperations", "keyType")),
    "get_secret": (("secretName",), ("value", *METADATA, "contentType")),
    "get_secret_metadata": (("secretName",), (*METADATA, "contentType")),
    "get_secret_version": (("secretName", "secretVersion"), ("value", *METADATA, "contentType")),
    "get_secret_version_metadata": (("secretName", "secretVersion"), (*METADATA, "contentType")),
    "list_keys": ((), ("continuationToken",)),
    "list_key_versions": (("keyName",), ("continuationToken",)),
    "list_secrets": ((), ("continuationToken",)),
    "list_secret_versions": (("secretName",), ("continuationToken",)),
}
SECRET_OUTPUTS = {
    "get_secret": {"value"},
    "get_secret_version": {"value"},
    "decrypt": {"rawData"},
    "decrypt_with_version": {"rawData"},
    "unwrap_key": {"key"},
    "download_certificate": {"certificate"},
    "backup_secret": {"backup"},
    "backup_key": {"backup"},
    "backup_certificate": {"backup"},
}
SECRET_PARAMETERS = {"value", "rawData", "key", "jsonWebKey", "certificate", "password", "accountPassword", "backup"}


def test_every_action_has_an_implementation_and_the_reverse() -> None:
    assert {action.id for action in ACTIONS} == set(DATA_PLANE)
    assert len(BY_ID) == len(ACTIONS)


@pytest.mark.parametrize("action_id", PROMISED)
def test_the_actions_that_integrators_know_have_their_names(action_id: str) -> None:
    action, (takes, gives) = BY_ID[action_id], PROMISED[action_id]
    assert tuple(one.name for one in action.parameters if one.required) == takes
    assert set(gives) <= {one.name for one in action.outputs}


@EACH
def test_what_is_secret_is_marked(action: Action) -> None:
    assert {one.name for one in action.outputs if one.is_secret} == SECRET_OUTPUTS.get(action.id, set())
    assert {one.name for one in action.parameters if one.is_secret} <= SECRET_PARAMETERS
    assert {one.name for one in action.parameters if one.name in SECRET_PARAMETERS} <= {
        one.name for one in action.parameters if one.is_secret
    }


@EACH
def test_only_what_is_no_secret_identifies(action: Action) -> None:
    assert all(not one.is_secret for one in action.parameters if one.identifies)
    named = {one.name for one in action.parameters if one.name.endswith(("Name", "Version"))}
    assert {one.name for one in action.parameters if one.identifies} == named


@EACH
def test_a_list_takes_top_and_a_token_and_the_others_do_not(action: Action) -> None:
    takes = {one.name for one in action.parameters}
    is_list = any(one.name == "items" for one in action.outputs)
    assert is_list == action.id.startswith("list_") == ("top" in takes) == ("continuationToken" in takes)


@EACH
def test_the_texts_of_an_action_are_sentences(action: Action) -> None:
    assert re.fullmatch(r"[A-Z].*\.", action.summary)
    assert all(parameter.help.endswith(".") for parameter in action.parameters)


@EACH
def test_the_roles_of_an_action_allow_what_it_needs(action: Action) -> None:
    published = {role.name: role for role in ROLES.values()}
    assert action.permissions
    for permission in action.permissions:
        assert published[permission.role].allows(permission.data_action, data=True)


@EACH
def test_a_permission_is_the_one_that_the_vault_checks(action: Action) -> None:
    known = {(f"{one.collection}/{one.policy}", one.action) for one in OPERATIONS.values()}
    known |= {("secrets/update", action) for word, action in known if action.endswith("secrets/update/action")}
    assert {(one.word, one.data_action) for one in action.permissions} <= known


def test_a_refusal_names_the_permission_that_the_vault_checks() -> None:
    """Every kind of call that stands in the source is known to the errors by the word that the vault goes by."""
    kinds = {
        kind
        for kind in OPERATIONS
        if kind not in ("deleted_list", "key_rng", "cert_issuer_patch", "cert_pending_delete")
    }
    assert {kind: needed(kind) for kind in kinds} == {
        kind: (OPERATIONS[kind].collection, OPERATIONS[kind].policy) for kind in kinds
    }


def test_actions_are_defined_once_for_every_api_type() -> None:
    assert AzureKeyVault.actions("nowhere") == ()
    assert not {action.id for action in AzureKeyVault.actions("control")} & set(BY_ID)


@EACH
def test_every_action_is_carried_out_by_a_test(action: Action) -> None:
    told = "".join((HERE / f"test_actions_{noun}.py").read_text() for noun in ("secrets", "keys", "certificates"))
    assert f'"{action.id}"' in told


@EACH
def test_the_guide_has_the_action_as_it_is(action: Action) -> None:
    takes = ", ".join(f"`{one.name}`{'' if one.required else '?'}" for one in action.parameters) or "–"
    gives = ", ".join(f"**`{one.name}`**" if one.is_secret else f"`{one.name}`" for one in action.outputs)
    needs = ", ".join(f"`{one.word}`" for one in action.permissions)
    row = f"| `{action.id}` | {'yes' if action.changes else ''} | {takes} | {gives} | {needs} |"
    assert row in GUIDE.splitlines()


def test_the_guide_has_no_other_actions() -> None:
    control = {action.id for action in AzureKeyVault.actions("control")}
    assert set(re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE)) == set(BY_ID) | control
