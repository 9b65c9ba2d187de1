"""The scheduler: when a flow is due next, and what is done again and again while a server runs. The one home of
APScheduler, which keeps nothing here: what is due lies in the database.

Its triggers are asked in fixed offsets from UTC, and changes of the clock are decided here, as cron has them. A time
that the clock skips in spring is due as much later as it skips; one that comes twice in autumn is due the first time.
What goes by `*` in minute or hour goes on with the time that passes. Source: cron(8) of Debian, daylight saving.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from math import ceil, floor
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from flows.model import Schedule
from flows.schedule import WEEKDAYS, check_timezone, parse_cron
from iclients.clock import Clock, Stopped
from integrator.errors import StoreError, defect_sentence

if TYPE_CHECKING:
    from integrator.bootstrap import Installation

HOUSEKEEPING_SECONDS: Final = 3600
WATCH_SECONDS: Final = 5.0
"""So long at most nothing is done when the clock was turned back."""
LOG: Final = logging.getLogger("integrator.scheduler")

_FEWEST_SECONDS_BETWEEN_CHANGES: Final = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Job:
    """What is done every so many seconds, at once for the first time; never twice at a time."""

    name: str
    do: Callable[[], object]
    seconds: float


def next_due(schedule: Schedule, after: float) -> int | None:
    """The first due time later than this moment, in Unix seconds; None where none comes.

    Raises FlowDefinitionError where the schedule cannot be read here, for example for a time zone that is not installed.
    """
    check_timezone(schedule.timezone)
    zone, cron = ZoneInfo(schedule.timezone), parse_cron(schedule.cron)
    start = floor(after) + 1
    while True:
        offset = _offset(zone, start)
        found = _first(schedule.cron, offset, start)
        if found is None or _offset(zone, found) == offset:
            return found
        change = _change(zone, start, found)
        skipped = _offset(zone, change) - offset
        if skipped > 0 and found < change + skipped:
            return min(found, _first(schedule.cron, offset + skipped, change) or found)
        start = change if skipped > 0 or cron.repeats else change - skipped


def next_dues(schedule: Schedule, after: float, count: int) -> list[int]:
    """The next so many due times, for whoever picks a schedule. Raises FlowDefinitionError."""
    found: list[int] = []
    while len(found) < count and (due := next_due(schedule, found[-1] if found else after)) is not None:
        found.append(due)
    return found


@contextmanager
def scheduled(installation: Installation, *jobs: Job) -> Iterator[None]:
    """While the block runs, these jobs and hourly housekeeping are done, whatever becomes of the machine's clock.

    They end with the block.
    """
    from apscheduler.schedulers.background import BackgroundScheduler
    from apscheduler.triggers.base import BaseTrigger

    BaseTrigger.register(_Beat)

    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # it tells when a job takes longer than its interval
    scheduler = BackgroundScheduler(
        timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
    )
    keeping = Job("housekeeping", lambda: keep_house_once(installation), HOUSEKEEPING_SECONDS)
    for job in (keeping, *jobs):
        scheduler.add_job(_once, beat := _Beat(job.seconds), [job], next_run_time=beat.first(_now()), id=job.name)
    scheduler.start()
    watching = threading.Thread(target=_watch, args=(scheduler, installation.clock), name="clock")
    watching.start()
    try:
        yield
    finally:
        installation.clock.stop()
        watching.join()
        scheduler.shutdown(wait=True)


def keep_house_once(installation: Installation) -> None:
    """Keep house; whatever goes wrong is one line in the log, and the next hour tries again."""
    from integrator.housekeeping import keep_house

    def keep() -> None:
        done = keep_house(installation)
        if done.anything:
            LOG.info("housekeeping: %s", done.sentence)

    _once(Job("housekeeping", keep, HOUSEKEEPING_SECONDS))


def _once(job: Job) -> None:
    try:
        job.do()
    except Stopped:
        return
    except Exception as error:  # noqa: BLE001 - the job's boundary: nobody waits for it who could be told
        LOG.error("%s: %s", job.name, error if isinstance(error, StoreError) else defect_sentence(error))


class _Beat:
    """Every so many seconds, and of those that were missed none: APScheduler's own would list them one by one, which
    for a clock that jumps ahead by a year is more than memory holds. A trigger of APScheduler's."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def first(self, now: datetime) -> datetime:
        """Now; for what is done several times a second, its next whole part of one: due times are whole seconds."""
        return self._at(ceil(now.timestamp() / self.seconds)) if self.seconds < 1 else now

    def get_next_fire_time(self, before: datetime, now: datetime) -> datetime:
        """The next beat that is later than now."""
        if self.seconds < 1:
            return self._at(floor(now.timestamp() / self.seconds) + 1)
        missed = max(0.0, (now - before).total_seconds()) // self.seconds
        return before + timedelta(seconds=(missed + 1) * self.seconds)

    def _at(self, beats: int) -> datetime:
        return datetime.fromtimestamp(beats * self.seconds, UTC)


def _watch(scheduler: Any, clock: Clock) -> None:
    """Do at once what is due only after longer than its interval: its time is of a clock that was turned back since."""
    with suppress(Stopped):
        while True:
            clock.sleep(WATCH_SECONDS)
            for job in scheduler.get_jobs():
                if (job.next_run_time - _now()).total_seconds() > job.trigger.seconds + 1:
                    job.modify(next_run_time=_now())


def _now() -> datetime:
    return datetime.now(UTC)


def _first(cron: str, offset: int, at: int) -> int | None:
    """The first due time from this moment on, where clocks stand always so far from UTC."""
    moment = datetime.fromtimestamp(at, UTC)
    found = [trigger.get_next_fire_time(None, moment) for trigger in _triggers(cron, offset)]
    return min((int(one.timestamp()) for one in found if one is not None), default=None)


@lru_cache(maxsize=4096)
def _triggers(text: str, offset: int) -> tuple[Any, ...]:
    """One trigger, or one for each kind of day where either serves: APScheduler itself wants both."""
    from apscheduler.triggers.cron import CronTrigger

    cron = parse_cron(text)
    rest = {
        "minute": _listed(cron.minutes, 60),
        "hour": _listed(cron.hours, 24),
        "month": _listed(cron.months, 12),
        "timezone": timezone(timedelta(seconds=offset)),
    }
    days = {"day": _listed(cron.days, 31)}
    weekdays = {"day_of_week": ",".join(WEEKDAYS[day][:3].lower() for day in cron.weekdays)}
    both = ({**days, "day_of_week": "*"}, {"day": "*", **weekdays}) if cron.either_day else ({**days, **weekdays},)
    return tuple(CronTrigger(**rest, **one) for one in both)


def _listed(numbers: tuple[int, ...], whole: int) -> str:
    return "*" if len(numbers) == whole else ",".join(map(str, numbers))


def _offset(zone: ZoneInfo, at: int) -> int:
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    return round(offset.total_seconds()) if offset else 0


def _change(zone: ZoneInfo, start: int, end: int) -> int:
    """The second at which the offset of `start` ends; it has ended at `end`."""
    before, low, high = _offset(zone, start), start, start
    while _offset(zone, high) == before:
        low, high = high, min(high + _FEWEST_SECONDS_BETWEEN_CHANGES, end)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
    return high
