"""The steps of a flow in words, one line each, and what a person has to know of its actions before it runs."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.actions import Action
from connectors.errors import SettingsError
from flows.model import ActionStep, Flow, Import
from integrator.acting import actions_of
from integrator.bootstrap import Installation
from integrator.errors import UserError


def steps_in_words(flow: Flow) -> Sequence[str]:
    """Every step of a flow with actions, in order; nothing for one without."""
    if not flow.actions:
        return []
    told = [f"export {export.connection}/{export.resource}" for export in flow.exports]
    for step, name in zip(flow.steps, flow.step_names, strict=True):
        told.append(name if isinstance(step, Import) else f"{name}{_given(flow, step)}")
    return told


def numbered(lines: Sequence[str]) -> Sequence[str]:
    """The lines, each with its number."""
    return [f"{number}. {line}" for number, line in enumerate(lines, 1)]


def cautions(installation: Installation, flow: Flow) -> Sequence[str]:
    """What an action step takes away, and what it may do twice where a run is killed: one sentence each."""
    told = []
    for step in flow.actions:
        action = _action(installation, step)
        if action is None or not action.changes:
            continue
        if action.destructive:
            told.append(f"{step.action} on {step.connection} takes something away for each record, whoever made it.")
        again = "changes something each time" if not action.repeatable else "leaves the same when it is repeated"
        told.append(
            f"{step.action} on {step.connection} {again}: a run that is killed and goes on carries it out again for "
            "records that were not recorded yet."
        )
    return told


def _given(flow: Flow, step: ActionStep) -> str:
    return "" if step is flow.steps[-1] else f", what it gives into {step.field}"


def _action(installation: Installation, step: ActionStep) -> Action | None:
    try:
        return next((one for one in actions_of(installation, step.connection) if one.id == step.action), None)
    except (SettingsError, UserError):
        return None
