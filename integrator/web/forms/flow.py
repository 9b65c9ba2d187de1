"""The form of a flow, read back into the document that `apply` takes, and made from one.

A flow that was written by hand keeps what the form does not show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flows.errors import FlowDefinitionError
from flows.mapping import check_expression
from integrator.web.drafts import Sent
from integrator.web.forms import flow_actions, flow_mapping, flow_options, flow_schedule
from integrator.web.forms.flow_ends import End
from integrator.web.forms.flow_mapping import Line

NAME: Final = "name"
SOURCE: Final = "source."
TARGET: Final = "target."
RULES: Final = "rules"
"""The name under which an error of the mapping as a whole is told."""
YES: Final = "yes"
PARTS: Final = ("source", "actions", "mapping", "destination", "schedule")
NOWHERE: Final = "-"
"""The destination of a flow that ends in its last action."""
OPERATION: Final = "upsert"

_FIELDS: Final = {
    "name": (NAME, "The name"),
    "exports.0.connection": (SOURCE + "connection", "Connection of the source"),
    "exports.0.resource": (SOURCE + "resource", "Resource of the source"),
    "exports.0.values": (SOURCE + "values", "Values"),
    "exports.0.where": (SOURCE + "where", "Filter"),
    "steps.0.import.connection": (TARGET + "connection", "Connection of the destination"),
    "steps.0.import.resource": (TARGET + "resource", "Resource of the destination"),
    "steps.0.import.operation": (TARGET + "operation", "Operation"),
    "steps.0.import.adopt": (TARGET + "adopt", "Adopt"),
    "steps.0.import.plaintext": (TARGET + "plaintext", "Readable values"),
    "steps.0.import.mapping": (RULES, "Mapping"),
    "schedule.cron": (flow_schedule.CRON, "Cron"),
    "schedule.timezone": (flow_schedule.ZONE, "Time zone"),
    "schedule.missed": (flow_schedule.MISSED, "Missed runs"),
}


def usual(zone: str) -> Sent:
    """What stands in the form of a new flow."""
    typed = Sent({SOURCE + "values": YES, TARGET + "operation": OPERATION, "part": PARTS[0]})
    typed.update(flow_schedule.typed_of(None, zone))
    return typed


def typed_of(document: Mapping[str, Any], zone: str) -> Sent:
    """A stored document as the form would send it."""
    export, step = document["exports"][0], document["steps"][-1].get("import", {"connection": NOWHERE, "resource": ""})
    typed = Sent({NAME: document["name"], "part": PARTS[0]})
    for name in ("connection", "resource", "where"):
        typed[SOURCE + name] = str(export.get(name, ""))
    typed[SOURCE + "values"] = YES if export.get("values") else "no"
    for name in ("connection", "resource"):
        typed[TARGET + name] = str(step[name])
    typed[TARGET + "operation"] = str(step.get("operation", OPERATION))
    for name in ("adopt", "plaintext"):
        typed[TARGET + name] = YES if step.get(name) else ""
    flow_mapping.put(typed, flow_mapping.of_document(step.get("mapping", ())))
    flow_actions.put(typed, flow_actions.of_document(document["steps"]))
    flow_options.put(typed, step)
    typed.update(flow_schedule.typed_of(document.get("schedule"), zone))
    return typed


def document_of(typed: Sent, before: Mapping[str, Any] | None = None, target: End | None = None) -> dict[str, Any]:
    """The document of what was typed; `before` is the stored one, whose unseen parts stay."""
    document = dict(before or {})
    document[NAME] = typed.get(NAME, "").strip()
    document["exports"] = [_export(typed, (document.get("exports") or [{}])[0])]
    steps = document.get("steps") or [{}]
    document["steps"] = flow_actions.document_of(flow_actions.acts_of(typed), steps)
    if not ends_in_action(typed):
        stored = steps[-1].get("import", {})
        options = flow_options.document_of(typed, target.chosen if target else None, stored)
        document["steps"].append({"import": _import(typed, stored, options)})
    schedule = flow_schedule.document_of(typed, document.get("schedule"))
    document.pop("schedule", None)
    return document | ({"schedule": schedule} if schedule else {})


def ends_in_action(typed: Sent) -> bool:
    """Whether the last action is what the flow does with a record."""
    return typed.get(TARGET + "connection") == NOWHERE and bool(flow_actions.acts_of(typed))


def labels(typed: Sent) -> dict[str, str]:
    """What each part of the document of what was typed is called."""
    return {path: label for path, (_, label) in _fields(typed).items()}


def _fields(typed: Sent) -> dict[str, tuple[str, str]]:
    """Each part of the document: its field, and what that is called. The import is the last of the steps."""
    acts = flow_actions.acts_of(typed)
    last = f"steps.{len(acts)}.import"
    moved = {path.replace("steps.0.import", last): told for path, told in _FIELDS.items()}
    return {**moved, last: (RULES, "Mapping"), **flow_actions.labels(acts)}


def field_of(path: str, lines: Sequence[Line], typed: Sent) -> str:
    """The form's field that this part of a document came from."""
    known = _fields(typed)
    mapping = f"steps.{len(flow_actions.acts_of(typed))}.import.mapping."
    if path.startswith(mapping):
        position = int(path.removeprefix(mapping).partition(".")[0])
        filled = [number for number, line in enumerate(lines) if not line.is_empty]
        return f"rule.{filled[position]}.text" if position < len(filled) else RULES
    option = path.partition(".import.options")[2]
    if path.startswith("steps.") and option:
        return flow_options.PREFIX + option.removeprefix(".").partition(".")[0]
    return known[path][0] if path in known else ""


