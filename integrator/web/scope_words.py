"""Scopes in plain words: what a preset tells of them, and what the standards' mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from iclients.preset import preset, preset_names

_STANDARD: Final = {
    "openid": "know who you are",
    "profile": "see your name",
    "email": "see your e-mail address",
    "offline_access": "go on when you are away, until you take it back",
}
"""OpenID Connect Core 1.0 §5.4, §11."""

_ENDINGS: Final = {
    "user_impersonation": "act for you at {host}, with your own rights",
    ".default": "do at {host} what this app was registered for",
}
"""Microsoft identity platform, "Scopes and permissions": what a scope that begins with an address ends in."""


def in_words(provider: str, scopes: Iterable[str]) -> list[tuple[str, str]]:
    """The meaning of each scope, where one is known, with the scope as the provider has it."""
    told = preset(provider).scopes if provider in preset_names() else {}
    return [(told.get(scope) or _meaning(scope), scope) for scope in scopes]


def _meaning(scope: str) -> str:
    if scope in _STANDARD:
        return _STANDARD[scope]
    address, _, ending = scope.rpartition("/")
    host = urlsplit(address).hostname or ""
    return _ENDINGS[ending].format(host=host) if host and ending in _ENDINGS else ""
