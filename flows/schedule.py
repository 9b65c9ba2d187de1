"""Schedules, as far as they are pure: cron's five fields as numbers, checked, and told in plain English.

A field becomes the numbers that it means, so nobody need know how another library counts weekdays or steps. Where day
of month and day of week are both limited, either serves. Source: POSIX crontab; crontab(5) for names, steps and 7.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from flows.errors import FlowDefinitionError
from flows.model import Schedule

MISSED: Final = ("once", "skip")
"""What becomes of due times that nobody was there for: one run for all of them, or none."""
WEEKDAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTHS: Final = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
                 "November", "December")  # fmt: skip

_LONGEST_MONTH_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MOST_TIMES_TOLD: Final = 6
_PART: Final = re.compile(
    r"(?:\*|(?P<first>[0-9]{1,2}|[a-z]{3})(?:-(?P<last>[0-9]{1,2}|[a-z]{3}))?)(?:/(?P<step>[0-9]{1,2}))?"
)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    least: int
    most: int
    names: Mapping[str, int]


def _short(names: Sequence[str], first: int) -> dict[str, int]:
    return {name[:3].lower(): number for number, name in enumerate(names, first)}


_FIELDS: Final = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, _short(MONTHS, 1)),
    _Field("day of week", 0, 7, _short(WEEKDAYS, 0)),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """When something is due: every number of each field, in order. Weekday 0 is Sunday."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    either_day: bool
    """Both kinds of days are limited, and either serves."""
    repeats: bool
    """Minute or hour begin with `*`: it goes by time that passes, not by what the clock on the wall shows."""


@lru_cache(maxsize=4096)
def parse_cron(text: str) -> Cron:
    """The five fields as numbers. Raises FlowDefinitionError, whose text says what is wrong with it."""
    parts = text.lower().split()
    if len(parts) != len(_FIELDS):
        raise FlowDefinitionError("is not five fields: minute, hour, day of month, month, day of week")
    minutes, hours, days, months, weekdays = (_numbers(part, field) for part, field in zip(parts, _FIELDS, strict=True))
    limited = [not part.startswith("*") for part in parts]
    either = limited[2] and limited[4]
    if not either and not any(day <= _LONGEST_MONTH_DAYS[month - 1] for day in days for month in months):
        raise FlowDefinitionError("never comes: none of its months has such a day")
    return Cron(minutes, hours, days, months, weekdays, either, repeats=not all(limited[:2]))


def check_timezone(text: str) -> None:
    """Raise FlowDefinitionError unless this is a time zone's name."""
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise FlowDefinitionError("is not a time zone such as Europe/Berlin or UTC") from None


def in_words(schedule: Schedule) -> str:
    """The schedule in plain English: `at 03:00, Monday to Friday (Europe/Berlin)`. Raises FlowDefinitionError."""
    cron = parse_cron(schedule.cron)
    told = [_times(cron), _days(cron), _months(cron)]
    return f"{', '.join(part for part in told if part)} ({schedule.timezone})"


def _numbers(text: str, field: _Field) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.split(","):
        numbers = _range(part, field)
        if not numbers:
            raise FlowDefinitionError(f"has {text} as its {field.name}, which cron does not understand")
        found.update(number % 7 if field.most == 7 else number for number in numbers)
    return tuple(sorted(found))


def _range(part: str, field: _Field) -> range | None:
    match = _PART.fullmatch(part)
    if match is None or match["step"] in ("0", "00"):
        return None
    least, most = field.least, 6 if field.most == 7 else field.most
    if match["first"] is not None:
        least = _number(match["first"], field)
        most = _number(match["last"], field) if match["last"] else (most if match["step"] else least)
        if match["last"] in ("0", "sun") and field.most == 7:
            most = 7
    if not field.least <= least <= most <= field.most:
        return None
    return range(least, most + 1, int(match["step"] or 1))


def _number(text: str, field: _Field) -> int:
    return field.names.get(text, int(text) if text.isdigit() else -1)


def _times(cron: Cron) -> str:
    if len(cron.minutes) * len(cron.hours) <= _MOST_TIMES_TOLD:
        return f"at {_listed([f'{hour:02}:{minute:02}' for hour in cron.hours for minute in cron.minutes])}"
    step = _step(cron.minutes, 60)
    if step:
        often = "every minute" if step == 1 else f"every {step} minutes"
        return often if len(cron.hours) == 24 else f"{often} of {_plural('hour', cron.hours)}"
    return f"at {_plural('minute', cron.minutes)} of {_hours(cron)}"


def _hours(cron: Cron) -> str:
    step = _step(cron.hours, 24)
    if step:
        return "every hour" if step == 1 else f"every {_ordinal(step)} hour"
    return _plural("hour", cron.hours)


def _days(cron: Cron) -> str:
    days = _month_days(cron.days)
    weekdays = "" if len(cron.weekdays) == 7 else _listed(_spans(_from_monday(cron.weekdays), _weekday))
    if days and weekdays:
        return f"{days} or on {weekdays}" if cron.either_day else f"{days} where that is {weekdays}"
    if not days and not weekdays:
        return "" if cron.repeats else "every day"
    return days or weekdays


def _month_days(days: tuple[int, ...]) -> str:
    if len(days) == 31:
        return ""
    step = days[1] - days[0] if len(days) > _MOST_TIMES_TOLD else 0
    if step > 1 and days == tuple(range(1, 32, step)):
        return f"on every {_ordinal(step)} day of the month"
    return f"on the {_listed(_spans(days, _ordinal))}"


def _months(cron: Cron) -> str:
    return "" if len(cron.months) == 12 else f"in {_listed(_spans(cron.months, lambda month: MONTHS[month - 1]))}"


def _from_monday(weekdays: Sequence[int]) -> list[int]:
    return sorted(day or 7 for day in weekdays)


def _weekday(day: int) -> str:
    return WEEKDAYS[day % 7]


def _step(numbers: Sequence[int], whole: int) -> int:
    """The step with which these numbers go evenly around the whole; 0 where they do not."""
    step = whole // len(numbers)
    return step if len(numbers) > 1 and tuple(numbers) == tuple(range(0, whole, step)) and whole % step == 0 else 0


def _plural(noun: str, numbers: Sequence[int]) -> str:
    return f"{noun}{'' if len(numbers) == 1 else 's'} {_listed(_spans(numbers, str))}"


def _spans(numbers: Sequence[int], told: Callable[[int], str]) -> list[str]:
    """Three and more in a row as `first to last`."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][-1] == number - 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    return [
        text
        for span in spans
        for text in ([f"{told(span[0])} to {told(span[-1])}"] if len(span) > 2 else [told(number) for number in span])
    ]


def _listed(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def _ordinal(number: int) -> str:
    ending = "th" if number in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
