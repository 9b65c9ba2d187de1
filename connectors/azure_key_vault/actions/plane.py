"""What actions on one vault work with: its collections, the clock, and how patient they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.azure_key_vault.actions.metadata import deleted_item, deletion, described
from connectors.azure_key_vault.documents import Outputs, text
from connectors.azure_key_vault.listing import listed
from connectors.azure_key_vault.vault.certificates import VaultCertificates
from connectors.azure_key_vault.vault.keys import VaultKeys
from connectors.azure_key_vault.vault.lifecycle import Lifecycle
from connectors.azure_key_vault.vault.objects import VaultObjects
from connectors.azure_key_vault.vault.secrets import VaultSecrets
from iclients.clock import Clock
from iclients.retrying import Retrying

Inputs = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DataPlane:
    """One vault, as actions use it."""

    secrets: VaultSecrets
    keys: VaultKeys
    certificates: VaultCertificates
    clock: Clock
    retrying: Retrying | None = None
    progress: Callable[[str], None] | None = None

    def lifecycle(self, objects: VaultObjects) -> Lifecycle:
        """Deleting and what undoes it, for one collection."""
        return Lifecycle(objects, self.clock, self.retrying, self.progress)


Performer = Callable[[DataPlane, Inputs], Outputs]
"""Carries out one action: inputs that are converted, outputs by name."""


def life(
    noun: str,
    objects_of: Callable[[DataPlane], VaultObjects],
    item: Callable[[Any], Outputs],
    restored: Callable[[Any], Outputs],
) -> Mapping[str, Performer]:
    """The actions that secrets, keys and certificates have alike: deleting, undoing it, backup."""
    name = f"{noun}Name"

    def delete(plane: DataPlane, inputs: Inputs) -> Outputs:
        document, is_settled = plane.lifecycle(objects_of(plane)).delete(inputs[name])
        return {"name": inputs[name], **deletion(document), "isSettled": is_settled}

    def recover(plane: DataPlane, inputs: Inputs) -> Outputs:
        return {"name": inputs[name], "isSettled": plane.lifecycle(objects_of(plane)).recover(inputs[name])}

    def purge(plane: DataPlane, inputs: Inputs) -> Outputs:
        return {"name": inputs[name], "isSettled": plane.lifecycle(objects_of(plane)).purge(inputs[name])}

    def backup(plane: DataPlane, inputs: Inputs) -> Outputs:
        return {"name": inputs[name], "backup": text(objects_of(plane).backup(inputs[name]), "value")}

    def restore(plane: DataPlane, inputs: Inputs) -> Outputs:
        return restored(objects_of(plane).restore(inputs["backup"].reveal()))

    def list_deleted(plane: DataPlane, inputs: Inputs) -> Outputs:
        objects = objects_of(plane)
        kind = "deleted" if not objects.prefix else "deleted_list"
        return listed(objects, kind, f"/deleted{objects.path}", deleted_item(without_version(item)), inputs)

    return {
        f"list_deleted_{noun}s": list_deleted,
        f"delete_{noun}": delete,
        f"recover_{noun}": recover,
        f"purge_{noun}": purge,
        f"backup_{noun}": backup,
        f"restore_{noun}": restore,
    }


def without_version(item: Callable[[Any], Outputs]) -> Callable[[Any], Outputs]:
    """What a list of objects says: it names no version."""

    def made(document: Any) -> Outputs:
        found = item(document)
        del found["version"]
        return found

    return made


def name_and_version(document: Any) -> Outputs:
    """Which version of what it was done with, by the id in the answer."""
    found = described(document)
    return {"name": found["name"], "version": found["version"]}
