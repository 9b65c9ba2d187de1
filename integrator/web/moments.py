"""Moments as people read them: how long ago, and exactly, in the zone of whoever looks, which a script tells in a cookie."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import has_request_context, request

from integrator.web.current import installation

ZONE_COOKIE: Final = "zone"
_ZONE: Final = re.compile(r"[A-Za-z0-9_+-]{1,30}(/[A-Za-z0-9_+-]{1,30}){0,2}")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_STEPS: Final = ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h"), (86_400 * 14, 86_400, "days"))
_NOW_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Told:
    """One moment: for machines, exactly for people, and as seen from now."""

    machine: str
    exact: str
    relative: str


def told(unix_seconds: float) -> Told:
    """The moment, for a page that is made now."""
    at = datetime.fromtimestamp(unix_seconds, zone())
    away = unix_seconds - installation().clock.now()
    return Told(at.isoformat(timespec="seconds"), _exact(at, seconds=True), _relative(away) or _day(at.date()))


def moment(unix_seconds: float, *, exactly: bool = False) -> str:
    """The moment as `12 Nov 2026, 03:00 UTC`, or exactly, for machines, in ISO 8601."""
    at = datetime.fromtimestamp(unix_seconds, zone())
    return at.isoformat(timespec="seconds") if exactly else _exact(at)


def day(text: str) -> str:
    """A day in ISO 8601 as `12 Nov 2026`."""
    return _day(date.fromisoformat(text))


def days_until(text: str) -> int:
    """How many days are left until this day in ISO 8601."""
    return (date.fromisoformat(text) - datetime.fromtimestamp(installation().clock.now(), UTC).date()).days


def lasting(seconds: float) -> str:
    """How long something took: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def zone() -> tzinfo:
    """The zone that the browser told; UTC where it told none that is known."""
    name = request.cookies.get(ZONE_COOKIE, "") if has_request_context() else ""
    if not _ZONE.fullmatch(name):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        return UTC


def _relative(away_seconds: float) -> str:
    """Such as `3 h ago` and `in 3 h`; empty where a date says more."""
    size = abs(away_seconds)
    if size < _NOW_SECONDS:
        return "just now"
    for below, each, unit in _STEPS:
        if size < below:
            many = int(size // each)
            unit = "day" if (unit, many) == ("days", 1) else unit
            return f"in {many} {unit}" if away_seconds > 0 else f"{many} {unit} ago"
    return ""


def _exact(at: datetime, *, seconds: bool = False) -> str:
    name = at.tzname() or "UTC"
    return f"{_day(at.date())}, {at:%H:%M:%S} {name}" if seconds else f"{_day(at.date())}, {at:%H:%M} {name}"


def _day(at: date) -> str:
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"
