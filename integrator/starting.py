"""Starting a flow by hand where workers are: the run waits in line like those of the schedule, for whoever takes it."""

from __future__ import annotations

from integrator.bootstrap import Installation
from integrator.errors import FlowWaits
from integrator.estimating import foretell
from integrator.store.flows import BY_HAND
from integrator.store.runs import Run


def run_now(installation: Installation, flow: str) -> Run:
    """A new run of this flow that waits for a worker; the flow may be paused by a person, who now asks all the same.

    Raises NotFoundHere; RunInProgress where one is not over; FlowWaits where a connection must be authorized first.
    """
    with installation.store.writing() as stored:
        if stored.flows.paused().get(flow, BY_HAND) != BY_HAND:
            raise FlowWaits(
                f"Flow {flow} waits for a connection that needs authorization: authorize it, then run the flow."
            )
        run = stored.runs.start(flow, installation.store.actor)
        foretell(stored, run)
        installation.queue.dispatch(stored, [run.id])
    installation.queue.committed()
    return run
