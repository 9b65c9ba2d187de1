"""Names that deleted objects block: which there are, what stands there, and whether it can be purged.

One listing when a run begins tells them all (25 a call), where the app may list; later, and where it may not, one look
a name that is about to be created. Source: Key Vault soft-delete overview; recovery levels of the REST API.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from connectors.azure_key_vault.documents import part
from connectors.azure_key_vault.errors import is_disabled
from connectors.azure_key_vault.model import iso
from connectors.azure_key_vault.schemas import load_page, load_properties
from connectors.azure_key_vault.vault.objects import VaultObjects
from connectors.errors import Forbidden, NotFound

_PURGEABLE: Final = "Purgeable"


@dataclass(frozen=True, slots=True)
class Deleted:
    """A deleted object. `created` is when its latest version was made: it keeps that when it comes back."""

    created: int | None
    is_managed: bool
    is_purgeable: bool
    purged_at: int | None

    @property
    def until(self) -> str:
        """When the vault lets it go by itself."""
        return f" before {iso(self.purged_at)}" if self.purged_at is not None else ""


class DeletedNames:
    """The deleted objects of one collection of a vault; `kind` is what runs call the listing. Raises RemoteError."""

    def __init__(self, objects: VaultObjects, kind: str) -> None:
        self._objects = objects
        self._kind = kind
        self._listed: dict[str, Deleted] | None = None

    def list(self) -> None:
        """Look at all of them. Needs list; without it each name is looked at by itself."""
        try:
            self._listed = dict(self._walk())
        except Forbidden:
            self._listed = None

    def listed(self, name: str) -> Deleted | None:
        """What stood among the deleted when they were listed; nothing where they were not."""
        return (self._listed or {}).get(name.lower())

    def find(self, name: str, *, is_fresh: bool) -> Deleted | None:
        """What stands among the deleted under this name: by the listing while it is fresh, else by a look. Needs get."""
        if is_fresh and self._listed is not None:
            return self.listed(name)
        try:
            return _deleted(self._objects.deleted_document(name))
        except NotFound:
            return None
        except Forbidden as error:
            if not is_disabled(error):
                raise
            return self._disabled(name)

    def _walk(self) -> Iterator[tuple[str, Deleted]]:
        for document in self._objects.documents(self._kind, self._objects.link(f"/deleted{self._objects.path}")):
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
