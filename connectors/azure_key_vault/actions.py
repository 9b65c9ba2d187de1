"""What carries out the actions on a vault, by id. What each takes, gives and needs: `actions*.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from connectors.azure_key_vault import actions_certificates, actions_keys, actions_secrets
from connectors.azure_key_vault.plane import Performer

DATA_PLANE: Final[Mapping[str, Performer]] = MappingProxyType(
    {**actions_secrets.ACTIONS, **actions_keys.ACTIONS, **actions_certificates.ACTIONS}
)
