"""The life of a vault by actions: made with safe defaults and never replaced, changed, deleted, brought back, purged."""

from __future__ import annotations

from typing import Any

import pytest
from control_acting import Act, Meddling, acting_on, control, somebody, state
from vault_lab import Lab

from connectors.azure_key_vault.control.arm import Arm
from connectors.azure_key_vault.control.plane import Place
from connectors.azure_key_vault.sandbox.arm.roles import ROLES
from connectors.errors import BadInput, Conflict, Forbidden, NotFound
from connectors.rest import Call, Reply
from iclients.errors import AnswerLost


@pytest.fixture
def act(lab: Lab) -> Act:
    return acting_on(control(lab))


def test_subscriptions_groups_and_vaults_are_listed(lab: Lab, act: Act) -> None:
    [subscription] = act("list_subscriptions")["items"]
    assert (subscription["subscription"], subscription["name"]) == (lab.sandbox.subscription, "Sandbox")
    assert subscription["tenant"] == lab.sandbox.tenant
    [group] = act("list_resource_groups")["items"]
    assert (group["resourceGroup"], group["location"]) == ("sandbox", "eastus")
    assert [one["name"] for one in act("list_vaults")["items"]] == ["contoso", "fabrikam"]


def test_lists_follow_all_pages_and_go_on_where_top_stopped(lab: Lab, act: Act) -> None:
    for number in range(45):
        act("create_vault", vaultName=f"many-{number:02}", location="eastus")
    everything = [one["name"] for one in act("list_vaults")["items"]]
    assert len(everything) == 47
    found: list[str] = []
    token = None
    while True:
        page = act("list_vaults", top=7, continuationToken=token)
        found += [one["name"] for one in page["items"]]
        token = page["continuationToken"]
        if token is None:
            break
        assert len(page["items"]) == 7
    assert found == everything
    with pytest.raises(BadInput, match="continuationToken is none that this action gave"):
        act("list_deleted_vaults", continuationToken=act("list_vaults", top=1)["continuationToken"])


def test_the_whole_subscription_is_listed_where_no_group_is_named(lab: Lab) -> None:
    act = acting_on(control(lab, subscription=lab.sandbox.subscription))
    assert len(act("list_vaults")["items"]) == 2
    assert len(act("list_vaults", resourceGroup="SANDBOX")["items"]) == 2
    with pytest.raises(NotFound, match="no resource group elsewhere"):
        act("list_vaults", resourceGroup="elsewhere")


def test_a_place_that_nobody_names_is_looked_for(lab: Lab) -> None:
    act = acting_on(control(lab, resource_group="sandbox"))
    assert len(act("list_vaults")["items"]) == 2
    act = acting_on(control(lab, subscription=lab.sandbox.subscription))
    assert act("get_vault", vaultName="CONTOSO")["resourceGroup"] == "sandbox"
    for action_id, inputs in (("get_vault", {}), ("create_vault", {"location": "westeurope"})):
        with pytest.raises(BadInput, match=r"Give resourceGroup, or set `resource_group` in connection arm; list_res"):
            act(action_id, vaultName="northwind", **inputs)


def test_which_of_several_subscriptions_is_asked_for(lab: Lab) -> None:
    several = {"value": [{"subscriptionId": somebody()} for _ in range(2)]}
    arm = Arm(Answering(several), lab.cloud(), Place(), "arm", lab.clock)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=r"Give subscription, or set `subscription` in connection arm; list_subscr"):
        arm.subscription({})