def wrong(typed: Sent, source: End | None, target: End | None) -> dict[str, str]:
    """What the form itself can say, by field, before anything is asked of anybody."""
    errors: dict[str, str] = {}
    if not typed.get(NAME, "").strip():
        errors[NAME] = "Name your flow: type a name."
    errors |= _wrong_end(typed, SOURCE, "source", source) | _wrong_where(typed)
    lines = flow_mapping.lines_of(typed)
    known = (source.chosen if source else None, target.chosen if target else None)
    for told in flow_mapping.told(lines, *known, values=True):
        if told.error:
            errors[f"rule.{told.number}.{told.part}"] = told.error
    whole = flow_mapping.wrong_as_a_whole(lines, known[1])
    if whole and not any(name.startswith("rule.") for name in errors):
        errors[RULES] = whole
    if ends_in_action(typed):
        if any(not line.is_empty for line in lines):
            errors[RULES] = "The flow ends in its last action, which takes its own inputs: remove these rows."
    else:
        errors |= _wrong_end(typed, TARGET, "destination", target) | _wrong_operation(typed, target)
    return errors | flow_schedule.wrong(typed)


def wrong_where(text: str) -> str:
    """What is wrong with a filter; empty where it can be used."""
    if not text.strip():
        return ""
    try:
        check_expression(text.strip())
    except FlowDefinitionError as error:
        return f"Filter cannot be used: {flow_mapping.plain(error)}"
    return ""


def part_of(field: str) -> str:
    """The part of the form in which this field stands."""
    if field.startswith(TARGET):
        return "destination"
    if field == RULES or field.startswith("rule."):
        return "mapping"
    if field.startswith(f"{flow_actions.ACT}."):
        return "actions"
    return "schedule" if field.startswith(flow_schedule.PREFIX) else "source"


def _wrong_end(typed: Sent, prefix: str, word: str, end: End | None) -> dict[str, str]:
    name = typed.get(prefix + "connection", "")
    if not name or name == NOWHERE:
        return {prefix + "connection": f"Connection of the {word} is not chosen: choose one."}
    if end is None:
        return {prefix + "connection": f"There is no connection {name} any more: choose another one."}
    if not end.resource:
        return {prefix + "resource": f"Resource of the {word} is missing: say what of {name} is meant."}
    if end.resources and end.chosen is None:
        there = ", ".join(one.name for one in end.resources)
        return {prefix + "resource": f"{name} has no resource {end.resource}; it has: {there}."}
    return {}


def _wrong_operation(typed: Sent, end: End | None) -> dict[str, str]:
    chosen = typed.get(TARGET + "operation", "")
    why_not = next((one.why_not for one in end.operations() if one.name == chosen), "") if end else ""
    return {TARGET + "operation": f"Operation {chosen} cannot be: {why_not}"} if why_not else {}


def _wrong_where(typed: Sent) -> dict[str, str]:
    error = wrong_where(typed.get(SOURCE + "where", ""))
    return {SOURCE + "where": error} if error else {}


def _export(typed: Sent, before: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {name: typed.get(SOURCE + name, "").strip() for name in ("connection", "resource", "where")}
    told["values"] = typed.get(SOURCE + "values") == YES
    return _merged(before, told)


def _import(typed: Sent, before: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {name: typed.get(TARGET + name, "").strip() for name in ("connection", "resource")}
    operation = typed.get(TARGET + "operation", "")
    told["operation"] = "" if operation == OPERATION else operation
    told |= {name: typed.get(TARGET + name) == YES for name in ("adopt", "plaintext")}
    told["options"] = options
    told["mapping"] = flow_mapping.document_of(flow_mapping.lines_of(typed))
    return _merged(before, told)


def _merged(before: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """What was there, with what is told now; what is as it is by default is left out, but for what has to be there."""
    made = {key: value for key, value in before.items() if key not in told}
    needed = ("connection", "resource")
    return made | {key: value for key, value in told.items() if value not in ("", False, [], {}) or key in needed}
