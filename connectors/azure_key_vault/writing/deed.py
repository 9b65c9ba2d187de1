"""What a target has decided to do about one record, from the moment it is compared until it is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from connectors.model import Known

W = TypeVar("W")
X = TypeVar("X")


@dataclass(frozen=True, slots=True)
class Wish(Generic[W]):
    """What a record wants to be there, under its own name. `original` is what it was called before that name was made;
    `code` and `warning` are what the run tells of it once it is written."""

    wanted: W = field(repr=False)
    name: str
    original: str | None = None
    code: str = ""
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Aim(Generic[W]):
    """The wish and the name to reach it under, which is another one where a deleted object blocks the record's own.

    `trusts_lists`: whether what the run listed when it began is still taken at its word.
    """

    wish: Wish[W]
    name: str
    fingerprint: str
    known: Known
    trusts_lists: bool = True

    @property
    def wanted(self) -> W:
        """What is wanted."""
        return self.wish.wanted

    @property
    def is_suffixed(self) -> bool:
        """Whether it goes by another name than its own."""
        return self.name.lower() != self.wish.name.lower()


@dataclass(frozen=True, slots=True)
class Deed(Generic[W, X]):
    """How to reach it. `revival`: a deleted object is recovered or purged first, and the write follows from what is there
    then; `versions` is how many versions there are, None where nobody knows."""

    aim: Aim[W]
    write: X | None = None
    revival: str = ""
    versions: int | None = None
