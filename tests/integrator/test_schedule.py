"""When something is due, and how it is told: cron as crontab(5) has it, also on the days when clocks change."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from flows.errors import FlowDefinitionError
from flows.model import Schedule
from flows.schedule import in_words, parse_cron
from integrator.scheduler import next_due, next_dues

BERLIN = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = (2026, 3, 29), (2026, 10, 25)
ZERO, MINUTE = timedelta(0), timedelta(minutes=1)


def at(*moment: int) -> float:
    return datetime(*moment, tzinfo=BERLIN).timestamp()  # type: ignore[misc]


def times(cron: str, after: float, count: int = 3, timezone: str = "Europe/Berlin") -> list[str]:
    dues = next_dues(Schedule(cron, timezone), after, count)
    return [f"{datetime.fromtimestamp(due, ZoneInfo(timezone)):%d %H:%M%z}"[:-2] for due in dues]


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("30 2 * * *", ["29 03:30+02", "30 02:30+02", "31 02:30+02"]),
        ("0 2 * * *", ["29 03:00+02", "30 02:00+02", "31 02:00+02"]),
        ("0 3 * * *", ["29 03:00+02", "30 03:00+02", "31 03:00+02"]),
        ("30 2,3 * * *", ["29 03:30+02", "30 02:30+02", "30 03:30+02"]),
        ("30 * * * *", ["29 01:30+01", "29 03:30+02", "29 04:30+02"]),
        ("*/30 1-3 * * *", ["29 01:00+01", "29 01:30+01", "29 03:00+02"]),
        ("*/15 * * * *", ["29 01:00+01", "29 01:15+01", "29 01:30+01", "29 01:45+01", "29 03:00+02", "29 03:15+02"]),
    ],
)
def test_what_the_clock_skips_in_spring_is_due_once_and_later(cron: str, expected: list[str]) -> None:
    assert times(cron, at(*SPRING, 0, 45), len(expected)) == expected


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("30 2 * * *", ["25 02:30+02", "26 02:30+01", "27 02:30+01"]),
        ("0 2 * * *", ["25 02:00+02", "26 02:00+01", "27 02:00+01"]),
        ("0 3 * * *", ["25 03:00+01", "26 03:00+01", "27 03:00+01"]),
        ("30 2,3 * * *", ["25 02:30+02", "25 03:30+01", "26 02:30+01"]),
        ("30 * * * *", ["25 01:30+02", "25 02:30+02", "25 02:30+01"]),
        ("*/30 2 * * *", ["25 02:00+02", "25 02:30+02", "25 02:00+01"]),
        ("*/30 * * * *", ["25 01:00+02", "25 01:30+02", "25 02:00+02", "25 02:30+02", "25 02:00+01", "25 02:30+01"]),
    ],
)
def test_what_comes_twice_in_autumn_is_due_the_first_time_and_stars_go_on(cron: str, expected: list[str]) -> None:
    assert times(cron, at(*AUTUMN, 0, 45), len(expected)) == expected


def test_every_minute_is_a_minute_later_all_through_both_days() -> None:
    for day in (SPRING, AUTUMN):
        dues = next_dues(Schedule("* * * * *", "Europe/Berlin"), at(*day, 0, 0), 300)
        assert {later - due for due, later in pairwise(dues)} == {60}


CHANGES = {
    "Europe/Berlin": (SPRING, AUTUMN),
    "America/New_York": ((2026, 3, 8), (2026, 11, 1)),
    "Australia/Lord_Howe": ((2026, 4, 4), (2026, 10, 3)),  # by half an hour
    "America/Havana": ((2026, 3, 8), (2026, 11, 1)),  # at midnight
}


def walked(schedule: Schedule, start: int, end: int) -> list[int]:
    """Due times, found minute by minute on the clock on the wall."""
    zone, cron, seen = ZoneInfo(schedule.timezone), parse_cron(schedule.cron), set[datetime]()
    found, before = set[int](), datetime.fromtimestamp(start, zone).utcoffset()

    def matches(wall: datetime) -> bool:
        return wall.minute in cron.minutes and wall.hour in cron.hours

    for moment in range(start, end, 60):
        local = datetime.fromtimestamp(moment, zone)
        wall, jump = local.replace(tzinfo=None, fold=0), (local.utcoffset() or ZERO) - (before or ZERO)
        skipped = [minutes for minutes in range(jump // MINUTE) if matches(wall - jump + minutes * MINUTE)]
        found |= {moment + skipped[0] * 60} if skipped else set()
        if matches(wall) and (cron.repeats or wall not in seen):
            found.add(moment)
        seen.add(wall)
        before = local.utcoffset()
    return sorted(due for due in found if due > start)


@pytest.mark.parametrize("zone", CHANGES)
def test_all_round_a_change_of_the_clock_due_times_are_those_of_a_walk_along_it(zone: str) -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for day in CHANGES[zone] * 15:
        minutes = chance.choice(["*", "*/15", "*/7", "0", "30", "15,45", "0-10/5", "59"])
        hours = chance.choice(["*", "*/2", "0", "1", "2", "3", "1-3", "2,3", "23,0"])
        schedule = Schedule(f"{minutes} {hours} * * *", zone)
        start = int(datetime(*day, tzinfo=UTC).timestamp()) - 60 * chance.randrange(600, 800)
        expected = walked(schedule, start, start + 44 * 3600)
        assert next_dues(schedule, start, len(expected)) == expected, schedule


def test_a_yearly_time_is_found_over_changes_of_the_clock() -> None:
    assert next_due(Schedule("0 3 1 7 *", "Europe/Berlin"), at(2026, 1, 5)) == at(2026, 7, 1, 3)
    assert next_due(Schedule("0 3 1 12 *", "Europe/Berlin"), at(2026, 1, 5)) == at(2026, 12, 1, 3)
    assert next_due(Schedule("0 0 29 2 *"), at(2026, 1, 5)) == datetime(2028, 2, 29, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("cron", "weekdays"),
    [
        ("0 3 * * 0", "7"),
        ("0 3 * * 7", "7"),
        ("0 3 * * 1", "1"),
        ("0 3 * * 1-5", "12345"),
        ("0 3 * * mon-fri", "12345"),
        ("0 3 * * sat-sun", "67"),
        ("0 3 * * 6-7", "67"),
        ("0 3 * * */2", "2467"),
        ("0 3 * * 5,SUN", "57"),
    ],
)
def test_weekdays_are_counted_as_cron_counts_them(cron: str, weekdays: str) -> None:
    dues = next_dues(Schedule(cron), 1_800_000_000, len(weekdays))
    assert "".join(sorted(str(datetime.fromtimestamp(due, UTC).isoweekday()) for due in dues)) == weekdays


def test_where_both_kinds_of_days_are_limited_either_serves() -> None:
    assert times("0 3 15 * mon", at(2026, 6, 9)) == ["15 03:00+02", "22 03:00+02", "29 03:00+02"]
    assert times("0 3 17 * mon", at(2026, 6, 9)) == ["15 03:00+02", "17 03:00+02", "22 03:00+02"]
    assert times("0 3 */2 * mon", at(2026, 6, 9), 2) == ["15 03:00+02", "29 03:00+02"]


def test_due_is_later_than_the_moment_that_is_asked_about() -> None:
    schedule = Schedule("0 3 * * *")
    due = next_due(schedule, 1_800_000_000)
    assert due is not None
    assert next_due(schedule, due - 0.001) == due
    assert next_due(schedule, due) == due + 86_400


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("* * * * *", "every minute (UTC)"),
        ("*/5 * * * *", "every 5 minutes (UTC)"),
        ("30 * * * *", "at minute 30 of every hour (UTC)"),
        ("0 3 * * *", "at 03:00, every day (UTC)"),
        ("0 3 * * mon-fri", "at 03:00, Monday to Friday (UTC)"),
        ("0 3 * * 6,0", "at 03:00, Saturday and Sunday (UTC)"),
        ("0,30 9,17 1,15 * *", "at 09:00, 09:30, 17:00 and 17:30, on the 1st and 15th (UTC)"),
        ("*/15 9-17 * jan-mar,12 *", "every 15 minutes of hours 9 to 17, in January to March and December (UTC)"),
        ("5 */3 * * *", "at minute 5 of every 3rd hour (UTC)"),
        ("0 3 1 * mon", "at 03:00, on the 1st or on Monday (UTC)"),
        ("0 3 */2 * mon", "at 03:00, on every 2nd day of the month where that is Monday (UTC)"),
    ],
)
def test_a_schedule_is_told_in_plain_english(cron: str, words: str) -> None:
    assert in_words(Schedule(cron)) == words


@pytest.mark.parametrize(
    ("cron", "reason"),
    [
        ("0 3 * *", "is not five fields"),
        ("0 24 * * *", "has 24 as its hour"),
        ("0 0 31 2,4 *", "never comes"),
        ("0 0 * * mon-xyz", "has mon-xyz as its day of week"),
        ("0-59/0 0 * * *", "as its minute"),
    ],
)
def test_what_cron_does_not_understand_is_told(cron: str, reason: str) -> None:
    with pytest.raises(FlowDefinitionError, match=reason):
        parse_cron(cron)


def test_a_time_zone_that_is_not_there_is_told() -> None:
    with pytest.raises(FlowDefinitionError, match="is not a time zone"):
        next_due(Schedule("0 3 * * *", "Europe/Bonn"), 0.0)
