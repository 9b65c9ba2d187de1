"""How connections are written in documents. What a setting may be is the connector's to say: its descriptor."""

from __future__ import annotations

from marshmallow import fields, validate

from connectors.model import ApiType, Connection, Limits
from iclients.schemas import FILLED, NAME, Described


class LimitsSchema(Described):
    """What a connection may use."""

    kind = Limits

    calls = fields.Integer(strict=True, validate=validate.Range(min=1, error="is not a number of calls above 0"))
    period_seconds = fields.Float(validate=validate.Range(0.001, 86_400, error="is not between 0.001 and 86400"))
    concurrency = fields.Integer(strict=True, validate=validate.Range(1, 256, error="is not between 1 and 256"))


class ConnectionSchema(Described):
    """A connection."""

    kind = Connection

    name = fields.String(required=True, validate=NAME)
    connector = fields.String(required=True, validate=FILLED)
    api_type = fields.Enum(ApiType, by_value=True, error_messages={"unknown": "is not one of: {choices}"})
    auth = fields.String(validate=FILLED)
    iclient = fields.String(validate=NAME)
    scopes = fields.List(fields.String(validate=FILLED))
    settings = fields.Dict(keys=fields.String(), values=fields.Raw(allow_none=True))
    limits = fields.Nested(LimitsSchema)
    owner = fields.String(validate=FILLED)
