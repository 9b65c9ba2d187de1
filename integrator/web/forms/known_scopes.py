"""Scopes that can be chosen: what a provider is known to offer, in plain words, and whether an administrator must consent.

Where a provider lives in clouds, each plane of a system has an audience of its own, and one token serves one audience:
so a scope fits one API type and not the other. Sources: Microsoft identity platform, "Scopes and permissions"; the
presets' own pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from connectors.model import ApiType
from iclients import registry as providers
from iclients.clouds import CloudProfile
from iclients.errors import NotAuthorized
from iclients.provider import Provider
from integrator.admission import CONSENTED
from integrator.web.scope_words import in_words

_USER: Final = "user_impersonation"
_APP: Final = ".default"
_PLANES: Final = {ApiType.DATA: "data plane", ApiType.CONTROL: "control plane"}


@dataclass(frozen=True, slots=True)
class KnownScope:
    """One scope: what it allows, and whose consent it needs."""

    name: str
    meaning: str = ""
    needs_administrator: bool = False
    is_chosen: bool = False
    why_not: str = ""
    """Why it does not fit what is asked for here; empty where it does."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be chosen for one connection or iClient."""

    scopes: Sequence[KnownScope] = ()
    usual: tuple[str, ...] = ()
    """What is chosen where nobody has chosen."""

    @property
    def misfits(self) -> list[KnownScope]:
        """What is chosen and does not fit."""
        return [scope for scope in self.scopes if scope.is_chosen and scope.why_not]

    @property
    def chosen(self) -> list[KnownScope]:
        """What is chosen."""
        return [scope for scope in self.scopes if scope.is_chosen]

    def with_chosen(self, chosen: Iterable[str], provider: str) -> Offer:
        """The same with these chosen; what is not known stands among them too."""
        wanted = list(dict.fromkeys(chosen))
        known = [replace(scope, is_chosen=scope.name in wanted) for scope in self.scopes]
        names = {scope.name for scope in known}
        typed = [
            KnownScope(name, words, is_chosen=True) for words, name in in_words(provider, wanted) if name not in names
        ]
        return replace(self, scopes=[*known, *typed])


def of_connection(
    provider: str, cloud: CloudProfile | None, api_type: str, auth: str, own: Sequence[str] = ()
) -> Offer:
    """What a connection can ask its tokens for. `own`: what its iClient has chosen."""
    if cloud is None or not _lives_in_clouds(provider):
        offered = [*of_provider(provider).scopes, *_named(provider, own)]
        return Offer(list({scope.name: scope for scope in offered}.values()), tuple(own))
    planes = _audiences(cloud)
    here = planes.get(api_type, "")
    scopes = [_judged(scope, api_type, auth) for scope in _of_clouds(planes)]
    ending = _USER if auth in CONSENTED else _APP
    return Offer(scopes, (f"{here}/{ending}",) if here else ())


def of_provider(provider: str, cloud: CloudProfile | None = None) -> Offer:
    """What an iClient of this provider can choose."""
    if cloud is not None and _lives_in_clouds(provider):
        return Offer([scope for scope, _ in _of_clouds(_audiences(cloud))])
    preset = getattr(_provider(provider), "preset", None)
    known = preset.scopes if preset else {}
    return Offer([KnownScope(name, words) for name, words in known.items()])


def _audiences(cloud: CloudProfile) -> dict[str, str]:
    return {ApiType.DATA: cloud.vault_audience, ApiType.CONTROL: cloud.arm_audience}


def _of_clouds(planes: dict[str, str]) -> list[tuple[KnownScope, str]]:
    return [
        (KnownScope(f"{audience}/{ending}", words.format(plane=_PLANES[ApiType(plane)]), needs), plane)
        for plane, audience in planes.items()
        for ending, words, needs in (
            (_USER, "Use the {plane} as the person who consents, with that person's own rights", False),
            (_APP, "Use the {plane} with all that the app was registered for", True),
        )
    ]


def _judged(found: tuple[KnownScope, str], api_type: str, auth: str) -> KnownScope:
    scope, plane = found
    if api_type and plane != api_type:
        return replace(scope, why_not=f"it is for the {_PLANES[ApiType(plane)]}")
    if auth and auth not in CONSENTED and scope.name.endswith(_USER):
        return replace(scope, why_not="nobody consents here, and it needs a person")
    return replace(scope, needs_administrator=scope.needs_administrator and auth not in CONSENTED)


def _named(provider: str, names: Iterable[str]) -> list[KnownScope]:
    return [KnownScope(name, words) for words, name in in_words(provider, names)]


def _lives_in_clouds(provider: str) -> bool:
    found = _provider(provider)
    return bool(found and found.uses_clouds)


def _provider(name: str) -> Provider | None:
    try:
        return providers.provider(name) if name else None
    except NotAuthorized:
        return None
