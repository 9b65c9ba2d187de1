"""Access policies by actions: every change is a difference that is told, nobody is dropped unnamed, nobody overwritten."""

from __future__ import annotations

from typing import Any

import pytest
from control_acting import Act, Meddling, acting_on, control, somebody, state
from hypothesis import given
from hypothesis import strategies as st
from vault_lab import Lab

from connectors.azure_key_vault.control import access_change
from connectors.azure_key_vault.control.access_change import COLLECTIONS, WORDS, Policies, Whose
from connectors.errors import BadInput, Conflict
from iclients.errors import AnswerLost


@pytest.fixture
def act(lab: Lab) -> Act:
    return acting_on(control(lab))


def policies(act: Act) -> dict[str, list[str]]:
    found = act("list_access_policies", vaultName="contoso")["items"]
    return {"/".join(filter(None, (one["principalId"], one["applicationId"]))): one["secrets"] for one in found}


def test_rights_are_added_replaced_and_removed_and_the_difference_is_told(lab: Lab, act: Act) -> None:
    who, other = somebody(), somebody()
    act("add_access_policy", vaultName="contoso", principalId=other, secrets="list")
    added = act("add_access_policy", vaultName="contoso", principalId=who.upper(), secrets="Get,list", keys=["sign"])
    after = {"secrets": ["get", "list"], "keys": ["sign"]}
    assert added["changes"] == [{"principalId": who, "applicationId": None, "before": None, "after": after}]
    assert (added["isDryRun"], added["isInForce"]) == (False, False)
    more = act("add_access_policy", vaultName="contoso", principalId=who, secrets="set")
    assert more["changes"][0]["after"]["secrets"] == ["get", "list", "set"]
    replaced = act("replace_access_policy", vaultName="contoso", principalId=who, secrets="delete")
    assert replaced["changes"][0]["after"] == {"secrets": ["delete"]}
    assert policies(act) == {other: ["list"], who: ["delete"]}
    act("add_access_policy", vaultName="contoso", principalId=who, secrets="get,list")
    fewer = act("remove_access_policy", vaultName="contoso", principalId=who, secrets="LIST")
    assert fewer["changes"][0]["after"] == {"secrets": ["delete", "get"]}
    gone = act("remove_access_policy", vaultName="contoso", principalId=who)
    assert (gone["changes"][0]["after"], policies(act)) == (None, {other: ["list"]})


def test_what_is_so_already_is_not_written(lab: Lab, act: Act) -> None:
    who = somebody()
    act("add_access_policy", vaultName="contoso", principalId=who, secrets="get")
    lab.sandbox.reset_calls()
    assert act("add_access_policy", vaultName="contoso", principalId=who, secrets="GET")["changes"] == []
    assert act("remove_access_policy", vaultName="contoso", principalId=somebody())["changes"] == []
    assert not [kind for kind in lab.sandbox.calls()["arm"] if kind.startswith("put")]


def test_a_person_through_an_app_is_somebody_else(lab: Lab, act: Act) -> None:
    who, app = somebody(), somebody()
    act("add_access_policy", vaultName="contoso", principalId=who, secrets="get")
    act("add_access_policy", vaultName="contoso", principalId=who, applicationId=app, secrets="set")
    assert policies(act) == {who: ["get"], f"{who}/{app}": ["set"]}
    act("remove_access_policy", vaultName="contoso", principalId=who)
    assert policies(act) == {f"{who}/{app}": ["set"]}


CHANGES: dict[str, dict[str, Any]] = {
    "add_access_policy": {"principalId": somebody(), "secrets": "get"},
    "replace_access_policy": {"principalId": somebody(), "secrets": "get"},
    "remove_access_policy": {"principalId": "11111111-1111-1111-1111-111111111111"},
    "replace_access_policies": {"accessPolicies": [], "dropped": "11111111-1111-1111-1111-111111111111"},
}


@pytest.mark.parametrize("action_id", CHANGES)
def test_a_dry_run_tells_the_difference_and_changes_nothing(lab: Lab, act: Act, action_id: str) -> None:
    one = "11111111-1111-1111-1111-111111111111"
    act("add_access_policy", vaultName="contoso", principalId=one, secrets="get")
    before = state(lab)
    dry = act(action_id, vaultName="contoso", dryRun=True, **CHANGES[action_id])
    assert dry["changes"]
    assert (dry["isDryRun"], state(lab)) == (True, before)
    done = act(action_id, vaultName="contoso", seen=dry["seen"], **CHANGES[action_id])
    assert done["changes"] == dry["changes"]
    assert state(lab) != before


