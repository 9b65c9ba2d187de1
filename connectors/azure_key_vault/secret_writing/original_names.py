"""Whose name it is: what a secret was called before its name was made of it, kept in the tag `original-name`.

Names are compared without case and codecs may be changed, so one name can be wanted for two originals.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.azure_key_vault.model import ORIGINAL_NAME_TAG


def taken_by(wanted: Mapping[str, Any], tags: Mapping[str, str]) -> str | None:
    """The other original that has the name already; None where it is free, the same, or nobody says.

    `wanted` are a record's fields, `tags` what stands there.
    """
    original, there = wanted.get("original_name"), tags.get(ORIGINAL_NAME_TAG)
    return there if original and there and there != original else None
