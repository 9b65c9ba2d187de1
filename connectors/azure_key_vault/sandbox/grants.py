"""What people have allowed, and what stands for it: authorization codes, refresh tokens, device codes.

A grant is one person's sign-in to one app. A code is redeemed once; a refresh token brings a new one each time
and stays valid, unless the policy says that reuse revokes (Azure reference sheet, sections 1.3, 1.4 and 1.8).
"""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass

from connectors.azure_key_vault.sandbox.aadsts import TokenError
from connectors.azure_key_vault.sandbox.applications import Application
from connectors.azure_key_vault.sandbox.clock import Clock
from connectors.azure_key_vault.sandbox.directory import Directory
from connectors.azure_key_vault.sandbox.policy import Policy
from connectors.azure_key_vault.sandbox.scopes import Scopes
from connectors.azure_key_vault.sandbox.users import User

USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ23456789"
USER_CODE_LENGTH = 9
EARLY_TOLERANCE_SECONDS = 0.2
SLOWER_BY_SECONDS = 5


@dataclass(slots=True, eq=False)
class Grant:
    """A person's permission for an app. `number` orders it before or after the person's revocations.

    `proven` says that the person has given a second proof.
    """

    directory: Directory
    application: Application
    user: User
    scopes: Scopes
    number: int
    proven: bool = False
    public: bool = False
    revoked: bool = False

    def check(self) -> None:
        """Raises what keeps the grant from being used any more."""
        if not self.user.enabled:
            raise TokenError(50057)
        if self.number <= self.user.revoked_at:
            raise TokenError(50173)
        if self.application.assigned is not None and self.user.object_id not in self.application.assigned:
            raise TokenError(50105)
        if self.revoked:
            raise TokenError(50173, "The grant was revoked, since one of its refresh tokens was used twice.")
        if self.user.second_factor and not self.proven:
            raise TokenError(50076)


@dataclass(slots=True, eq=False)
class Code:
    """An authorization code: what it is good for, and what its redeemer must bring."""

    grant: Grant
    redirect_uri: str
    challenge: str
    method: str
    nonce: str | None
    issued: float
    redeemed: bool = False


@dataclass(slots=True, eq=False)
class RefreshToken:
    """A refresh token; `used` counts its redemptions."""

    grant: Grant
    issued: float
    used: int = 0


@dataclass(slots=True, eq=False)
class DeviceCode:
    """A device code that waits for somebody to type its user code."""

    directory: Directory | None
    application: Application
    scopes: Scopes
    user_code: str
    issued: float
    interval_seconds: float
    polled: float | None = None
    grant: Grant | None = None
    declined: bool = False
    redeemed: bool = False


class Grants:
    """All codes and refresh tokens that are out."""

    def __init__(self, clock: Clock, policy: Policy) -> None:
        self._clock = clock
        self._policy = policy
        self._numbers = itertools.count(1)
        self._codes: dict[str, Code] = {}
        self._refresh_tokens: dict[str, RefreshToken] = {}
        self._device_codes: dict[str, DeviceCode] = {}

    def begin(
        self, directory: Directory, application: Application, user: User, scopes: Scopes, *, proven: bool
    ) -> Grant:
        """A grant that starts now."""
        return Grant(directory, application, user, scopes, next(self._numbers), proven)

    def revoke(self, user: User) -> None:
        """No grant that the user has given until now is good any more."""
        user.revoked_at = next(self._numbers)

    def new_code(self, grant: Grant, redirect_uri: str, challenge: str, method: str, nonce: str | None) -> str:
        """An authorization code."""
        text = f"1.{secrets.token_urlsafe(48)}"
        self._codes[text] = Code(grant, redirect_uri, challenge, method, nonce, self._clock.now())
        return text

    def code(self, text: str) -> Code:
        """A code that can still be redeemed; 70000, 54005 or 70008."""
        code = self._codes.get(text)
        if code is None:
            raise TokenError(70000, "The provided authorization code is malformed or was never issued.")
        if code.redeemed:
            raise TokenError(54005)
        if self._clock.now() >= code.issued + self._policy.code_seconds:
            raise TokenError(70008)
        return code

    def new_refresh_token(self, grant: Grant) -> str:
        """One more refresh token of a grant."""
        text = f"1.{secrets.token_urlsafe(64)}"
        self._refresh_tokens[text] = RefreshToken(grant, self._clock.now())
        return text

    def refresh_token(self, text: str) -> RefreshToken:
        """A refresh token that is known; 70000 otherwise."""
        token = self._refresh_tokens.get(text)
        if token is None:
            raise TokenError(70000, "The provided refresh token is malformed or was never issued.")
        return token

    def check_refresh(self, token: RefreshToken) -> None:
        """Raises what keeps a refresh token from being redeemed; under `reuse_revokes` a second use ends all."""
        if self._policy.refresh_rotation == "reuse_revokes" and token.used:
            token.grant.revoked = True
        token.grant.check()
        if self._clock.now() >= token.issued + self._policy.refresh_inactive_seconds:
            raise TokenError(700082)

    def new_device_code(
        self, directory: Directory | None, application: Application, scopes: Scopes
    ) -> tuple[str, DeviceCode]:
        """A device code and what it stands for; without a directory any tenant's users may answer."""
        text = secrets.token_urlsafe(64)
        user_code = "".join(secrets.choice(USER_CODE_LETTERS) for _ in range(USER_CODE_LENGTH))
        interval_seconds = self._policy.device_interval_seconds
        device = DeviceCode(directory, application, scopes, user_code, self._clock.now(), interval_seconds)
        self._device_codes[text] = device
        return text, device

    def device_of(self, user_code: str) -> DeviceCode | None:
        """The device code that waits under what a person has typed."""
        typed = "".join(letter for letter in user_code.upper() if letter.isalnum())
        waiting = (device for device in self._device_codes.values() if device.user_code == typed)
        device = next(waiting, None)
        if device is None or device.grant or device.declined or self._has_ended(device):
            return None
        return device

    def poll(self, text: str, client_id: str) -> Grant:
        """The grant that a device waits for; the error to answer with while there is none."""
        device = self._device_codes.get(text)
        if device is None or device.application.client_id != client_id:
            raise TokenError(70018)
        if device.redeemed:
            raise TokenError(54005, "The device code was already redeemed.")
        if self._has_ended(device):
            raise TokenError(70020)
        self._check_pace(device)
        if device.declined:
            raise TokenError(65004, "The user declined the authorization.", error="authorization_declined")
        if device.grant is None:
            raise TokenError(70016)
        device.redeemed = True
        return device.grant

    def _has_ended(self, device: DeviceCode) -> bool:
        return self._clock.now() >= device.issued + self._policy.device_code_seconds

    def _check_pace(self, device: DeviceCode) -> None:
        """`slow_down` for a device that polls faster than it was told (RFC 8628, section 3.5)."""
        before, now = device.polled, self._clock.now()
        device.polled = now
        if before is not None and now - before < device.interval_seconds - EARLY_TOLERANCE_SECONDS:
            device.interval_seconds += SLOWER_BY_SECONDS
            raise TokenError(70016, "The device polls too often.", error="slow_down")
