"""Connectors by name, found through the entry point group `integrator.connectors`; built-ins use the same way in.

What is installed is looked up once a process: asking for it reads every installed package.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from connectors.connector import Connector
from connectors.descriptor import Descriptor
from connectors.errors import SettingsError

GROUP: Final = "integrator.connectors"


def names() -> list[str]:
    """The names of all connectors that are installed."""
    return sorted(_installed())


@cache
def connector(name: str) -> type[Connector]:
    """The connector of this name. Raises SettingsError, naming those that there are, when it is not installed."""
    entry = _installed().get(name)
    if entry is None:
        raise SettingsError(f"There is no connector {name}; installed are: {', '.join(names())}.")
    kind: type[Connector] = entry.load()
    return kind


def descriptor_of(name: str) -> Descriptor | None:
    """What the connector of this name says of itself; None where it is not installed."""
    try:
        return connector(name).descriptor
    except SettingsError:
        return None


@cache
def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in reversed([*entry_points(group=GROUP)])}  # the first of a name wins
