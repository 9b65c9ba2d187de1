"""How one connection is let in: what its `auth` means, with its iClient, at its provider."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.model import Connection
from iclients import registry as providers
from iclients.clock import Clock
from iclients.clouds import CloudProfile
from iclients.consented import ConsentedTokens, ConsentKeeper
from iclients.credentials import ManagedIdentity
from iclients.grants import TOKEN_RETRYING, Grants
from iclients.managed_identity import managed_identity_token
from iclients.model import IClient, Token
from iclients.retrying import Retrying
from iclients.session import AuthorizedSession
from iclients.tokens import TokenStore
from iclients.transport import Transport

CONSENTED: Final = ("authorization_code", "device_code")
"""Values of `auth` for which a person consents."""

_Acquire = Callable[[tuple[str, ...], Token | None], Token]


@dataclass(frozen=True, slots=True)
class Admission:
    """Everything that asking for this connection's tokens needs."""

    connection: Connection
    iclient: IClient
    cloud: CloudProfile
    transport: Transport
    keeper: ConsentKeeper
    tokens: TokenStore
    clock: Clock
    retrying: Retrying = TOKEN_RETRYING

    @property
    def needs_consent(self) -> bool:
        """Whether a person must let the connection in."""
        return self.connection.auth in CONSENTED

    def grants(self) -> Grants:
        """What can be asked for at the iClient's provider."""
        provider = providers.provider(self.iclient.provider)
        return Grants(self.iclient, provider, self.cloud, self.transport, self.clock, self.retrying)

    def session(self, scopes: Sequence[str]) -> AuthorizedSession:
        """A session for these scopes. Tokens of a person are the connection's own, those of an app the iClient's."""
        asked = tuple(scopes)
        acquire = self._acquire()
        owner = f"connection {self.connection.name}" if self.needs_consent else self.iclient.name
        return AuthorizedSession((owner, asked), lambda old: acquire(asked, old), self.tokens, self.clock)

    def _acquire(self) -> _Acquire:
        credential = self.iclient.credential
        if self.needs_consent:
            return ConsentedTokens(self.connection.name, self.grants(), self.keeper, self.clock).acquire
        if isinstance(credential, ManagedIdentity):
            return lambda scopes, old: managed_identity_token(
                credential, self.iclient.name, scopes, self.clock, self.retrying
            )
        grants = self.grants()
        return lambda scopes, old: grants.client_credentials(scopes)
