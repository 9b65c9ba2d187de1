"""Save & authorize from the command line: a person consents, the token is kept before it is used, the connection pings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from connectors.errors import SettingsError
from iclients.consent import Pending, WrongCallback, address, begin, code_from
from iclients.errors import NotAuthorized, RemoteError
from iclients.model import Consent, Token
from integrator.bootstrap import Installation
from integrator.callback import Page, receiving

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Authorized:
    """A connection that is online: who let it in, to what, and what its ping said."""

    connection: str
    account: str
    scopes: tuple[str, ...]
    message: str


class Authorizing:
    """Authorizes one connection. `say` tells the person where to go."""

    def __init__(self, installation: Installation, name: str, say: Say) -> None:
        """Raises NotFoundHere; SettingsError where the connection needs no consent."""
        self._installation = installation
        self._name = name
        self._say = say
        self._admission = installation.admission(name)
        if not self._admission.needs_consent:
            raise SettingsError(
                f"Connection {name} has auth: {self._admission.connection.auth}, for which nobody consents: "
                f"`integrator connections test {name}` says whether it works."
            )
        self._grants = self._admission.grants()
        self._scopes = installation.connector(name).scopes

    def run(self, timeout_seconds: float) -> Authorized:
        """Take a person through the consent. Raises NotAuthorized where it does not end well: what was kept stays."""
        if self._admission.connection.auth == "device_code":
            return self._by_device(timeout_seconds)
        return self._by_browser(timeout_seconds)

    def _by_browser(self, timeout_seconds: float) -> Authorized:
        ended: list[Authorized | RemoteError] = []

        def judge(callback: dict[str, list[str]]) -> Page:
            try:
                code = code_from(callback, pending, iclient, provider, endpoints.issuer, self._now())
                ended.append(self._keep(self._grants.redeem(code, pending, self._scopes), pending))
            except WrongCallback as error:
                return Page(400, "This is not the callback that is waited for", str(error))
            except RemoteError as error:
                ended.append(error)
                return Page(200, "Not authorized", str(error))
            return Page(200, "Authorized", f"Connection {self._name} is online: close this page.")

        iclient, provider, endpoints = self._grants.iclient, self._grants.provider, self._grants.endpoints()
        with receiving(self._installation.config.public_url, judge) as receiver:
            asked = provider.consent_scopes(self._scopes)
            pending = begin(receiver.redirect_uri, asked, self._now())
            self._say(f"Open: {address(pending, iclient, provider, endpoints)}")
            if not receiver.answered.wait(timeout_seconds):
                raise NotAuthorized(
                    f"Nobody came back within {timeout_seconds:.0f} s: start again, and compare the redirect URI "
                    f"{receiver.redirect_uri} with what the provider has registered.",
                    code="consent_timeout",
                )
        return _result(ended[0])

    def _by_device(self, timeout_seconds: float) -> Authorized:
        asked = self._grants.provider.consent_scopes(self._scopes)
        device = self._grants.device_begin(asked)
        self._say(f"Open: {device.verification_uri}")
        self._say(f"Code: {device.user_code}")
        patient = replace(device, expires_seconds=min(device.expires_seconds, timeout_seconds))
        return self._keep(self._grants.device_poll(patient, self._scopes), None)

    def _keep(self, token: Token, pending: Pending | None) -> Authorized:
        """Keep the token before it is used, then see whether the connection works with it."""
        account = self._account(token, pending)
        consent = Consent(token.refresh_token, account, token.scopes, self._now(), token)
        with self._admission.keeper.exclusive():
            before = self._admission.keeper.get()
            self._admission.keeper.save(consent)
        try:
            message = self._installation.connector(self._name).ping().message
        except NotAuthorized:
            if before is not None:
                with self._admission.keeper.exclusive():
                    self._admission.keeper.save(before)
            raise
        return Authorized(self._name, account, token.scopes, message)

    def _account(self, token: Token, pending: Pending | None) -> str:
        if token.id_token is None:
            return ""
        from iclients.id_tokens import account_of  # JOSE loads slowly

        endpoints = self._grants.endpoints()
        return account_of(
            token.id_token,
            jwks_uri=endpoints.need("jwks_uri", self._grants.iclient.name),
            issuer=endpoints.issuer,
            client_id=self._grants.iclient.client_id,
            nonce=pending.nonce if pending else None,
            now=self._now(),
            fetch=self._grants.fetch,
        )

    def _now(self) -> float:
        return self._installation.clock.now()


def _result(ended: Authorized | RemoteError) -> Authorized:
    if isinstance(ended, RemoteError):
        raise ended
    return ended
