"""What stands in the way of a certificate's name besides a deleted certificate: lone objects, and one that is being made.

A certificate owns the key and the secret of its name, so whoever has that name alone, there or deleted, blocks it. Source:
Key Vault soft-delete overview; Key Vault REST API, Import Certificate (409).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from connectors.azure_key_vault.vault.certificates import VaultCertificates
from connectors.azure_key_vault.vault.keys import VaultKeys
from connectors.azure_key_vault.vault.objects import VaultObjects
from connectors.azure_key_vault.vault.secrets import VaultSecrets
from connectors.errors import Conflict, Forbidden, NotFound

DELETED: Final = "deleted_but_recoverable"
_UNDER_WAY: Final = "inprogress"


@dataclass(frozen=True, slots=True)
class Obstacles:
    """Looks at one vault where an import was refused. Raises RemoteError."""

    certificates: VaultCertificates
    secrets: VaultSecrets
    keys: VaultKeys

    @property
    def host(self) -> str:
        """The vault."""
        return self.certificates.vault.host

    def explained(self, name: str, refused: Conflict) -> Conflict:
        """The same refusal with what stands there, as far as the app may look."""
        if refused.code == DELETED:
            return self._blocking(name) or refused
        if self._is_being_made(name):
            reason = "is being made at this moment: wait for it, or cancel it (cancel_certificate_operation)"
            return Conflict(f"Certificate {name} in {self.host} {reason}.", code="being_made")
        return self._standing(name) or refused

    def _blocking(self, name: str) -> Conflict | None:
        """What was deleted and has the name without a certificate of it."""
        for noun, objects in self._parts:
            if _is_deleted(objects, name) and not _is_deleted(self.certificates, name):
                return self._lone(
                    name, noun, "was deleted and still blocks the name: recover it under another name, or purge it"
                )
        return None

    def _standing(self, name: str) -> Conflict | None:
        """What is there and has the name."""
        for noun, objects in self._parts:
            if _is_there(objects, name):
                return self._lone(name, noun, "has that name: delete and purge it, or map another name")
        return None

    @property
    def _parts(self) -> tuple[tuple[str, VaultObjects], ...]:
        return ("secret", self.secrets), ("key", self.keys)

    def _lone(self, name: str, noun: str, where: str) -> Conflict:
        return Conflict(
            f"{name} cannot become a certificate in {self.host}: a {noun} that belongs to no certificate {where}.",
            code="not_a_certificate",
        )

    def _is_being_made(self, name: str) -> bool:
        try:
            operation = self.certificates.operation(name)
        except (NotFound, Forbidden):
            return False
        return isinstance(operation, dict) and str(operation.get("status")).lower() == _UNDER_WAY


def _is_there(objects: VaultObjects, name: str) -> bool:
    try:
        return objects.is_there(name)
    except (NotFound, Forbidden):
        return False


def _is_deleted(objects: VaultObjects, name: str) -> bool:
    try:
        return bool(objects.deleted_document(name))
    except (NotFound, Forbidden):
        return False
