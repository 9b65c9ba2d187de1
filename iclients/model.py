"""The nouns of this floor: IClient, and the tokens that it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from iclients.credentials import Credential
from iclients.secret import Secret


@dataclass(frozen=True, slots=True)
class IClient:
    """One OAuth 2.0 app registration; any number of connections share it.

    Two slots hold credentials: when the current one is refused, the next one is tried and takes its place. A global
    iClient serves connections that name none.
    """

    name: str
    provider: str
    client_id: str
    cloud: str = "public"
    tenant: str | None = None
    credential: Credential | None = None
    next_credential: Credential | None = None
    scopes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    owner: str = ""
    is_global: bool = False
    warn_days: tuple[int, ...] = (30, 7, 1)
    """How many days before a credential ends its owner is told."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a token endpoint gave. Times are Unix seconds by our own clock; from `replace_at` on it is asked for anew."""

    access_token: Secret
    expires_at: float
    replace_at: float
    scopes: tuple[str, ...] = ()
    """What was granted, which may be less than what was asked for."""
    asked: tuple[str, ...] = ()
    refresh_token: Secret | None = None
    id_token: Secret | None = None

    def is_fresh(self, now: float) -> bool:
        """Whether it can be used without asking for a new one."""
        return now < self.replace_at

    def is_valid(self, now: float) -> bool:
        """Whether it can be used at all."""
        return now < self.expires_at


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """A code that a person types on any device (RFC 8628 §3.2)."""

    device_code: Secret
    user_code: str
    verification_uri: str
    expires_seconds: float
    interval_seconds: float


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person allowed a connection: the refresh token that it goes on with, and who allowed what, when."""

    refresh_token: Secret | None
    account: str
    scopes: tuple[str, ...]
    consented_at: float
    tokens: tuple[Token, ...] = ()
    """The newest access token for each set of scopes that was asked for: one token serves one audience."""

    given_to: str = ""
    """The place that it was given for: it is used for no other one."""

    claims: str = ""
    """What the provider wants to be asked with the next time a person consents: the text of a JSON object."""

    def token_for(self, asked: tuple[str, ...]) -> Token | None:
        """The newest token that was asked for with these scopes."""
        return next((token for token in self.tokens if token.asked == asked), None)

    def with_token(self, token: Token) -> Consent:
        """The same consent with this token in place of the one before, and its refresh token where it brings one."""
        others = tuple(kept for kept in self.tokens if kept.asked != token.asked)
        return replace(self, refresh_token=token.refresh_token or self.refresh_token, tokens=(*others, token))
