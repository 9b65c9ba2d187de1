"""Flows. Deleting one deletes its runs and what its ledger remembers."""

from __future__ import annotations

from typing import Any

from flows.model import Flow
from flows.schemas import FlowSchema
from integrator.store.named import Named
from integrator.store.tables import flows


class Flows(Named[Flow]):
    """Flows by name."""

    noun = "flow"
    table = flows
    schema = FlowSchema()

    def _columns(self, thing: Flow) -> dict[str, Any]:
        return {"scheduled": thing.schedule is not None}
