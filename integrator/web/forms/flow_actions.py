"""The action steps in the form of a flow: each a connection, one of its actions, and a row for every parameter of it.

The rows are made from the action's definition; what was written by hand for a parameter that nobody knows stays a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from connectors import registry as connectors
from connectors.actions import Action, Parameter
from flows.errors import FlowDefinitionError
from flows.model import ActionStep, MappingRule
from flows.schemas import ACCEPT
from integrator.store.listing_ends import EndRow
from integrator.web.drafts import Sent
from integrator.web.fields import Choice
from integrator.web.forms.flow_mapping import FROM, TEMPLATE, Line, compiled, plain

ACT: Final = "act"
"""The hidden field that counts the steps, and how the names of their fields begin."""
BUTTONS: Final = "act-"
ADD: Final = "act-add"
MOST_ACTS: Final = 19
_YES: Final = "yes"


@dataclass(frozen=True, slots=True)
class Act:
    """One action step as it is typed; `inputs` by parameter."""

    connection: str = ""
    action: str = ""
    into: str = ""
    repeat: str = ""
    inputs: Mapping[str, Line] = field(default_factory=dict)

    @property
    def field(self) -> str:
        """The field that holds what it gives."""
        return self.into or self.action


@dataclass(frozen=True, slots=True)
class InputTold:
    """One parameter's row: `help` as the definition has it, `error` what is wrong."""

    name: str
    title: str
    help: str
    is_required: bool
    line: Line
    error: str = ""


@dataclass(frozen=True, slots=True)
class ActTold:
    """One step with what there is to choose and what is wrong, by the name of its field without what it begins with."""

    number: int
    act: Act
    definition: Action | None
    actions: Sequence[Choice]
    inputs: Sequence[InputTold]
    errors: Mapping[str, str]

    @property
    def prefix(self) -> str:
        """How the names of its fields begin."""
        return f"{ACT}.{self.number}."

    @property
    def needs_acceptance(self) -> bool:
        """Whether carrying it out twice does harm, or somebody has accepted that."""
        return bool(self.act.repeat) or (self.definition is not None and not self.definition.repeatable)

    @property
    def gives(self) -> str:
        """How later steps take what it gives."""
        return ", ".join(f"{self.act.field}.{one.name}" for one in (self.definition.outputs if self.definition else ()))


def acts_of(typed: Sent) -> list[Act]:
    """The steps as they are typed, in order."""
    return [_act(typed, f"{ACT}.{number}.") for number in typed.getlist(ACT)][:MOST_ACTS]


def put(typed: Sent, acts: Sequence[Act]) -> None:
    """Let these be the steps."""
    for name in [name for name in typed if name == ACT or name.startswith(f"{ACT}.")]:
        typed.poplist(name)
    if acts:
        typed.setlist(ACT, [str(number) for number in range(len(acts))])
    for number, act in enumerate(acts):
        prefix = f"{ACT}.{number}."
        told = {"connection": act.connection, "action": act.action, "into": act.into, "repeat": act.repeat}
        told |= {f"in.{name}": line.text for name, line in act.inputs.items()}
        told |= {f"kind.{name}": line.kind for name, line in act.inputs.items()}
        typed.update({f"{prefix}{name}": value for name, value in told.items()})


def of_document(steps: Sequence[Mapping[str, Any]]) -> list[Act]:
    """Stored steps as they are typed."""
    return [_stored(step["action"]) for step in steps if "action" in step]


