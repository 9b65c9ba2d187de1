"""What a subscription holds: groups, vaults, deleted vaults, role assignments; and who may do what in it.

Nothing is judged until `enforced` is on: then both planes go by the assignments, which take `propagation_seconds` to work.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from connectors.azure_key_vault.sandbox.access import Operation
from connectors.azure_key_vault.sandbox.arm.roles import ADMINISTRATOR, OWNER, Role
from connectors.azure_key_vault.sandbox.clock import Clock
from connectors.azure_key_vault.sandbox.state import Vault

GROUP: Final = "sandbox"
LOCATION: Final = "eastus"
PROVIDER: Final = "providers/Microsoft.KeyVault"
EVERYBODY: Final = ""
"""Stands for every caller."""

Claims = dict[str, Any]


@dataclass(slots=True, eq=False)
class Group:
    """A resource group."""

    name: str
    location: str
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class VaultResource:
    """A vault as the control plane sees it. `ready_at` is when its name is registered."""

    name: str
    group: str
    location: str
    properties: dict[str, Any]
    tags: dict[str, str]
    created_at: float
    changed_at: float
    ready_at: float
    by: str
    data: Vault
    url: str
    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class DeletedVault:
    """A vault that was deleted, and when it goes for good."""

    resource: VaultResource
    deleted_at: float
    purge_at: float


@dataclass(frozen=True, slots=True)
class Assignment:
    """A role that somebody has at a scope. It works from `works_at` on."""

    id: str
    scope: str
    principal: str
    role: Role
    works_at: float
    properties: dict[str, Any] = field(default_factory=dict, hash=False)


class Subscription:
    """One subscription. The event loop of the sandbox alone changes it."""

    def __init__(
        self, identifier: str, tenant: str, clock: Clock, open_vault: Callable[[str], tuple[Vault, str]]
    ) -> None:
        self.id = identifier
        self.tenant = tenant
        self.clock = clock
        self.enforced = False
        self.register_seconds = 0.0
        self.propagation_seconds = 0.0
        self.groups: dict[str, Group] = {GROUP: Group(GROUP, LOCATION)}
        self.vaults: dict[str, VaultResource] = {}
        self.deleted: dict[str, DeletedVault] = {}
        self.assignments: dict[str, Assignment] = {}
        self.purging: dict[str, float] = {}
        self.open_vault = open_vault

    @property
    def path(self) -> str:
        """Its id as a scope."""
        return f"/subscriptions/{self.id}"

    def vault_path(self, resource: VaultResource) -> str:
        """The id of a vault."""
        return f"{self.path}/resourceGroups/{resource.group}/{PROVIDER}/vaults/{resource.name}"

    def seed(self, name: str, data: Vault, url: str) -> None:
        """A vault that is there from the start."""
        now = self.clock.now()
        properties = {
            "sku": {"family": "A", "name": "premium"},
            "tenantId": self.tenant,
            "accessPolicies": [],
            "enableRbacAuthorization": True,
        }
        self.add(VaultResource(name, GROUP, LOCATION, properties, {}, now, now, now, "sandbox", data, url))

    def add(self, resource: VaultResource) -> None:
        """A vault that both planes know from now on."""
        resource.data.gone = False
        resource.data.judge = lambda operation, claims, name: self._admits(resource, operation, claims, name)
        self.vaults[resource.name.lower()] = resource

    def assign(self, scope: str, principal: str, role: Role, **more: Any) -> Assignment:
        """Somebody has this role at this scope, soon."""
        identifier = more.pop("id", "") or str(uuid.uuid4())
        made = Assignment(
            identifier, scope.rstrip("/"), principal, role, self.clock.now() + self.propagation_seconds, more
        )
        self.assignments[identifier] = made
        return made

    def enforce(self, owner: str) -> None:
        """From now on everybody needs a role or a policy; this one has all of them here."""
        self.enforced = True
        for role in (OWNER, ADMINISTRATOR):
            self.assign(self.path, owner, role, id=str(uuid.uuid5(uuid.UUID(self.id), f"{role.id}/{owner}")))

    def roles_of(self, principal: str, scope: str) -> Iterator[Role]:
        """What somebody has here, by assignments that work by now."""
        now, where = self.clock.now(), f"{scope.lower()}/"
        for one in self.assignments.values():
            if one.principal == principal and one.works_at <= now and where.startswith(f"{one.scope.lower()}/"):
                yield one.role

    def permits(self, claims: Claims, action: str, scope: str) -> bool:
        """Whether this caller may do this at the control plane."""
        if not self.enforced:
            return True
        return any(role.allows(action, data=False) for role in self.roles_of(claims["oid"], scope))

    def _admits(self, resource: VaultResource, operation: Operation, claims: Claims, name: str) -> bool:
        if not self.enforced:
            return True
        if not resource.data.rbac:
            return _has_policy(resource.properties["accessPolicies"], operation, claims)
        scope = f"{self.vault_path(resource)}/{operation.collection}/{name}" if name else self.vault_path(resource)
        return any(role.allows(operation.action, data=True) for role in self.roles_of(claims["oid"], scope))


def moment(at: float) -> str:
    """A time as ARM writes it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def _has_policy(policies: list[dict[str, Any]], operation: Operation, claims: Claims) -> bool:
    """Whether a policy of this caller, or of this caller through its app, has the permission."""
    for one in policies:
        application = one.get("applicationId")
        if one["objectId"] == claims["oid"] and (not application or application == claims.get("appid")):
            words = {word.lower() for word in one.get("permissions", {}).get(operation.collection) or ()}
            if words & {"all", operation.policy.lower()}:
                return True
    return False
