"""States as chips: a word, and a colour that says the same. One place for every noun's."""

from __future__ import annotations

from typing import Final

GOOD: Final = "good"
BUSY: Final = "busy"
WAITS: Final = "waits"
BAD: Final = "bad"
QUIET: Final = "quiet"

_CHIPS: Final = {
    "online": ("Online", GOOD),
    "offline": ("Offline", QUIET),
    "needs authorization": ("Needs authorization", WAITS),
    "waiting": ("Waiting", QUIET),
    "running": ("Running", BUSY),
    "succeeded": ("Succeeded", GOOD),
    "completed with errors": ("Completed with errors", WAITS),
    "failed": ("Failed", BAD),
    "cancelled": ("Cancelled", QUIET),
    "on": ("On", GOOD),
    "paused": ("Paused", WAITS),
    "by hand": ("By hand", QUIET),
    "ok": ("In order", GOOD),
    "wrong": ("Needs attention", BAD),
}


def chip_of(state: str) -> tuple[str, str]:
    """Word and tone of a state; one that nobody knows is shown as it is."""
    return _CHIPS.get(state, (state.capitalize(), QUIET))


def word_of(value: str) -> str:
    """The word of a state; what is none stays as it is."""
    return _CHIPS[value][0] if value in _CHIPS else value
