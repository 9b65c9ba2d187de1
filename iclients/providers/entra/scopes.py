"""Entra's scopes: which may stand in one token request. One token serves one audience.

Source: Microsoft identity platform, "Scopes and permissions in the Microsoft identity platform", "National clouds".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from iclients.errors import ScopeRefused

DEFAULT: Final = ".default"
OPENID: Final = frozenset({"openid", "profile", "email", "offline_access"})
"""Scopes that belong to no resource."""

GRAPH: Final = "Microsoft Graph"
_GRAPH_HOSTS: Final = frozenset(
    {
        "https://graph.microsoft.com",
        "https://graph.microsoft.us",
        "https://dod-graph.microsoft.us",
        "https://microsoftgraph.chinacloudapi.cn",
    }
)


def resource_of(scope: str) -> str:
    """The resource that a scope belongs to; a scope without one is Microsoft Graph's."""
    resource = scope.rpartition("/")[0].rstrip("/").lower()
    return GRAPH if not resource or resource in _GRAPH_HOSTS else resource


def check_one_audience(iclient: str, scopes: Sequence[str]) -> None:
    """Raise ScopeRefused where a token cannot have these scopes together."""
    named = _named(scopes)
    if len(resources := sorted({resource_of(scope) for scope in named})) > 1:
        raise ScopeRefused(
            f"iClient {iclient} asks for scopes of {' and '.join(resources)} in one token: one token serves one audience, "
            "so choose the scopes of one.",
            code="mixed_audiences",
        )
    if any(_is_default(scope) for scope in named) and len(named) > 1:
        raise ScopeRefused(
            f"iClient {iclient} asks for {', '.join(named)}: {DEFAULT} stands for all scopes that the app has, so it "
            "stands alone.",
            code="mixed_default",
        )


def check_app(iclient: str, scopes: Sequence[str]) -> None:
    """Raise ScopeRefused where client credentials cannot be asked for these scopes."""
    if len(scopes) != 1 or not _is_default(scopes[0]) or not scopes[0].rpartition("/")[0]:
        raise ScopeRefused(
            f"iClient {iclient} asks for {', '.join(scopes) or 'no scope'}: client credentials take one "
            "scope that ends in /.default, because one token serves one audience."
        )


def check_resource(iclient: str, resource: str, scopes: Sequence[str]) -> None:
    """Raise ScopeRefused where a scope belongs to another resource than the one that all tokens are for (empty: any)."""
    only = resource_of(f"{resource}/{DEFAULT}")
    if resource and any(resource_of(scope) != only for scope in _named(scopes)):
        raise ScopeRefused(
            f"iClient {iclient} has settings.resource {resource} and is asked for {', '.join(scopes)}: one token serves "
            "one audience, so take another iClient for the other one.",
            code="mixed_audiences",
        )


def _named(scopes: Sequence[str]) -> list[str]:
    return [scope for scope in scopes if scope not in OPENID]


def _is_default(scope: str) -> bool:
    return scope.rpartition("/")[2] == DEFAULT
