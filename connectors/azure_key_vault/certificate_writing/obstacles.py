"""What stands in the way of a certificate's name, and how it is moved out of it: deleted certificates, and lone objects.

A certificate owns the key and the secret of its name, so whoever has that name alone, there or deleted, blocks it. Source:
Key Vault soft-delete overview; Key Vault REST API, Import Certificate (409).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from connectors.azure_key_vault.errors import MissingRight
from connectors.azure_key_vault.vault.certificates import VaultCertificates
from connectors.azure_key_vault.vault.keys import VaultKeys
from connectors.azure_key_vault.vault.lifecycle import Lifecycle
from connectors.azure_key_vault.vault.objects import VaultObjects
from connectors.azure_key_vault.vault.secrets import VaultSecrets
from connectors.errors import Conflict, Forbidden, NotFound
from iclients.clock import Clock
from iclients.retrying import Retrying

FAIL: Final = "fail"
RECOVER: Final = "recover"
PURGE: Final = "purge"
SKIP: Final = "skip"
DELETED: Final = "deleted_but_recoverable"
_UNDER_WAY: Final = "inprogress"


@dataclass(frozen=True, slots=True)
class Obstacles:
    """Looks at one vault where an import was refused, and clears a deleted certificate away. Raises RemoteError."""

    certificates: VaultCertificates
    secrets: VaultSecrets
    keys: VaultKeys
    clock: Clock
    retrying: Retrying | None = None

    @property
    def host(self) -> str:
        """The vault."""
        return self.certificates.vault.host

    def deleted(self) -> set[str]:
        """Names of deleted certificates, in lower case. Needs list."""
        start = self.certificates.link(f"/deleted{self.certificates.path}")
        pages = self.certificates.documents("deleted_list", start)
        items = [one for page in pages if isinstance(page, dict) for one in page.get("value") or ()]
        return {_name(item).lower() for item in items}

    def clear(self, name: str, how: str) -> None:
        """Recover or purge the deleted certificate, and wait until the vault shows it. Raises Conflict where it stays."""
        life = Lifecycle(self.certificates, self.clock, self.retrying)
        try:
            is_settled = life.recover(name) if how == RECOVER else life.purge(name)
        except NotFound:
            return  # somebody else was quicker
        except MissingRight:
            raise
        except Forbidden as error:
            raise Conflict(
                f"{name} was deleted from {self.host}, which does not let it be purged: its purge protection keeps it until "
                "its scheduled purge; use deleted: recover.",
                code="purge_protected",
            ) from error
        if is_settled is False:
            code = "being_recovered" if how == RECOVER else "being_deleted"
            raise Conflict(f"{self.host} is slow to {how} {name}: run again in a minute.", code=code)

    def explained(self, name: str, refused: Conflict) -> Conflict:
        """The same refusal with what stands there, as far as the app may look."""
        if refused.code == DELETED:
            return self._told(_DELETED, name) or refused
        if self._is_being_made(name):
            reason = "is being made at this moment: wait for it, or cancel it (cancel_certificate_operation)"
            return Conflict(f"Certificate {name} in {self.host} {reason}.", code="being_made")
        return self._told(_THERE, name) or refused

    def _told(self, look: Callable[[VaultObjects, str], Any], name: str) -> Conflict | None:
        for noun, objects in (("secret", self.secrets), ("key", self.keys)):
            if not _found(look, objects, name) or (look is _DELETED and _found(look, self.certificates, name)):
                continue
            where = "was deleted and still blocks the name: recover it under another name, or purge it"
            where = where if look is _DELETED else "has that name: delete and purge it, or map another name"
            return Conflict(
                f"{name} cannot become a certificate in {self.host}: a {noun} that belongs to no certificate {where}.",
                code="not_a_certificate",
            )
        return None

    def _is_being_made(self, name: str) -> bool:
        try:
            operation = self.certificates.operation(name)
        except (NotFound, Forbidden):
            return False
        return isinstance(operation, dict) and str(operation.get("status")).lower() == _UNDER_WAY


def _found(look: Callable[[VaultObjects, str], Any], objects: VaultObjects, name: str) -> bool:
    try:
        return bool(look(objects, name))
    except (NotFound, Forbidden):
        return False


_THERE: Final[Callable[[VaultObjects, str], Any]] = VaultObjects.is_there
_DELETED: Final[Callable[[VaultObjects, str], Any]] = VaultObjects.deleted_document


def _name(item: Any) -> str:
    """The last segment of a list item's id."""
    found = item.get("id") if isinstance(item, dict) else None
    return found.rstrip("/").rsplit("/", 1)[-1] if isinstance(found, str) else ""
