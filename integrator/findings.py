"""Findings: one thing that was looked at, and a sentence, which for something wrong names the next step."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    is_ok: bool
    sentence: str

    def document(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return asdict(self)
