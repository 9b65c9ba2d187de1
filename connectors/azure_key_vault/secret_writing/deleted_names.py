"""Names that deleted secrets block: which there are, what stands there, and whether it can be purged.

One listing when a run begins tells them all (25 a call), where the app may list; later, and where it may not, one look
a name that is about to be created. Source: Key Vault soft-delete overview; recovery levels of the REST API.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from connectors.azure_key_vault.actions.metadata import part
from connectors.azure_key_vault.errors import is_disabled
from connectors.azure_key_vault.model import iso
from connectors.azure_key_vault.schemas import load_page, load_properties
from connectors.azure_key_vault.vault.secrets import VaultSecrets
from connectors.errors import Forbidden, NotFound

_PURGEABLE: Final = "Purgeable"


@dataclass(frozen=True, slots=True)
class Deleted:
    """A deleted secret. `created` is when its latest version was made: it keeps that when it comes back."""

    created: int | None
    is_managed: bool
    is_purgeable: bool
    purged_at: int | None

    @property
    def until(self) -> str:
        """When the vault lets it go by itself."""
        return f" before {iso(self.purged_at)}" if self.purged_at is not None else ""


class DeletedNames:
    """The deleted secrets of one vault. Every method raises RemoteError."""

    def __init__(self, secrets: VaultSecrets) -> None:
        self._secrets = secrets
        self._listed: dict[str, Deleted] | None = None

    def list(self) -> None:
        """Look at all of them. Needs list; without it each name is looked at by itself."""
        try:
            self._listed = dict(self._walk())
        except Forbidden:
            self._listed = None

    def find(self, name: str, *, is_fresh: bool) -> Deleted | None:
        """What stands among the deleted under this name: by the listing while it is fresh, else by a look. Needs get."""
        if is_fresh and self._listed is not None:
            return self._listed.get(name.lower())
        try:
            return _deleted(self._secrets.deleted_document(name))
        except NotFound:
            return None
        except Forbidden as error:
            if not is_disabled(error):
                raise
            return self._disabled(name)

    def _walk(self) -> Iterator[tuple[str, Deleted]]:
        for document in self._secrets.documents("deleted", self._secrets.link("/deletedsecrets")):
            items, _ = load_page(document)
            yield from (
                (item.name.lower(), _deleted(told)) for item, told in zip(items, document["value"] or (), strict=True)
            )

    def _disabled(self, name: str) -> Deleted:
        """Of a disabled one a look says nothing but that it is there; the list tells it like any other."""
        try:
            found = (deleted for listed, deleted in self._walk() if listed == name.lower())
            return next(found, _UNKNOWN)
        except Forbidden:
            return _UNKNOWN


_UNKNOWN: Final = Deleted(None, is_managed=False, is_purgeable=True, purged_at=None)


def _deleted(document: Any) -> Deleted:
    properties = load_properties(document)
    level = part(document, "attributes").get("recoveryLevel")
    ends = document.get("scheduledPurgeDate")
    return Deleted(
        properties.created,
        properties.managed,
        not isinstance(level, str) or _PURGEABLE in level,
        ends if isinstance(ends, int) and not isinstance(ends, bool) else None,
    )
