"""The settings of the sandbox's Entra: lifetimes, delays, how refresh tokens rotate, who may consent."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

SECONDS_PER_DAY = 86_400
ROTATIONS = ("entra", "reuse_revokes")
APP_TOKEN_SECONDS = 3599
CONTINUOUS_TOKEN_SECONDS = 86_399


@dataclass(slots=True)
class Policy:
    """What holds for all tenants.

    `access_token_seconds` None gives Entra's lifetimes: 3599, and 86399 to clients that take claims challenges
    and to managed identities. `refresh_rotation` "entra" leaves old refresh tokens valid; "reuse_revokes" makes
    each single use, and reuse ends the whole grant, as other servers do. `strict_resources` refuses the slash that
    `https://vault.azure.net/` has too many.
    """

    access_token_seconds: int | None = None
    refresh_inactive_seconds: float = 90 * SECONDS_PER_DAY
    refresh_rotation: str = "entra"
    code_seconds: float = 600
    device_code_seconds: int = 900
    device_interval_seconds: int = 5
    token_delay_seconds: float = 0.0
    user_consent: bool = True
    strict_resources: bool = False

    def change(self, settings: dict[str, Any]) -> None:
        """Sets what is named; ValueError for a value that makes no sense, and then nothing is changed."""
        changed = {name: _checked(name, value) for name, value in settings.items()}
        for name, value in changed.items():
            setattr(self, name, value)

    def lifetime_seconds(self, *, long: bool) -> int:
        """How long a new access token lives."""
        if self.access_token_seconds is not None:
            return self.access_token_seconds
        return CONTINUOUS_TOKEN_SECONDS if long else APP_TOKEN_SECONDS


SETTINGS = frozenset(field.name for field in fields(Policy))


def _checked(name: str, value: Any) -> Any:
    if name not in SETTINGS:
        raise ValueError(f"no such setting: {name}")
    if name == "refresh_rotation":
        if value not in ROTATIONS:
            raise ValueError(f"refresh_rotation is one of {', '.join(ROTATIONS)}")
        return value
    if name in ("user_consent", "strict_resources"):
        return bool(value)
    if name == "access_token_seconds" and value is None:
        return None
    number = float(value) if name in ("refresh_inactive_seconds", "code_seconds", "token_delay_seconds") else int(value)
    if not 0 <= number <= 100 * 365 * SECONDS_PER_DAY:
        raise ValueError(f"{name} must not be negative or endless")
    return number
