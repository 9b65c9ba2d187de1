"""How one connection is let in: what its `auth` means, with its iClient, at its provider."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from connectors.model import Connection
from iclients import registry as providers
from iclients.clock import Clock
from iclients.clouds import CloudProfile
from iclients.consented import ConsentedTokens, ConsentKeeper
from iclients.credentials import ManagedIdentity
from iclients.errors import NotAuthorized, Recovery, RemoteError
from iclients.grants import TOKEN_RETRYING, Grants, Slots
from iclients.managed_identity import managed_identity_token
from iclients.model import IClient, Token
from iclients.retrying import Retrying
from iclients.session import AuthorizedSession
from iclients.tokens import TokensInMemory
from iclients.transport import Transport
from integrator.tenants import OpenTenant

CONSENTED: Final = ("authorization_code", "device_code")
"""Values of `auth` for which a person consents."""

_Key = tuple[str, str, tuple[str, ...]]
"""Whose token (the iClient's or the connection's), in which cloud, for what."""

_Acquire = Callable[[tuple[str, ...], Token | None, str], Token]
_Make = Callable[[Mapping[str, "Standing"]], AuthorizedSession]


class Standing(Protocol):
    """What becomes known of a connection when its tokens are asked for."""

    def let_in(self) -> None:
        """The provider has given a token."""

    def unreachable(self, error: RemoteError) -> None:
        """The provider has given a token, and the system cannot be used with it now."""

    def refused(self, error: NotAuthorized) -> None:
        """The provider has given none, and somebody must do something."""


class Sessions:
    """The sessions of one installation: one for each token, so that all its connectors together ask once.

    A session serves as long as what it was made from stays equal; after that a new one begins without a token. What it
    teaches is told of every connection that has it.
    """

    def __init__(self) -> None:
        self._sessions: dict[_Key, tuple[object, AuthorizedSession]] = {}
        self._standings: dict[_Key, dict[str, Standing]] = {}
        self._lock = threading.Lock()

    def get(self, key: _Key, made_from: object, make: _Make, name: str, standing: Standing) -> AuthorizedSession:
        """The session of this key for this connection, made anew where it was made from something else."""
        with self._lock:
            for other, standings in self._standings.items():
                if other[0] != key[0]:  # it has another iClient now
                    standings.pop(name, None)
            standings = self._standings.setdefault(key, {})
            standings[name] = standing
            found = self._sessions.get(key)
            if found is None or found[0] != made_from:
                found = self._sessions[key] = made_from, make(standings)
            return found[1]


@dataclass(frozen=True, slots=True)
class Admission:
    """Everything that asking for this connection's tokens needs."""

    connection: Connection
    iclient: IClient
    cloud: CloudProfile
    transport: Transport
    keeper: ConsentKeeper
    slots: Slots
    standing: Standing
    place: str
    sessions: Sessions
    clock: Clock
    retrying: Retrying = TOKEN_RETRYING
    tenant: OpenTenant | None = None
    """Who names the tenant that the iClient leaves out; None where nobody has to."""

    @property
    def needs_consent(self) -> bool:
        """Whether a person must let the connection in."""
        return self.connection.auth in CONSENTED

    def grants(self) -> Grants:
        """What can be asked for at the iClient's provider. Raises RemoteError where its tenant cannot be found out."""
        provider = providers.provider(self.iclient.provider)
        iclient = replace(self.iclient, tenant=self.tenant.name()) if self.tenant else self.iclient
        return Grants(iclient, provider, self.cloud, self.transport, self.clock, self.retrying, self.slots)

    def session(self, scopes: Sequence[str]) -> AuthorizedSession:
        """The session for these scopes. Tokens of a person are the connection's own, those of an app the iClient's, but
        for one whose tenant the connection's system names.

        After a change of iClient, cloud or consent it is another one, which knows nothing of the old token.
        """
        asked = tuple(scopes)
        is_own = self.needs_consent or self.tenant is not None
        owner = f"connection {self.connection.name}" if is_own else f"iClient {self.iclient.name}"
        key, made_from = (owner, self.cloud.name, asked), (self.iclient, self.cloud, self.place, self._consented())

        def make(standings: Mapping[str, Standing]) -> AuthorizedSession:
            return self._session(owner, asked, standings)

        return self.sessions.get(key, made_from, make, self.connection.name, self.standing)

    def _consented(self) -> object:
        """Which consent there is: refreshing its tokens leaves it the same one."""
        kept = self.keeper.get() if self.needs_consent else None
        return kept and (kept.consent.account, kept.consent.scopes, kept.consent.consented_at)

    def _session(self, owner: str, asked: tuple[str, ...], standings: Mapping[str, Standing]) -> AuthorizedSession:
        acquire = self._acquire() if self.tenant is None else self._late(self.tenant)

        def watched(old: Token | None, claims: str) -> Token:
            try:
                token = acquire(asked, old, claims)
            except NotAuthorized as error:
                if error.recovery is Recovery.REAUTHORIZE:
                    for standing in [*standings.values()]:
                        standing.refused(error)
                raise
            for standing in [*standings.values()]:
                standing.let_in()
            return token

        return AuthorizedSession((owner, asked), watched, TokensInMemory(), self.clock)

    def _late(self, open_tenant: OpenTenant) -> _Acquire:
        """Finds the tenant out by the first token, and again after a refusal: nobody is asked for making a session."""
        made: dict[str, _Acquire] = {}

        def acquire(scopes: tuple[str, ...], old: Token | None, claims: str) -> Token:
            if old is not None and old.is_fresh(self.clock.now()) and not claims:
                open_tenant.forget()  # the system has refused a good token: it may be in another tenant now
            tenant = open_tenant.name()
            if tenant not in made:
                made.clear()
                made[tenant] = self._acquire()
            try:
                return made[tenant](scopes, old, claims)
            except NotAuthorized:
                open_tenant.forget()
                raise

        return acquire

    def _acquire(self) -> _Acquire:
        credential = self.iclient.credential
        if self.needs_consent:
            return self.consented().acquire
        if isinstance(credential, ManagedIdentity):
            return lambda scopes, old, claims: managed_identity_token(
                credential, self.iclient.name, scopes, self.clock, self.retrying
            )
        grants = self.grants()
        return lambda scopes, old, claims: grants.client_credentials(scopes, claims)

    def consented(self) -> ConsentedTokens:
        """The tokens of this connection's consent."""
        return ConsentedTokens(self.connection.name, self.grants(), self.keeper, self.clock, self.place)
