"""Connections, and how each one stands: offline, online, or in need of authorization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection as DatabaseConnection
from sqlalchemy import select, update

from connectors.model import Connection
from connectors.schemas import ConnectionSchema
from integrator.store.audit import Audit
from integrator.store.flows import Flows
from integrator.store.moments import iso
from integrator.store.named import Named, Saved
from integrator.store.tables import connections

OFFLINE: Final = "offline"
"""What a connection is until it has worked, and again after its document has changed."""
CODE_CHARACTERS: Final = 100

_STATE: Final = (
    connections.c.name,
    connections.c.state,
    connections.c.state_code,
    connections.c.state_message,
    connections.c.state_at,
)


@dataclass(frozen=True, slots=True)
class State:
    """How a connection stands, why (a code and a sentence, or nothing), and since when (Unix seconds)."""

    state: str
    code: str
    message: str
    at: float | None

    def document(self) -> dict[str, Any]:
        """As `connections show --json` has it beside the connection's own document."""
        told = {"state_code": self.code, "state_message": self.message, "state_since": iso(self.at)}
        return {"state": self.state, **{key: value for key, value in told.items() if value}}


class Connections(Named[Connection]):
    """Connections by name."""

    noun = "connection"
    table = connections
    schema = ConnectionSchema()

    def __init__(self, connection: DatabaseConnection, audit: Audit, flows: Flows) -> None:
        super().__init__(connection, audit)
        self._flows = flows

    def state(self, name: str) -> State:
        """How this connection stands. Raises NotFoundHere."""
        row = self._connection.execute(select(*_STATE).where(connections.c.name == name)).one_or_none()
        if row is None:
            raise self._missing(name)
        return _state(row)

    def states(self) -> dict[str, State]:
        """How every connection stands, by name."""
        rows = self._connection.execute(select(*_STATE).order_by(connections.c.name))
        return {row.name: _state(row) for row in rows}

    def set_state(self, name: str, state: str, code: str = "", message: str = "", at: float | None = None) -> bool:
        """From now (or `at`) on the connection stands so. Gives whether it stood otherwise. Raises NotFoundHere."""
        before = self.state(name)
        after = State(state, code[:CODE_CHARACTERS], message, self._audit.now() if at is None else at)
        if (before.state, before.code, before.message) == (after.state, after.code, after.message):
            return False
        values = {"state": after.state, "state_code": after.code, "state_message": message, "state_at": after.at}
        self._connection.execute(update(connections).where(connections.c.name == name).values(values))
        if (before.state, before.code) != (after.state, after.code):
            self._audit.record("state", self.noun, name, {"from": before.state, "to": state, "code": after.code})
        return True

    def flows_of(self, name: str) -> list[str]:
        """The flows that use this connection, by name."""
        return [flow.name for flow in self._flows.all() if name in flow.connections]

    def _keep(self, thing: Connection) -> tuple[Saved, list[str]]:
        saved, changed = super()._keep(thing)
        if saved is Saved.UPDATED:
            self.set_state(thing.name, OFFLINE)
        return saved, changed

    def _columns(self, thing: Connection) -> dict[str, Any]:
        return {"connector": thing.connector, "iclient": thing.iclient}

    def _check_unused(self, name: str) -> None:
        self._refuse_used(name, "flow", self.flows_of(name))


def _state(row: Any) -> State:
    return State(row.state, row.state_code, row.state_message, row.state_at)
