"""How flows are written in documents, in the database, and later in forms and the API."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from marshmallow import Schema, ValidationError, fields, post_load, pre_dump, validate, validates_schema

from flows.errors import FlowDefinitionError
from flows.model import Export, Flow, Import, MappingRule, Schedule
from iclients.schemas import FILLED, NAME, Described, Flag

OPERATIONS: Final = ("add", "update", "upsert", "delete")
_WEEKDAYS: Final = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_CRON: Final[tuple[tuple[str, int, int, Mapping[str, int]], ...]] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _WEEKDAYS),
)
_CRON_PART: Final = re.compile(r"(?:\*|(?P<first>[0-9a-z]+)(?:-(?P<last>[0-9a-z]+))?)(?:/(?P<step>[0-9]+))?")
_ONE: Final = "has more or fewer than one entry: in this version a flow moves from one export into one import"


def check_cron(text: str) -> None:
    """Raise ValidationError unless these are five fields that cron understands, every number in its range."""
    parts = text.lower().split()
    if len(parts) != len(_CRON):
        raise ValidationError("is not five fields: minute, hour, day of month, month, day of week")
    for part, (name, least, most, names) in zip(parts, _CRON, strict=True):
        if not all(_is_cron_part(piece, least, most, names) for piece in part.split(",")):
            raise ValidationError(f"has {part} as its {name}, which cron does not understand")


def check_timezone(text: str) -> None:
    """Raise ValidationError unless this is a time zone's name."""
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValidationError("is not a time zone such as Europe/Berlin or UTC") from None


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

    cron = fields.String(required=True, validate=check_cron)
    timezone = fields.String(validate=check_timezone)


class FlowSchema(Described):
    """A flow."""

    kind = Flow

    name = fields.String(required=True, validate=NAME)
    exports = fields.List(fields.Nested(ExportSchema), required=True, validate=validate.Length(equal=1, error=_ONE))
    steps = fields.List(fields.Nested(StepSchema), required=True, validate=validate.Length(equal=1, error=_ONE))
    schedule = fields.Nested(ScheduleSchema)


def _is_cron_part(piece: str, least: int, most: int, names: Mapping[str, int]) -> bool:
    match = _CRON_PART.fullmatch(piece)
    if match is None or match["step"] == "0":
        return False
    first = _number(match["first"], names, least)
    last = _number(match["last"], names, first)
    if match["last"] in ("0", "sun") and most == 7:
        last = 7
    return least <= first <= last <= most


def _number(text: str | None, names: Mapping[str, int], otherwise: int) -> int:
    if text is None:
        return otherwise
    return names.get(text, int(text) if text.isdigit() else -1)


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
