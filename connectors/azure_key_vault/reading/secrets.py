"""Reading secrets: list first, a value only for what is left after filters and ledger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connectors.azure_key_vault.model import SecretProperties
from connectors.azure_key_vault.vault.secrets import VaultSecrets
from connectors.connector import Source
from connectors.errors import BadRequest, RecordError, SettingsError
from connectors.model import Checkpoint, Page, ReadOptions, Record
from iclients.clock import Clock

ONLY_READ: Final = ("value", "version")


class SecretsSource(Source):
    """The secrets of a vault as records. Needs list, and get where values are asked for and the flow looks at them."""

    def __init__(self, secrets: VaultSecrets, options: ReadOptions, clock: Clock) -> None:
        self.identity = f"azure-key-vault:{secrets.vault.host}/secrets"
        self._secrets = secrets
        self._clock = clock
        self.unread = options.unread(ONLY_READ)

    def pages(self, checkpoint: Checkpoint | None) -> Iterator[Page]:
        link = checkpoint["next"] if checkpoint else None
        try:
            for items, following in self._secrets.pages(link):
                link = None
                yield Page([self._record(item) for item in items], {"next": following} if following else None)
        except BadRequest as error:
            if link is None:
                raise
            raise SettingsError(
                f"{self._secrets.vault.host} no longer knows where this run stopped reading: start a new run."
            ) from error

    def read(self, record: Record) -> Record:
        if not self.unread:
            return record
        if not record.fields["enabled"]:
            raise RecordError(
                f"{record.key} is disabled, so its value cannot be read: enable it, or leave it out with where: enabled.",
                code="secret_disabled",
            )
        secret = self._secrets.get(record.key)
        if secret.properties.name.lower() != record.key.lower():
            raise RecordError(
                f"{record.key}: the vault answered with another secret than was asked for; nothing of it was used.",
                code="other_record",
            )
        fields = secret.properties.fields()
        fields["value"] = secret.value
        return Record(secret.properties.name, fields, marker=self._marker(secret.properties))

    def _record(self, item: SecretProperties) -> Record:
        left_out = "it belongs to a certificate" if item.managed else None
        fields = {name: value for name, value in item.fields().items() if name not in self.unread}
        return Record(item.name, fields, marker=self._marker(item), left_out=left_out)

    def _marker(self, item: SecretProperties) -> str | None:
        return str(item.updated) if item.is_settled(self._clock.now()) else None
