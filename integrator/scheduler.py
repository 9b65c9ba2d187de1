"""The scheduler: carries what is done again and again while the server runs. It holds nothing durable.

What is due lies in the database; a missed hour is caught up by the next one, and never done twice at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from apscheduler.schedulers.background import BackgroundScheduler

from iclients.clock import Stopped
from integrator.bootstrap import Installation
from integrator.errors import defect_sentence
from integrator.housekeeping import keep_house

HOUSEKEEPING_SECONDS: Final = 3600
LOG: Final = logging.getLogger("integrator.scheduler")


@contextmanager
def scheduled(installation: Installation) -> Iterator[None]:
    """While the block runs, housekeeping is done: at once, then hourly. It ends with the block."""
    scheduler = BackgroundScheduler(
        timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
    )
    now = datetime.now(UTC)
    scheduler.add_job(
        keep_house_once, "interval", [installation], seconds=HOUSEKEEPING_SECONDS, next_run_time=now, id="housekeeping"
    )
    scheduler.start()
    try:
        yield
    finally:
        installation.clock.stop()
        scheduler.shutdown(wait=True)


def keep_house_once(installation: Installation) -> None:
    """Keep house; whatever goes wrong is one line in the log, and the next hour tries again."""
    try:
        done = keep_house(installation)
    except Stopped:
        return
    except Exception as error:  # noqa: BLE001 - the job's boundary: nobody waits for it who could be told
        LOG.error("housekeeping: %s", defect_sentence(error))
        return
    if done.anything:
        LOG.info("housekeeping: %s", done.sentence)
