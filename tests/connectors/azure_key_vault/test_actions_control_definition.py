"""Every action of the control plane is defined and carried out, tested, described, and asks for no more than it needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from control_acting import acting_on, control, somebody
from test_actions_control_faults import inputs_of
from vault_lab import Lab

from connectors.actions import Action
from connectors.azure_key_vault import AzureKeyVault
from connectors.azure_key_vault.actions.performers import CONTROL_PLANE
from connectors.azure_key_vault.sandbox.arm.roles import ROLES, Role
from iclients.errors import RemoteError

ACTIONS = AzureKeyVault.actions("control")
EACH = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
HERE = Path(__file__).parent
GUIDE = (HERE.parents[2] / "docs" / "actions.md").read_text("utf-8")
PUBLISHED = {role.name: role for role in ROLES.values()}


def test_every_action_of_the_control_plane_has_an_implementation_and_the_reverse() -> None:
    assert {action.id for action in ACTIONS} == set(CONTROL_PLANE)
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)


@EACH
def test_a_list_takes_top_and_a_token_and_the_others_do_not(action: Action) -> None:
    takes = {one.name for one in action.parameters}
    is_list = any(one.name == "items" for one in action.outputs)
    assert is_list == action.id.startswith("list_") == ("top" in takes) == ("continuationToken" in takes)


@EACH
def test_texts_are_sentences_and_nothing_is_secret(action: Action) -> None:
    assert re.fullmatch(r"[A-Z].*\.", action.summary)
    assert all(one.help.endswith(".") for one in action.parameters)
    assert not any(one.is_secret for one in (*action.parameters, *action.outputs))


@EACH
def test_the_audit_knows_what_was_acted_on(action: Action) -> None:
    named = {one.name for one in action.parameters if one.name.endswith("Name") or one.name in ("role", "principalId")}
    also = ("subscription", "resourceGroup", "applicationId", "dryRun")
    named |= {one.name for one in action.parameters if one.name in also}
    assert {one.name for one in action.parameters if one.identifies} == named


@EACH
def test_the_roles_of_an_action_have_what_it_needs(action: Action) -> None:
    assert action.permissions
    for permission in action.permissions:
        assert (permission.data_action, permission.action) == ("", permission.word)
        assert PUBLISHED[permission.role].allows(permission.action, data=False)


@EACH
def test_an_action_works_with_the_permissions_that_it_names_and_not_without_the_first(lab: Lab, action: Action) -> None:
    """Judged by the sandbox."""
    cloud, sandbox = lab.sandbox.cloud, lab.sandbox
    prepare(lab)
    cloud.enforce("somebody else")
    me = sandbox.application.principal(sandbox.tenant)
    words = [one.word for one in action.permissions]
    if words[0] != "Microsoft.Resources/subscriptions/read":  # the list of them is for everybody, and may be empty
        allowed = cloud.assign(cloud.path, me, Role("fewer", somebody(), words[1:]))
        assert "may not" in _refused(lab, action)
        del cloud.assignments[allowed.id]
    cloud.assign(cloud.path, me, Role("exactly", somebody(), words))
    assert _refused(lab, action) == ""


def prepare(lab: Lab) -> None:
    act = acting_on(control(lab))
    act("create_vault", vaultName="gone", location="eastus")
    act("delete_vault", vaultName="gone")
    who = "11111111-1111-1111-1111-111111111111"
    act("add_access_policy", vaultName="contoso", principalId=who, certificates="get")
    cloud = lab.sandbox.cloud
    cloud.assign(cloud.vault_path(cloud.vaults["contoso"]), who, PUBLISHED["Reader"], id=who)
    cloud.vaults["contoso"].endpoints["pec-1"] = {
        "name": "pec-1",
        "privateEndpoint": {},
        "privateLinkServiceConnectionState": {"status": "Pending"},
    }


def _refused(lab: Lab, action: Action) -> str:
    inputs: dict[str, Any] = inputs_of(action)
    try:
        acting_on(control(lab))(action.id, **inputs)
    except RemoteError as error:
        return str(error)
    return ""


@EACH
def test_every_action_of_the_control_plane_is_carried_out_by_a_test(action: Action) -> None:
    told = "".join((HERE / f"test_actions_{noun}.py").read_text() for noun in ("vaults", "access", "network", "roles"))
    word = action.id.partition("_")[0]
    assert f'"{action.id}"' in told or (f'f"{{action_id}}_{action.id.removeprefix(word + "_")}"' in told)


@EACH
def test_the_guide_has_the_action_of_the_control_plane_as_it_is(action: Action) -> None:
    takes = ", ".join(f"`{one.name}`{'' if one.required else '?'}" for one in action.parameters) or "–"
    gives = ", ".join(f"`{one.name}`" for one in action.outputs)
    needs = ", ".join(f"`{one.word}`" for one in action.permissions)
    row = f"| `{action.id}` | {'yes' if action.changes else ''} | {takes} | {gives} | {needs} |"
    assert row in GUIDE.splitlines()
