"""Grants: what an iClient can ask its provider for, and how often each may be asked.

Sources: RFC 6749 §4.1.3, §4.4, §6; RFC 8628.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Protocol

from iclients.answers import Answer
from iclients.clock import Clock
from iclients.clouds import CloudProfile
from iclients.consent import Pending
from iclients.credentials import Credential
from iclients.endpoints import Endpoints, Fetch, fetcher
from iclients.errors import (
    AnswerLost,
    CredentialRefused,
    MalformedAnswer,
    NotAuthorized,
    Recovery,
    RemoteError,
    TransportError,
)
from iclients.model import DeviceCode, IClient, Token
from iclients.provider import Provider
from iclients.retrying import Retrying
from iclients.secret import Secret
from iclients.token_endpoint import TOKEN_DEADLINE_SECONDS, TokenEndpoint
from iclients.transport import Transport

TOKEN_RETRYING: Final = Retrying(attempts=8, total_seconds=120.0, base_seconds=0.5, max_wait_seconds=4.0)
DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
SLOWER_SECONDS: Final = 5.0
"""What `slow_down` adds to the interval (RFC 8628 §3.5)."""

SHORTEST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0
"""How long may be between two questions for a device's token, whatever its server wants."""


class Slots(Protocol):
    """Where an iClient's credentials are kept."""

    def promote(self, proven: Credential) -> None:
        """The next credential was taken where the current one was refused: it takes the current one's place."""

    def swap(self, refused: Credential | None) -> None:
        """This current one was refused where nothing may be sent twice: the next try begins with the other."""


