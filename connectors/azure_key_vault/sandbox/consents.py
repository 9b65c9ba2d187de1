"""Who has allowed which app what, in one tenant: by each user, or by an administrator for everybody."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.azure_key_vault.sandbox.scopes import Permission

EVERYBODY = ""


class Consents:
    """Remembers permissions by user (object id) and app; what is there is never asked again."""

    def __init__(self) -> None:
        self._granted: dict[tuple[str, str], set[Permission]] = {}

    def missing(self, object_id: str, client_id: str, wanted: Iterable[Permission]) -> list[Permission]:
        """What neither the user nor the tenant has allowed the app yet."""
        granted = self._granted.get((object_id, client_id), set()) | self._granted.get((EVERYBODY, client_id), set())
        return [permission for permission in wanted if permission not in granted]

    def grant(self, object_id: str, client_id: str, permissions: Iterable[Permission]) -> None:
        """Allows more; `EVERYBODY` instead of a user allows it for the tenant."""
        self._granted.setdefault((object_id, client_id), set()).update(permissions)

    def remove(self, object_id: str | None = None, client_id: str | None = None) -> None:
        """Forgets a user's consents (None: everybody's and the tenant's) to an app (None: to all)."""
        for key in list(self._granted):
            if object_id in (None, key[0]) and client_id in (None, key[1]):
                del self._granted[key]
