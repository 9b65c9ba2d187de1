"""Actions on who has which role on a vault, or on one secret, key or certificate of it. What they take and give:
`roles.toml`.

The name of an assignment is made of where, who and which role, so that a repeat after a lost answer is the same
assignment. Source: ARM REST, Role Assignments; Azure RBAC guide for Key Vault.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from connectors.azure_key_vault.control.arm import Arm, Inputs, Performer
from connectors.azure_key_vault.control.metadata import assignment_described, role_described, role_id
from connectors.azure_key_vault.control.source import ASSIGNMENTS_VERSION
from connectors.azure_key_vault.documents import Outputs, part
from connectors.errors import BadInput, Conflict, Forbidden, NotFound

_ASSIGNMENTS: Final = "/providers/Microsoft.Authorization/roleAssignments"
_DEFINITIONS: Final = "/providers/Microsoft.Authorization/roleDefinitions"
_OBJECTS: Final[Mapping[str, str]] = MappingProxyType(
    {"secretName": "secrets", "keyName": "keys", "certificateName": "certificates"}
)
_MOST_PLACES: Final = 5
_NAMES: Final = uuid.UUID("6f0cf6b3-6f0e-5c5e-9d55-3a3a7a0f1c2e")
"""The space of names of our assignments: any UUID that never changes."""


def list_all(arm: Arm, inputs: Inputs) -> Outputs:
    """Every assignment that counts at the vault, or at one object: made there, above or below."""
    scope, principal = _scope(arm, inputs), inputs.get("principalId")
    query = _of(principal) if principal else ""
    item = assignment_described(_role_names(arm, inputs))
    place = f"{scope}{_ASSIGNMENTS}"
    return arm.listed("role_assignments", place, item, inputs, version=ASSIGNMENTS_VERSION, query=query)


def create(arm: Arm, inputs: Inputs) -> Outputs:
    """Give a role to somebody; nothing happens where it is there already."""
    scope, principal = _scope(arm, inputs), inputs["principalId"].lower()
    in_force = _uses_roles(arm, inputs)
    role, role_name = _role(arm, inputs, scope)
    name = str(uuid.uuid5(_NAMES, f"{scope.lower()}|{principal}|{role}"))
    path = f"{scope}{_ASSIGNMENTS}/{name}"
    there = arm.look("role_assignment_get", path, ASSIGNMENTS_VERSION)
    effect = "alreadyThere"
    if there is None:
        body = {"properties": _wanted(arm, inputs, principal, role)}
        effect, there = _assigned(arm, scope, path, body)
    told = assignment_described({role: role_name} if role_name else {})(there)
    return {"effect": effect, **{name: told[name] for name in _SHOWN}, "isInForce": in_force}


def delete(arm: Arm, inputs: Inputs) -> Outputs:
    """Take a role away: the assignment of that name, or the one of that role and principal at exactly this place."""
    scope = _scope(arm, inputs)
    there = _there(arm, inputs, scope)
    if there is None:
        _uses_roles(arm, inputs)  # where the vault itself is not there, a name is wrong
        _refuse_elsewhere(arm, inputs, scope)
        return {"effect": "alreadyGone", "assignmentName": inputs.get("assignmentName")}
    name = str(there.get("name"))
    path = f"{scope}{_ASSIGNMENTS}/{quote(name)}"
    arm.once(
        lambda: arm.send("role_assignment_delete", "DELETE", path, version=ASSIGNMENTS_VERSION),
        lambda: arm.look("role_assignment_get", path, ASSIGNMENTS_VERSION) is None,
        f"role assignment {name}",
    )
    told = assignment_described(_role_names(arm, inputs))(there)
    return {"effect": "deleted", **{name: told[name] for name in _SHOWN}}


def list_definitions(arm: Arm, inputs: Inputs) -> Outputs:
    """Every role that can be given in the subscription."""
    place = f"/subscriptions/{arm.subscription(inputs)}{_DEFINITIONS}"
    return arm.listed("role_definitions", place, role_described, inputs, version=ASSIGNMENTS_VERSION)


def _scope(arm: Arm, inputs: Inputs) -> str:
    """Where the role counts. Raises BadInput where more than one object is named."""
    named = [(word, inputs[word]) for word in _OBJECTS if inputs.get(word)]
    if len(named) > 1:
        message = f"{named[0][0]} and {named[1][0]} are both named: a role is given on one object, or on the vault."
        raise BadInput(message, parameter=named[1][0])
    vault = arm.vault(inputs).path
    return f"{vault}/{_OBJECTS[named[0][0]]}/{quote(named[0][1])}" if named else vault


def _assigned(arm: Arm, scope: str, path: str, body: dict[str, Any]) -> tuple[str, Any]:
    """What became of it, and the assignment; one of the same role under another name is as good."""

    def look() -> Any:
        return arm.look("role_assignment_get", path, ASSIGNMENTS_VERSION)

    try:
        reply = arm.once(
            lambda: arm.send("role_assignment_put", "PUT", path, body, ASSIGNMENTS_VERSION),
            lambda: look() is not None,
            "the role assignment",
        )
    except Conflict as error:
        if error.code != "role_assignment_exists":
            raise
        told = body["properties"]
        return "alreadyThere", _exactly(arm, scope, told["principalId"], role_id(told["roleDefinitionId"])) or {}
    return "created", arm.checked(reply.document) if reply else look() or {}


def _there(arm: Arm, inputs: Inputs, scope: str) -> Any:
    """The assignment that is named one way or the other, at exactly this place; None where there is none."""
    name, role, principal = (inputs.get(word) for word in ("assignmentName", "role", "principalId"))
    if name is None and not (role and principal):
        raise BadInput("Say which one: give assignmentName, or role and principalId.", parameter="assignmentName")
    if name is None:
        return _exactly(arm, scope, str(principal).lower(), _role(arm, inputs, scope)[0])
    found = arm.look("role_assignment_get", f"{scope}{_ASSIGNMENTS}/{quote(name)}", ASSIGNMENTS_VERSION)
    at = str(part(found, "properties").get("scope") or "")
    if found is not None and at.lower().rstrip("/") != scope.lower():
        message = f"Role assignment {name} counts at {at}, not only here: name that place to delete it."
        raise Conflict(message, code="other_scope")
    if found is not None and not _is_of(found, principal, role and _role(arm, inputs, scope)[0]):
        raise Conflict(
            f"Role assignment {name} is of another role or principal than those that are given: leave them out, or name "
            "the assignment that is meant.",
            code="other_assignment",
        )
    return found


def _is_of(found: Any, principal: Any, role: Any) -> bool:
    """Whether it is what else was said of it."""
    told = part(found, "properties")
    is_principal = not principal or str(told.get("principalId") or "").lower() == str(principal).lower()
    return is_principal and (not role or role_id(told.get("roleDefinitionId")) == role)


def _exactly(arm: Arm, scope: str, principal: str, role: str) -> Any:
    """The assignment of this role to this principal at this place, however it is called."""
    place = f"{scope}{_ASSIGNMENTS}"
    lists = arm.listed("role_assignments", place, dict, {}, version=ASSIGNMENTS_VERSION, query=_of(principal))
    for one in lists["items"]:
        told = part(one, "properties")
        is_here = str(told.get("scope") or "").lower().rstrip("/") == scope.lower()
        if is_here and role_id(told.get("roleDefinitionId")) == role:
            return one
    return None


def _refuse_elsewhere(arm: Arm, inputs: Inputs, scope: str) -> None:
    """Raise Conflict where the principal has the role at other places, which is not what was asked to be taken away."""
    principal, role = str(inputs.get("principalId") or "").lower(), inputs.get("role")
    if not (principal and role):
        return
    lists = arm.listed(
        "role_assignments", f"{scope}{_ASSIGNMENTS}", dict, {}, version=ASSIGNMENTS_VERSION, query=_of(principal)
    )
    wanted = _role(arm, inputs, scope)[0]
    told = [part(one, "properties") for one in lists["items"]]
    places = sorted(str(one.get("scope")) for one in told if role_id(one.get("roleDefinitionId")) == wanted)
    if places:
        raise Conflict(
            f"The principal has the role at {', '.join(places[:_MOST_PLACES])}, and not at exactly this place: name that one.",
            code="other_scope",
        )


def _of(principal: str) -> str:
    return "$filter=" + quote(f"principalId eq '{principal}'")


def _wanted(arm: Arm, inputs: Inputs, principal: str, role: str) -> dict[str, Any]:
    """What is assigned. The type of the principal lets Azure take one that was made just now."""
    definition = f"/subscriptions/{arm.subscription(inputs)}{_DEFINITIONS}/{role}"
    wanted = {"roleDefinitionId": definition, "principalId": principal, "principalType": inputs["principalType"]}
    return {**wanted, **({"description": inputs["description"]} if inputs.get("description") else {})}


def _role(arm: Arm, inputs: Inputs, scope: str) -> tuple[str, str | None]:
    """The id of the role that is named, and its name where it was looked up. Raises NotFound."""
    told = inputs["role"].strip()
    try:
        return str(uuid.UUID(role_id(told) if "/" in told else told)), None
    except ValueError:
        pass
    query = "$filter=" + quote("roleName eq '{}'".format(told.replace("'", "''")))
    place = f"{scope}{_DEFINITIONS}"
    found = arm.listed("role_definitions", place, role_described, {}, version=ASSIGNMENTS_VERSION, query=query)["items"]
    for one in found:
        if str(one["role"]).lower() == told.lower():
            return one["roleId"], one["role"]
    raise NotFound("There is no role of that name: list_role_definitions shows those that there are.")


def _role_names(arm: Arm, inputs: Inputs) -> Mapping[str, str]:
    """Names of roles by id; none where the app may not read them."""
    try:
        found = list_definitions(arm, {"subscription": inputs.get("subscription")})["items"]
    except Forbidden:
        return {}
    return {one["roleId"]: str(one["role"]) for one in found if one["role"]}


def _uses_roles(arm: Arm, inputs: Inputs) -> bool | None:
    """Whether roles count at the vault, which must be there; None where the app may not look."""
    try:
        document = arm.ask("vault_get", arm.vault(inputs).path)
    except Forbidden:
        return None
    return bool(part(document, "properties").get("enableRbacAuthorization"))


_SHOWN: Final = ("assignmentName", "role", "roleId", "principalId", "principalType", "scope")

ACTIONS: Final[Mapping[str, Performer]] = MappingProxyType(
    {
        "list_role_assignments": list_all,
        "create_role_assignment": create,
        "delete_role_assignment": delete,
        "list_role_definitions": list_definitions,
    }
)
