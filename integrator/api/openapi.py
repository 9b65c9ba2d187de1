"""The API as OpenAPI, made from the definitions of actions: help and clients are generated from it.

An action stands there once, for all connections that have it, so the document grows with connectors and not with
connections. Source: OpenAPI Specification 3.1; JSON Schema 2020-12.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

from connectors import registry
from connectors.actions import Action, Output, Parameter
from connectors.errors import SettingsError
from connectors.model import Connection
from integrator.api.answers import JSON

VERSION: Final = "1"
_TIME: Final = {"type": "string", "format": "date-time"}
_BASE64: Final = {"type": "string", "contentEncoding": "base64url"}
_LIST: Final = {"type": "array", "items": {"type": "string"}}
_TAKEN: Final[Mapping[str, Mapping[str, Any]]] = {
    "text": {"type": "string"},
    "secret": {"type": "string", "format": "password"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "time": {"anyOf": [_TIME, {"type": "integer"}]},
    "list": _LIST,
    "base64": _BASE64,
    "json": {},
}
_GIVEN: Final[Mapping[str, Mapping[str, Any]]] = {**_TAKEN, "time": _TIME, "list": {"type": "array"}}
_ERROR: Final = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "recovery"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "recovery": {"enum": ["retry", "reauthorize", "skip", "abort"]},
                "parameter": {"type": "string"},
            },
        }
    },
}
_DEFINITION: Final = {
    "type": "object",
    "required": ["id", "title", "parameters", "outputs"],
    "properties": {"id": {"type": "string"}, "title": {"type": "string"}, "parameters": _LIST | {"items": {}}}
    | {"outputs": _LIST | {"items": {}}},
}
_FAILED: Final = {"default": {"$ref": "#/components/responses/Error"}}

May = Callable[[str, Action], bool]
"""Whether the caller may carry out this action on the connection of this name."""


def openapi_of(connections: Iterable[Connection], may: May, server: str) -> dict[str, Any]:
    """The document; `server` is what stands before every path. Connections whose connector is not installed are left out."""
    names: list[str] = []
    groups: dict[tuple[str, str], list[Connection]] = {}
    for one in connections:
        names.append(one.name)
        groups.setdefault((one.connector, str(one.api_type or "")), []).append(one)
    paths = _looking(names)
    for kind, same in groups.items():
        for action in _actions_of(same[0]):
            allowed = [one.name for one in same if may(one.name, action)]
            _add(paths, "_".join(part for part in kind if part), action, allowed)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Integrator", "version": VERSION, "summary": "Actions on connections, one call at a time."},
        "servers": [{"url": server}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": _ERROR, "Definition": _DEFINITION},
            "responses": {"Error": _answered("It was not done.", {"$ref": "#/components/schemas/Error"})},
        },
    }


def _actions_of(connection: Connection) -> Iterable[Action]:
    try:
        return registry.connector(connection.connector).actions(connection.api_type)
    except SettingsError:
        return ()


def _looking(names: list[str]) -> dict[str, Any]:
    definition, several = {"$ref": "#/components/schemas/Definition"}, "/connections/{name}/actions"
    whose, which = _in_path("name", names), _in_path("action")
    listed = {"operationId": "list_definitions", "summary": "What can be done on this connection."}
    shown = {"operationId": "get_definition", "summary": "What one action takes, gives and needs."}
    told = _answered("The definitions.", {"type": "array", "items": definition})
    return {
        several: {"get": {**listed, "parameters": [whose], "responses": {"200": told, **_FAILED}}},
        f"{several}/{{action}}": {
            "get": {
                **shown,
                "parameters": [whose, which],
                "responses": {"200": _answered("The definition.", definition), **_FAILED},
            }
        },
    }


def _add(paths: dict[str, Any], kind: str, action: Action, names: list[str]) -> None:
    """One path for all connections of a kind; where another kind has an action of this id, one for each connection."""
    path = f"/connections/{{name}}/actions/{action.id}"
    if names and path not in paths:
        paths[path] = {"post": _operation(action, action.id) | {"parameters": [_in_path("name", names)]}}
        return
    for number, name in enumerate(names, 1):
        own = _operation(action, f"{action.id}_{kind}_{number}")
        paths[f"/connections/{quote(name, safe='')}/actions/{action.id}"] = {"post": own}


def _operation(action: Action, operation_id: str) -> dict[str, Any]:
    summary = f"{action.summary} It changes something." if action.changes else action.summary
    return {
        "operationId": operation_id,
        "summary": action.title,
        "description": summary,
        **({"tags": [action.group]} if action.group else {}),
        "requestBody": {"required": True, "content": {JSON: {"schema": _inputs(action)}}},
        "responses": {"200": _answered("It was done.", _outputs(action)), **_FAILED},
    }


def _inputs(action: Action) -> dict[str, Any]:
    required = [one.name for one in action.parameters if one.required]
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {one.name: _parameter(one) for one in action.parameters},
        **({"required": required} if required else {}),
    }


def _parameter(one: Parameter) -> dict[str, Any]:
    made: dict[str, Any] = {"title": one.title, "description": one.help, **_TAKEN[one.kind]}
    if one.is_secret:
        made["writeOnly"] = True
    if one.choices:
        made["enum"] = list(one.choices)
    if one.default is not None:
        made["default"] = one.default
    if one.pattern and "(?" not in one.pattern:  # those with signs of Python's own are told in words alone
        made["pattern"] = f"^(?:{one.pattern})$"
    return made


def _outputs(action: Action) -> dict[str, Any]:
    properties = {one.name: _output(one) for one in action.outputs}
    outputs = {"type": "object", "properties": properties}
    return {"type": "object", "required": ["outputs"], "properties": {"outputs": outputs}}


def _output(one: Output) -> dict[str, Any]:
    schema: dict[str, Any] = {"title": one.title, **_GIVEN[one.kind]}
    if "type" in schema:
        schema["type"] = [schema["type"], "null"]
    if one.columns:
        schema["items"] = {"type": "object", "properties": {column.name: _output(column) for column in one.columns}}
    return schema | ({"x-secret": True} if one.is_secret else {})


def _in_path(name: str, values: list[str] | None = None) -> dict[str, Any]:
    schema = {"type": "string", **({"enum": values} if values else {})}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _answered(description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": schema}}}
