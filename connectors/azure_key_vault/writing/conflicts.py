"""Why a record cannot be written, in sentences that name the object, the vault and the next step."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.azure_key_vault.writing.deleted_names import Deleted
from connectors.azure_key_vault.writing.suffixes import LAST
from connectors.model import Change, Effect


@dataclass(frozen=True, slots=True)
class Conflicts:
    """The conflicts of one collection of one vault: each gives the change that tells it."""

    host: str
    noun: str

    def managed(self, name: str) -> Change:
        """It belongs to a certificate."""
        return _conflict("managed", f"{name} in {self.host} belongs to a certificate: import the certificate instead.")

    def unowned(self, name: str) -> Change:
        """Somebody else wrote it."""
        return _conflict(
            "unowned",
            f"{name} is in {self.host} already and no flow of ours wrote it: set adopt: true to overwrite it.",
        )

    def blocked(self, name: str) -> Change:
        """A deleted one has the name, and the import says nothing about such names."""
        return _conflict(
            "deleted_but_recoverable",
            f"{name} was deleted from {self.host} and still blocks its name: say in the import what becomes of such names "
            "(options: deleted: recover, purge, suffix or skip), or recover or purge it and run again.",
        )

    def protected(self, name: str, deleted: Deleted | None) -> Change:
        """A deleted one has the name, and nobody may purge it."""
        until = deleted.until if deleted else ""
        return _conflict(
            "purge_protected",
            f"{name} was deleted from {self.host}, which has purge protection: nobody can purge it{until}; "
            "recover it (options: deleted: recover), or write under another name (suffix).",
        )

    def no_free_name(self, name: str) -> Change:
        """Every suffix is taken."""
        return _conflict(
            "no_free_name",
            f"{name} and every name up to {name}-{LAST} are taken in {self.host}: purge deleted {self.noun}s that nobody "
            "needs, or map another name.",
        )

    def taken(self, name: str) -> Change:
        """Another record of the import was given the name."""
        return _conflict(
            "name_taken",
            f"{name} in {self.host} was given to another record of this import, whose own name a deleted {self.noun} "
            "blocks: give one of the two another name.",
        )

    def of_another(self, name: str, other: str, original: str | None) -> Change:
        """It has the tag of another original."""
        return _conflict(
            "name_taken",
            f"{name} in {self.host} stands for {other}, not for {original}: give one of them another name.",
        )


def _conflict(code: str, reason: str) -> Change:
    return Change(Effect.CONFLICT, code=code, reason=reason)
