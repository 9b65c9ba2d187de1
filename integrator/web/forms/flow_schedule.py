"""The schedule picker: usual schedules as a choice, cron for the rest, and what it means: in words, and the next runs.

What is typed becomes one line of cron; a stored line that says the same stays as it was written. A run whose offset from
UTC differs from that of the run before it is told why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from flows.errors import FlowDefinitionError
from flows.model import Schedule
from flows.schedule import MONTHS, WEEKDAYS, in_words, parse_cron
from integrator.scheduler import next_dues
from integrator.web.drafts import Sent
from integrator.web.fields import Choice

PREFIX: Final = "schedule."
PRESET, TIME, MINUTE, DAY, WEEKDAY, CRON, ZONE, MISSED = (
    PREFIX + name for name in ("preset", "time", "minute", "day", "weekday", "cron", "timezone", "missed")
)
NONE: Final = "none"
OWN: Final = "cron"
RUNS: Final = 5
PRESETS: Final = (
    Choice(NONE, "By hand"),
    Choice("quarter", "Every 15 minutes"),
    Choice("hourly", "Hourly"),
    Choice("daily", "Daily"),
    Choice("weekdays", "Weekdays"),
    Choice("weekly", "Weekly"),
    Choice("monthly", "Monthly"),
    Choice(OWN, "Cron"),
)
MISSED_CHOICES: Final = (
    Choice("once", "Catch up once", "Were runs missed while nothing was running, one run makes up for all of them."),
    Choice("skip", "Skip them", "What was missed is missed: the next run is the next due time."),
)
WEEKDAY_CHOICES: Final = tuple(Choice(name[:3].lower(), name) for name in (*WEEKDAYS[1:], WEEKDAYS[0]))
_TIME: Final = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_NUMBER: Final = re.compile(r"[0-9]{1,2}")
_WEEKDAYS: Final = "mon-fri"
_AREAS: Final = ("Africa/", "America/", "Antarctica/", "Arctic/", "Asia/", "Atlantic/", "Australia/", "Europe/",
                 "Indian/", "Pacific/")  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunTold:
    """One of the next runs: for machines, for people, and what the clock does before it."""

    at: float
    machine: str
    day: str
    time: str
    zone: str
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What a schedule means; `errors` are by field."""

    words: str = ""
    runs: Sequence[RunTold] = ()
    errors: Mapping[str, str] | None = None


def typed_of(schedule: Mapping[str, Any] | None, zone: str) -> dict[str, str]:
    """A stored schedule as the form would send it; `zone` is the one that a new schedule is meant in."""
    usual = {PRESET: NONE, TIME: "03:00", MINUTE: "0", DAY: "1", WEEKDAY: "mon", CRON: "", ZONE: zone, MISSED: "once"}
    if not schedule:
        return usual
    told = {CRON: str(schedule["cron"]), ZONE: str(schedule.get("timezone", "UTC"))}
    return usual | _preset(told[CRON]) | told | {MISSED: str(schedule.get("missed", "once"))}


