"""Rotation policies of keys: what a vault takes as one, and when a rotated key expires (Azure reference sheet, 4.8)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from connectors.azure_key_vault.sandbox.bodies import invalid

FEWEST_EXPIRY_DAYS: Final = 28
FEWEST_TRIGGER_DAYS: Final = 7
_DURATION: Final = re.compile(r"P(?:(\d{1,3})Y)?(?:(\d{1,4})M)?(?:(\d{1,5})D)?")
_ACTIONS: Final = {"rotate": "Rotate", "notify": "Notify"}
_TRIGGERS: Final = ("timeAfterCreate", "timeBeforeExpiry")
_DAYS_A_YEAR: Final = 365
_DAYS_A_MONTH: Final = 30


def policy(body: dict[str, Any]) -> dict[str, Any]:
    """The policy of a request; 400 for one that makes no sense."""
    attributes = body.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise invalid("attributes")
    expiry = attributes.get("expiryTime")
    if expiry is not None and _days(expiry, "expiryTime") < FEWEST_EXPIRY_DAYS:
        raise invalid("expiryTime")
    actions = [_action(one) for one in _list(body.get("lifetimeActions"))]
    kinds = [one["action"]["type"] for one in actions]
    if len(set(kinds)) != len(kinds):
        raise invalid("lifetimeActions")
    if expiry is None and any(
        "timeBeforeExpiry" in one["trigger"] and one["action"]["type"] == "Rotate" for one in actions
    ):
        raise invalid("timeBeforeExpiry")
    return {"lifetimeActions": actions, "attributes": {"expiryTime": expiry} if expiry is not None else {}}


def expires(told: dict[str, Any], now: int) -> int | None:
    """When a version that is made now expires by this policy, in Unix seconds."""
    expiry = told.get("attributes", {}).get("expiryTime")
    if expiry is None:
        return None
    years, months, days = _parts(expiry, "expiryTime")
    at = datetime.fromtimestamp(now, UTC)
    month = at.month - 1 + months
    moved = at.replace(year=at.year + years + month // 12, month=month % 12 + 1, day=min(at.day, 28))
    return int(moved.timestamp()) + (days + at.day - min(at.day, 28)) * 86_400


def _action(told: Any) -> dict[str, Any]:
    trigger, action = (told.get("trigger"), told.get("action")) if isinstance(told, dict) else (None, None)
    if not isinstance(trigger, dict) or not isinstance(action, dict):
        raise invalid("lifetimeActions")
    kind = _ACTIONS.get(str(action.get("type", "")).lower())
    given = {name: value for name, value in trigger.items() if name in _TRIGGERS and value is not None}
    if kind is None or len(given) != 1:
        raise invalid("lifetimeActions")
    ((name, value),) = given.items()
    if _days(value, name) < FEWEST_TRIGGER_DAYS:
        raise invalid(name)
    return {"trigger": given, "action": {"type": kind}}


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise invalid("lifetimeActions")
    return value


def _days(value: Any, name: str) -> int:
    years, months, days = _parts(value, name)
    return years * _DAYS_A_YEAR + months * _DAYS_A_MONTH + days


def _parts(value: Any, name: str) -> tuple[int, int, int]:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None or not any(match.groups()):
        raise invalid(name)
    years, months, days = (int(part or 0) for part in match.groups())
    return years, months, days
