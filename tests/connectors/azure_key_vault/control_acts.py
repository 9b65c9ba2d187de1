"""Every action on the control plane once, in an order in which each finds what it needs."""

from __future__ import annotations

from typing import Any

from connectors.testing.subject import Act

GRACE = "0f5c8c2e-6d1b-4a53-9b53-2d1a2f1f7a01"
READER = "Key Vault Reader"


def control_acts(principal: str) -> list[Act]:
    """All of the control plane's, on vault contoso, with a private endpoint connection pec-1, and on one of their own.

    `principal` is somebody whom the directory knows.
    """
    return [*_places(), *_policies(), *_network(), *_roles(principal), *_life()]


def _places() -> list[Act]:
    return [_act(f"list_{kind}") for kind in ("subscriptions", "resource_groups", "vaults", "role_definitions")]


def _policies() -> list[Act]:
    grace = {"vaultName": "contoso", "principalId": GRACE}
    whole = [{"objectId": GRACE, "permissions": {"secrets": ["list"]}}]
    return [
        _act("add_access_policy", **grace, secrets="get,list"),
        _act("replace_access_policy", **grace, secrets="get"),
        _act("replace_access_policies", vaultName="contoso", accessPolicies=whole, dryRun=True),
        _act("remove_access_policy", **grace, secrets="get"),
        _act("list_access_policies", vaultName="contoso"),
    ]


def _network() -> list[Act]:
    endpoint = {"vaultName": "contoso", "connectionName": "pec-1"}
    return [
        _act("update_network_rules", vaultName="contoso", addIpRules="203.0.113.0/24"),
        _act("get_network_rules", vaultName="contoso"),
        _act("list_private_endpoint_connections", vaultName="contoso"),
        _act("get_private_endpoint_connection", **endpoint),
        _act("approve_private_endpoint_connection", **endpoint),
        _act("reject_private_endpoint_connection", **endpoint),
        _act("delete_private_endpoint_connection", **endpoint),
    ]


def _roles(principal: str) -> list[Act]:
    role = {"vaultName": "contoso", "role": READER, "principalId": principal}
    return [
        _act("create_role_assignment", **role),
        _act("list_role_assignments", vaultName="contoso"),
        _act("delete_role_assignment", **role),
    ]


def _life() -> list[Act]:
    named = {"vaultName": "northwind"}
    return [
        _act("check_vault_name", **named),
        _act("create_vault", **named, location="westeurope"),
        _act("get_vault", **named),
        _act("update_vault", **named, tags={"team": "blue"}),
        _act("delete_vault", **named),
        _act("list_deleted_vaults"),
        _act("get_deleted_vault", **named),
        _act("recover_vault", **named),
        _act("delete_vault", **named),
        _act("purge_vault", **named),
    ]


def _act(action: str, **inputs: Any) -> Act:
    return Act(action, lambda given: inputs)
