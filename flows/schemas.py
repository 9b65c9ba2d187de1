"""How flows are written in documents, in the database, and later in forms and the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, post_load, pre_dump, validate, validates_schema

from flows.errors import FlowDefinitionError
from flows.model import Export, Flow, Import, MappingRule, Schedule
from flows.schedule import MISSED, check_timezone, parse_cron
from iclients.schemas import FILLED, NAME, Described, Flag

OPERATIONS: Final = ("add", "update", "upsert", "delete")
_ONE: Final = "has more or fewer than one entry: in this version a flow moves from one export into one import"


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
    """One rule: exactly one of `from` and `template`."""

    kind = MappingRule

    to = fields.String(required=True, validate=FILLED)
    from_ = fields.String(data_key="from", validate=lambda text: _check_expression(text))
    template = fields.String(validate=lambda text: _check_template(text))

    @validates_schema(skip_on_field_errors=True)
    def _one_origin(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if ("from_" in data) == ("template" in data):
            raise ValidationError("needs either from or template")


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
        seen: set[str] = set()
        for position, rule in enumerate(data.get("mapping", ())):
            if rule.to in seen:
                raise ValidationError({"mapping": {position: {"to": ["has a rule already"]}}})
            seen.add(rule.to)


class StepSchema(Schema):
    """One step, under the name of what it is: `import`."""

    import_ = fields.Nested(ImportSchema, data_key="import", required=True)

    @post_load
    def _unwrap(self, data: Mapping[str, Any], **kwargs: Any) -> Import:
        step: Import = data["import_"]
        return step

    @pre_dump
    def _wrap(self, step: Import, **kwargs: Any) -> dict[str, Import]:
        return {"import_": step}


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
    steps = fields.List(fields.Nested(StepSchema), required=True, validate=validate.Length(equal=1, error=_ONE))
    schedule = fields.Nested(ScheduleSchema)


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
