"""Access policies, changed one by one: added to, replaced, taken from (Azure reference sheet, section 8.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Policy = dict[str, Any]


def changed(kind: str, before: Sequence[Policy], told: Sequence[Policy]) -> list[Policy]:
    """The list after `add`, `replace` or `remove`. An entry that has no permission left is gone."""
    found = {_whose(one): one for one in before}
    for one in told:
        whose = _whose(one)
        kept = found.get(whose)
        if kind == "replace" or (kind == "add" and kept is None):
            found[whose] = one
        elif kept is not None:
            found[whose] = {**kept, "permissions": _permissions(kind, kept["permissions"], one["permissions"])}
    return [one for one in found.values() if any(one["permissions"].values())]


def _whose(one: Policy) -> tuple[str, str, str]:
    return one["tenantId"].lower(), one["objectId"].lower(), (one.get("applicationId") or "").lower()


def _permissions(kind: str, kept: dict[str, list[str]], told: dict[str, list[str]]) -> dict[str, list[str]]:
    if kind == "add":
        names = list(dict.fromkeys([*kept, *told]))
        return {name: _without_doubles([*(kept.get(name) or []), *(told.get(name) or [])]) for name in names}
    taken = {name: {word.lower() for word in words} for name, words in told.items()}
    return {name: [word for word in words if word.lower() not in taken.get(name, ())] for name, words in kept.items()}


def _without_doubles(words: list[str]) -> list[str]:
    return list({word.lower(): word for word in reversed(words)}.values())[::-1]
