"""Grants: what an iClient can ask its provider for, and how often each may be asked.

Sources: RFC 6749 §4.1.3, §4.4, §6; RFC 8628.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from marshmallow import ValidationError

from iclients.clock import Clock
from iclients.clouds import CloudProfile
from iclients.consent import Pending
from iclients.endpoints import Endpoints, Fetch, fetcher
from iclients.errors import AnswerLost, CredentialRefused, MalformedAnswer, NotAuthorized, Recovery, RemoteError
from iclients.model import DeviceCode, IClient, Token
from iclients.provider import Provider
from iclients.retrying import Retrying
from iclients.schemas import DeviceAnswer
from iclients.secret import Secret
from iclients.token_endpoint import TOKEN_DEADLINE_SECONDS, TokenEndpoint, failure, json_object, unusable
from iclients.transport import Transport

TOKEN_RETRYING: Final = Retrying(attempts=8, total_seconds=120.0, base_seconds=0.5, max_wait_seconds=4.0)
DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
SLOWER_SECONDS: Final = 5.0
"""What `slow_down` adds to the interval (RFC 8628 §3.5)."""

_DEVICE_ANSWER: Final = DeviceAnswer()


class Grants:
    """What one iClient asks its provider's token endpoint for.

    Every method raises CredentialRefused, ScopeRefused or NotAuthorized where the provider says no, TransportError or
    MalformedAnswer where it could not be asked. A request that may be carried out only once is repeated only where
    nothing can have been carried out.
    """

    def __init__(
        self,
        iclient: IClient,
        provider: Provider,
        cloud: CloudProfile,
        transport: Transport,
        clock: Clock,
        retrying: Retrying = TOKEN_RETRYING,
    ) -> None:
        self.iclient = iclient
        self.provider = provider
        self._cloud = cloud
        self._transport = transport
        self._clock = clock
        self._retrying = retrying
        self._endpoints: Endpoints | None = None

    @property
    def fetch(self) -> Fetch:
        """Fetches the provider's public documents."""
        return fetcher(self._transport)

    def endpoints(self) -> Endpoints:
        """Where the provider answers; discovered once."""
        if self._endpoints is None:
            self._endpoints = self.provider.endpoints(self.iclient, self._cloud, self.fetch)
        return self._endpoints

    def client_credentials(self, scopes: tuple[str, ...]) -> Token:
        """A token for the app itself (RFC 6749 §4.4). Asking twice does no harm, so lost answers are asked again."""
        if self.iclient.credential is None:
            raise CredentialRefused(
                f"iClient {self.iclient.name} has no credential: set client_secret or certificate and apply the document "
                "again."
            )
        self.provider.check_app_scopes(self.iclient, scopes)
        return self._token("client_credentials", scopes, {"scope": " ".join(scopes)}, is_repeatable=True)

    def redeem(self, code: Secret, pending: Pending, scopes: tuple[str, ...]) -> Token:
        """The token for a code (RFC 6749 §4.1.3). A code is sent once, never twice."""
        parameters = {
            "code": code.reveal(),
            "redirect_uri": pending.redirect_uri,
            "code_verifier": pending.verifier.reveal(),
            "scope": " ".join(scopes),
        }
        return self._token("authorization_code", scopes, parameters)

    def refresh(self, refresh_token: Secret, scopes: tuple[str, ...]) -> Token:
        """A new token for an old consent (RFC 6749 §6). Without a new refresh token in it, the old one stays."""
        parameters = {"refresh_token": refresh_token.reveal(), "scope": " ".join(scopes)}
        token = self._token("refresh_token", scopes, parameters)
        return token if token.refresh_token else replace(token, refresh_token=refresh_token)

    def device_begin(self, scopes: tuple[str, ...]) -> DeviceCode:
        """A code that a person types on any device (RFC 8628 §3.1)."""
        endpoint = self.endpoints().need("device_authorization_endpoint", self.iclient.name)
        form = {"client_id": self.iclient.client_id, "scope": " ".join(scopes)}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        answer = self._transport.exchange(
            "POST", endpoint, headers, urlencode(form).encode(), deadline_seconds=TOKEN_DEADLINE_SECONDS
        )
        document = json_object(answer.body)
        if answer.status != 200 or "error" in document:
            raise failure(answer, document, self.iclient, self.provider)
        try:
            loaded: DeviceCode = _DEVICE_ANSWER.load(document)
        except ValidationError as error:
            raise unusable(self.iclient, error) from None
        return loaded

    def device_poll(self, device: DeviceCode, scopes: tuple[str, ...]) -> Token:
        """Wait until the person has typed the code. Raises NotAuthorized where they did not, or said no."""
        interval, ends_at = device.interval_seconds, self._clock.now() + device.expires_seconds
        while self._clock.now() < ends_at:
            self._clock.sleep(interval)
            try:
                return self._token(DEVICE_GRANT, scopes, {"device_code": device.device_code.reveal()})
            except NotAuthorized as error:
                if error.code == "slow_down":
                    interval += SLOWER_SECONDS
                elif error.code != "authorization_pending":
                    raise
        raise NotAuthorized("The code was not typed in time: start again.", code="expired_token")

    def _token(
        self, grant: str, scopes: tuple[str, ...], parameters: dict[str, str], *, is_repeatable: bool = False
    ) -> Token:
        address = self.endpoints().need("token_endpoint", self.iclient.name)
        endpoint = TokenEndpoint(self.iclient, self.provider, self._transport, address, self._audience(address))
        gives_up_at = self._clock.monotonic() + TOKEN_RETRYING.total_seconds

        def ask() -> Token:
            seconds = min(TOKEN_DEADLINE_SECONDS, gives_up_at - self._clock.monotonic())
            return endpoint.ask(grant, scopes, parameters, self._clock.now(), seconds)

        def may_repeat(error: RemoteError) -> bool:
            unclear = isinstance(error, AnswerLost | MalformedAnswer)
            return error.recovery is Recovery.RETRY and (is_repeatable or not unclear)

        return self._retrying.call(ask, self._clock, may_repeat)

    def _audience(self, address: str) -> str:
        return address if self.provider.uses_clouds else self.endpoints().issuer or address
