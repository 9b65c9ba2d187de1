"""Role definitions that are published for vaults, and what they allow (Azure reference sheet, sections 3.3 and 3.4)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

_VAULTS: Final = "Microsoft.KeyVault/vaults"
_READS: Final = (
    "Microsoft.KeyVault/checkNameAvailability/read",
    "Microsoft.KeyVault/deletedVaults/read",
    "Microsoft.KeyVault/locations/*/read",
    f"{_VAULTS}/*/read",
    f"{_VAULTS}/read",
    "Microsoft.KeyVault/operations/read",
    "Microsoft.Authorization/*/read",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
)


@dataclass(frozen=True, slots=True)
class Role:
    """A role: what it allows at the control plane and at vaults themselves. `*` stands for anything."""

    name: str
    id: str
    actions: Sequence[str] = ()
    not_actions: Sequence[str] = ()
    data_actions: Sequence[str] = ()

    def allows(self, action: str, *, data: bool) -> bool:
        """Whether the action is among what it allows."""
        if data:
            return any(_matches(pattern, action) for pattern in self.data_actions)
        return any(_matches(pattern, action) for pattern in self.actions) and not any(
            _matches(pattern, action) for pattern in self.not_actions
        )

    def document(self, scope: str) -> dict[str, Any]:
        """As a list of role definitions shows it."""
        return {
            "id": f"{scope}/providers/Microsoft.Authorization/roleDefinitions/{self.id}",
            "type": "Microsoft.Authorization/roleDefinitions",
            "name": self.id,
            "properties": {
                "roleName": self.name,
                "type": "BuiltInRole",
                "description": "",
                "assignableScopes": ["/"],
                "permissions": [self.permissions()],
            },
        }

    def permissions(self) -> dict[str, list[str]]:
        """What it allows, and what of that it does not."""
        return {
            "actions": list(self.actions),
            "notActions": list(self.not_actions),
            "dataActions": list(self.data_actions),
            "notDataActions": [],
        }


def _data(*parts: str) -> tuple[str, ...]:
    return tuple(f"{_VAULTS}/{part}" for part in parts)


def _on_keys(*words: str) -> tuple[str, ...]:
    return _data("keys/read", *(f"keys/{word}/action" for word in words))


OWNER: Final = Role("Owner", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", ("*",))
ADMINISTRATOR: Final = Role("Key Vault Administrator", "00482a5a-887f-4fb3-b363-3b7fe8e74483", _READS, (), _data("*"))
ROLES: Final = {
    role.id: role
    for role in (
        OWNER,
        ADMINISTRATOR,
        Role(
            "Contributor",
            "b24988ac-6180-42a0-ab88-20f7382dd24c",
            ("*",),
            (
                "Microsoft.Authorization/*/Delete",
                "Microsoft.Authorization/*/Write",
                "Microsoft.KeyVault/locations/deletedVaults/purge/*",
            ),
        ),
        Role("Reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7", ("*/read",)),
        Role(
            "Key Vault Reader",
            "21090545-7ca7-4776-b22c-e363652d74d2",
            _READS,
            (),
            _data("*/read", "secrets/readMetadata/action"),
        ),
        Role("Key Vault Secrets Officer", "b86a8fe4-44ce-4948-aee5-eccb2c155cd7", _READS, (), _data("secrets/*")),
        Role(
            "Key Vault Secrets User",
            "4633458b-17de-408a-b874-0445c86b69e6",
            (),
            (),
            _data("secrets/getSecret/action", "secrets/readMetadata/action"),
        ),
        Role(
            "Key Vault Crypto Officer",
            "14b46e9e-c2b7-41b4-b07b-48a6ebf60603",
            _READS,
            (),
            _data("keys/*", "keyrotationpolicies/*"),
        ),
        Role(
            "Key Vault Crypto User",
            "12338af0-0e69-4776-bea7-57ae8d297424",
            (),
            (),
            _on_keys("update", "backup", "encrypt", "decrypt", "wrap", "unwrap", "sign", "verify"),
        ),
        Role(
            "Key Vault Crypto Service Encryption User",
            "e147488a-f6f5-4113-8e2d-b22465e65bf6",
            (),
            (),
            _on_keys("wrap", "unwrap"),
        ),
        Role(
            "Key Vault Certificates Officer",
            "a4417e6f-fecd-4de8-b567-7b0420556985",
            _READS,
            (),
            _data("certificates/*", "certificatecas/*", "certificatecontacts/write"),
        ),
        Role(
            "Key Vault Certificate User",
            "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba",
            (),
            (),
            _data("certificates/read", "secrets/getSecret/action", "secrets/readMetadata/action", "keys/read"),
        ),
        Role(
            "Key Vault Purge Operator",
            "a68e7c17-0ab2-4c09-9a58-125dae29748c",
            (
                "Microsoft.KeyVault/locations/deletedVaults/purge/action",
                "Microsoft.KeyVault/locations/operationResults/read",
                "Microsoft.KeyVault/deletedVaults/read",
                "Microsoft.KeyVault/locations/deletedVaults/read",
            ),
        ),
        Role(
            "Key Vault Data Access Administrator",
            "8b54135c-b56d-4d72-a534-26097cfdc8d8",
            (
                "Microsoft.Authorization/roleAssignments/delete",
                "Microsoft.Authorization/roleAssignments/write",
                "Microsoft.Authorization/*/read",
                "Microsoft.Resources/subscriptions/resourceGroups/read",
                "Microsoft.Resources/subscriptions/read",
                "Microsoft.KeyVault/vaults/*/read",
            ),
        ),
        Role(
            "Key Vault Contributor",
            "f25e0fa2-a7c8-4377-a976-54943a77a395",
            ("Microsoft.KeyVault/*", "Microsoft.Authorization/*/read", "Microsoft.Resources/*/read"),
            (
                "Microsoft.KeyVault/locations/deletedVaults/purge/action",
                "Microsoft.KeyVault/hsmPools/*",
                "Microsoft.KeyVault/managedHsms/*",
            ),
        ),
    )
}


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in text.lower().split("*")))


def _matches(pattern: str, action: str) -> bool:
    return _pattern(pattern).fullmatch(action.lower()) is not None
