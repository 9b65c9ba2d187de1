"""Certificates with their keys, for flows that ask for `value`: the secret behind each is read, and nothing else is.

A vault keeps the key of a certificate in the secret of the same name and version: a PFX without a password, or PEM. Where
the policy keeps the key in, that secret holds the public half alone, so it is not even asked for. Source: Key Vault
REST API, "About certificates": exportable and non-exportable keys.
"""

from __future__ import annotations

from typing import Any, Final

from connectors.azure_key_vault.reading.objects import ObjectsSource
from connectors.azure_key_vault.vault.certificates import VaultCertificates
from connectors.azure_key_vault.vault.secrets import VaultSecrets
from connectors.errors import RecordError
from connectors.model import ReadOptions, Record
from iclients.clock import Clock
from iclients.key_pairs import has_private_key

RESOURCE: Final = "certificates"


class CertificatesSource(ObjectsSource):
    """The certificates of a vault. Needs certificates/list; certificates/get and secrets/get for what is asked for."""

    def __init__(
        self, certificates: VaultCertificates, secrets: VaultSecrets, options: ReadOptions, clock: Clock
    ) -> None:
        super().__init__(certificates, RESOURCE, options, clock)
        self._secrets = secrets
        self._takes_keys = "value" in self.unread

    def read(self, record: Record) -> Record:
        """With its key, where that is asked for. Raises RecordError where the key stays in the vault."""
        if self._takes_keys and record.fields.get("enabled") is False:
            raise RecordError(
                f"{record.key} is disabled, so its key cannot be read: enable it, or leave it out with where: enabled.",
                code="secret_disabled",
            )
        found = super().read(record)
        fields = found.fields
        if self._takes_keys:
            if fields["exportable"] is False:
                raise self._kept_in(record.key)
            fields.update(self._exported(record.key, fields["version"]))
        if "password" in self.unread:
            fields["password"] = None
        return found

    def _exported(self, name: str, version: str | None) -> dict[str, Any]:
        secret = self._secrets.get(name, version or "")
        if secret.properties.name.lower() != name.lower():
            raise RecordError(
                f"{name}: the vault answered with another secret than was asked for; nothing of it was used.",
                code="other_record",
            )
        if not has_private_key(secret.value.reveal()):
            raise self._kept_in(name)  # the policy of today is not the one by which this version was made
        return {"value": secret.value, "content_type": secret.properties.content_type}

    def _kept_in(self, name: str) -> RecordError:
        return RecordError(
            f"The key of {name} may not leave {self._secrets.vault.host} (exportable: false): make a new version there "
            f"whose policy says exportable: true, or leave it out with where: name != '{name}'.",
            code="not_exportable",
        )
