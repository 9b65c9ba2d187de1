"""How connections are written in documents, and actions in their files (`actions/*.toml` beside a descriptor).

What a setting may be is the connector's to say: its descriptor.
"""

from __future__ import annotations

import tomllib
from collections import ChainMap
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate

from connectors.actions import ITEMS, KINDS, TAKING_AWAY, Action, ActionCall, Output, Parameter, Permission
from connectors.descriptor import is_pattern
from connectors.errors import SettingsError
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


@cache
def load_actions(package: str) -> tuple[Action, ...]:
    """The actions of a connector's package, none where it has no folder `actions`. Raises SettingsError."""
    try:
        folder = files(package).joinpath("actions")
        found = [file for file in folder.iterdir() if file.name.endswith(".toml")] if folder.is_dir() else []
        read = [
            (file.name, tomllib.loads(file.read_text("utf-8"))) for file in sorted(found, key=lambda file: file.name)
        ]
        return _actions([{"group": _group(name), **_ActionsSchema().load(document)} for name, document in read])
    except ValidationError as error:
        raise SettingsError(f"The actions of {package} are wrong: {error.messages}") from error
    except (OSError, ValueError) as error:
        raise SettingsError(f"The actions of {package} cannot be read: {error}") from error


def _actions(loaded: Sequence[Mapping[str, Any]]) -> tuple[Action, ...]:
    """What actions take, give and need stands once in the files, by name; `?` makes a parameter optional."""
    words = {kind: ChainMap(*(file[kind] for file in loaded)) for kind in ("parameters", "outputs", "permissions")}
    try:
        return tuple(_action(words, {"group": file["group"], **told}) for file in loaded for told in file["actions"])
    except KeyError as error:
        raise ValueError(f"{error.args[0]} is named by an action and defined nowhere") from None


def _action(words: Mapping[str, Mapping[str, Any]], told: Mapping[str, Any]) -> Action:
    plain = {key: told[key] for key in ("id", "title", "summary", "api_type", "changes", "guarded", "group")}
    return Action(
        **plain,
        destructive=told.get("destructive", told["changes"] and told["id"].partition("_")[0] in TAKING_AWAY),
        repeatable=told.get("repeatable", not told["changes"]),
        parameters=tuple(_taken(words["parameters"], name) for name in told["takes"]),
        outputs=tuple(_given(words["outputs"], name, told["items"]) for name in told["gives"]),
        permissions=tuple(Permission(word, **words["permissions"][word]) for word in told["permissions"]),
        calls=tuple(_called(call, told) for call in told["calls"]),
    )


def _called(call: str, told: Mapping[str, Any]) -> ActionCall:
    """`KIND`, or `KIND unless PARAMETER`, which the action takes."""
    kind, _, unless = call.partition(" unless ")
    if unless and unless not in {name.removesuffix("?") for name in told["takes"]}:
        raise ValueError(f"action {told['id']} calls {call}, and takes no {unless}")
    return ActionCall(kind, unless)


def _taken(parameters: Mapping[str, Any], name: str) -> Parameter:
    word = name.removesuffix("?")
    told = {"name": word, **parameters[word], "required": word == name}
    told["is_secret"] = told.get("is_secret", False) or told.get("kind") == "secret"
    return Parameter(**told)


def _given(outputs: Mapping[str, Any], name: str, items: Sequence[str]) -> Output:
    fields_ = tuple(items) if name == ITEMS else ()
    columns = tuple(Output(**{"name": one, "title": one, **outputs.get(one, {})}) for one in fields_)
    return Output(**{"name": name, **outputs[name]}, fields=fields_, columns=columns)


def _group(file: str) -> str:
    """What the actions of a file act on, where it does not say: `role_assignments.toml` is of role assignments."""
    words = file.removesuffix(".toml").replace("_", " ")
    return words[:1].upper() + words[1:]


class _ParameterSchema(Schema):
    name = fields.String()
    title = fields.String(required=True)
    help = fields.String(required=True)
    kind = fields.String(validate=validate.OneOf(KINDS))
    default = fields.Raw()
    choices = fields.List(fields.String())
    pattern = fields.String(validate=is_pattern)
    is_secret = fields.Boolean(data_key="secret")
    identifies = fields.Boolean()

    @post_load
    def _make(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {**data, "choices": tuple(data.get("choices", ()))}


class _OutputSchema(Schema):
    name = fields.String()
    title = fields.String(required=True)
    kind = fields.String(validate=validate.OneOf(KINDS))
    is_secret = fields.Boolean(data_key="secret")
    file = fields.String()


class _PermissionSchema(Schema):
    data_action = fields.String(load_default="")
    role = fields.String(required=True)


class _ActionSchema(Schema):
    id = fields.String(required=True, validate=validate.Regexp(r"^[a-z][a-z0-9_]*$"))
    title = fields.String(required=True)
    summary = fields.String(required=True)
    api_type = fields.Enum(ApiType, by_value=True, load_default=None)
    takes = fields.List(fields.String(), load_default=list)
    gives = fields.List(fields.String(), load_default=list)
    items = fields.List(fields.String(), load_default=list)
    permissions = fields.List(fields.String(), load_default=list)
    calls = fields.List(fields.String(), load_default=list)
    changes = fields.Boolean(load_default=False)
    destructive = fields.Boolean()
    repeatable = fields.Boolean()
    guarded = fields.Boolean(load_default=False)
    group = fields.String()


class _ActionsSchema(Schema):
    group = fields.String()
    parameters = fields.Dict(keys=fields.String(), values=fields.Nested(_ParameterSchema), load_default=dict)
    outputs = fields.Dict(keys=fields.String(), values=fields.Nested(_OutputSchema), load_default=dict)
    permissions = fields.Dict(keys=fields.String(), values=fields.Nested(_PermissionSchema), load_default=dict)
    actions = fields.List(fields.Nested(_ActionSchema), load_default=list)
