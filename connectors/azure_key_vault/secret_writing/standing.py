"""What stands in a vault under a name at this moment, told by one look."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.azure_key_vault.errors import is_disabled
from connectors.azure_key_vault.model import SecretProperties
from connectors.azure_key_vault.vault.secrets import VaultSecrets
from connectors.errors import Forbidden, NotFound
from iclients.secret import Secret


@dataclass(frozen=True, slots=True)
class Standing:
    """The latest version of a secret. `value` is None where it is disabled: a vault shows none then."""

    properties: SecretProperties
    value: Secret | None

    def has_value(self, value: str) -> bool:
        """Whether it shows that value."""
        return self.value is not None and self.value.reveal() == value


def look(secrets: VaultSecrets, name: str) -> Standing | None:
    """The secret of that name, None where there is none. Needs get, and list for a disabled one."""
    try:
        secret = secrets.get(name)
    except NotFound:
        return None
    except Forbidden as error:
        if not is_disabled(error):
            raise
        return _disabled(secrets, name)
    return Standing(secret.properties, secret.value)


def _disabled(secrets: VaultSecrets, name: str) -> Standing | None:
    """Of versions made in one second, the latest is a disabled one: a vault lists versions in no order."""
    try:
        versions = [version for page, _ in secrets.versions(name) for version in page]
    except NotFound:
        return None
    if not versions:
        return None
    latest = max(versions, key=lambda version: (version.created or 0, not version.enabled, version.updated or 0))
    return Standing(latest, None)