def document_of(typed: Sent, before: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """The schedule as a document has it; None where the flow runs by hand."""
    cron = cron_of(typed)
    if cron is None:
        return None
    made = {key: value for key, value in (before or {}).items() if key not in ("cron", "timezone", "missed")}
    made["cron"] = str(before["cron"]) if before and _is_same(str(before["cron"]), cron) else cron
    zone, missed = typed.get(ZONE, "").strip(), typed.get(MISSED, "once")
    told = {"timezone": zone, "missed": missed}
    usual = {"timezone": "UTC", "missed": "once"}
    return made | {key: value for key, value in told.items() if value and value != usual[key]}


def cron_of(typed: Sent) -> str | None:
    """What is picked as one line of cron; None: by hand. What cannot be is told by `wrong`."""
    preset = typed.get(PRESET, NONE)
    hour, minute = _clock(typed.get(TIME, ""))
    lines = {
        "quarter": "*/15 * * * *",
        "hourly": f"{_number(typed.get(MINUTE, ''))} * * * *",
        "daily": f"{minute} {hour} * * *",
        "weekdays": f"{minute} {hour} * * {_WEEKDAYS}",
        "weekly": f"{minute} {hour} * * {typed.get(WEEKDAY, '')}",
        "monthly": f"{minute} {hour} {_number(typed.get(DAY, ''))} * *",
        OWN: " ".join(typed.get(CRON, "").split()),
    }
    return lines.get(preset)


def wrong(typed: Sent) -> dict[str, str]:
    """What cannot be, by field."""
    preset, errors = typed.get(PRESET, NONE), {}
    if preset in ("daily", "weekdays", "weekly", "monthly") and not _TIME.fullmatch(typed.get(TIME, "").strip()):
        errors[TIME] = "Time is not a time such as 03:00."
    if preset == "hourly" and not _is_between(typed.get(MINUTE, ""), 0, 59):
        errors[MINUTE] = "Minute is not a number from 0 to 59."
    if preset == "monthly" and not _is_between(typed.get(DAY, ""), 1, 31):
        errors[DAY] = "Day of the month is not a number from 1 to 31."
    if preset == OWN and (error := _wrong_cron(typed.get(CRON, ""))):
        errors[CRON] = error
    if preset != NONE and typed.get(ZONE, "").strip() not in available():
        errors[ZONE] = "Time zone is not one such as Europe/Berlin or UTC: choose one of the list."
    return errors


def told(typed: Sent, now: float) -> Told:
    """The meaning of what is picked, and the next runs."""
    errors = wrong(typed)
    document = document_of(typed)
    if errors or document is None:
        return Told(errors=errors)
    schedule = Schedule(**document)
    try:
        words, dues = in_words(schedule), next_dues(schedule, now, RUNS)
    except FlowDefinitionError as error:
        return Told(errors={CRON: f"Cron {error}."})
    return Told(words[:1].upper() + words[1:], _runs(schedule, dues, now))


@cache
def available() -> frozenset[str]:
    """The time zones that this machine knows."""
    return frozenset(available_timezones() | {"UTC"})


@cache
def zones() -> tuple[str, ...]:
    """Those that are offered: named by area and city, and UTC."""
    return ("UTC", *sorted(name for name in available() if name.startswith(_AREAS)))


def _runs(schedule: Schedule, dues: Sequence[int], now: float) -> list[RunTold]:
    zone = ZoneInfo(schedule.timezone)
    moments = [datetime.fromtimestamp(at, zone) for at in (now, *dues)]
    return [
        RunTold(
            at,
            moment.isoformat(timespec="seconds"),
            f"{WEEKDAYS[(moment.weekday() + 1) % 7][:3]} {moment.day} {MONTHS[moment.month - 1][:3]} {moment.year}",
            f"{moment:%H:%M}",
            _zone_name(moment),
            f"{_jump(before, moment)} {_skipped(moment, schedule)}".strip(),
        )
        for at, before, moment in zip(dues, moments, moments[1:], strict=False)
    ]


def _jump(before: datetime, moment: datetime) -> str:
    """A sentence where the clock was changed between these two."""
    change = (moment.utcoffset() or timedelta()) - (before.utcoffset() or timedelta())
    if not change:
        return ""
    way, size = ("forward", change) if change > timedelta() else ("back", -change)
    minutes = round(size.total_seconds() / 60)
    long = f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"
    return f"The clock goes {way} {long} before this run: {_named(before)} becomes {_named(moment)}."


def _skipped(moment: datetime, schedule: Schedule) -> str:
    """A sentence where the usual time is one that the clock skips."""
    cron = parse_cron(schedule.cron)
    if cron.repeats or (moment.minute in cron.minutes and moment.hour in cron.hours):
        return ""
    return f"Its usual time does not exist on that day, so it runs at {moment:%H:%M}."


def _named(moment: datetime) -> str:
    name, offset = moment.tzname() or "", _offset(moment)
    return f"{name} ({offset})" if name.isalpha() and name != "UTC" else offset


def _zone_name(moment: datetime) -> str:
    name = moment.tzname() or ""
    return name if name.isalpha() else _offset(moment)


def _offset(moment: datetime) -> str:
    minutes = round((moment.utcoffset() or timedelta()).total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else "+"
    return f"UTC{sign}{hours}" + (f":{rest:02}" if rest else "") if minutes else UTC.tzname(None)


def _preset(cron: str) -> dict[str, str]:
    """The preset that this line is one of, with its parts; cron where it is none."""
    minute, hour, day, month, weekday = [*cron.lower().split(), *[""] * 5][:5]
    if _is_same(cron, "*/15 * * * *"):
        return {PRESET: "quarter"}
    if not _NUMBER.fullmatch(minute) or month != "*":
        return {PRESET: OWN}
    if (hour, day, weekday) == ("*", "*", "*"):
        return {PRESET: "hourly", MINUTE: minute}
    if not _NUMBER.fullmatch(hour):
        return {PRESET: OWN}
    return _daily(cron, day, weekday) | {TIME: f"{int(hour):02}:{int(minute):02}"}


def _daily(cron: str, day: str, weekday: str) -> dict[str, str]:
    if (day, weekday) == ("*", "*"):
        return {PRESET: "daily"}
    if _NUMBER.fullmatch(day) and weekday == "*":
        return {PRESET: "monthly", DAY: day}
    if day != "*":
        return {PRESET: OWN}
    there = parse_cron(cron).weekdays
    if there == (1, 2, 3, 4, 5):
        return {PRESET: "weekdays"}
    return {PRESET: "weekly", WEEKDAY: WEEKDAYS[there[0]][:3].lower()} if len(there) == 1 else {PRESET: OWN}


def _is_same(one: str, other: str) -> bool:
    try:
        return parse_cron(one) == parse_cron(other)
    except FlowDefinitionError:
        return False


def _wrong_cron(text: str) -> str:
    if not text.strip():
        return "Cron is missing: write five fields, such as 0 3 * * mon-fri."
    try:
        parse_cron(text)
    except FlowDefinitionError as error:
        return f"Cron {error}."
    return ""


def _clock(text: str) -> tuple[str, str]:
    found = _TIME.fullmatch(text.strip())
    return (str(int(found[1])), str(int(found[2]))) if found else ("", "")


def _number(text: str) -> str:
    return str(int(text)) if _NUMBER.fullmatch(text.strip()) else ""


def _is_between(text: str, least: int, most: int) -> bool:
    return bool(_NUMBER.fullmatch(text.strip())) and least <= int(text) <= most
