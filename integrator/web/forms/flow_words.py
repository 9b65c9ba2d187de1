"""A flow in words: one line for each of its ends, its mapping and its schedule, as cards and lists show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.descriptor import ResourceDescriptor

LONGEST_WHERE_CHARACTERS: Final = 60


def source_words(resource: str, known: ResourceDescriptor | None, where: str, *, values: bool) -> str:
    """Such as `all enabled secrets, with values`."""
    if not resource:
        return "nothing chosen yet"
    is_one = known is None or known.is_pattern
    noun = resource if is_one else known.title.lower() if known else resource
    if where == "enabled":
        told = f"enabled rows of {noun}" if is_one else f"all enabled {noun}"
    elif where:
        short = where if len(where) <= LONGEST_WHERE_CHARACTERS else f"{where[: LONGEST_WHERE_CHARACTERS - 1]}…"
        told = f"{noun} where {short}"
    else:
        told = f"all of {noun}" if is_one else f"all {noun}"
    reads_apart = known is None or "get" in known.verbs
    return f"{told}, {'with' if values else 'without'} values" if reads_apart else told


def mapping_words(rules: Sequence[Mapping[str, Any]]) -> str:
    """Such as `3 fields`."""
    if not rules:
        return "each record as it is"
    return f"{len(rules)} field{'' if len(rules) == 1 else 's'}"


def target_words(operation: str, resource: str, *, adopt: bool, plaintext: bool) -> str:
    """Such as `upsert into contoso-copy`."""
    if not resource:
        return "nothing chosen yet"
    also = [word for word, told in (("adopts", adopt), ("readable values", plaintext)) if told]
    return ", ".join([f"{operation} into {resource}", *also])
