"""Actions as documents: what one takes, gives and needs, as JSON. The command line and the HTTP API tell them alike."""

from __future__ import annotations

from typing import Any

from connectors.actions import Action, Output, Parameter, Permission


def document(action: Action) -> dict[str, Any]:
    """The definition of this action."""
    return {
        "id": action.id,
        "title": action.title,
        "summary": action.summary,
        "changes": action.changes,
        "destructive": action.destructive,
        "group": action.group,
        "parameters": [_parameter(one) for one in action.parameters],
        "outputs": [_output(one) for one in action.outputs],
        "permissions": [_permission(one) for one in action.permissions],
    }


def _parameter(one: Parameter) -> dict[str, Any]:
    return {
        "name": one.name,
        "title": one.title,
        "help": one.help,
        "kind": one.kind,
        "required": one.required,
        "default": one.default,
        "choices": list(one.choices),
        "secret": one.is_secret,
    }


def _output(one: Output) -> dict[str, Any]:
    return {
        "name": one.name,
        "title": one.title,
        "kind": one.kind,
        "secret": one.is_secret,
        "fields": list(one.fields),
    }


def _permission(one: Permission) -> dict[str, Any]:
    return {
        "access_policy": one.word if one.data_action else None,
        "data_action": one.data_action or None,
        "action": None if one.data_action else one.action,
        "role": one.role,
    }
