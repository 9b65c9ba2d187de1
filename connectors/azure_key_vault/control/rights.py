"""Rights at the control plane: what a flow's verbs take, what the roles of an app allow, and which role has what lacks.

A role allows what its `actions` name, less its `notActions`; `*` stands for anything, case does not count; what one role
takes away another one may give. Source: Azure RBAC, "Understand role definitions"; Permissions - List; built-in roles.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from connectors.model import Need
from connectors.schemas import load_actions

READING: Final = "Microsoft.KeyVault/vaults/read"
_TAKES: Final[Mapping[str, Sequence[str]]] = {
    "vaults": (READING,),
    "access_policies": (READING,),
    "deleted_vaults": ("Microsoft.KeyVault/deletedVaults/read",),
    "role_assignments": (
        "Microsoft.Authorization/roleAssignments/read",
        "Microsoft.Authorization/roleDefinitions/read",
    ),
}
_WIDE: Final = ("microsoft.keyvault/locations/", "microsoft.keyvault/deletedvaults/", "microsoft.keyvault/checkname")
"""Beginnings of actions on what lies in no resource group."""
_SUBSCRIPTIONS: Final = "microsoft.resources/subscriptions/read"


@dataclass(frozen=True, slots=True)
class Grant:
    """What one role of the app allows in one place."""

    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Grant:
        """As ARM tells it; what is no text allows nothing."""
        return cls(_texts(item.get("actions")), _texts(item.get("notActions")))

    def allows(self, action: str) -> bool:
        """Whether the action is among them."""
        return _any(self.actions, action) and not _any(self.not_actions, action)


_ROLES: Final[Mapping[str, Grant]] = {
    "Reader": Grant(("*/read",)),
    "Key Vault Purge Operator": Grant(
        (
            "Microsoft.KeyVault/locations/deletedVaults/purge/action",
            "Microsoft.KeyVault/locations/operationResults/read",
            "Microsoft.KeyVault/deletedVaults/read",
            "Microsoft.KeyVault/locations/deletedVaults/read",
        )
    ),
    "Key Vault Data Access Administrator": Grant(
        (
            "Microsoft.Authorization/roleAssignments/delete",
            "Microsoft.Authorization/roleAssignments/write",
            "Microsoft.Authorization/*/read",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Resources/subscriptions/read",
            "Microsoft.KeyVault/vaults/*/read",
        )
    ),
    "Key Vault Contributor": Grant(
        ("Microsoft.KeyVault/*", "Microsoft.Authorization/*/read", "Microsoft.Resources/*/read"),
        ("Microsoft.KeyVault/locations/deletedVaults/purge/action",),
    ),
}


def actions_for(needs: Collection[Need]) -> tuple[str, ...]:
    """The actions of roles that these verbs of the control plane's resources take, and these actions, each once."""
    read = {action for need in needs for action in _TAKES.get(need.resource, ())}
    return tuple(sorted(read | {need.right for need in needs if need.right.startswith("Microsoft.")}))


def is_wide(action: str) -> bool:
    """Whether it is judged at the subscription, whatever the resource group."""
    lower = action.lower()
    return lower.startswith(_WIDE) or lower == _SUBSCRIPTIONS


def lacking(actions: Iterable[str], grants: Collection[Grant]) -> tuple[str, ...]:
    """Those that no grant allows."""
    return tuple(action for action in actions if not any(grant.allows(action) for grant in grants))


def roles_with(actions: Collection[str]) -> tuple[str, ...]:
    """The smallest built-in roles that have all of these together, none that the others make needless."""
    told = load_actions("connectors.azure_key_vault")
    known = {one.word: one.role for action in told for one in action.permissions if not one.data_action}
    chosen = sorted({known.get(action) or _smallest(action) for action in actions})
    for role in list(chosen):
        others = [_ROLES[other] for other in chosen if other != role and other in _ROLES]
        if not lacking(actions, others):
            chosen.remove(role)
    return tuple(chosen)


def _smallest(action: str) -> str:
    return next((role for role, grant in _ROLES.items() if grant.allows(action)), "Owner")


def _texts(found: Any) -> tuple[str, ...]:
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()


def _any(patterns: Iterable[str], action: str) -> bool:
    return any(_pattern(pattern).fullmatch(action.lower()) for pattern in patterns)


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    parts = re.split(r"\*+", text.lower())
    return re.compile(".*".join(re.escape(part) for part in parts))
