"""Traits: how one authorization server wants to be asked. A provider's page of constants is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

FOREVER_SECONDS: Final = 10 * 365 * 86_400.0
"""The lifetime of tokens that do not expire."""

CLIENT_AUTHENTICATIONS: Final = ("post", "basic", "private_key_jwt", "none")
PKCE_METHODS: Final = ("S256", "plain", "none")
ASSERTION_AUDIENCES: Final = ("issuer", "token_endpoint")
ANSWER_FIELDS: Final = ("access_token", "refresh_token", "expires_in", "scope", "token_type", "id_token")


@dataclass(frozen=True, slots=True)
class Traits:
    """What differs between servers that all keep to RFC 6749. The defaults are what most of them want."""

    client_authentication: str = "post"
    """post, basic (RFC 6749 §2.3.1), private_key_jwt (RFC 7523 §2.2) or none."""

    pkce: str = "S256"
    """S256, plain or none (RFC 7636 §4.2). Anything but S256 is for servers that cannot do it."""

    scope_delimiter: str = " "
    authorization_parameters: Mapping[str, str] = field(default_factory=dict)
    """What the address that a person opens has besides the standard's parameters."""

    token_parameters: Mapping[str, str] = field(default_factory=dict)
    """What every token request has besides the standard's parameters."""

    audience: str = ""
    """The API that tokens are for, where the server asks for one (Auth0 and others)."""

    offline_scope: str = ""
    """The scope for which the server gives a refresh token, where it does not give one anyway."""

    names_scopes_again: bool = False
    """Whether codes and refresh tokens are redeemed for named scopes, because one token serves one audience."""

    tells_scopes: bool = True
    """Whether `scope` in the token response has the names that were asked for."""

    answer_paths: Mapping[str, str] = field(default_factory=dict)
    """Where odd servers put a field of the token response: our name → names joined by dots."""

    token_types: tuple[str, ...] = ("bearer",)
    """What the server calls tokens that are sent as Bearer, in lower case; empty where it does not say."""

    lifetime_seconds: float = 300.0
    """How long a token is taken to live where the server does not say."""

    assertion_audience: str = "issuer"
    """Whom a signed assertion is for: the issuer, or its token endpoint."""

    assertion_seconds: int = 60
    names_certificate: bool = False
    """Whether assertions name their certificate by its thumbprint (Entra), instead of a key ID."""

    key_id: str = ""
    """The name under which the server knows the key that signs our assertions, where it knows it by a name."""
