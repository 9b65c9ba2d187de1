"""Connections."""

from __future__ import annotations

from typing import Any

from connectors.model import Connection
from connectors.schemas import ConnectionSchema
from integrator.errors import InUse
from integrator.store.flows import Flows
from integrator.store.named import Named
from integrator.store.tables import connections


class Connections(Named[Connection]):
    """Connections by name."""

    noun = "connection"
    table = connections
    schema = ConnectionSchema()

    def _columns(self, thing: Connection) -> dict[str, Any]:
        return {"connector": thing.connector, "iclient": thing.iclient}

    def _check_unused(self, name: str) -> None:
        for flow in Flows(self._connection).all():
            used = {export.connection for export in flow.exports} | {step.connection for step in flow.steps}
            if name in used:
                raise InUse(f"Connection {name} is used by flow {flow.name}: change or delete that first.")
