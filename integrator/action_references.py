"""What an action step refers to: a connection and one of its actions, whose definition says what it takes.

As far as that is known when a document is applied: names, what is missing, fixed inputs, and whether it may be repeated.
"""

from __future__ import annotations

from connectors import registry as connectors
from connectors.actions import Action
from connectors.errors import BadInput
from connectors.model import Connection
from flows.mapping import Mapping as Rules
from flows.model import ActionStep, Flow
from flows.schemas import ACCEPT
from integrator.schemas import Where, Wrong, shown
from integrator.store.store import Transaction


def check_action(transaction: Transaction, where: Where, flow: Flow, step: ActionStep) -> None:
    """Raise Wrong where the step cannot work, with the place of what is wrong."""
    connection = transaction.connections.find(step.connection)
    if connection is None:
        raise unknown_name((*where, "connection"), "connection", step.connection, transaction.connections.names())
    if connection.connector not in connectors.names():
        return
    action = _found(where, connection, step)
    _check_inputs(where, action, step)
    _check_repeated(where, action, step)
    _check_field(transaction, where, flow, step)


def unknown_name(where: Where, noun: str, name: str, there: list[str]) -> Wrong:
    """The refusal of a name that nothing has, with those that there are."""
    listed = f"there are: {', '.join(there)}" if there else "there is none"
    return Wrong(where, f"{shown(where)} is {name}, and there is no {noun} of that name; {listed}.")


def _found(where: Where, connection: Connection, step: ActionStep) -> Action:
    kind = connectors.connector(connection.connector)
    offered = kind.actions(connection.api_type)
    action = next((one for one in offered if one.id == step.action), None)
    if action is not None:
        return action
    place = (*where, "action")
    other = next(
        (one for api_type in ("data", "control") for one in kind.actions(api_type) if one.id == step.action), None
    )
    if other is not None:
        raise Wrong(
            place,
            f"{shown(place)} is {step.action}, which needs a connection with api_type {other.api_type}; "
            f"{connection.name} has {connection.api_type}.",
        )
    raise unknown_name(place, f"action of connection {connection.name}", step.action, [one.id for one in offered])


def _check_inputs(where: Where, action: Action, step: ActionStep) -> None:
    known = {one.name: one for one in action.parameters}
    for position, rule in enumerate(step.inputs):
        if rule.to not in known:
            place = (*where, "inputs", position, "to")
            raise unknown_name(place, f"parameter of action {action.id}", rule.to, list(known))
    named = [rule.to for rule in step.inputs]
    for parameter in known.values():
        if parameter.required and parameter.name not in named:
            raise Wrong((*where, "inputs") if named else where, f"{shown(where)} needs an input {parameter.name}: "
                        f"{parameter.help}")  # fmt: skip
    for name, value in Rules(step.inputs).fixed().items():
        place = (*where, "inputs", named.index(name))
        if known[name].is_secret:
            raise Wrong(place, f"{shown(place)} is secret, and would stand in this document: take {name} from a field.")
        try:
            known[name].converted(value)
        except BadInput as error:
            raise Wrong(place, f"{shown(place)} cannot be used: {error}") from error


def _check_repeated(where: Where, action: Action, step: ActionStep) -> None:
    if action.repeatable or step.repeat == ACCEPT:
        return
    place = (*where, "action")
    raise Wrong(
        place,
        f"{shown(place)} is {action.id}, which must not be carried out twice, and a run that is killed carries out again what "
        "it had not recorded: leave it out, or say `repeat: accept` beside it.",
    )


def _check_field(transaction: Transaction, where: Where, flow: Flow, step: ActionStep) -> None:
    """What it gives needs a field that the source has not, where somebody takes from it."""
    export = flow.exports[0]
    source = transaction.connections.find(export.connection)
    descriptor = connectors.descriptor_of(source.connector) if source is not None else None
    resource = descriptor.resource(export.resource) if descriptor is not None else None
    if step is flow.steps[-1] or resource is None or resource.open_fields or step.field not in resource.fields:
        return
    place = (*where, "into") if step.into else (*where, "action")
    raise Wrong(
        place,
        f"{shown((*where, 'into'))} is {step.field}, which is a field of {export.resource} already: name another field.",
    )
