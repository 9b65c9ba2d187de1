"""What may not be combined in an import, declared by a resource: pairs of choices that exclude each other.

A choice is a word with dots: `operation.update`, `mapping.tags` (the mapping names the field), `options.clear.tags` (the
option has that value, or that entry). `*` at the end of both stands for the same word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_ANY: Final = "*"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Two choices that exclude each other."""

    one: str
    other: str

    def problem(self, chosen: Iterable[str]) -> str:
        """What of the choices made cannot be combined, as a sentence without its end; nothing where all can be."""
        made = tuple(chosen)
        for choice in made:
            word = choice.rpartition(".")[2]
            if choice == self.one.replace(_ANY, word) and (other := self.other.replace(_ANY, word)) in made:
                return f"{_told(choice)} and {_told(other)}"
        return ""

    def help(self, option: str) -> str:
        """What to know of it beside this option; nothing where it is about others."""
        for mine, other in ((self.one, self.other), (self.other, self.one)):
            if mine.startswith(f"options.{option}."):
                return _HELP_OF_ANY.format(other=_part(other)) if mine.endswith(_ANY) else _help(mine, other)
        return ""


def choices(operation: str, mapped: Sequence[str], options: Mapping[str, Any]) -> list[str]:
    """The choices that an import makes, as exclusions name them."""
    made = [f"operation.{operation}", *(f"mapping.{name}" for name in mapped)]
    for name, value in options.items():
        entries = value if isinstance(value, list | tuple) else [value]
        made += [f"options.{name}.{entry}" for entry in entries]
    return made


_HELP_OF_ANY: Final = "Not together with the same in {other}."


def _help(mine: str, other: str) -> str:
    return f"{mine.rpartition('.')[2]}: not where {_told(other)}."


def _part(choice: str) -> str:
    part, _, rest = choice.partition(".")
    return "the mapping" if part == "mapping" else rest.rpartition(".")[0] or part


def _told(choice: str) -> str:
    part, _, rest = choice.partition(".")
    if part == "mapping":
        return f"the mapping names {rest}"
    if part == "operation":
        return f"operation is {rest}"
    name, _, word = rest.rpartition(".")
    return f"options.{name} has {word}"
