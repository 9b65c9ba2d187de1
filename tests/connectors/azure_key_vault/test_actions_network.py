"""Network rules and private endpoint connections by actions: read, changed in what is named, and waited for."""

from __future__ import annotations

from typing import Any

import pytest
from control_acting import Act, Meddling, acting_on, control, state
from hypothesis import given
from hypothesis import strategies as st
from vault_lab import Lab

from connectors.azure_key_vault.actions import network as actions_network
from connectors.errors import BadInput, Conflict, NotFound

SUBNET = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n/subnets/one"
OPEN = {
    "publicNetworkAccess": "Enabled",
    "defaultAction": "Allow",
    "bypass": "AzureServices",
    "ipRules": [],
    "virtualNetworks": [],
}


@pytest.fixture
def act(lab: Lab) -> Act:
    return acting_on(control(lab))


def rules(act: Act) -> dict[str, Any]:
    return {name: value for name, value in act("get_network_rules", vaultName="contoso").items() if name != "seen"}


def endpoint(lab: Lab, name: str = "pec-1", status: str = "Pending") -> None:
    lab.sandbox.cloud.vaults["contoso"].endpoints[name] = {
        "name": name,
        "privateEndpoint": {"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/privateEndpoints/e"},
        "privateLinkServiceConnectionState": {"status": status, "description": "please"},
    }


def test_what_is_named_changes_and_the_rest_stays(lab: Lab, act: Act) -> None:
    assert rules(act) == OPEN
    act("update_network_rules", vaultName="contoso", addVirtualNetworks=SUBNET, bypass="None")
    done = act(
        "update_network_rules", vaultName="contoso", addIpRules="203.0.113.7, 198.51.100.0/24", defaultAction="Deny"
    )
    assert done["changes"] == [
        {"name": "defaultAction", "before": "Allow", "after": "Deny"},
        {"name": "ipRules", "before": [], "after": ["198.51.100.0/24", "203.0.113.7/32"]},
    ]
    assert rules(act) == {
        **OPEN,
        "defaultAction": "Deny",
        "bypass": "None",
        "ipRules": ["198.51.100.0/24", "203.0.113.7/32"],
        "virtualNetworks": [SUBNET.lower()],
    }
    act("update_network_rules", vaultName="contoso", removeIpRules="203.0.113.7/32", publicNetworkAccess="Disabled")
    act("update_network_rules", vaultName="contoso", removeVirtualNetworks=SUBNET.upper().replace("SUB", "sub", 1))
    told = rules(act)
    assert (told["ipRules"], told["publicNetworkAccess"], told["virtualNetworks"]) == (
        ["198.51.100.0/24"],
        "Disabled",
        [],
    )


def test_what_else_is_said_of_a_subnet_is_kept(lab: Lab, act: Act) -> None:
    rule = {"id": SUBNET, "ignoreMissingVnetServiceEndpoint": True}
    vault = lab.sandbox.cloud.vaults["contoso"]
    vault.properties["networkAcls"] = {"bypass": "None", "defaultAction": "Deny", "virtualNetworkRules": [rule]}
    act("update_network_rules", vaultName="contoso", addIpRules="203.0.113.7")
    assert vault.properties["networkAcls"]["virtualNetworkRules"] == [rule]


def test_a_dry_run_of_network_rules_changes_nothing(lab: Lab, act: Act) -> None:
    before = state(lab)
    dry = act("update_network_rules", vaultName="contoso", addIpRules="203.0.113.7", dryRun=True)
    assert (dry["isDryRun"], len(dry["changes"]), state(lab)) == (True, 1, before)
    act("update_network_rules", vaultName="contoso", addIpRules="203.0.113.8")
    with pytest.raises(Conflict) as refused:
        act("update_network_rules", vaultName="contoso", addIpRules="203.0.113.7", seen=dry["seen"])
    assert refused.value.code == "changed_meanwhile"


