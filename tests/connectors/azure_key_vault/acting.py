"""Actions on a vault of the sandbox, with what is secret revealed, so that tests can look at it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vault_lab import Lab

from iclients.secret import revealed

Act = Callable[..., dict[str, Any]]


def acting(lab: Lab, name: str = "contoso") -> Act:
    """Carries out an action on one vault."""
    connector = lab.connect(name)

    def act(action_id: str, **inputs: Any) -> dict[str, Any]:
        return {key: revealed(value) for key, value in connector.act(action_id, inputs).items()}

    return act


def rbac_words(noun: str, verb: str, role: str) -> str:
    """What an error must say of a missing role."""
    return f"may not {verb} {noun} in .*: give it the role {role} "
