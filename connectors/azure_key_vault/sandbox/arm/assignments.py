"""Role assignments and definitions at any scope (Azure reference sheet, section 8.4)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from typing import Any, Final

from connectors.azure_key_vault.sandbox.arm.calls import Call, Operation, Reply, bad, object_of, operation, text_of
from connectors.azure_key_vault.sandbox.arm.roles import OWNER, ROLES, Role
from connectors.azure_key_vault.sandbox.arm.subscription import Assignment, Subscription, moment
from connectors.azure_key_vault.sandbox.arm.vaults import paged
from connectors.azure_key_vault.sandbox.errors import Refused

_A: Final = "/providers/Microsoft.Authorization/roleAssignments"
_D: Final = "/providers/Microsoft.Authorization/roleDefinitions"
_P: Final = "/providers/Microsoft.Authorization/permissions"
_ASSIGNMENTS: Final = "Microsoft.Authorization/roleAssignments"
_PRINCIPAL: Final = re.compile(r"(?:principalId eq|assignedTo\()\s*'([^']+)'\)?", re.IGNORECASE)
_NAME: Final = re.compile(r"roleName eq '([^']+)'", re.IGNORECASE)


class Assignments:
    """What the control plane answers about who has which role."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self.operations: Sequence[Operation] = (
            *self._at_scope("PUT", f"{_A}/{{assignment}}", f"{_ASSIGNMENTS}/write", self._put),
            *self._at_scope("GET", f"{_A}/{{assignment}}", f"{_ASSIGNMENTS}/read", self._get),
            *self._at_scope("DELETE", f"{_A}/{{assignment}}", f"{_ASSIGNMENTS}/delete", self._delete),
            *self._at_scope("GET", _A, f"{_ASSIGNMENTS}/read", self._list),
            *self._at_scope("GET", _P, "Microsoft.Authorization/permissions/read", self._permissions),
            *self._at_scope("GET", f"{_D}/{{role}}", "Microsoft.Authorization/roleDefinitions/read", self._role),
            *self._at_scope("GET", _D, "Microsoft.Authorization/roleDefinitions/read", self._roles),
        )

    def _at_scope(self, method: str, rest: str, action: str, do: Any) -> list[Operation]:
        found = operation(method, rest, action, do)
        anywhere = re.compile(
            f"(?P<scope>(?:/subscriptions/(?P<subscription>[^/]+).*)?){found.path.pattern}", re.IGNORECASE
        )
        return [Operation(method, anywhere, action, do)]

    def _put(self, call: Call) -> Reply:
        told = object_of(call.body, "properties")
        principal, role, scope = text_of(told, "principalId"), _role_of(text_of(told, "roleDefinitionId")), _scope(call)
        try:
            identifier = str(uuid.UUID(call.parts["assignment"]))
        except ValueError:
            raise bad("The role assignment ID must be a GUID.", "InvalidRoleAssignmentId") from None
        before = self._subscription.assignments.get(identifier)
        for one in self._subscription.assignments.values():
            is_same = (one.scope.lower(), one.principal, one.role) == (scope.lower(), principal, role)
            if is_same and one.id != identifier:
                raise Refused(409, "RoleAssignmentExists", "The role assignment already exists.")
        if before is not None:
            if before.scope.lower() != scope.lower() or before.principal != principal or before.role != role:
                raise bad(
                    "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
                    "RoleAssignmentUpdateNotPermitted",
                )
            return Reply(200, self._document(before))
        more = {
            name: told[name]
            for name in ("principalType", "condition", "conditionVersion", "description")
            if told.get(name)
        }
        made = self._subscription.assign(scope, principal, role, id=identifier, **more)
        return Reply(201, self._document(made))

    def _get(self, call: Call) -> dict[str, Any]:
        return self._document(self._found(call))

    def _delete(self, call: Call) -> Reply:
        found = self._subscription.assignments.pop(call.parts["assignment"].lower(), None)
        return Reply(200, self._document(found)) if found else Reply(204)

    def _list(self, call: Call) -> dict[str, Any]:
        scope, wanted = f"{_scope(call).lower()}/", call.request.parameters.get("$filter", "")
        found = [one for one in self._subscription.assignments.values() if _shows(one, scope, wanted)]
        if match := _PRINCIPAL.search(wanted):
            found = [one for one in found if one.principal.lower() == match[1].lower()]
        return paged(call, [self._document(one) for one in found])

    def _permissions(self, call: Call) -> dict[str, Any]:
        """What the caller has here, a role an item; everything, where nobody is judged."""
        subscription = self._subscription
        roles = subscription.roles_of(call.claims["oid"], _scope(call)) if subscription.enforced else (OWNER,)
        return paged(call, [role.permissions() for role in roles])

    def _found(self, call: Call) -> Assignment:
        found = self._subscription.assignments.get(call.parts["assignment"].lower())
        if found is None:
            raise Refused(404, "RoleAssignmentNotFound", "The role assignment was not found.")
        return found

    def _role(self, call: Call) -> dict[str, Any]:
        return _role_of(call.parts["role"]).document(_scope(call))

    def _roles(self, call: Call) -> dict[str, Any]:
        match = _NAME.search(call.request.parameters.get("$filter", ""))
        found = [role for role in ROLES.values() if match is None or role.name.lower() == match[1].lower()]
        return {"value": [role.document(_scope(call)) for role in found]}

    def _document(self, one: Assignment) -> dict[str, Any]:
        at = moment(one.works_at - self._subscription.propagation_seconds)
        return {
            "id": f"{one.scope}{_A}/{one.id}",
            "name": one.id,
            "type": _ASSIGNMENTS,
            "properties": {
                "roleDefinitionId": f"{self._subscription.path}{_D}/{one.role.id}",
                "principalId": one.principal,
                "principalType": "ServicePrincipal",
                "scope": one.scope,
                "createdOn": at,
                "updatedOn": at,
                **one.properties,
            },
        }


def _scope(call: Call) -> str:
    return call.parts.get("scope") or ""


def _shows(one: Assignment, scope: str, wanted: str) -> bool:
    """Whether a list at this scope has it: those here and above, and, unless told otherwise, those below."""
    own = f"{one.scope.lower()}/"
    return scope.startswith(own) or ("atscope()" not in wanted.lower() and own.startswith(scope))


def _role_of(identifier: str) -> Role:
    role = ROLES.get(identifier.rpartition("/")[2].lower())
    if role is None:
        raise Refused(400, "RoleDefinitionDoesNotExist", "The specified role definition does not exist.")
    return role
