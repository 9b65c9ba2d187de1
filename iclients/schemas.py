"""What a token endpoint may answer (RFC 6749 §5.1, §5.2), judged before anything of it is used."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate, validates_schema

_PRINTABLE = validate.Regexp(r"^[\x21-\x7e]+$", error="has characters that a header cannot carry")


class _Seconds(fields.Field[float]):
    """`expires_in` as servers send it: integer, float, numeric text, null."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        try:
            return float(value)
        except (TypeError, ValueError) as error:
            raise ValidationError("is not a number of seconds") from error


class TokenAnswer(Schema):
    """A token response that we accept: a printable bearer token, and what comes with it."""

    class Meta:
        unknown = EXCLUDE

    access_token = fields.String(required=True, validate=_PRINTABLE)
    token_type = fields.String(required=True)
    expires_in = _Seconds(allow_none=True, load_default=None)
    scope = fields.String(allow_none=True, load_default=None)
    refresh_token = fields.String(allow_none=True, load_default=None)

    @validates_schema
    def _bearer_only(self, data: dict[str, Any], **kwargs: Any) -> None:
        if data["token_type"].lower() != "bearer":
            raise ValidationError("is not Bearer", "token_type")


class ErrorAnswer(Schema):
    """An error response: `error` and what the server says about it."""

    class Meta:
        unknown = EXCLUDE

    error = fields.String(required=True)
    error_description = fields.String(load_default="")
    error_codes = fields.List(fields.Integer(), load_default=list)
    suberror = fields.String(load_default="")
    correlation_id = fields.String(load_default="")
