"""Any authorization server that keeps to RFC 6749: found by discovery, described by a preset, or typed one by one.

What an iClient's settings say wins over the preset, and both over discovery.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from iclients.addresses import is_address
from iclients.clouds import CloudProfile
from iclients.endpoints import NAMES, Endpoints, Fetch, discovered
from iclients.errors import NotAuthorized
from iclients.model import IClient
from iclients.parameters import refused_in
from iclients.preset import Preset, filled
from iclients.provider import Provider
from iclients.traits import ANSWER_FIELDS, ASSERTION_AUDIENCES, CLIENT_AUTHENTICATIONS, PKCE_METHODS, Traits

_ALL: Final = ("authorization_code", "client_credentials", "device_code")
_PLAIN: Final = Preset("generic", "Any OAuth 2.0 server", "https://www.rfc-editor.org/rfc/rfc6749", grants=_ALL)

_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "client_authentication": CLIENT_AUTHENTICATIONS,
    "pkce": PKCE_METHODS,
    "assertion_audience": ASSERTION_AUDIENCES,
}
_TEXTS: Final = ("scope_delimiter", "audience", "offline_scope", "key_id")
_PARAMETERS: Final = ("authorization_parameters", "token_parameters")
_MAPPINGS: Final = (*_PARAMETERS, "answer_paths")


class Generic(Provider):
    """A server that a preset and an iClient's `settings` describe. Plug-ins inherit it and set `preset`."""

    name = "generic"
    settings = (*NAMES, *_CHOICES, *_TEXTS, *_MAPPINGS, "ca_file")
    preset: ClassVar[Preset] = _PLAIN

    def endpoints(self, iclient: IClient, cloud: CloudProfile, fetch: Fetch) -> Endpoints:
        known: dict[str, Any] = self._known(iclient)
        issuer = known.pop("issuer", "")
        if "token_endpoint" in known and ("authorization_endpoint" in known or not issuer):
            return Endpoints(issuer=issuer, **known)
        if not issuer:
            raise NotAuthorized(
                f"iClient {iclient.name} says neither where its provider is nor its endpoints: set settings.issuer, or "
                "settings.token_endpoint.",
                code="no_endpoint",
            )
        return discovered(issuer, known, fetch)

    def traits(self, iclient: IClient) -> Traits:
        values = self._values(iclient)
        given: dict[str, Any] = {name: _chosen(iclient, name) for name in _CHOICES if name in iclient.settings}
        given |= {name: str(iclient.settings[name]) for name in _TEXTS if iclient.settings.get(name)}
        for name in _MAPPINGS:
            known = {key: filled(text, values) for key, text in getattr(self.preset.traits, name).items()}
            given[name] = known | _mapping(iclient, name)
        return replace(self.preset.traits, **given)

    def check(self, iclient: IClient) -> None:
        if unknown := sorted(set(self.traits(iclient).answer_paths) - set(ANSWER_FIELDS)):
            raise _wrong(iclient, "answer_paths", unknown[0], ANSWER_FIELDS)
        self._known(iclient)

    def _known(self, iclient: IClient) -> dict[str, str]:
        """The addresses that the preset has, and over them those that were typed. Raises NotAuthorized for no address."""
        values = self._values(iclient)
        known = {name: filled(address, values) for name, address in self.preset.endpoints.items()}
        known |= {name: str(iclient.settings[name]) for name in NAMES if iclient.settings.get(name)}
        for name, address in known.items():
            if not is_address(address, with_query=name != "issuer"):
                raise _wrong(
                    iclient, name, "no address of a provider", ("https://host, with port and path if need be",)
                )
        return known

    def _values(self, iclient: IClient) -> dict[str, str]:
        """What fills the holes: typed, or the preset's default. Raises NotAuthorized, naming the setting."""
        values = {}
        for setting in self.preset.settings:
            value = str(iclient.settings.get(setting.name) or setting.default)
            if not re.fullmatch(setting.pattern, value):
                is_there = bool(iclient.settings.get(setting.name))
                wrong = f"settings.{setting.name} of iClient {iclient.name} is no {setting.title}: write it like"
                missing = f"iClient {iclient.name} needs settings.{setting.name} ({setting.title}), such as"
                raise NotAuthorized(f"{wrong if is_there else missing} {setting.example}.", code="setting")
            values[setting.name] = value
        return values


def described(preset: Preset) -> type[Generic]:
    """The provider that a preset describes."""
    holes = tuple(setting.name for setting in preset.settings)
    constants = {
        "name": preset.name,
        "preset": preset,
        "settings": (*holes, *Generic.settings),
        "__doc__": preset.title,
    }
    return type(preset.title, (Generic,), constants)


def _chosen(iclient: IClient, name: str) -> str:
    wanted = str(iclient.settings[name])
    if wanted not in _CHOICES[name]:
        raise _wrong(iclient, name, wanted, _CHOICES[name])
    return wanted


def _mapping(iclient: IClient, name: str) -> dict[str, str]:
    given = iclient.settings.get(name) or {}
    if not isinstance(given, Mapping):
        raise _wrong(iclient, name, "no mapping", ("a mapping of names to texts",))
    texts = {str(key): str(text) for key, text in given.items()}
    if name in _PARAMETERS and (refused := refused_in(texts)):
        raise NotAuthorized(
            f"settings.{name} of iClient {iclient.name} has {refused[0][:100]!r}, which is ours to say, or which no request "
            "can carry: take it out.",
            code="setting",
        )
    return texts


def _wrong(iclient: IClient, name: str, wanted: str, possible: tuple[str, ...]) -> NotAuthorized:
    return NotAuthorized(
        f"settings.{name} of iClient {iclient.name} is {wanted}; it can be: {', '.join(possible)}.", code="setting"
    )
