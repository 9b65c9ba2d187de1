"""Flows. Deleting one deletes its runs and what its ledger remembers.

A flow that is paused is not started by itself: its reason's code says what it waits for.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

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

    def pause(self, name: str, code: str, at: float) -> bool:
        """The flow waits for this reason from now on. Gives whether that is new. Raises NotFoundHere."""
        return self._paused_for(name, code, at, "paused", {"code": code})

    def resume(self, name: str) -> bool:
        """The flow waits for nothing any more. Gives whether it did. Raises NotFoundHere."""
        return self._paused_for(name, "", None, "resumed", {})

    def paused(self) -> dict[str, str]:
        """The flows that wait, and the code of each one's reason."""
        query = select(flows.c.name, flows.c.paused).where(flows.c.paused != "").order_by(flows.c.name)
        return {row.name: row.paused for row in self._connection.execute(query)}

    def _paused_for(self, name: str, code: str, at: float | None, action: str, detail: dict[str, str]) -> bool:
        row_id = self.id_of(name)
        other = (flows.c.id == row_id, flows.c.paused != code)
        if self._connection.execute(update(flows).where(*other).values(paused=code, paused_at=at)).rowcount != 1:
            return False
        self._audit.record(action, self.noun, name, detail)
        return True

    def _check_unused(self, name: str) -> None:
        unfinished = runs.c.status.in_((RunStatus.WAITING, RunStatus.RUNNING))
        joined = select(runs.c.id).join(flows, runs.c.flow_id == flows.c.id)
        run = self._connection.scalar(joined.where(flows.c.name == name, unfinished).limit(1))
        if run is not None:
            raise InUse(f"Flow {name} has run {run}, which is not over: run `integrator runs cancel {run}` first.")

    def _columns(self, thing: Flow) -> dict[str, Any]:
        return {"scheduled": thing.schedule is not None}
