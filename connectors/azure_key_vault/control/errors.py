"""What refusals of Azure Resource Manager mean: status and code, never the text. Source: ARM, common errors.

One thing stands in the text alone: which action a role must have. It is shown where it looks like one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from connectors.azure_key_vault.errors import error_parts
from connectors.errors import error_for
from connectors.rest import Call
from connectors.schemas import load_actions
from iclients.answers import Answer
from iclients.errors import Recovery, RemoteError


class _Meaning(NamedTuple):
    """The sentence of a code, our own code where it has one, and what follows where that differs from the status."""

    sentence: str
    code: str | None = None
    recovery: Recovery | None = None


_WHO: Final = "Azure Resource Manager"
_BUSY: Final = _Meaning(
    "Azure is changing {thing} for somebody else at this moment.", code="being_changed", recovery=Recovery.RETRY
)
_TAKEN: Final = _Meaning(
    "The name of {thing} is taken, by a vault somewhere in Azure or by a deleted one: choose another; where it is yours, "
    "list_deleted_vaults shows it and recover_vault brings it back.",
    code="vault_name_taken",
)
_MEANINGS: Final[Mapping[str, _Meaning]] = MappingProxyType(
    {
        "AuthorizationFailed": _Meaning(
            "The app of this connection may not {what} in {scope}: give it the role {role} there{lacks}. A role that was "
            "given in the last ten minutes may still be propagating."
        ),
        "LinkedAuthorizationFailed": _Meaning(
            "The app of this connection may change {thing}, but not use what the change refers to, such as a subnet: give "
            "it a role there as well{lacks}."
        ),
        "SubscriptionNotFound": _Meaning(
            "The app of this connection does not see {scope}: correct `subscription`, or give it the role Reader there.",
            code="subscription_not_found",
            recovery=Recovery.ABORT,
        ),
        "ResourceGroupNotFound": _Meaning(
            "There is no {scope}: correct `resource_group`.", code="resource_group_not_found", recovery=Recovery.ABORT
        ),
        "ResourceNotFound": _Meaning(
            "There is no {thing}: list_vaults shows the vaults there are, list_deleted_vaults those that recover_vault "
            "brings back."
        ),
        "ParentResourceNotFound": _Meaning("There is no {thing}, nor what it would belong to: correct the names."),
        "DeletedVaultNotFound": _Meaning(
            "No deleted vault of that name is in {scope}: list_deleted_vaults shows those."
        ),
        "VaultNameNotValid": _Meaning(
            "The vault's name cannot be: 3 to 24 letters, digits and -, the first a letter.", code="invalid_name"
        ),
        "VaultAlreadyExists": _TAKEN,
        "ConflictError": _BUSY,
        "AnotherOperationInProgress": _BUSY,
        "MethodNotAllowed": _Meaning(
            "The vault has purge protection: it cannot be purged before its time is over.", code="purge_refused"
        ),
        "MissingSubscriptionRegistration": _Meaning(
            "{scope} does not know Key Vault yet: somebody with the role Contributor has to register Microsoft.KeyVault "
            "in it.",
            code="not_registered",
            recovery=Recovery.ABORT,
        ),
        "ScopeLocked": _Meaning(
            "A lock keeps {thing} as it is: whoever set it (Locks, of the vault, its resource group or subscription) has "
            "to take it away first.",
            code="locked",
            recovery=Recovery.ABORT,
        ),
        "RequestDisallowedByPolicy": _Meaning(
            "An Azure Policy forbids it for {thing}: ask the owner of the policy.", code="forbidden_by_azure_policy"
        ),
        "InvalidResourceLocation": _Meaning("{thing} is there in another location, and a vault does not move."),
        "LocationNotAvailableForResourceType": _Meaning("Azure has no vaults in that location: name another."),
        "SkuNotSupported": _Meaning("That location has no vaults of that tier: name another of them."),
        "RoleAssignmentExists": _Meaning("The principal has that role there already.", code="role_assignment_exists"),
        "RoleAssignmentNotFound": _Meaning("There is no such role assignment: list_role_assignments shows those."),
        "RoleDefinitionDoesNotExist": _Meaning("There is no such role: list_role_definitions shows those."),
        "RoleAssignmentUpdateNotPermitted": _Meaning("A role assignment of that name is for something else."),
        "RoleAssignmentLimitExceeded": _Meaning(
            "{scope} has as many role assignments as it can have: take others away first.", recovery=Recovery.ABORT
        ),
        "UnmatchedPrincipalType": _Meaning("The principal is of another type: correct principalType."),
        "PrincipalNotFound": _Meaning(
            "Entra knows no such principal: give its object ID, not a client ID. One that was made in the last minutes may "
            "still be replicating: try again.",
            code="principal_not_found",
        ),
        "InvalidAuthenticationTokenTenant": _Meaning(
            "The token is of another tenant than {scope}: correct the tenant of the iClient."
        ),
    }
)
_DELETED: Final = _Meaning(
    "A deleted vault has the name of {thing}: recover_vault brings it back; purge_vault frees the name.",
    code="deleted_but_recoverable",
)
_SCOPE: Final = re.compile(r"/subscriptions/([^/?]+)(?:/resourceGroups/([^/?]+))?", re.IGNORECASE)
_THING: Final = re.compile(
    r"/(vaults|deletedVaults)/([^/?]+)(?:/(secrets|keys|certificates|privateEndpointConnections)/([^/?]+))?",
    re.IGNORECASE,
)
_NOUNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "vaults": "vault",
        "deletedvaults": "deleted vault",
        "secrets": "secret",
        "keys": "key",
        "certificates": "certificate",
        "privateendpointconnections": "private endpoint connection",
    }
)
_WHAT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "vault_get": "read a vault",
        "vault_create": "create a vault",
        "vault_update": "update a vault",
        "vault_delete": "delete a vault",
        "vault_recover": "recover a vault",
        "vault_purge": "purge a vault",
        "deleted_vault_get": "read a deleted vault",
        "name_check": "check a name",
        "policies_change": "change access policies",
        "network_update": "change network rules",
        "endpoints": "list private endpoint connections",
        "endpoint_get": "read a private endpoint connection",
        "endpoint_put": "approve or reject a private endpoint connection",
        "endpoint_delete": "delete a private endpoint connection",
        "role_assignment_get": "read a role assignment",
        "role_assignment_put": "assign a role",
        "role_assignment_delete": "delete a role assignment",
        "operation": "see how an operation stands",
    }
)
"""Kind of call → what it does; lists are called by what they list."""
_ACTION: Final = re.compile(r"perform action '([A-Za-z]+\.[A-Za-z]+(?:/[A-Za-z*]+)+)'")
_READING: Final = "Reader"
_CHANGING: Final = "Key Vault Contributor"


def explain_control(answer: Answer, call: Call) -> RemoteError:
    """The error that this answer of ARM means for this call."""
    code, _, message = error_parts(answer)
    kind, meaning = error_for(answer.status), _meaning(code, answer, call)
    if meaning is None:
        said = f" {code}: {message}" if code and message else f" {code}".rstrip()
        return kind(f"{_WHO} answered {call.kind} with HTTP {answer.status}{said}".rstrip(".") + ".")
    missing = _ACTION.search(message)
    told = {
        "what": _WHAT.get(call.kind)
        or f"{'list' if call.method == 'GET' else ''} {call.kind.replace('_', ' ')}".strip(),
        "scope": _scope(call),
        "thing": _thing(call.url),
        "role": _role(missing[1] if missing else "", call),
        "lacks": f", which has {missing[1]}" if missing else "",
    }
    sentence = meaning.sentence.format_map(told)
    return kind(sentence[:1].upper() + sentence[1:], code=meaning.code, recovery=meaning.recovery)


def _meaning(code: str, answer: Answer, call: Call) -> _Meaning | None:
    """A conflict of a vault that is made means its name; 405 means purge protection where something is purged."""
    if code == "ConflictError" and call.kind == "vault_create":
        return _DELETED
    if code == "MethodNotAllowed" and call.kind != "vault_purge":
        return None
    if code in ("BadRequest", "InvalidRequestContent"):
        return None
    return _MEANINGS.get(code)


def _role(action: str, call: Call) -> str:
    """The smallest built-in role that has the action, as the actions of the connector know it."""
    actions = load_actions("connectors.azure_key_vault")
    roles = {one.action.lower(): one.role for told in actions for one in told.permissions if not one.data_action}
    if call.kind == "vault_purge":
        return "Key Vault Purge Operator"
    if call.kind in ("role_assignment_put", "role_assignment_delete"):
        return "Key Vault Data Access Administrator"
    return roles.get(action.lower()) or (_READING if call.method == "GET" else _CHANGING)


def _scope(call: Call) -> str:
    found = _SCOPE.search(call.url)
    if found is None:
        return "the tenant"
    return f"resource group {found[2]}" if found[2] else f"subscription {found[1]}"


def _thing(url: str) -> str:
    """What the call is about, as people name it."""
    found = _THING.search(url)
    if found is None:
        return "such thing"
    vault = f"{_NOUNS[found[1].lower()]} {found[2]}"
    return f"{_NOUNS[found[3].lower()]} {found[4]} of {vault}" if found[3] else vault
