"""Providers by name: plug-ins of the entry point group `integrator.iclients`, and the presets of this package.

What is installed is looked up once a process: asking for it reads every installed package.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from iclients.errors import NotAuthorized
from iclients.preset import preset, preset_names
from iclients.provider import Provider

GROUP: Final = "integrator.iclients"


def names() -> list[str]:
    """The names of all providers that are installed: a plug-in wins over a preset of its name."""
    return sorted({*_installed(), *preset_names()})


@cache
def provider(name: str) -> Provider:
    """The provider of this name. Raises NotAuthorized, naming those that there are, when it is not installed."""
    if name in _installed():
        kind: type[Provider] = _installed()[name].load()
        return kind()
    if name in preset_names():
        from iclients.providers.generic import described  # presets are made of it, plug-ins need not be

        return described(preset(name))()
    raise NotAuthorized(f"There is no provider {name}; installed are: {', '.join(names())}.", code="unknown_provider")


@cache
def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in reversed([*entry_points(group=GROUP)])}  # the first of a name wins