def test_what_is_so_already_costs_no_write(lab: Lab, act: Act) -> None:
    assert (
        act("update_network_rules", vaultName="contoso", defaultAction="Allow", removeIpRules="1.2.3.4")["changes"]
        == []
    )
    assert "patch vaults" not in lab.sandbox.calls()["arm"]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "Nothing to change is named: give addIpRules"),
        ({"addIpRules": "here"}, "addIpRules has something that is no IPv4 address"),
        ({"removeIpRules": "2001:db8::1"}, "removeIpRules has something that is no IPv4 address"),
        ({"addVirtualNetworks": "net"}, "addVirtualNetworks has something that is no id of a subnet"),
        ({"addIpRules": "1.2.3.4", "removeIpRules": "1.2.3.4/32"}, "addIpRules and removeIpRules both name 1.2.3.4/32"),
        ({"defaultAction": "Perhaps"}, "defaultAction is none of: Allow, Deny"),
    ],
)
def test_rules_that_cannot_be_are_told_before_anything_is_called(
    lab: Lab, act: Act, inputs: dict[str, str], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        act("update_network_rules", vaultName="contoso", **inputs)
    assert lab.sandbox.calls()["arm"] == {}


@pytest.mark.parametrize("at", [("vault_get", 2), ("network_update", 1)])
def test_a_rival_is_noticed_before_the_write_or_in_its_answer(lab: Lab, act: Act, at: tuple[str, int]) -> None:
    connector = control(lab)

    def meddle() -> None:
        act("update_network_rules", vaultName="contoso", publicNetworkAccess="Disabled")

    Meddling(connector, *at, meddle)
    with pytest.raises(Conflict, match="was changed by somebody else at the same time"):
        acting_on(connector)("update_network_rules", vaultName="contoso", addIpRules="203.0.113.7")


@pytest.mark.parametrize("fault", ["lost", "broken-json", "reset", "502"])
def test_a_lost_answer_about_rules_is_looked_at(lab: Lab, act: Act, fault: str) -> None:
    lab.sandbox.faults.add(fault, host="arm", method="PATCH")
    act("update_network_rules", vaultName="contoso", addIpRules="203.0.113.7")
    assert rules(act)["ipRules"] == ["203.0.113.7/32"]


def test_private_endpoints_are_listed_approved_rejected_and_deleted(lab: Lab, act: Act) -> None:
    endpoint(lab)
    endpoint(lab, "pec-2")
    found = act("list_private_endpoint_connections", vaultName="contoso")["items"]
    assert [(one["connectionName"], one["status"]) for one in found] == [("pec-1", "Pending"), ("pec-2", "Pending")]
    named = {"vaultName": "contoso", "connectionName": "pec-1"}
    approved = act("approve_private_endpoint_connection", **named, description="agreed")
    assert (approved["effect"], approved["status"], approved["description"]) == ("updated", "Approved", "agreed")
    assert act("approve_private_endpoint_connection", **named)["effect"] == "alreadyThere"
    assert act("reject_private_endpoint_connection", **named)["status"] == "Rejected"
    told = act("get_private_endpoint_connection", **named)
    assert told["privateEndpoint"].endswith("privateEndpoints/e")
    assert act("delete_private_endpoint_connection", **named) == {"connectionName": "pec-1", "isSettled": True}
    for action_id in ("get", "approve", "reject", "delete"):
        with pytest.raises(NotFound, match="There is no private endpoint connection pec-1 of vault contoso"):
            act(f"{action_id}_private_endpoint_connection", **named)


def test_the_end_of_an_endpoint_is_waited_for(lab: Lab) -> None:
    told: list[str] = []
    act = acting_on(control(lab, told=told))
    endpoint(lab)
    lab.sandbox.cloud.register_seconds = 2
    named = {"vaultName": "contoso", "connectionName": "pec-1"}
    assert act("delete_private_endpoint_connection", **named)["isSettled"] is True
    assert told[1] == "Waiting for private endpoint connection pec-1 to be deleted: NotStarted, 1 s."


@pytest.mark.parametrize("fault", ["lost", "broken-json", "reset"])
def test_a_lost_answer_about_an_endpoint_is_looked_at(lab: Lab, act: Act, fault: str) -> None:
    endpoint(lab)
    named = {"vaultName": "contoso", "connectionName": "pec-1"}
    lab.sandbox.faults.add(fault, host="arm", method="PUT")
    assert act("approve_private_endpoint_connection", **named)["status"] == "Approved"
    lab.sandbox.faults.add(fault, host="arm", method="DELETE")
    assert act("delete_private_endpoint_connection", **named)["isSettled"] is True


ADDRESSES = st.lists(st.sampled_from([f"10.0.0.{number}/32" for number in range(6)]), unique=True)


@given(ADDRESSES, ADDRESSES, ADDRESSES)
def test_rules_and_their_difference_make_the_new_rules(have: list[str], more: list[str], fewer: list[str]) -> None:
    before = {**OPEN, "ipRules": sorted(have)}
    asked = {"addIpRules": more, "removeIpRules": fewer, "addVirtualNetworks": [], "removeVirtualNetworks": []}
    after = actions_network._after(before, {}, asked)
    assert {**before, **{one["name"]: one["after"] for one in actions_network._changes(before, after)}} == after
    assert set(after["ipRules"]) == (set(have) | set(more)) - set(fewer)
