"""Flows. Deleting one deletes its runs and what its ledger remembers."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from flows.model import Flow, RunStatus
from flows.schemas import FlowSchema
from integrator.errors import InUse
from integrator.store.named import Named
from integrator.store.tables import flows, runs


class Flows(Named[Flow]):
    """Flows by name."""

    noun = "flow"
    table = flows
    schema = FlowSchema()

    def _check_unused(self, name: str) -> None:
        unfinished = runs.c.status.in_((RunStatus.WAITING, RunStatus.RUNNING))
        joined = select(runs.c.id).join(flows, runs.c.flow_id == flows.c.id)
        run = self._connection.scalar(joined.where(flows.c.name == name, unfinished).limit(1))
        if run is not None:
            raise InUse(f"Flow {name} has run {run}, which is not over: run `integrator runs cancel {run}` first.")

    def _columns(self, thing: Flow) -> dict[str, Any]:
        return {"scheduled": thing.schedule is not None}
