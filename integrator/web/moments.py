"""Moments as people read them: in UTC, because nobody knows where who opens the page is."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(unix_seconds: float, *, exactly: bool = False) -> str:
    """The moment as `12 Nov 2026, 03:00 UTC`, or exactly, for machines, in ISO 8601."""
    at = datetime.fromtimestamp(unix_seconds, UTC)
    return at.isoformat(timespec="seconds") if exactly else f"{at.day} {_MONTHS[at.month - 1]} {at:%Y, %H:%M} UTC"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
