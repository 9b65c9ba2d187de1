"""How many versions an object of a vault has, and the warning when they are many: a backup stops at 500.

Versions can only be counted by listing them, 25 a call, and each run would pay for that. So the ledger's marker
remembers the number: what a flow made has one, and each version that the flow adds is one more, without a
call, as long as the object's own time says that nobody else touched it. Only where that is not so (adopted, changed by
somebody else, brought back) it is counted once, and only up to the budget: mostly one call.
Source: Key Vault service limits, backup.
"""

from __future__ import annotations

from typing import Final

from connectors.azure_key_vault.schemas import load_page
from connectors.azure_key_vault.vault.objects import VaultObjects
from connectors.errors import NotFound
from iclients.errors import RemoteError

BACKUP_STOPS: Final = 500


class VersionBudget:
    """The versions that an object of one collection may have before somebody is told."""

    def __init__(self, objects: VaultObjects, budget: int) -> None:
        self._objects = objects
        self._budget = budget

    def count(self, name: str) -> int | None:
        """How many there are, no further than the budget; None where that cannot be said: it is no reason to fail."""
        counted = 0
        link = self._objects.link(f"/{self._objects.path}/{name}/versions")
        try:
            for document in self._objects.documents("versions", link):
                counted += len(load_page(document)[0])
                if counted >= self._budget:
                    break
        except NotFound:
            return 0
        except RemoteError:
            return None
        return counted

    def warning(self, name: str, versions: int | None) -> str:
        """What is said of a new version of something that had this many; nothing below the budget."""
        if versions is None or versions < self._budget:
            return ""
        return (
            f"{name} in {self._objects.vault.host} has more than {self._budget} versions: a backup of it fails at "
            f"{BACKUP_STOPS}, and versions cannot be deleted one by one; move on to a new name."
        )
