"""What carries out the actions of both planes, by id. What each takes, gives and needs: `actions/*.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from connectors.azure_key_vault.actions import access as actions_access
from connectors.azure_key_vault.actions import certificates as actions_certificates
from connectors.azure_key_vault.actions import deleted_vaults as actions_deleted_vaults
from connectors.azure_key_vault.actions import keys as actions_keys
from connectors.azure_key_vault.actions import network as actions_network
from connectors.azure_key_vault.actions import roles as actions_roles
from connectors.azure_key_vault.actions import secrets as actions_secrets
from connectors.azure_key_vault.actions import vaults as actions_vaults
from connectors.azure_key_vault.actions.plane import Performer
from connectors.azure_key_vault.control import arm

DATA_PLANE: Final[Mapping[str, Performer]] = MappingProxyType(
    {**actions_secrets.ACTIONS, **actions_keys.ACTIONS, **actions_certificates.ACTIONS}
)
CONTROL_PLANE: Final[Mapping[str, arm.Performer]] = MappingProxyType(
    {
        **actions_vaults.ACTIONS,
        **actions_deleted_vaults.ACTIONS,
        **actions_access.ACTIONS,
        **actions_network.ACTIONS,
        **actions_roles.ACTIONS,
    }
)
