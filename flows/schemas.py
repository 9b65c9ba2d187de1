"""How flows are written in documents, in the database, and later in forms and the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, post_load, pre_dump, validate, validates_schema

from flows import names
from flows.errors import FlowDefinitionError
from flows.model import ActionStep, Export, Flow, Import, MappingRule, Schedule, Step
from flows.schedule import MISSED, check_timezone, parse_cron
from iclients.schemas import FILLED, NAME, Described, Flag

OPERATIONS: Final = ("add", "update", "upsert", "delete")
ACCEPT: Final = "accept"
MOST_STEPS: Final = 20
_ONE: Final = "has more or fewer than one entry: in this version a flow has one export"
_SOME: Final = f"has no entry, or more than {MOST_STEPS}: name an import, or the actions that the flow carries out"
_WORD: Final = validate.Regexp(r"^[A-Za-z_][A-Za-z0-9_]*$", error="is not a word of letters, digits and _")


class ExportSchema(Described):
    """The source step."""

    kind = Export

    connection = fields.String(required=True, validate=NAME)
    resource = fields.String(required=True, validate=FILLED)
    values = Flag()
    type = fields.String(
        validate=validate.OneOf(["all"], error="is not all: delta, once and test are not in this version yet")
    )
    where = fields.String(validate=lambda text: _check_expression(text))


class MappingRuleSchema(Described):
    """One rule: exactly one of `from` and `template`, and at most one of `codec` and `decode`."""

    kind = MappingRule

    to = fields.String(required=True, validate=FILLED)
    from_ = fields.String(data_key="from", validate=lambda text: _check_expression(text))
    template = fields.String(validate=lambda text: _check_template(text))
    codec = fields.String(validate=validate.OneOf(names.CODECS, error="is no codec; there are: {choices}"))
    decode = fields.String(validate=validate.OneOf(names.CODECS, error="is no codec; there are: {choices}"))

    @validates_schema(skip_on_field_errors=True)
    def _one_origin(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if ("from_" in data) == ("template" in data):
            raise ValidationError("needs either from or template")
        if "codec" in data and "decode" in data:
            raise ValidationError("has codec and decode, which undo each other: keep one of them")


class ImportSchema(Described):
    """The destination step."""

    kind = Import

    connection = fields.String(required=True, validate=NAME)
    resource = fields.String(required=True, validate=FILLED)
    operation = fields.String(validate=validate.OneOf(OPERATIONS, error="is not one of: {choices}"))
    plaintext = Flag()
    adopt = Flag()
    options = fields.Dict(keys=fields.String())
    mapping = fields.List(fields.Nested(MappingRuleSchema))

    @validates_schema(skip_on_field_errors=True)
    def _each_field_once(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        _refuse_repeated(data.get("mapping", ()), "mapping")


class ActionStepSchema(Described):
    """A step that carries out an action for each record."""

    kind = ActionStep

    connection = fields.String(required=True, validate=NAME)
    action = fields.String(required=True, validate=FILLED)
    inputs = fields.List(fields.Nested(MappingRuleSchema))
    into = fields.String(validate=_WORD)
    repeat = fields.String(validate=validate.OneOf([ACCEPT], error="is not accept: leave it out, or accept repetition"))

    @validates_schema(skip_on_field_errors=True)
    def _each_input_once(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        _refuse_repeated(data.get("inputs", ()), "inputs")


class StepSchema(Schema):
    """One step, under the name of what it is: `import` or `action`."""

    import_ = fields.Nested(ImportSchema, data_key="import")
    action = fields.Nested(ActionStepSchema)

    @validates_schema(skip_on_field_errors=True)
    def _is_one(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if len(data) != 1:
            raise ValidationError("needs either import or action")

    @post_load
    def _unwrap(self, data: Mapping[str, Any], **kwargs: Any) -> Step:
        (step,) = data.values()
        made: Step = step
        return made

    @pre_dump
    def _wrap(self, step: Step, **kwargs: Any) -> dict[str, Step]:
        return {"import_" if isinstance(step, Import) else "action": step}


class ScheduleSchema(Described):
    """When a flow runs by itself."""

    kind = Schedule

    cron = fields.String(required=True, validate=lambda text: _judged(parse_cron, text))
    timezone = fields.String(validate=lambda text: _judged(check_timezone, text))
    missed = fields.String(validate=validate.OneOf(MISSED, error="is neither once nor skip"))


class FlowSchema(Described):
    """A flow."""

    kind = Flow

    name = fields.String(required=True, validate=NAME)
    exports = fields.List(fields.Nested(ExportSchema), required=True, validate=validate.Length(equal=1, error=_ONE))
    steps = fields.List(
        fields.Nested(StepSchema), required=True, validate=validate.Length(min=1, max=MOST_STEPS, error=_SOME)
    )
    schedule = fields.Nested(ScheduleSchema)

    @validates_schema(skip_on_field_errors=True)
    def _order(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        """Actions come first, each with a field of its own; what comes after them takes from these fields."""
        steps: Sequence[Step] = data["steps"]
        seen: set[str] = set()
        for position, step in enumerate(steps):
            if isinstance(step, ActionStep):
                if step.field in seen:
                    raise ValidationError({"steps": {position: {"action": {"into": [f"is {step.field}, which holds what "
                                          "an earlier step gives: name another field"]}}}})  # fmt: skip
                seen.add(step.field)
            elif position < len(steps) - 1:
                raise ValidationError(
                    {"steps": {position: {"import": ["is not the last step: actions come before it"]}}}
                )
            elif position and not step.mapping:
                raise ValidationError(
                    {"steps": {position: {"import": ["needs mapping: its rules name what is taken from the actions"]}}}
                )


def _refuse_repeated(rules: Sequence[MappingRule], where: str) -> None:
    seen: set[str] = set()
    for position, rule in enumerate(rules):
        if rule.to in seen:
            raise ValidationError({where: {position: {"to": ["has a rule already"]}}})
        seen.add(rule.to)


def _check_expression(text: str) -> None:
    from flows.mapping import check_expression

    _reported(check_expression, text)


def _check_template(text: str) -> None:
    from flows.mapping import check_template

    _reported(check_template, text)


def _reported(check: Callable[[str], None], text: str) -> None:
    try:
        check(text)
    except FlowDefinitionError as error:
        raise ValidationError(f"cannot be used: {error}") from error


def _judged(check: Callable[[str], object], text: str) -> None:
    try:
        check(text)
    except FlowDefinitionError as error:
        raise ValidationError(str(error)) from error