def document_of(acts: Sequence[Act], before: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The steps as a document has them; what the form does not show of a rule stays with it."""
    stored = {
        (step["action"]["connection"], step["action"]["action"]): step["action"] for step in before if "action" in step
    }
    return [{"action": _document(act, stored.get((act.connection, act.action), {}))} for act in acts]


def pressed(acts: Sequence[Act], button: str) -> list[Act]:
    """The steps after this button: act-add, act-remove-1, act-up-1, act-down-1."""
    made = [*acts]
    if button == ADD:
        return [*made, Act()][:MOST_ACTS]
    word, _, number = button.removeprefix(BUTTONS).partition("-")
    at = int(number) if number.isdecimal() and len(number) < 4 else -1
    if not 0 <= at < len(made):
        return made
    act = made.pop(at)
    if word != "remove":
        made.insert(max(0, at + {"up": -1, "down": 1}.get(word, 0)), act)
    return made


def steps(acts: Sequence[Act]) -> tuple[ActionStep, ...]:
    """The steps as far as they can be used: what a preview looks at."""
    return tuple(
        ActionStep(act.connection, act.action, _rules(act), act.into or None)
        for act in acts
        if act.connection and act.action
    )


def choices(rows: Sequence[EndRow]) -> list[Choice]:
    """Connections on which something can be done."""
    there = [row for row in rows if _offered(row)]
    titles = {row.name: connectors.connector(row.connector).descriptor.title for row in there}
    return [Choice("", "Choose a connection"), *(Choice(row.name, f"{row.name} ({titles[row.name]})") for row in there)]


def told(acts: Sequence[Act], rows: Sequence[EndRow], errors: Mapping[str, str]) -> list[ActTold]:
    """Each step with its choices, its rows, and what is wrong with them."""
    return [_told(number, act, rows, errors) for number, act in enumerate(acts)]


def wrong(acts: Sequence[Act], rows: Sequence[EndRow]) -> dict[str, str]:
    """What the form itself can say, by field, before anything is asked of anybody."""
    errors: dict[str, str] = {}
    for number, act in enumerate(acts):
        prefix, called = f"{ACT}.{number}.", f"action {number + 1}"
        offered = _actions(act, rows)
        definition = next((one for one in offered if one.id == act.action), None)
        if not act.connection:
            errors[prefix + "connection"] = f"Connection of {called} is not chosen: choose one, or remove the step."
        elif definition is None:
            errors[prefix + "action"] = f"What {called} does is not chosen: choose one of the actions."
        else:
            errors |= _wrong_inputs(prefix, called, act, definition)
            if not definition.repeatable and act.repeat != ACCEPT:
                errors[prefix + "repeat"] = (
                    f"{definition.title} does harm when it is carried out twice: accept that here."
                )
    return errors


def labels(acts: Sequence[Act]) -> dict[str, tuple[str, str]]:
    """The parts of the document that come from here, each with its field and what it is called."""
    found: dict[str, tuple[str, str]] = {}
    for number, act in enumerate(acts):
        path, prefix = f"steps.{number}.action", f"{ACT}.{number}."
        called = f"action {number + 1}"
        found[path] = (prefix + "action", f"Action {number + 1}")
        found |= {
            f"{path}.connection": (prefix + "connection", f"Connection of {called}"),
            f"{path}.action": (prefix + "action", f"What {called} does"),
            f"{path}.into": (prefix + "into", f"Field of {called}"),
            f"{path}.repeat": (prefix + "repeat", f"Repetition of {called}"),
        }
        for position, name in enumerate(_filled(act)):
            found[f"{path}.inputs.{position}"] = (f"{prefix}in.{name}", f"{name} of {called}")
    return found


def _act(typed: Sent, prefix: str) -> Act:
    begin = f"{prefix}in."
    names = [name.removeprefix(begin) for name in typed if name.startswith(begin)]
    return Act(
        typed.get(f"{prefix}connection", "").strip(),
        typed.get(f"{prefix}action", "").strip(),
        typed.get(f"{prefix}into", "").strip(),
        ACCEPT if typed.get(f"{prefix}repeat") in (_YES, ACCEPT) else "",
        {name: _line(typed, prefix, name) for name in names},
    )


def _line(typed: Sent, prefix: str, name: str) -> Line:
    kind = typed.get(f"{prefix}kind.{name}", FROM)
    return Line(name, kind if kind == TEMPLATE else FROM, typed.get(f"{prefix}in.{name}", "").strip())


def _stored(step: Mapping[str, Any]) -> Act:
    lines = {
        rule["to"]: Line(rule["to"], TEMPLATE, rule["template"])
        if "template" in rule
        else Line(rule["to"], FROM, rule["from"])
        for rule in step.get("inputs", ())
    }
    return Act(step["connection"], step["action"], step.get("into", ""), step.get("repeat", ""), lines)


def _document(act: Act, before: Mapping[str, Any]) -> dict[str, Any]:
    stored = {rule["to"]: rule for rule in before.get("inputs", ())}
    rules = []
    for name in _filled(act):
        line = act.inputs[name]
        kept = {key: value for key, value in stored.get(name, {}).items() if key not in ("to", FROM, TEMPLATE)}
        rules.append({"to": name, line.kind: line.text, **kept})
    optional = {"inputs": rules, "into": act.into, "repeat": act.repeat}
    return {"connection": act.connection, "action": act.action, **{key: told for key, told in optional.items() if told}}


def _rules(act: Act) -> tuple[MappingRule, ...]:
    found = []
    for name in _filled(act):
        line = act.inputs[name]
        with suppress(FlowDefinitionError):
            compiled(line)
            found.append(
                MappingRule(name, template=line.text) if line.kind == TEMPLATE else MappingRule(name, from_=line.text)
            )
    return tuple(found)


def _filled(act: Act) -> list[str]:
    return [name for name, line in act.inputs.items() if line.text]


def _offered(row: EndRow) -> Sequence[Action]:
    if connectors.descriptor_of(row.connector) is None:
        return ()
    return connectors.connector(row.connector).actions(row.api_type or None)


def _actions(act: Act, rows: Sequence[EndRow]) -> Sequence[Action]:
    row = next((one for one in rows if one.name == act.connection), None)
    return _offered(row) if row is not None else ()


def _told(number: int, act: Act, rows: Sequence[EndRow], errors: Mapping[str, str]) -> ActTold:
    prefix = f"{ACT}.{number}."
    offered = _actions(act, rows)
    definition = next((one for one in offered if one.id == act.action), None)
    own = {name.removeprefix(prefix): sentence for name, sentence in errors.items() if name.startswith(prefix)}
    known = definition.parameters if definition else ()
    strange = [
        Parameter(name, name, "", required=False) for name in _filled(act) if name not in {one.name for one in known}
    ]
    inputs = [
        InputTold(one.name, one.title, one.help, one.required, act.inputs.get(one.name, Line(one.name, _usual(one))),
                  own.get(f"in.{one.name}", ""))
        for one in (*known, *strange)
    ]  # fmt: skip
    there = [Choice(one.id, f"{one.title} ({one.id})") for one in offered]
    return ActTold(number, act, definition, [Choice("", "Choose an action"), *there], inputs, own)


def _usual(parameter: Parameter) -> str:
    """A choice or a name is mostly the same for every record: a template's text."""
    return TEMPLATE if parameter.choices else FROM


def _wrong_inputs(prefix: str, called: str, act: Act, definition: Action) -> dict[str, str]:
    errors: dict[str, str] = {}
    for parameter in definition.parameters:
        line = act.inputs.get(parameter.name, Line())
        name = f"{prefix}in.{parameter.name}"
        if not line.text:
            if parameter.required:
                errors[name] = f"{parameter.title} of {called} is missing: {parameter.help}"
            continue
        try:
            compiled(line)
        except FlowDefinitionError as error:
            errors[name] = f"{parameter.title} of {called} cannot work: {plain(error)}"
    return errors
