"""What a run has done so far, as the text of its row."""

from __future__ import annotations

import json
from collections import Counter

from flows.model import Progress


def progress_text(progress: Progress) -> str:
    """Progress as it is stored."""
    document = {"counts": progress.counts, "calls": progress.calls, "seconds": progress.seconds}
    return json.dumps(document, separators=(",", ":"))


def progress_from(text: str) -> Progress:
    """Progress as it was stored."""
    stored = json.loads(text)
    return Progress(Counter(stored.get("counts", {})), Counter(stored.get("calls", {})), stored.get("seconds", 0.0))
