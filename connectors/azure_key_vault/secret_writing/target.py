"""Writing secrets: compare first, write only real changes, carry forward what the mapping does not name."""

from __future__ import annotations

from collections.abc import Callable

from connectors.azure_key_vault.schemas import WRITABLE_FIELDS
from connectors.azure_key_vault.secret_writing.collection import SecretsCollection
from connectors.azure_key_vault.secret_writing.standing import Standing
from connectors.azure_key_vault.secret_writing.wanted import Wanted
from connectors.azure_key_vault.secret_writing.write import Write
from connectors.azure_key_vault.vault.secrets import VaultSecrets
from connectors.azure_key_vault.writing.rules import ImportRules, check_options
from connectors.azure_key_vault.writing.target import ObjectsTarget
from connectors.model import WriteOptions
from iclients.clock import Clock


class SecretsTarget(ObjectsTarget[Wanted, Standing, Write]):
    """The secrets of a vault as the place to write to. Needs list, get and set; recover or purge where it is told so."""

    def __init__(
        self, secrets: VaultSecrets, options: WriteOptions, fingerprint: Callable[[bytes], str], clock: Clock
    ) -> None:
        """Raises SettingsError where the operation or a mapped field cannot be."""
        check_options(options, SecretsCollection.noun, WRITABLE_FIELDS)
        rules = ImportRules.of(options.options)
        super().__init__(SecretsCollection(secrets, rules, clock), rules, options, fingerprint, clock)
