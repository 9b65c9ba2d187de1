"""What a target writes into the ledger beside fingerprints: the marker of what is there, and what a write intends.

Both are short texts that only the target reads. Those of earlier versions, a time alone and a fingerprint alone, mean
what they meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_VERSIONS: Final = "v"
_NAME: Final = "as:"
_UPDATING: Final = "updating"
_RECOVERING: Final = "recovering"


@dataclass(frozen=True, slots=True)
class Marker:
    """`updated` is the object's own time, None while it may still change unseen; `versions` how many it has, where that
    is known; `name` where it stands, when that is not the record's own name; `thumbprint` that of a certificate."""

    updated: int | None = None
    versions: int | None = None
    name: str = ""
    thumbprint: str = ""

    @classmethod
    def parse(cls, text: str) -> Marker:
        """What was remembered; nothing where it cannot be read."""
        updated = versions = None
        name = thumbprint = ""
        for word in text.split():
            if word.startswith(_NAME):
                name = word.removeprefix(_NAME)
            elif word.startswith(_VERSIONS) and word[1:].isdecimal():
                versions = int(word[1:])
            else:
                moment, _, told = word.partition(":")
                if moment.lstrip("-").isdecimal():
                    updated, thumbprint = int(moment), told
        return cls(updated, versions, name, thumbprint)

    @property
    def text(self) -> str:
        """As the ledger keeps it."""
        state = f"{self.updated}:{self.thumbprint}" if self.thumbprint else str(self.updated)
        words = [state] if self.updated is not None else []
        if self.versions is not None and words:
            words.append(f"{_VERSIONS}{self.versions}")
        return " ".join([*words, f"{_NAME}{self.name}"] if self.name else words)


@dataclass(frozen=True, slots=True)
class Intent:
    """A planned write: the fingerprint of what is wanted, whether it updates what is there, and how else it goes.

    `recovers` is when the deleted object that comes back was made: it comes back with that time, so a run that takes
    over can tell it from one that somebody else made meanwhile. `name` is the name it is written under instead.
    """

    fingerprint: str
    updates: bool = False
    recovers: int | None = None
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> Intent:
        """What was intended; an empty fingerprint where nothing was."""
        fingerprint, *rest = text.split(":", 2)
        word, told = [*rest, "", ""][:2]
        recovers = int(told) if word == _RECOVERING and told.lstrip("-").isdecimal() else None
        return cls(fingerprint, word == _UPDATING, recovers, told if word == "as" else "")

    @property
    def text(self) -> str:
        """As it is noted."""
        if self.updates:
            return f"{self.fingerprint}:{_UPDATING}"
        if self.recovers is not None:
            return f"{self.fingerprint}:{_RECOVERING}:{self.recovers}"
        return f"{self.fingerprint}:{_NAME}{self.name}" if self.name else self.fingerprint