class Answering:
    """A control plane with one answer to everything."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def json(self, call: Call) -> Any:
        return self.answer

    def exchange(self, call: Call) -> Reply:
        return Reply(200, {}, self.answer)


def test_the_group_of_the_connection_is_not_looked_for_in_another_subscription(act: Act) -> None:
    with pytest.raises(NotFound, match="does not see subscription"):
        act("get_vault", vaultName="contoso", subscription=somebody())
    with pytest.raises(NotFound, match="does not see subscription"):
        act("list_vaults", subscription=somebody())


def test_a_name_is_checked_again_where_the_answer_is_lost(lab: Lab, act: Act) -> None:
    lab.sandbox.faults.add("lost", host="arm", method="POST")
    assert act("check_vault_name", vaultName="free-name")["isAvailable"] is True


def test_a_vault_is_made_with_safe_defaults_and_waited_for(lab: Lab) -> None:
    told: list[str] = []
    act = acting_on(control(lab, told=told))
    lab.sandbox.cloud.register_seconds = 12
    made = act("create_vault", vaultName="payments", location="East US", tags={"team": "blue"})
    assert (made["effect"], made["isSettled"], made["state"]) == ("created", True, "Succeeded")
    assert (made["usesRoles"], made["softDeleteDays"], made["hasPurgeProtection"]) == (True, 90, False)
    assert (made["tags"], made["tenant"], made["sku"]) == ({"team": "blue"}, lab.sandbox.tenant, "standard")
    assert told[0].startswith("Waiting for vault payments to be ready: RegisteringDns, 0 s.")
    assert len(told) == 3


def test_waiting_has_an_end(lab: Lab, act: Act) -> None:
    lab.sandbox.cloud.register_seconds = 1_000
    made = act("create_vault", vaultName="payments", location="eastus", waitSeconds=20)
    assert (made["effect"], made["isSettled"], made["state"]) == ("created", False, "RegisteringDns")
    assert sum(lab.clock.slept) <= 20
    for seconds in (-1, 3601):
        with pytest.raises(BadInput, match="waitSeconds is not between 0 and 3600"):
            act("create_vault", vaultName="another", location="eastus", waitSeconds=seconds)


def test_a_vault_that_is_there_is_never_replaced(lab: Lab, act: Act) -> None:
    who = somebody()
    act("add_access_policy", vaultName="contoso", principalId=who, secrets="get")
    act("update_network_rules", vaultName="contoso", addIpRules="203.0.113.7")
    before = state(lab)
    with pytest.raises(Conflict, match="Vault contoso is there already: give update=true") as refused:
        act("create_vault", vaultName="contoso", location="eastus")
    assert refused.value.code == "vault_name_taken"
    assert state(lab) == before
    changed = act("create_vault", vaultName="contoso", location="eastus", tags={"a": "b"}, update=True)
    assert (changed["effect"], changed["tags"]) == ("updated", {"a": "b"})
    assert act("get_network_rules", vaultName="contoso")["ipRules"] == ["203.0.113.7/32"]
    assert [one["principalId"] for one in act("list_access_policies", vaultName="contoso")["items"]] == [who]
    with pytest.raises(Conflict, match="in eastus, and a vault does not move"):
        act("create_vault", vaultName="contoso", location="westeurope", update=True)


def test_a_name_that_is_taken_elsewhere_is_told(lab: Lab, act: Act) -> None:
    lab.sandbox.cloud.groups["other"] = type(lab.sandbox.cloud.groups["sandbox"])("other", "eastus")
    with pytest.raises(Conflict, match="The name of vault contoso is taken") as refused:
        act("create_vault", vaultName="contoso", location="eastus", resourceGroup="other", update=True)
    assert refused.value.code == "vault_name_taken"


def test_the_name_of_a_deleted_vault_leads_to_recovering_it(lab: Lab, act: Act) -> None:
    act("delete_vault", vaultName="contoso")
    with pytest.raises(Conflict, match=r"A deleted vault has the name of vault contoso: recover_vault brings") as told:
        act("create_vault", vaultName="contoso", location="eastus")
    assert told.value.code == "deleted_but_recoverable"


@pytest.mark.parametrize("name", ["1abc", "ab-", "a--b", "-abc"])
def test_a_name_that_cannot_be_is_told_before_anything_is_called(lab: Lab, act: Act, name: str) -> None:
    with pytest.raises(BadInput, match="begins with a letter"):
        act("create_vault", vaultName=name, location="eastus")
    assert lab.sandbox.calls()["arm"] == {}


def test_purge_protection_that_is_off_is_never_said_and_what_is_on_stays(lab: Lab, act: Act) -> None:
    made = act("create_vault", vaultName="plain", location="eastus", purgeProtection=False, softDeleteDays=7)
    assert (made["hasPurgeProtection"], made["softDeleteDays"]) == (False, 7)
    assert act("update_vault", vaultName="plain", purgeProtection=True)["hasPurgeProtection"] is True
    with pytest.raises(Conflict, match="has purge protection, which nobody can take away") as refused:
        act("update_vault", vaultName="plain", purgeProtection=False)
    assert refused.value.code == "immutable"
    with pytest.raises(Conflict, match="keeps what is deleted for 7 days, which nobody can change any more"):
        act("update_vault", vaultName="plain", softDeleteDays=30)
    assert act("update_vault", vaultName="plain", softDeleteDays=7)["effect"] == "unchanged"
    with pytest.raises(BadInput, match="softDeleteDays is not between 7 and 90"):
        act("create_vault", vaultName="short", location="eastus", softDeleteDays=6)


def test_an_update_sends_only_what_differs(lab: Lab, act: Act) -> None:
    before = state(lab)
    wanted = {"vaultName": "contoso", "usesRoles": False, "sku": "standard", "tags": {"a": "b"}}
    dry = act("update_vault", **wanted, dryRun=True)
    assert dry["changes"] == [
        {"name": "usesRoles", "before": True, "after": False},
        {"name": "sku", "before": "premium", "after": "standard"},
        {"name": "tags", "before": {}, "after": {"a": "b"}},
    ]
    assert (dry["isDryRun"], dry["effect"], state(lab)) == (True, "unchanged", before)
    done = act("update_vault", **wanted)
    assert (done["changes"], done["effect"]) == (dry["changes"], "updated")
    again = act("update_vault", **wanted)
    assert (again["changes"], again["effect"]) == ([], "unchanged")
    assert lab.sandbox.calls()["arm"]["patch vaults"] == 1
    with pytest.raises(BadInput, match="Nothing to update is named"):
        act("update_vault", vaultName="contoso")


def test_names_are_checked(lab: Lab, act: Act) -> None:
    assert act("check_vault_name", vaultName="contoso") == {"isAvailable": False, "reason": "AlreadyExists"}
    assert act("check_vault_name", vaultName="1-bad")["reason"] == "AccountNameInvalid"
    assert act("check_vault_name", vaultName="free-name") == {"isAvailable": True, "reason": None}


def test_a_vault_is_deleted_found_recovered_and_purged(lab: Lab) -> None:
    told: list[str] = []
    act = acting_on(control(lab, told=told))
    gone = act("delete_vault", vaultName="contoso")
    assert (gone["isSettled"], gone["location"]) == (True, "eastus")
    assert gone["deletedTime"] < gone["scheduledPurgeTime"]
    with pytest.raises(NotFound, match=r"There is no vault contoso: list_vaults .* recover_vault"):
        act("delete_vault", vaultName="contoso")
    [listed] = act("list_deleted_vaults")["items"]
    assert listed == act("get_deleted_vault", vaultName="CONTOSO") | {"name": listed["name"]}
    assert act("get_deleted_vault", vaultName="contoso", location="East US")["resourceGroup"] == "sandbox"
    back = act("recover_vault", vaultName="contoso")
    assert (back["isSettled"], back["state"], back["resourceGroup"]) == (True, "Succeeded", "sandbox")
    assert act("get_vault", vaultName="contoso")["sku"] == "premium"
    act("delete_vault", vaultName="contoso")
    lab.sandbox.cloud.register_seconds = 30
    told.clear()
    assert act("purge_vault", vaultName="contoso") == {"name": "contoso", "location": "eastus", "isSettled": True}
    assert told[0].startswith("Waiting for vault contoso to be purged: InProgress")
    assert any("NotStarted" in one for one in told)
    with pytest.raises(NotFound, match="No deleted vault contoso is in subscription"):
        act("purge_vault", vaultName="contoso")


def test_retry_after_sets_the_pace_of_a_purge(lab: Lab, act: Act) -> None:
    act("delete_vault", vaultName="contoso")
    lab.sandbox.cloud.register_seconds = 3.5
    lab.clock.slept.clear()
    act("purge_vault", vaultName="contoso")
    assert [second for second in lab.clock.slept if second] == [1.0] * 4


def test_a_purge_goes_on_where_nobody_waits(lab: Lab, act: Act) -> None:
    act("delete_vault", vaultName="contoso")
    lab.sandbox.cloud.register_seconds = 100
    assert act("purge_vault", vaultName="contoso", waitSeconds=0)["isSettled"] is False
    assert "contoso" not in lab.sandbox.cloud.deleted


def test_purge_protection_is_told_with_its_end_before_anything_is_tried(lab: Lab, act: Act) -> None:
    act("create_vault", vaultName="payments", location="eastus", purgeProtection=True)
    act("delete_vault", vaultName="payments")
    with pytest.raises(Conflict, match=r"goes by itself at \d{4}-.* recover_vault brings it back") as refused:
        act("purge_vault", vaultName="payments")
    assert refused.value.code == "purge_refused"
    assert "post purge" not in lab.sandbox.calls()["arm"]


@pytest.mark.parametrize("fault", ["lost", "truncated", "broken-json"])
@pytest.mark.parametrize(
    ("action_id", "method", "inputs"),
    [
        ("create_vault", "PUT", {"vaultName": "payments", "location": "eastus"}),
        ("update_vault", "PATCH", {"vaultName": "contoso", "tags": {"a": "b"}}),
        ("delete_vault", "DELETE", {"vaultName": "contoso"}),
        ("recover_vault", "PUT", {"vaultName": "gone"}),
        ("purge_vault", "POST", {"vaultName": "gone"}),
    ],
)
def test_a_change_whose_answer_is_lost_is_made_once(
    lab: Lab, act: Act, fault: str, action_id: str, method: str, inputs: dict[str, object]
) -> None:
    act("create_vault", vaultName="gone", location="eastus")
    act("delete_vault", vaultName="gone")
    lab.sandbox.faults.add(fault, host="arm", method=method)
    lab.sandbox.reset_calls()
    given = act(action_id, **inputs)
    assert given.get("isSettled", True) is True
    made = sum(count for kind, count in lab.sandbox.calls()["arm"].items() if kind.startswith(f"{method.lower()} "))
    assert made == 1


def test_a_change_that_was_not_made_is_made_after_a_lost_connection(lab: Lab, act: Act) -> None:
    lab.sandbox.faults.add("reset", host="arm", method="PUT")
    assert act("create_vault", vaultName="payments", location="eastus")["effect"] == "created"
    lab.sandbox.faults.add("500", host="arm", method="DELETE")
    assert act("delete_vault", vaultName="payments")["isSettled"] is True


def test_where_nobody_can_look_a_lost_answer_is_told(lab: Lab, act: Act) -> None:
    lab.sandbox.faults.add("lost", host="arm", method="PATCH")
    lab.sandbox.faults.add("403", host="arm", method="GET", after=1, every=1)
    with pytest.raises(AnswerLost, match="Look at vault contoso before it is done again"):
        act("update_vault", vaultName="contoso", tags={"a": "b"})
    assert lab.sandbox.calls()["arm"]["patch vaults"] == 1


def test_who_may_not_is_told_action_scope_and_smallest_role(lab: Lab, act: Act) -> None:
    cloud, sandbox = lab.sandbox.cloud, lab.sandbox
    act("create_vault", vaultName="gone", location="eastus")
    act("delete_vault", vaultName="gone")
    cloud.enforce("somebody else")
    reader = next(role for role in ROLES.values() if role.name == "Reader")
    cloud.assign(cloud.path, sandbox.application.principal(sandbox.tenant), reader)
    told = {
        "create_vault": r"create a vault in resource group sandbox: .* Key Vault Contributor there, which has Microsoft.KeyV",
        "delete_vault": r"delete a vault .* Key Vault Contributor there, which has Microsoft.KeyVault/vaults/delete\.",
        "purge_vault": r"purge a vault in subscription .* Key Vault Purge Operator there",
        "create_role_assignment": r"assign a role in .* Key Vault Data Access Administrator there",
    }
    names = {"create_vault": "newvault", "purge_vault": "gone"}
    more = {
        "create_vault": {"location": "eastus"},
        "create_role_assignment": {"role": "Reader", "principalId": somebody()},
    }
    for action_id, words in told.items():
        with pytest.raises(Forbidden, match=words):
            act(action_id, vaultName=names.get(action_id, "contoso"), **more.get(action_id, {}))


def test_somebody_who_makes_the_vault_first_is_not_overwritten_where_azure_says_so(lab: Lab) -> None:
    connector = control(lab)
    cloud = lab.sandbox.cloud

    def meddle() -> None:
        cloud.deleted["payments"] = cloud.deleted.get("payments") or _deleted(lab)

    Meddling(connector, "vault_create", 1, meddle)
    with pytest.raises(Conflict, match="recover_vault"):
        acting_on(connector)("create_vault", vaultName="payments", location="eastus")


def _deleted(lab: Lab) -> object:
    act = acting_on(control(lab))
    act("create_vault", vaultName="payments", location="eastus")
    act("delete_vault", vaultName="payments")
    return lab.sandbox.cloud.deleted["payments"]