@pytest.mark.parametrize("action_id", CHANGES)
def test_what_was_looked_at_must_still_be_so(lab: Lab, act: Act, action_id: str) -> None:
    one = "11111111-1111-1111-1111-111111111111"
    act("add_access_policy", vaultName="contoso", principalId=one, secrets="get")
    seen = act(action_id, vaultName="contoso", dryRun=True, **CHANGES[action_id])["seen"]
    act("add_access_policy", vaultName="contoso", principalId=one, secrets="set")
    before = state(lab)
    with pytest.raises(Conflict, match="is not as it was when `seen` was given") as refused:
        act(action_id, vaultName="contoso", seen=seen, **CHANGES[action_id])
    assert (refused.value.code, state(lab)) == ("changed_meanwhile", before)


def test_nobody_is_dropped_who_was_not_named(lab: Lab, act: Act) -> None:
    kept, lost, through, app = (somebody() for _ in range(4))
    act("add_access_policy", vaultName="contoso", principalId=kept, secrets="get")
    act("add_access_policy", vaultName="contoso", principalId=lost, secrets="get")
    act("add_access_policy", vaultName="contoso", principalId=through, applicationId=app, secrets="get")
    new = [{"principalId": kept, "secrets": ["set"]}]
    before = state(lab)
    with pytest.raises(Conflict, match="2 principals of vault contoso would lose every right") as refused:
        act("replace_access_policies", vaultName="contoso", accessPolicies=new)
    assert refused.value.code == "would_drop"
    assert lost in str(refused.value) and f"{through}/{app}" in str(refused.value)
    with pytest.raises(Conflict, match=f"1 principal of .*{through}/{app}"):
        act("replace_access_policies", vaultName="contoso", accessPolicies=new, dropped=lost)
    assert state(lab) == before
    done = act("replace_access_policies", vaultName="contoso", accessPolicies=new, dropped=f"{lost},{through}/{app}")
    assert {one["principalId"]: one["after"] for one in done["changes"]} == {
        kept: {"secrets": ["set"]},
        lost: None,
        through: None,
    }
    assert policies(act) == {kept: ["set"]}


def test_what_a_list_gives_and_what_azure_writes_can_be_put_back(lab: Lab, act: Act) -> None:
    who = somebody()
    act("add_access_policy", vaultName="contoso", principalId=who, secrets="get", certificates="import")
    listed = act("list_access_policies", vaultName="contoso")["items"]
    assert act("replace_access_policies", vaultName="contoso", accessPolicies=listed)["changes"] == []
    wire = lab.sandbox.cloud.vaults["contoso"].properties["accessPolicies"]
    assert act("replace_access_policies", vaultName="contoso", accessPolicies=wire)["changes"] == []


@pytest.mark.parametrize(
    ("action_id", "inputs", "words"),
    [
        ("add_access_policy", {"principalId": somebody()}, "No right is named: give secrets, keys"),
        ("replace_access_policy", {"principalId": somebody()}, "No right is named"),
        (
            "add_access_policy",
            {"principalId": somebody(), "secrets": "fly"},
            "secrets has a word that is no right; there",
        ),
        ("add_access_policy", {"principalId": "ada@contoso.test", "secrets": "get"}, "principalId cannot be that"),
        ("replace_access_policies", {"accessPolicies": {}}, "is not a list of at most 1,024"),
        (
            "replace_access_policies",
            {"accessPolicies": [{"secrets": ["get"]}]},
            "Entry 1 of accessPolicies has no prin",
        ),
        ("replace_access_policies", {"accessPolicies": [{"principalId": "x", "secrets": "get"}]}, "rights that are no"),
        ("replace_access_policies", {"accessPolicies": [{"principalId": "x"}] * 2}, "two entries for one principal"),
    ],
)
def test_inputs_that_cannot_be_change_nothing(
    lab: Lab, act: Act, action_id: str, inputs: dict[str, Any], words: str
) -> None:
    before = state(lab)
    with pytest.raises(BadInput, match=words):
        act(action_id, vaultName="contoso", **inputs)
    assert state(lab) == before


