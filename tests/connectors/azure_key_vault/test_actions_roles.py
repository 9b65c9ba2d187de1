"""Role assignments by actions: on a vault, a secret, a key or a certificate, once however often they are asked for."""

from __future__ import annotations

import pytest
from control_acting import Act, acting_on, control, somebody
from vault_lab import Lab

from connectors.azure_key_vault.sandbox.arm.roles import ROLES
from connectors.errors import BadInput, Conflict, NotFound

USER = "Key Vault Secrets User"
USER_ID = next(role.id for role in ROLES.values() if role.name == USER)


@pytest.fixture
def act(lab: Lab) -> Act:
    return acting_on(control(lab))


@pytest.mark.parametrize(
    ("named", "place"),
    [
        ({}, ""),
        ({"secretName": "db"}, "/secrets/db"),
        ({"keyName": "k"}, "/keys/k"),
        ({"certificateName": "c"}, "/certificates/c"),
    ],
)
def test_a_role_is_given_seen_and_taken_away(lab: Lab, act: Act, named: dict[str, str], place: str) -> None:
    who = somebody()
    wanted = {"vaultName": "contoso", **named, "role": USER.lower(), "principalId": who.upper()}
    made = act("create_role_assignment", **wanted, description="for the demo")
    assert (made["effect"], made["role"], made["roleId"], made["principalId"]) == ("created", USER, USER_ID, who)
    assert made["scope"].endswith(f"/vaults/contoso{place}")
    assert (made["principalType"], made["isInForce"]) == ("ServicePrincipal", True)
    again = act("create_role_assignment", **wanted)
    assert (again["effect"], again["assignmentName"]) == ("alreadyThere", made["assignmentName"])
    [found] = act("list_role_assignments", vaultName="contoso", **named, principalId=who)["items"]
    assert (found["role"], found["vault"], found["object"]) == (USER, "contoso", place.strip("/") or None)
    assert found["description"] == "for the demo"
    gone = act("delete_role_assignment", **wanted)
    assert (gone["effect"], gone["assignmentName"]) == ("deleted", made["assignmentName"])
    assert act("delete_role_assignment", **wanted)["effect"] == "alreadyGone"
    assert act("list_role_assignments", vaultName="contoso", **named, principalId=who)["items"] == []


def test_a_role_is_named_by_name_by_id_or_by_its_whole_id(lab: Lab, act: Act) -> None:
    who = somebody()
    whole = f"/subscriptions/{lab.sandbox.subscription}/providers/Microsoft.Authorization/roleDefinitions/{USER_ID}"
    effects = [
        act("create_role_assignment", vaultName="contoso", role=role, principalId=who)["effect"]
        for role in (USER, USER_ID, USER_ID.upper(), whole)
    ]
    assert effects == ["created", "alreadyThere", "alreadyThere", "alreadyThere"]
    with pytest.raises(NotFound, match="There is no role of that name: list_role_definitions"):
        act("create_role_assignment", vaultName="contoso", role="Key Vault O'Brien", principalId=who)
    with pytest.raises(NotFound, match=r"There is no role of that name|There is no such role"):
        act("create_role_assignment", vaultName="contoso", role="x/y", principalId=who)


def test_an_assignment_that_somebody_else_made_is_there_already(lab: Lab, act: Act) -> None:
    who, cloud = somebody(), lab.sandbox.cloud
    made = cloud.assign(cloud.vault_path(cloud.vaults["contoso"]), who, ROLES[USER_ID])
    given = act("create_role_assignment", vaultName="contoso", role=USER, principalId=who)
    assert (given["effect"], given["assignmentName"]) == ("alreadyThere", made.id)


@pytest.mark.parametrize("fault", ["lost", "broken-json", "reset", "500"])
def test_a_lost_answer_leaves_one_assignment(lab: Lab, act: Act, fault: str) -> None:
    wanted = {"vaultName": "contoso", "role": USER, "principalId": somebody()}
    lab.sandbox.faults.add(fault, host="arm", method="PUT")
    assert act("create_role_assignment", **wanted)["effect"] == "created"
    assert len(lab.sandbox.cloud.assignments) == 1
    lab.sandbox.faults.add(fault, host="arm", method="DELETE")
    assert act("delete_role_assignment", **wanted)["effect"] == "deleted"
    assert lab.sandbox.cloud.assignments == {}


def test_an_assignment_of_another_place_is_not_deleted_here(lab: Lab, act: Act) -> None:
    who, cloud = somebody(), lab.sandbox.cloud
    made = cloud.assign(cloud.path, who, ROLES[USER_ID])
    with pytest.raises(Conflict, match=r"counts at /subscriptions/.*, not only here") as refused:
        act("delete_role_assignment", vaultName="contoso", assignmentName=made.id)
    assert refused.value.code == "other_scope"
    with pytest.raises(Conflict, match=r"has the role at /subscriptions/.*, and not at exactly this place"):
        act("delete_role_assignment", vaultName="contoso", role=USER, principalId=who)
    assert made.id in cloud.assignments
    [seen] = act("list_role_assignments", vaultName="contoso", principalId=who)["items"]
    assert seen["vault"] is None


def test_which_one_and_where_must_be_clear(lab: Lab, act: Act) -> None:
    with pytest.raises(BadInput, match="Say which one: give assignmentName, or role and principalId"):
        act("delete_role_assignment", vaultName="contoso", role=USER)
    with pytest.raises(BadInput, match="secretName and keyName are both named"):
        act("list_role_assignments", vaultName="contoso", secretName="a", keyName="b")
    with pytest.raises(NotFound, match="There is no vault nothing"):
        act("create_role_assignment", vaultName="nothing", role=USER, principalId=somebody())


def test_a_vault_that_goes_by_policies_is_told(lab: Lab, act: Act) -> None:
    act("update_vault", vaultName="contoso", usesRoles=False)
    given = act("create_role_assignment", vaultName="contoso", role=USER, principalId=somebody())
    assert given["isInForce"] is False


def test_all_pages_of_assignments_are_followed(lab: Lab, act: Act) -> None:
    cloud = lab.sandbox.cloud
    for _ in range(45):
        cloud.assign(cloud.path, somebody(), ROLES[USER_ID])
    everything = act("list_role_assignments", vaultName="contoso")["items"]
    assert len(everything) == 45
    first = act("list_role_assignments", vaultName="contoso", top=25)
    rest = act("list_role_assignments", vaultName="contoso", continuationToken=first["continuationToken"])
    assert first["items"] + rest["items"] == everything


def test_roles_are_listed_with_what_they_allow(lab: Lab, act: Act) -> None:
    found = {one["role"]: one for one in act("list_role_definitions")["items"]}
    assert "Microsoft.KeyVault/vaults/secrets/getSecret/action" in found[USER]["dataActions"]
    assert found[USER]["roleId"] == USER_ID
