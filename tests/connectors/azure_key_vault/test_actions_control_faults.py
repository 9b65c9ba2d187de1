"""Every action of the control plane where Resource Manager fails in every way, refuses with every code, or makes no
sense: it ends with an error of ours, says what follows, and leaks nothing."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from control_acting import acting_on, control, state
from vault_lab import Lab, SwiftClock

from connectors.actions import Action
from connectors.azure_key_vault import AzureKeyVault
from connectors.azure_key_vault.actions.performers import CONTROL_PLANE
from connectors.azure_key_vault.control.arm import Arm
from connectors.azure_key_vault.control.errors import explain_control
from connectors.azure_key_vault.control.plane import Place
from connectors.azure_key_vault.sandbox import Sandbox
from connectors.azure_key_vault.sandbox.arm.roles import ROLES
from connectors.errors import BadInput, Conflict, Forbidden, NotFound, Refused, Throttled, Unavailable
from connectors.rest import Call, Reply
from iclients.answers import Answer
from iclients.clouds import BUILT_IN
from iclients.errors import AnswerLost, MalformedAnswer, NotAuthorized, Recovery, RemoteError
from integrator.cli.ending import _meaning
from integrator.errors import ExitCode

ACTIONS = AzureKeyVault.actions("control")
EACH = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
CANARY = "eyJCanaryFaultQx7v9Zr9.eyJ.sig"
WHO = "11111111-1111-1111-1111-111111111111"
INPUTS: dict[str, Any] = {
    "vaultName": "contoso", "location": "eastus", "principalId": WHO, "secrets": "set", "tags": {"a": CANARY},
    "accessPolicies": [{"principalId": WHO, "keys": ["get"]}], "addIpRules": "203.0.113.7", "connectionName": "pec-1",
    "role": "Key Vault Secrets User", "assignmentName": WHO,
}  # fmt: skip
READER = next(role for role in ROLES.values() if role.name == "Reader")
WANTED = {"secrets", "tags", "addIpRules", "assignmentName"}
NAMES = {"create_vault": "newvault", "recover_vault": "gone", "purge_vault": "gone", "get_deleted_vault": "gone"}
FAULTS: dict[str, tuple[type[RemoteError], ...]] = {
    "429": (Throttled,),
    "503": (Unavailable,),
    "500": (Unavailable, AnswerLost),
    "400": (Refused,),
    "401": (NotAuthorized,),
    "403": (Refused,),
    "404": (Refused,),
    "409": (Refused,),
    "html": (Unavailable, AnswerLost),
    "broken-json": (MalformedAnswer, AnswerLost),
    "reset": (RemoteError,),
    "lost": (AnswerLost,),
    "truncated": (AnswerLost,),
}


@pytest.fixture(scope="module")
def fault_lab() -> Iterator[Lab]:
    with Sandbox.start(vaults={"contoso": 0, "gone": 0}) as sandbox:
        made = Lab(sandbox)
        acting_on(control(made))("delete_vault", vaultName="gone")
        made.sandbox.cloud.vaults["contoso"].endpoints["pec-1"] = {
            "name": "pec-1", "privateEndpoint": {}, "privateLinkServiceConnectionState": {"status": "Pending"},
        }  # fmt: skip
        acting_on(control(made))("add_access_policy", vaultName="contoso", principalId=WHO, certificates="get")
        cloud = made.sandbox.cloud
        cloud.assign(cloud.vault_path(cloud.vaults["contoso"]), WHO, READER, id=WHO)
        yield made
        made.transport.close()


def inputs_of(action: Action) -> dict[str, Any]:
    named = {one.name: INPUTS[one.name] for one in action.parameters if one.required or one.name in WANTED}
    if action.id == "remove_access_policy":
        del named["secrets"]  # all that there is
    return {**named, **({"vaultName": NAMES[action.id]} if action.id in NAMES else {})}


def told_well(error: RemoteError) -> None:
    assert isinstance(error.recovery, Recovery)
    assert str(error).endswith((".", "…"))
    assert "\n" not in str(error)
    told = "".join(traceback.format_exception(error))
    assert CANARY not in told
    assert "Bearer ey" not in told
    wanted = ExitCode.NEEDS_AUTHORIZATION if isinstance(error, NotAuthorized) else ExitCode.FAILED
    assert _meaning(error)[:2] == (wanted, error.code)


@EACH
@pytest.mark.parametrize("fault", FAULTS)
def test_a_resource_manager_that_fails_is_told_by_a_sentence(fault_lab: Lab, action: Action, fault: str) -> None:
    """Reads and writes fail alike: nothing is changed, because a change begins with a look."""
    fault_lab.sandbox.faults.clear()
    fault_lab.sandbox.faults.add(fault, host="arm", every=1)
    before = state(fault_lab)
    with pytest.raises(FAULTS[fault]) as failed:
        acting_on(control(fault_lab))(action.id, **inputs_of(action))
    told_well(failed.value)
    assert state(fault_lab) == before


CHANGING = [action for action in ACTIONS if action.changes]


@pytest.mark.parametrize("action", CHANGING, ids=lambda action: action.id)
@pytest.mark.parametrize("fault", ["429", "503", "500", "400", "403", "409", "html", "reset"])
def test_a_change_that_alone_fails_changes_nothing(fault_lab: Lab, action: Action, fault: str) -> None:
    fault_lab.sandbox.faults.clear()
    for method in ("PUT", "PATCH", "POST", "DELETE"):
        fault_lab.sandbox.faults.add(fault, host="arm", method=method, every=1)
    before = state(fault_lab)
    with pytest.raises(FAULTS[fault]) as failed:
        acting_on(control(fault_lab))(action.id, **inputs_of(action))
    told_well(failed.value)
    assert state(fault_lab) == before


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


def test_the_missing_action_is_shown_only_where_it_looks_like_one() -> None:
    def told(action: str) -> str:
        message = f"does not have authorization to perform action '{action}' over scope '/x'"
        body = json.dumps({"error": {"code": "AuthorizationFailed", "message": message}}).encode()
        return str(explain_control(Answer(403, {}, body), Call("operation", "GET", VAULT)))

    assert "role Key Vault Purge Operator there, which has Microsoft.KeyVault/locations/operationResults/read." in told(
        "Microsoft.KeyVault/locations/operationResults/read"
    )
    assert "which has" not in told("<b>x</b>/y z")
