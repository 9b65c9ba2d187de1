"""Providers by name: plug-ins of the entry point group `integrator.iclients`, and the presets of this package."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import Final

from iclients.errors import NotAuthorized
from iclients.preset import preset, preset_names
from iclients.provider import Provider

GROUP: Final = "integrator.iclients"


def names() -> list[str]:
    """The names of all providers that are installed: a plug-in wins over a preset of its name."""
    return sorted({entry.name for entry in entry_points(group=GROUP)} | set(preset_names()))


@cache
def provider(name: str) -> Provider:
    """The provider of this name. Raises NotAuthorized, naming those that there are, when it is not installed."""
    for entry in entry_points(group=GROUP, name=name):
        kind: type[Provider] = entry.load()
        return kind()
    if name in preset_names():
        from iclients.providers.generic import described  # presets are made of it, plug-ins need not be

        return described(preset(name))()
    raise NotAuthorized(f"There is no provider {name}; installed are: {', '.join(names())}.", code="unknown_provider")
