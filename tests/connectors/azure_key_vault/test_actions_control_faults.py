"""Every action of the control plane where Resource Manager fails in every way, refuses with every code, or makes no
sense: it ends with an error of ours, says what follows, and leaks nothing."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from control_acting import state
from fault_moments import Moments, control_moments, told_well
from fault_table import CHANGES, EVERY, FAULTS, when_all_fails, when_changes_fail, when_it_passes
from pytest import LogCaptureFixture as Log
from vault_lab import SwiftClock

from connectors.actions import Action
from connectors.azure_key_vault import AzureKeyVault
from connectors.azure_key_vault.actions.performers import CONTROL_PLANE
from connectors.azure_key_vault.control.arm import Arm
from connectors.azure_key_vault.control.errors import explain_control
from connectors.azure_key_vault.control.plane import Place
from connectors.azure_key_vault.sandbox import Sandbox
from connectors.azure_key_vault.sandbox.faults import KINDS_CARRIED_OUT
from connectors.errors import BadInput, Conflict, Forbidden, NotFound, Refused
from connectors.rest import Call, Reply
from iclients.answers import Answer
from iclients.clouds import BUILT_IN
from iclients.errors import Recovery, RemoteError

ACTIONS = AzureKeyVault.actions("control")
EACH = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
EACH_CHANGE = pytest.mark.parametrize("action", [one for one in ACTIONS if one.changes], ids=lambda action: action.id)
CANARY = "eyJCanaryFaultQx7v9Zr9.eyJ.sig"
WHO = "11111111-1111-1111-1111-111111111111"
INPUTS: dict[str, Any] = {
    "vaultName": "contoso", "location": "eastus", "principalId": WHO, "secrets": "set", "tags": {"a": CANARY},
    "accessPolicies": [{"principalId": WHO, "keys": ["get"]}], "addIpRules": "203.0.113.7", "connectionName": "pec-1",
    "role": "Key Vault Secrets User", "assignmentName": WHO,
}  # fmt: skip
WANTED = {"secrets", "tags", "addIpRules", "assignmentName"}
NAMES = {"create_vault": "newvault", "recover_vault": "gone", "purge_vault": "gone", "get_deleted_vault": "gone"}


@pytest.fixture(scope="module")
def moments() -> Iterator[Moments]:
    with Sandbox.start(vaults={"contoso": 0}) as sandbox:
        made = control_moments(sandbox)
        yield made
        made.lab.transport.close()


def inputs_of(action: Action) -> dict[str, Any]:
    named = {one.name: INPUTS[one.name] for one in action.parameters if one.required or one.name in WANTED}
    if action.id == "remove_access_policy":
        del named["secrets"]  # all that there is
    return {**named, **({"vaultName": NAMES[action.id]} if action.id in NAMES else {})}


@EACH
def test_a_resource_manager_that_fails_at_everything_ends_each_action_as_promised(
    moments: Moments, caplog: Log, action: Action
) -> None:
    ends = {fault: moments.end(action, fault, caplog, EVERY, every=1) for fault in FAULTS}
    assert ends == {fault: when_all_fails(action, fault) for fault in FAULTS}


@EACH_CHANGE
def test_a_change_that_alone_fails_ends_as_promised(moments: Moments, caplog: Log, action: Action) -> None:
    ends = {fault: moments.end(action, fault, caplog, CHANGES, every=1) for fault in FAULTS}
    assert ends == {fault: when_changes_fail(action, fault) for fault in FAULTS}


@EACH
def test_what_passes_is_survived_and_nothing_is_made_twice(moments: Moments, caplog: Log, action: Action) -> None:
    methods = CHANGES if action.changes else EVERY
    ends = {fault: moments.end(action, fault, caplog, methods, times=1) for fault in FAULTS}
    assert ends == {fault: when_it_passes(action, fault) for fault in FAULTS}


@EACH_CHANGE
def test_a_call_that_was_not_carried_out_changes_nothing(moments: Moments, caplog: Log, action: Action) -> None:
    for fault in FAULTS.keys() - KINDS_CARRIED_OUT:
        moments.back_to(action.id)
        before = state(moments.lab)
        moments.end(action, fault, caplog, CHANGES, every=1)
        assert state(moments.lab) == before


class Answering:
    """A client whose Resource Manager has one answer to everything."""

    def __init__(self, answer: str) -> None:
        self.answer = answer

    def json(self, call: Call) -> Any:
        return json.loads(self.answer)

    def exchange(self, call: Call) -> Reply:
        return Reply(200, {}, self.json(call))


NONSENSE = ["null", "[]", "{}", '"x"', '{"value": 5}', '{"value": [5]}', '{"properties": 5, "value": [{}]}',
            '{"value": [{"name": 5, "properties": []}], "properties": {"accessPolicies": [5, {"permissions": []}]}}',
            '{"properties": {"networkAcls": {"ipRules": [5, {"value": []}]}, "provisioningState": 5, "tenantId": 5}}']  # fmt: skip


@EACH
@pytest.mark.parametrize("answer", NONSENSE)
def test_an_answer_that_makes_no_sense_is_told(action: Action, answer: str) -> None:
    """What is of no use is told; where nothing of the answer is needed, it does no harm."""
    place = Place("00000000-0000-0000-0000-000000000001", "g")
    arm = Arm(Answering(answer), BUILT_IN["public"], place, "arm", SwiftClock())  # type: ignore[arg-type]
    try:
        action.classified(CONTROL_PLANE[action.id](arm, action.converted(inputs_of(action))))
    except (RemoteError, BadInput) as error:
        assert CANARY not in str(error)


VAULT = "https://management.azure.com/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/v"
REFUSALS: list[tuple[int, str, str, type[RemoteError], str, Recovery, str]] = [
    (403, "AuthorizationFailed", "vault_update", Forbidden, "forbidden", Recovery.SKIP, "role Key Vault Contributor there"),
    (403, "LinkedAuthorizationFailed", "network_update", Forbidden, "forbidden", Recovery.SKIP, "such as a subnet"),
    (403, "RequestDisallowedByPolicy", "vault_create", Forbidden, "forbidden_by_azure_policy", Recovery.SKIP, "for vault v"),
    (404, "ResourceNotFound", "vault_get", NotFound, "not_found", Recovery.SKIP, "There is no vault v: list_vaults"),
    (404, "ParentResourceNotFound", "endpoint_get", NotFound, "not_found", Recovery.SKIP, "There is no vault v, nor"),
    (404, "SubscriptionNotFound", "vault_get", NotFound, "subscription_not_found", Recovery.ABORT, "does not see"),
    (404, "ResourceGroupNotFound", "vault_create", NotFound, "resource_group_not_found", Recovery.ABORT, "no resource group rg"),
    (400, "VaultNameNotValid", "vault_create", Refused, "invalid_name", Recovery.SKIP, "3 to 24 letters"),
    (409, "VaultAlreadyExists", "vault_create", Conflict, "vault_name_taken", Recovery.SKIP, "recover_vault brings it back"),
    (409, "ConflictError", "vault_create", Conflict, "deleted_but_recoverable", Recovery.SKIP, "purge_vault frees the name"),
    (409, "ConflictError", "vault_update", Conflict, "being_changed", Recovery.RETRY, "for somebody else at this moment"),
    (409, "MissingSubscriptionRegistration", "vault_create", Conflict, "not_registered", Recovery.ABORT, "register Microsoft.Key"),
    (409, "ScopeLocked", "vault_delete", Conflict, "locked", Recovery.ABORT, "A lock keeps vault v as it is"),
    (405, "MethodNotAllowed", "vault_purge", Refused, "purge_refused", Recovery.SKIP, "has purge protection"),
    (409, "RoleAssignmentExists", "role_assignment_put", Conflict, "role_assignment_exists", Recovery.SKIP, "already"),
    (400, "PrincipalNotFound", "role_assignment_put", Refused, "principal_not_found", Recovery.SKIP, "may still be replicating"),
    (400, "UnmatchedPrincipalType", "role_assignment_put", Refused, "bad_request", Recovery.SKIP, "correct principalType"),
    (400, "RoleDefinitionDoesNotExist", "role_assignment_put", Refused, "bad_request", Recovery.SKIP, "list_role_definitions"),
    (400, "BadRequest", "vault_update", Refused, "bad_request", Recovery.SKIP, "HTTP 400 BadRequest: odd words"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "code", "kind", "error", "ours", "recovery", "words"), REFUSALS)
def test_each_refusal_has_its_next_step(
    status: int, code: str, kind: str, error: type[RemoteError], ours: str, recovery: Recovery, words: str
) -> None:
    body = json.dumps({"error": {"code": code, "message": f"odd words. Bearer {CANARY}"}}).encode()
    told = explain_control(Answer(status, {}, body), Call(kind, "PUT", f"{VAULT}?api-version=1", {"a": CANARY}))
    assert isinstance(told, error)
    assert (told.code, told.recovery) == (ours, recovery)
    assert words in str(told)
    told_well(told)
    assert CANARY not in "".join(traceback.format_exception(told))


def test_the_missing_action_is_shown_only_where_it_looks_like_one() -> None:
    def told(action: str) -> str:
        message = f"does not have authorization to perform action '{action}' over scope '/x'"
        body = json.dumps({"error": {"code": "AuthorizationFailed", "message": message}}).encode()
        return str(explain_control(Answer(403, {}, body), Call("operation", "GET", VAULT)))

    assert "role Key Vault Purge Operator there, which has Microsoft.KeyVault/locations/operationResults/read." in told(
        "Microsoft.KeyVault/locations/operationResults/read"
    )
    assert "which has" not in told("<b>x</b>/y z")
