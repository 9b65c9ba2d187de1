"""Connectors by name, found through the entry point group `integrator.connectors`; built-ins use the same way in."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import Final

from connectors.connector import Connector
from connectors.errors import SettingsError

GROUP: Final = "integrator.connectors"


def names() -> list[str]:
    """The names of all connectors that are installed."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


@cache
def connector(name: str) -> type[Connector]:
    """The connector of this name. Raises SettingsError, naming those that there are, when it is not installed."""
    for entry in entry_points(group=GROUP, name=name):
        kind: type[Connector] = entry.load()
        return kind
    raise SettingsError(f"There is no connector {name}; installed are: {', '.join(names())}.")
