"""Flows. Deleting one deletes its runs and what its ledger remembers.

A flow that is paused is not started by itself: its reason's code says what it waits for. When a scheduled one is due
next stands in its row, told anew whenever its schedule changes or its pause ends: nothing of the past is made up for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Select, bindparam, select, update

from flows.errors import FlowDefinitionError
from flows.model import Flow, RunStatus, Schedule
from flows.schemas import FlowSchema
from integrator.errors import InUse
from integrator.store.named import Named, Saved
from integrator.store.tables import connections, flows, runs

BY_HAND: Final = "paused by a person"
"""The reason of a pause that somebody asked for: only a person ends it."""

_PLAN: Final = update(flows).where(flows.c.id == bindparam("flow")).values(next_due=bindparam("then"))


@dataclass(frozen=True, slots=True)
class DueFlow:
    """A flow with a schedule, and when it is due; None where nobody has worked that out yet."""

    id: int
    name: str
    schedule: Schedule
    due: int | None


class Flows(Named[Flow]):
    """Flows by name."""

    noun = "flow"
    table = flows
    schema = FlowSchema()

    def save(self, thing: Flow) -> Saved:
        """Keep this one under its name; where its schedule is another one now, it is due anew, from now on.

        A pause that a person asked for stays. One that waits for a connection ends where this flow has none any more
        that stands so: nobody else would end it.
        """
        before = self.find(thing.name)
        saved = super().save(thing)
        if _when(before) != _when(thing):
            self._plan_anew(self.id_of(thing.name), thing.schedule)
        if saved is Saved.UPDATED and self._waits_for_nothing(thing):
            self.resume(thing.name)
        return saved

    def pause(self, name: str, code: str, at: float) -> bool:
        """The flow waits for this reason from now on. Gives whether that is new. Raises NotFoundHere.

        A pause that a person asked for keeps its reason.
        """
        if self.paused().get(name) == BY_HAND:
            return False
        return self._paused_for(name, code, at, "paused", {"code": code})

    def resume(self, name: str) -> bool:
        """The flow waits for nothing any more, and is due anew. Gives whether it did wait. Raises NotFoundHere."""
        if not self._paused_for(name, "", None, "resumed", {}):
            return False
        self._plan_anew(self.id_of(name), self.get(name).schedule)
        return True

    def due(self, now: float, limit: int) -> Sequence[DueFlow]:
        """Flows whose time has come, the longest due first. Those that are paused never are."""
        query = _scheduled().where(flows.c.paused == "", flows.c.next_due <= int(now))
        return self._due(query.order_by(flows.c.next_due, flows.c.id).limit(limit))

    def scheduled(self) -> Sequence[DueFlow]:
        """Every flow with a schedule; those of an older version may not know yet when they are due."""
        return self._due(_scheduled().where(flows.c.scheduled).order_by(flows.c.id))

    def plan(self, next_due: Mapping[int, int | None]) -> None:
        """These flows, by id, are due then."""
        if next_due:
            self._connection.execute(_PLAN, [{"flow": flow, "then": then} for flow, then in next_due.items()])

    def next_due(self) -> dict[str, int]:
        """When each flow is due next, in Unix seconds; those that are paused or without a schedule are not in it."""
        query = select(flows.c.name, flows.c.next_due).where(flows.c.paused == "", flows.c.next_due.is_not(None))
        return {row.name: row.next_due for row in self._connection.execute(query)}

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

    def _waits_for_nothing(self, flow: Flow) -> bool:
        code = self.paused().get(flow.name, "")
        blocked = select(connections.c.id).where(connections.c.name.in_(flow.connections), connections.c.state == code)
        return code not in ("", BY_HAND) and self._connection.scalar(blocked.limit(1)) is None

    def _plan_anew(self, row_id: int, schedule: Schedule | None) -> None:
        from integrator.scheduler import next_due  # whoever stores no schedule need not wait for its libraries

        then: int | None = None
        with suppress(FlowDefinitionError):  # its time zone has left this machine: a server says so when it starts
            then = None if schedule is None else next_due(schedule, self._audit.now())
        self.plan({row_id: then})

    def _loaded(self, text: str) -> Flow:
        """A time zone that was one when it came, and has left this machine since, does not hide the flow."""
        document = json.loads(text)
        zone = document.get("schedule", {}).pop("timezone", None)
        flow: Flow = self.schema.load(document)
        return replace(flow, schedule=replace(flow.schedule, timezone=zone)) if flow.schedule and zone else flow

    def _due(self, query: Select[Any]) -> Sequence[DueFlow]:
        return [
            DueFlow(row.id, row.name, Schedule(**json.loads(row.document)["schedule"]), row.next_due)
            for row in self._connection.execute(query)
        ]

    def _check_unused(self, name: str) -> None:
        unfinished = runs.c.status.in_((RunStatus.WAITING, RunStatus.RUNNING))
        joined = select(runs.c.id).join(flows, runs.c.flow_id == flows.c.id)
        run = self._connection.scalar(joined.where(flows.c.name == name, unfinished).limit(1))
        if run is not None:
            raise InUse(f"Flow {name} has run {run}, which is not over: run `integrator runs cancel {run}` first.")

    def _columns(self, thing: Flow) -> dict[str, Any]:
        return {"scheduled": thing.schedule is not None}


def _when(flow: Flow | None) -> tuple[str, str] | None:
    schedule = flow.schedule if flow else None
    return (schedule.cron, schedule.timezone) if schedule else None


def _scheduled() -> Select[Any]:
    return select(flows.c.id, flows.c.name, flows.c.document, flows.c.next_due)