class Grants:
    """What one iClient asks its provider's token endpoint for.

    Every method raises CredentialRefused, ScopeRefused or NotAuthorized where the provider says no, TransportError or
    MalformedAnswer where it could not be asked. A request that may be carried out only once is repeated only where
    nothing can have been carried out. Where the current credential is refused, the next one is tried.
    """

    def __init__(
        self,
        iclient: IClient,
        provider: Provider,
        cloud: CloudProfile,
        transport: Transport,
        clock: Clock,
        retrying: Retrying = TOKEN_RETRYING,
        slots: Slots | None = None,
    ) -> None:
        self.iclient = iclient
        self.provider = provider
        self.cloud = cloud
        self._transport = transport
        self._clock = clock
        self._retrying = retrying
        self._slots = slots
        self._endpoints: Endpoints | None = None

    @property
    def fetch(self) -> Fetch:
        """Fetches the provider's public documents."""
        return fetcher(self._transport)

    def endpoints(self) -> Endpoints:
        """Where the provider answers; discovered once."""
        if self._endpoints is None:
            self._endpoints = self.provider.endpoints(self.iclient, self.cloud, self.fetch)
        return self._endpoints

    def page(self, address: str, deadline_seconds: float, max_bytes: int) -> Answer:
        """What the provider's own page answers to somebody without a session. No redirect is followed."""
        return self._transport.exchange(
            "GET", address, {"Accept": "text/html"}, deadline_seconds=deadline_seconds, max_answer_bytes=max_bytes
        )

    def client_credentials(self, scopes: tuple[str, ...], claims: str = "") -> Token:
        """A token for the app itself (RFC 6749 §4.4). Asking twice does no harm, so lost answers are asked again."""
        if self.iclient.credential is None and self.iclient.next_credential is None:
            raise CredentialRefused(
                f"iClient {self.iclient.name} has no credential: set client_secret or certificate and apply the document "
                "again."
            )
        self.provider.check_app_scopes(self.iclient, scopes)
        return self._token("client_credentials", scopes, self._for(scopes, claims), is_repeatable=True)

    def redeem(self, code: Secret, pending: Pending, scopes: tuple[str, ...]) -> Token:
        """The token for a code (RFC 6749 §4.1.3). A code is sent once, never twice."""
        self.provider.check_consent_scopes(self.iclient, scopes)
        has_verifier = self.provider.traits(self.iclient).pkce != "none"
        parameters = {
            "code": code.reveal(),
            "redirect_uri": pending.redirect_uri,
            **({"code_verifier": pending.verifier.reveal()} if has_verifier else {}),
            **self._again(scopes),
        }
        return self._token("authorization_code", scopes, parameters, is_single_use=True)

    def refresh(self, refresh_token: Secret, scopes: tuple[str, ...], claims: str = "") -> Token:
        """A new token for an old consent (RFC 6749 §6). Without a new refresh token in it, the old one stays."""
        self.provider.check_consent_scopes(self.iclient, scopes)
        parameters = {"refresh_token": refresh_token.reveal(), **self._again(scopes, claims)}
        token = self._token("refresh_token", scopes, parameters)
        return token if token.refresh_token else replace(token, refresh_token=refresh_token)

    def revoke(self, token: Secret) -> None:
        """Give a consent back: its tokens end (RFC 7009 §2.1). Raises NotAuthorized where the provider cannot."""
        endpoint = TokenEndpoint(self.iclient, self.provider, self._transport, self.endpoints())
        endpoint.revoke(token, self._clock.now(), TOKEN_DEADLINE_SECONDS)

    def device_begin(self, scopes: tuple[str, ...]) -> DeviceCode:
        """A code that a person types on any device (RFC 8628 §3.1)."""
        endpoint = TokenEndpoint(self.iclient, self.provider, self._transport, self.endpoints())
        return endpoint.device(self._for(scopes, ""), self._clock.now(), TOKEN_DEADLINE_SECONDS)

    def device_poll(self, device: DeviceCode, scopes: tuple[str, ...]) -> Token:
        """Wait until the person has typed the code. Raises NotAuthorized where they did not, or said no."""
        interval, ends_at = device.interval_seconds, self._clock.now() + device.expires_seconds
        while (left := ends_at - self._clock.now()) > 0:
            self._clock.sleep(max(SHORTEST_WAIT, min(interval, LONGEST_WAIT, left)))
            try:
                return self._token(DEVICE_GRANT, scopes, {"device_code": device.device_code.reveal()})
            except TransportError as error:
                if error.recovery is not Recovery.RETRY:
                    raise
                interval += SLOWER_SECONDS  # RFC 8628 §3.5: after a lost answer, less often
            except NotAuthorized as error:
                if error.code == "slow_down":
                    interval += SLOWER_SECONDS
                elif error.code != "authorization_pending":
                    raise
        raise NotAuthorized("The code was not typed in time: start again.", code="expired_token")

    def _for(self, scopes: tuple[str, ...], claims: str) -> dict[str, str]:
        audience = self.provider.traits(self.iclient).audience
        return {
            **self.provider.scope_parameters(self.iclient, scopes),
            **({"audience": audience} if audience else {}),
            **self.provider.claims_parameters(self.iclient, claims),
        }

    def _again(self, scopes: tuple[str, ...], claims: str = "") -> dict[str, str]:
        """What a code or a refresh token is redeemed for, where the provider wants to be told."""
        return self._for(scopes, claims) if self.provider.traits(self.iclient).names_scopes_again else {}

    def _token(
        self,
        grant: str,
        scopes: tuple[str, ...],
        parameters: dict[str, str],
        *,
        is_repeatable: bool = False,
        is_single_use: bool = False,
    ) -> Token:
        spare = self.iclient.next_credential
        try:
            return self._ask(self.iclient, grant, scopes, parameters, is_repeatable=is_repeatable)
        except CredentialRefused as error:
            refusal = error
        if spare is None:
            raise refusal
        if is_single_use:
            raise self._swapped(refusal)
        renewed = replace(self.iclient, credential=spare, next_credential=None)
        try:
            token = self._ask(renewed, grant, scopes, parameters, is_repeatable=is_repeatable)
        except CredentialRefused as error:
            sentence = f"{refusal} The next credential was refused as well: {error}"
            raise CredentialRefused(sentence, code=refusal.code) from error
        self.iclient = renewed
        if self._slots is not None:
            self._slots.promote(spare)
        return token

    def _swapped(self, refusal: CredentialRefused) -> CredentialRefused:
        before = self.iclient
        self.iclient = replace(before, credential=before.next_credential, next_credential=before.credential)
        if self._slots is not None:
            self._slots.swap(before.credential)
        return CredentialRefused(f"{refusal} Its next credential takes its place now: start again.", code=refusal.code)

    def _ask(
        self, iclient: IClient, grant: str, scopes: tuple[str, ...], parameters: dict[str, str], *, is_repeatable: bool
    ) -> Token:
        endpoint = TokenEndpoint(iclient, self.provider, self._transport, self.endpoints())
        gives_up_at = self._clock.monotonic() + TOKEN_RETRYING.total_seconds

        def ask() -> Token:
            seconds = min(TOKEN_DEADLINE_SECONDS, gives_up_at - self._clock.monotonic())
            return endpoint.ask(grant, scopes, parameters, self._clock.now(), seconds)

        def may_repeat(error: RemoteError) -> bool:
            unclear = isinstance(error, AnswerLost | MalformedAnswer)
            return error.recovery is Recovery.RETRY and (is_repeatable or not unclear)

        return self._retrying.call(ask, self._clock, may_repeat)
