"""Presets: providers as data. One page of constants says where a server is and how it wants to be asked.

Those that come with this package are the TOML files of `iclients/presets/`; a plug-in may write its own in Python.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Final

from iclients.traits import Traits

_FOLDER: Final = "iclients.presets"
_HOLE: Final = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class PresetSetting:
    """What an integrator must type, because it is part of the addresses: a domain, an account, a region."""

    name: str
    title: str
    example: str
    pattern: str
    default: str = ""


@dataclass(frozen=True, slots=True)
class RefreshFacts:
    """How a server gives and takes refresh tokens. `issued`: always, scope, parameter or never."""

    issued: str = "always"
    scope: str = ""
    rotates: bool | None = None
    lifetime_days: int | None = None


@dataclass(frozen=True, slots=True)
class Preset:
    """One provider: what people must know, where it answers, how it wants to be asked."""

    name: str
    title: str
    documentation: str
    note: str = ""
    grants: tuple[str, ...] = ("authorization_code",)
    settings: tuple[PresetSetting, ...] = ()
    endpoints: Mapping[str, str] = field(default_factory=dict)
    """Names of `Endpoints` → addresses with holes."""

    traits: Traits = field(default_factory=Traits)
    refresh: RefreshFacts = field(default_factory=RefreshFacts)
    scopes: Mapping[str, str] = field(default_factory=dict)
    """The scopes that are used most → what they allow."""

    def holes(self) -> set[str]:
        """The settings that its addresses and parameters need."""
        parameters = (*self.traits.authorization_parameters.values(), *self.traits.token_parameters.values())
        texts = (*self.endpoints.values(), *parameters, self.traits.audience)
        return {hole for text in texts for hole in _HOLE.findall(text)}


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its holes filled."""
    return _HOLE.sub(lambda hole: values[hole.group(1)], text)


@cache
def preset_names() -> tuple[str, ...]:
    """The names of all presets that come with this package."""
    found = (entry.name for entry in files(_FOLDER).iterdir() if entry.name.endswith(".toml"))
    return tuple(sorted(name.removesuffix(".toml") for name in found))


@cache
def preset(name: str) -> Preset:
    """The preset of this name, read from its file. Raises KeyError where there is none."""
    if name not in preset_names():
        raise KeyError(name)
    from iclients.presets.schemas import loaded  # most commands need no preset

    return loaded(name, files(_FOLDER).joinpath(f"{name}.toml").read_text("utf-8"))