@pytest.mark.parametrize("action_id", CHANGES)
@pytest.mark.parametrize("moment", ["between the looks", "after the last look"])
def test_of_two_who_change_at_once_nobody_is_overwritten_unseen(
    lab: Lab, act: Act, action_id: str, moment: str
) -> None:
    one, other = "11111111-1111-1111-1111-111111111111", somebody()
    act("add_access_policy", vaultName="contoso", principalId=one, secrets="get")
    connector = control(lab)

    def meddle() -> None:
        act("add_access_policy", vaultName="contoso", principalId=other, secrets="get")

    at = ("vault_get", 2) if moment == "between the looks" else ("policies_change", 1)
    Meddling(connector, *at, meddle)
    if moment == "between the looks":
        with pytest.raises(Conflict, match="was changed by somebody else at the same time") as refused:
            acting_on(connector)(action_id, vaultName="contoso", **CHANGES[action_id])
        assert refused.value.code == "changed_meanwhile"
        assert policies(act) == {one: ["get"], other: ["get"]}
    elif action_id != "replace_access_policies":
        acting_on(connector)(action_id, vaultName="contoso", **CHANGES[action_id])
        assert other in policies(act)


def test_a_rival_for_the_same_principal_is_noticed_in_the_answer(lab: Lab, act: Act) -> None:
    who = somebody()
    connector = control(lab)

    def meddle() -> None:
        act("add_access_policy", vaultName="contoso", principalId=who, secrets="purge")

    Meddling(connector, "policies_change", 1, meddle)
    with pytest.raises(Conflict, match="look at it, and do it again"):
        acting_on(connector)("add_access_policy", vaultName="contoso", principalId=who, secrets="get")


@pytest.mark.parametrize("action_id", CHANGES)
@pytest.mark.parametrize("fault", ["lost", "broken-json", "reset", "500"])
def test_a_lost_answer_is_looked_at(lab: Lab, act: Act, action_id: str, fault: str) -> None:
    act("add_access_policy", vaultName="contoso", principalId="11111111-1111-1111-1111-111111111111", secrets="get")
    method = "PATCH" if action_id == "replace_access_policies" else "PUT"
    lab.sandbox.faults.add(fault, host="arm", method=method)
    seen = act(action_id, vaultName="contoso", **CHANGES[action_id])["seen"]
    assert act(action_id, vaultName="contoso", dryRun=True, **CHANGES[action_id]) == {
        "changes": [],
        "isDryRun": True,
        "isInForce": False,
        "seen": seen,
    }


def test_where_nobody_can_look_it_is_said_so(lab: Lab, act: Act) -> None:
    lab.sandbox.faults.add("lost", host="arm", method="PUT")
    lab.sandbox.faults.add("503", host="arm", method="GET", after=2, every=1)
    with pytest.raises(AnswerLost, match="Look at the access policies of vault contoso before it is done again"):
        act("add_access_policy", vaultName="contoso", principalId=somebody(), secrets="get")


# The difference itself

WHO = st.sampled_from([Whose("t", letter, app) for letter in "abc" for app in ("", "x")])
RIGHTS = st.dictionaries(
    st.sampled_from(COLLECTIONS), st.frozensets(st.sampled_from(sorted(WORDS["secrets"])), min_size=1), min_size=1
)
POLICIES = st.dictionaries(WHO, RIGHTS)


def applied(changes: list[dict[str, Any]], before: Policies) -> Policies:
    after = dict(before)
    for one in changes:
        whose = Whose("t", one["principalId"], one["applicationId"] or "")
        assert access_change.shown(before.get(whose)) == one["before"]
        after.pop(whose, None)
        if one["after"] is not None:
            after[whose] = access_change.rights_of(one["after"])
    return after


@given(POLICIES, POLICIES)
def test_before_and_its_difference_make_after(before: Policies, after: Policies) -> None:
    changes = access_change.changes(before, after)
    assert applied(changes, before) == after
    assert bool(changes) == (before != after)
    assert {whose.label for whose in access_change.dropped(before, after)} == {
        "/".join(filter(None, (one["principalId"], one["applicationId"]))) for one in changes if one["after"] is None
    }


@given(RIGHTS, RIGHTS)
def test_what_is_added_can_be_removed(had: Any, told: Any) -> None:
    both = access_change.added(had, told)
    assert access_change.added(both, told) == both
    left = access_change.removed(both, told)
    assert all(not left.get(name, frozenset()) & words for name, words in told.items())
    assert access_change.added(left, told) == both
    assert access_change.removed(both, {}) == {}


@given(POLICIES, POLICIES)
def test_a_state_is_told_from_others(one: Policies, other: Policies) -> None:
    assert (access_change.digest_of(one) == access_change.digest_of(other)) == (one == other)
