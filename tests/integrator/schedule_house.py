"""What the tests of the schedule stand on: flows that are due every hour, and what became of them."""

from __future__ import annotations

from dataclasses import replace

from flows.model import Export, Flow, Import, RunStatus, Schedule
from integrator.queue import Claimed
from integrator.store.runs import Run
from integrator.store.store import Store

START = 1_800_000_000.0
"""A whole hour in UTC."""
HOUR = 3600
HOURLY = Schedule("0 * * * *")
FLOW = Flow("f", (Export("here", "in.csv"),), (Import("here", "out.csv"),), HOURLY)


def save(store: Store, *names: str, schedule: Schedule | None = HOURLY) -> None:
    """Flows of these names."""
    with store.writing() as stored:
        for name in names:
            stored.flows.save(replace(FLOW, name=name, schedule=schedule))


def due(store: Store, name: str) -> int | None:
    """When this flow is due next."""
    with store.reading() as stored:
        return stored.flows.next_due().get(name)


def runs(store: Store, flow: str | None = None) -> list[Run]:
    """The runs of this flow, or of all, the oldest first."""
    with store.reading() as stored:
        return stored.runs.newest(flow=flow)[::-1]


def end(store: Store, claimed: Claimed, status: RunStatus = RunStatus.SUCCEEDED) -> None:
    """What a worker does in the end."""
    with claimed.held, store.writing() as stored:
        stored.runs.end(claimed.run.id, claimed.claim.fence, status)
