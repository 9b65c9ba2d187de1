"""Actions as steps of flows: what an action makes of one record, and the action that a flow ends in.

A step's inputs are a mapping of the record. What the action gives goes into a field of the record that later steps take
from; a flow that ends in an action has that action for its target, so the ledger knows whom it was carried out for.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from connectors.connector import Connector, Target
from connectors.errors import BadInput, NotFound, RecordError
from connectors.model import Change, Effect, Known, Record
from flows.errors import FlowDefinitionError
from flows.mapping import Mapping as Rules
from flows.model import ActionStep, Flow
from iclients.secret import holds_secret, revealed

_BYTES: Final = "base64"
CARRIED_OUT: Final = "carried out"
"""The ledger's fingerprint of a record for whom the action was carried out: there is no value to compare."""


class Performer:
    """One action step, made ready: its action is there and its inputs are compiled. Called from many threads."""

    def __init__(self, step: ActionStep, name: str, connector: Connector, slots: threading.BoundedSemaphore) -> None:
        """Raises BadInput, a SettingsError, where there is no such action; FlowDefinitionError for the inputs."""
        self.step, self.name = step, name
        self.action = connector.action(step.action)
        self.rules = Rules(step.inputs)
        self._connector, self._slots = connector, slots

    @property
    def place(self) -> str:
        """What it is carried out on, the same for every connection that means the same place; no name of ours in it."""
        connection = self._connector.connection
        told = json.dumps([connection.connector, connection.api_type, dict(connection.settings)], sort_keys=True)
        return f"action {connection.connector}/{self.action.id} {hashlib.sha256(told.encode()).hexdigest()[:16]}"

    def digest(self) -> list[Any]:
        """What of it decides what becomes of a record."""
        return [asdict(self.step), self.place]

    def completed(self, record: Record) -> Record:
        """The record with the outputs of the action in its field; needs what the action needs.

        Raises RecordError where the record cannot give the inputs, else what the connector raises.
        """
        field = self.step.field
        if field in record.fields:
            message = f"{record.key} has a field {field} already: let the step's `into` name another one."
            raise RecordError(message, code="field_taken")
        outputs = self.perform(self.inputs(self.rules.apply(record) if self.step.inputs else None))
        return Record(record.key, {**record.fields, field: outputs}, line=record.line, marker=record.marker)

    def inputs(self, mapped: Record | None) -> dict[str, Any]:
        """The inputs as the connector gets them. An empty text is none. Raises RecordError where one is missing."""
        given = mapped.fields if mapped is not None else {}
        kept = {name: value for name, value in given.items() if revealed(value) != ""}
        self._keep_hidden(kept)
        try:
            return self.action.converted(kept)
        except BadInput as error:
            raise _of_record(error) from None

    def _keep_hidden(self, inputs: Mapping[str, Any]) -> None:
        """A secret goes into a parameter that hides it, or into bytes: a name or a tag would show it to everybody."""
        for one in self.action.parameters:
            if holds_secret(inputs.get(one.name)) and not one.is_secret and one.kind != _BYTES:
                raise RecordError(
                    f"{one.name} of {self.action.id} stands in the open, and would show a secret: make it from other fields.",
                    code="secret_in_the_open",
                )

    def perform(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Carry it out, not more at once than the connection allows; what is secret in the outputs is a `Secret`."""
        try:
            with self._slots:
                return self.action.classified(self._connector.perform(self.action, inputs))
        except BadInput as error:
            raise _of_record(error) from None


class ActionTarget(Target):
    """The action that a flow ends in: it is carried out once for each state of each record of the source.

    An action that changes something is carried out after its intent is noted, and counts as updated; one that does
    not is carried out while comparing, and counts as unchanged.
    """

    key_field = ""

    def __init__(self, performer: Performer) -> None:
        self._performer = performer
        self.identity = performer.place

    def is_current(self, key: str, known: Known) -> bool:
        return known.fingerprint == CARRIED_OUT

    def assess(self, record: Record, known: Known | None) -> Change:
        inputs = self._performer.inputs(record if self._performer.step.inputs else None)
        if self._performer.action.changes:
            has_begun = known is not None and known.intent == CARRIED_OUT
            return Change(Effect.UPDATED, CARRIED_OUT, owned=True, payload=(inputs, has_begun))
        self._performer.perform(inputs)
        return Change(Effect.UNCHANGED, CARRIED_OUT, owned=True)

    def write(self, record: Record, change: Change) -> Change:
        """What a killed run had begun to take away, and is not there any more, was taken away by it."""
        inputs, has_begun = change.payload
        try:
            self._performer.perform(inputs)
        except NotFound as error:
            if not (has_begun and self._performer.action.takes_away and error.code == NotFound.code):
                raise
        return replace(change, payload=None)


def performers(flow: Flow, connector: Callable[[str], Connector]) -> list[Performer]:
    """Every action step of the flow, made ready, in order. Raises SettingsError, FlowDefinitionError."""
    slots: dict[str, threading.BoundedSemaphore] = {}
    made = []
    for step, name in zip(flow.steps, flow.step_names, strict=True):
        if isinstance(step, ActionStep):
            carrying_out = connector(step.connection)
            shared = slots.setdefault(step.connection, threading.BoundedSemaphore(carrying_out.concurrency))
            made.append(Performer(step, name, carrying_out, shared))
    return made


def check_fields(flow: Flow, acts: Sequence[Performer], available: Sequence[str] | None) -> Sequence[str] | None:
    """The fields that the last step can take from; None where nobody knows what the source has.

    Raises FlowDefinitionError where a step takes a field that is not there, or puts its outputs into one that is.
    """
    known = list(available) if available is not None else None
    for act in acts:
        if known is None:
            continue
        try:
            act.rules.check_source(known)
        except FlowDefinitionError as error:
            raise FlowDefinitionError(f"Step {act.name}: {error}") from error
        if act.step is flow.steps[-1]:
            break
        if act.step.field in known:
            raise FlowDefinitionError(
                f"Step {act.name} puts what it gives into {act.step.field}, which the source has already: let its `into` "
                "name another field."
            )
        known.append(act.step.field)
    return known


def _of_record(error: BadInput) -> RecordError:
    return RecordError(str(error), code="bad_input")
