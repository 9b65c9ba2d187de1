"""What the target has decided to do about one record, from the moment it is compared until it is written."""

from __future__ import annotations

from dataclasses import dataclass, field

from connectors.azure_key_vault.secret_writing.wanted import Wanted
from connectors.azure_key_vault.secret_writing.write import Write
from connectors.model import Known


@dataclass(frozen=True, slots=True)
class Aim:
    """What is wanted and under which name, which is another one where a deleted secret blocks the record's own.

    `trusts_lists`: whether what the run listed when it began is still taken at its word.
    """

    wanted: Wanted = field(repr=False)
    name: str
    fingerprint: str
    known: Known
    trusts_lists: bool = True

    @property
    def is_suffixed(self) -> bool:
        """Whether it goes by another name than its own."""
        return self.name.lower() != str(self.wanted["name"]).lower()


@dataclass(frozen=True, slots=True)
class Deed:
    """How to reach it. `revival`: a deleted secret is recovered or purged first, and the write follows from what is there
    then; `versions` is how many versions the secret has, None where nobody knows."""

    aim: Aim
    write: Write | None = None
    revival: str = ""
    versions: int | None = None
