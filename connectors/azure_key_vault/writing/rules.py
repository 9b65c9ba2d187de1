"""How an import into a vault was told to write: the options of its document, typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connectors.errors import SettingsError
from connectors.model import WriteOptions

FAIL: Final = "fail"
RECOVER: Final = "recover"
PURGE: Final = "purge"
SUFFIX: Final = "suffix"
SKIP: Final = "skip"
MERGE: Final = "merge"
EXACT: Final = "exact"
_OPERATIONS: Final = ("add", "update", "upsert")
_WHEN_DELETED: Final = (FAIL, RECOVER, PURGE, SUFFIX, SKIP)
_REQUIRED: Final = ("name", "value")


@dataclass(frozen=True, slots=True)
class ImportRules:
    """`deleted` is what becomes of a name that a deleted object blocks; `clear` names what is emptied although the
    mapping does not name it; `version_budget` is how many versions an object may have before a run is warned."""

    deleted: str = FAIL
    clear: tuple[str, ...] = ()
    tags: str = "replace"
    compare: str = "meaning"
    newlines: str = EXACT
    version_budget: int = 400

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> ImportRules:
        """The options as the descriptor's defaults filled them; whoever uses this as a library may leave some out."""
        told = {name: value for name, value in options.items() if value is not None}
        return cls(**{**told, "clear": tuple(told.get("clear", ()))})

    @property
    def meaning(self) -> str:
        """What besides the record decides what is written, or counts as equal; nothing where all is as by default.

        It is part of fingerprints, so that what was equal under other rules is looked at again.
        """
        told = (self.tags, self.compare, self.newlines)
        usual = ("replace", "meaning", EXACT)
        return "" if told == usual else " ".join(told)


def check_options(options: WriteOptions, noun: str, writable: Sequence[str]) -> None:
    """Raise SettingsError where the operation, a mapped field or the rule for deleted names cannot be."""
    if options.operation not in _OPERATIONS:
        raise SettingsError(
            f"{noun.capitalize()}s cannot be imported with operation {options.operation}; it can be: upsert, add, update."
        )
    if (how := options.options.get("deleted", FAIL)) not in _WHEN_DELETED:
        raise SettingsError(f"options.deleted cannot be {how!r}; it can be: {', '.join(_WHEN_DELETED)}.")
    if unknown := [field for field in options.fields if field not in writable]:
        raise SettingsError(
            f"The mapping names {unknown[0]}, which no {noun} can be given; it takes: {', '.join(writable)}."
        )
    if missing := [field for field in _REQUIRED if options.fields and field not in options.fields]:
        raise SettingsError(f"The mapping does not name {missing[0]}, which every {noun} needs.")
