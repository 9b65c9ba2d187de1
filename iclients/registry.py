"""Providers by name, found through the entry point group `integrator.iclients`."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import Final

from iclients.errors import NotAuthorized
from iclients.provider import Provider

GROUP: Final = "integrator.iclients"


def names() -> list[str]:
    """The names of all providers that are installed."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


@cache
def provider(name: str) -> Provider:
    """The provider of this name. Raises NotAuthorized, naming those that there are, when it is not installed."""
    for entry in entry_points(group=GROUP, name=name):
        kind: type[Provider] = entry.load()
        return kind()
    raise NotAuthorized(f"There is no provider {name}; installed are: {', '.join(names())}.", code="unknown_provider")
