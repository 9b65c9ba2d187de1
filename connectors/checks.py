"""Checks on their way: those that a ping made before it failed travel with its error, so that nobody asks twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from connectors.model import Check
from iclients.errors import RemoteError

E = TypeVar("E", bound=RemoteError)


def with_checks(error: E, checks: Sequence[Check]) -> E:
    """The same error, which remembers what was looked at until then, its own check last."""
    error.__dict__["checks"] = tuple(checks)
    return error


def checks_of(error: BaseException) -> tuple[Check, ...]:
    """What was looked at before this error; nothing where nobody wrote it down."""
    found = error.__dict__.get("checks", ())
    return tuple(one for one in found if isinstance(one, Check))
