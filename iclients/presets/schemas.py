"""How a preset's file is written, and what may stand in it: what is not here is an error, so that no fact gets lost."""

from __future__ import annotations

import re
import tomllib
from typing import Final

from marshmallow import Schema, ValidationError, fields, validate

from iclients.addresses import is_address
from iclients.endpoints import NAMES
from iclients.parameters import refused_in
from iclients.preset import Preset, PresetSetting, RefreshFacts
from iclients.traits import ANSWER_FIELDS, CLIENT_AUTHENTICATIONS, FOREVER_SECONDS, PKCE_METHODS, Traits

GRANTS: Final = ("authorization_code", "client_credentials", "device_code")

_TEXT: Final = validate.Length(1, 500)


def loaded(name: str, text: str) -> Preset:
    """The preset in this file. Raises ValueError with everything that is wrong in it."""
    try:
        data = _SCHEMA.load(tomllib.loads(text))
    except ValidationError as error:
        raise ValueError(f"Preset {name} is wrong: {error.messages}") from error
    client, refresh = data.get("client", {}), data.get("refresh", {})
    made = Preset(
        name=name,
        title=data["title"],
        documentation=data["documentation"],
        note=data.get("note", ""),
        grants=tuple(data.get("grants", GRANTS[:1])),
        settings=tuple(PresetSetting(key, **setting) for key, setting in data.get("settings", {}).items()),
        endpoints=data["endpoints"],
        traits=Traits(
            client_authentication=client.get("authentication", "post"),
            pkce=client.get("pkce", "S256"),
            scope_delimiter=client.get("scope_delimiter", " "),
            authorization_parameters=data.get("authorization", {}),
            token_parameters=data.get("token", {}),
            answer_paths=data.get("answer", {}),
            offline_scope=refresh.get("scope", ""),
            token_types=tuple(client.get("token_types", ("bearer",))),
            lifetime_seconds=FOREVER_SECONDS if refresh.get("issued") == "never" else Traits().lifetime_seconds,
        ),
        refresh=RefreshFacts(**refresh),
        scopes=data.get("scopes", {}),
    )
    if unmet := made.holes() - {setting.name for setting in made.settings}:
        raise ValueError(f"Preset {name} has holes without settings: {', '.join(sorted(unmet))}")
    return made


def _is_https(address: str) -> None:
    if not is_address(re.sub(r"\{[a-z_]+\}", "x", address)):
        raise ValidationError("is not an https address")


def _are_not_ours(parameters: dict[str, str]) -> None:
    if refused := refused_in(parameters):
        raise ValidationError(f"has {refused[0]}, which the request has itself")


def _is_expression(text: str) -> None:
    try:
        re.compile(text)
    except re.error as error:
        raise ValidationError(f"is not a regular expression: {error}") from error


class _PresetSettingSchema(Schema):
    title = fields.String(required=True, validate=_TEXT)
    example = fields.String(required=True, validate=_TEXT)
    pattern = fields.String(required=True, validate=_is_expression)
    default = fields.String()


class _ClientSchema(Schema):
    authentication = fields.String(validate=validate.OneOf(CLIENT_AUTHENTICATIONS))
    pkce = fields.String(validate=validate.OneOf(PKCE_METHODS))
    scope_delimiter = fields.String(validate=validate.OneOf((" ", ",", "+", ";")))
    token_types = fields.List(fields.String(validate=validate.Regexp(r"[a-z_]*\Z")), validate=validate.Length(1))


class _RefreshSchema(Schema):
    issued = fields.String(validate=validate.OneOf(("always", "scope", "parameter", "never")))
    scope = fields.String(validate=_TEXT)
    rotates = fields.Boolean()
    lifetime_days = fields.Integer(validate=validate.Range(1, 3650))


class _PresetSchema(Schema):
    title = fields.String(required=True, validate=_TEXT)
    documentation = fields.String(required=True, validate=_is_https)
    note = fields.String(validate=_TEXT)
    grants = fields.List(fields.String(validate=validate.OneOf(GRANTS)), validate=validate.Length(1))
    settings = fields.Dict(keys=fields.String(), values=fields.Nested(_PresetSettingSchema))
    endpoints = fields.Dict(
        keys=fields.String(validate=validate.OneOf(NAMES)), values=fields.String(validate=_is_https), required=True
    )
    client = fields.Nested(_ClientSchema)
    authorization = fields.Dict(keys=fields.String(), values=fields.String(), validate=_are_not_ours)
    token = fields.Dict(keys=fields.String(), values=fields.String(), validate=_are_not_ours)
    answer = fields.Dict(keys=fields.String(validate=validate.OneOf(ANSWER_FIELDS)), values=fields.String())
    refresh = fields.Nested(_RefreshSchema)
    scopes = fields.Dict(keys=fields.String(), values=fields.String(validate=_TEXT))


_SCHEMA: Final = _PresetSchema()
