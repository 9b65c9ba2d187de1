"""Which records a retry moves: those that went wrong in an earlier run, asked for page by page.

The source is listed as always, so that it is read by key and no value has to rest anywhere; what is not among them is
left out before anything of it is looked up or read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from connectors.model import BadRecord, Record


class Retried(Protocol):
    """What an earlier run could not move."""

    def among(self, records: Sequence[Record | BadRecord]) -> Sequence[bool]:
        """For each of these records whether it is one of them. Holds no more than they are."""
