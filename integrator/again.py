"""Doing it again where workers are: what went wrong in a run is retried in a new one, and a run that stopped goes on.

Both wait in line like every other run; the command line does the same at once, in its own process (`integrator.runner`).
"""

from __future__ import annotations

from flows.ends import open_target
from integrator.bootstrap import Installation
from integrator.errors import FlowWaits
from integrator.store.flows import BY_HAND
from integrator.store.runs import Run
from integrator.store.store import Transaction
from integrator.store.wrong_records import Only


def retry_later(installation: Installation, run_id: int, only: Only) -> Run:
    """A new run that tries again what went wrong in this one, as soon as a worker is free.

    Raises NotFoundHere, NothingToRetry, RunInProgress; FlowWaits where a connection must be authorized first.
    """
    with installation.store.writing() as stored:
        _refuse_what_waits(stored, stored.runs.get(run_id).flow)
        run = stored.runs.retry(run_id, only, installation.store.actor)
        installation.queue.dispatch(stored, [run.id])
    installation.queue.committed()
    return run


def resume_later(installation: Installation, run_id: int) -> Run:
    """The run goes on where it stopped, under its id, as soon as a worker is free.

    Raises NotFoundHere, RunIsOver; FlowWaits where a connection must be authorized first.
    """
    with installation.store.writing() as stored:
        _refuse_what_waits(stored, stored.runs.get(run_id).flow)
        run = stored.runs.resume(run_id, installation.store.actor)
        installation.queue.dispatch(stored, [run.id])
    installation.queue.committed()
    return run


def replaces_whole(installation: Installation, flow: str) -> bool:
    """Whether the flow's target is replaced as a whole, as a file is: then a retry moves every record. Calls nobody.

    Raises NotFoundHere.
    """
    with installation.store.reading() as stored:
        found = stored.flows.get(flow)
    if (step := found.destination) is None:
        return False
    try:
        return not open_target(step, installation.connector(step.connection)).remembers
    except Exception:  # noqa: BLE001 - a plug-in may raise anything: the flow cannot run, and its next run says why
        return False


def _refuse_what_waits(stored: Transaction, flow: str) -> None:
    if stored.flows.paused().get(flow, BY_HAND) != BY_HAND:
        raise FlowWaits(f"Flow {flow} waits for a connection that needs authorization: authorize it, then try again.")
