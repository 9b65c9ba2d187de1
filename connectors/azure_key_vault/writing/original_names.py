"""Whose name it is: what an object was called before its name was made of it, kept in the tag `original-name`.

Names are compared without case and codecs may be changed, so one name can be wanted for two originals.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.azure_key_vault.model import ORIGINAL_NAME_TAG


def taken_by(original: str | None, tags: Mapping[str, str]) -> str | None:
    """The other original that has the name already; None where it is free, the same, or nobody says.

    `original` is what the record says, `tags` what stands there.
    """
    there = tags.get(ORIGINAL_NAME_TAG)
    return there if original and there and there != original else None
