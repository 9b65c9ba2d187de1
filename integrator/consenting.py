"""Consents: begun for somebody, ended by a callback or a device code, kept before they are used.

What a consent has begun with is a row: single use, ten minutes, bound to who began it, to the connection and, where it
was begun in a browser, to that browser; nonce and verifier are sealed. The row is used up before the code is sent, so
that a crash after it can never send the code again; until then nothing that a stranger sends uses it up.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from connectors.errors import SettingsError
from iclients import consent
from iclients.consent import Parameters, Pending, WrongCallback
from iclients.errors import NotAuthorized, Recovery, RemoteError
from iclients.grants import Grants
from iclients.model import Consent, Token
from integrator.admission import Admission
from integrator.bootstrap import Installation
from integrator.errors import StateRefused, UserError, defect_sentence
from integrator.pinging import tested
from integrator.store.connections import OFFLINE
from integrator.store.consent_states import SealedPending, TakenState

CONSENT: Final = "consent"
ADMIN: Final = "admin"
_READ_ONCE: Final = ("iss", "tenant", "admin_consent", "error_description", "error_subcode", "suberror")
"""Parameters that are read after the consent was taken; of `state`, `code` and `error` it is seen before."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A consent that waits for its callback: where the person goes, and the state by which its row is found."""

    address: str
    state: str


@dataclass(frozen=True, slots=True)
class Authorized:
    """A consent that has ended well: who let the connection in, to what, and what its ping said."""

    connection: str
    account: str
    scopes: tuple[str, ...]
    missing: tuple[str, ...]
    """Scopes that were asked for and not given."""

    message: str
    return_to: str = ""


_Device = Callable[[str, str], None]
"""Tells a person where to go and which code to type there."""


class NotOnline(NotAuthorized):
    """The consent has ended well and is kept, and the connection does not work with it: something else is wrong."""

    code = "not_online"
    recovery = Recovery.RETRY


class Consenting:
    """The consents of one installation."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._store = installation.store

    def begin(
        self,
        name: str,
        redirect_uri: str,
        *,
        user: str = "",
        browser: str = "",
        return_to: str = "",
        hints: Mapping[str, str] | None = None,
    ) -> Begun:
        """Begin a consent for this connection. `browser` is a secret that only the browser which began it has; `user`
        is for whom it begins, where that is not whoever acts.

        Raises NotFoundHere; SettingsError where nobody needs to consent; NotAuthorized where it could not end well.
        """
        admission = self._admission(name)
        grants = admission.grants()
        asked = grants.provider.consent_scopes(grants.iclient, self._scopes(name))
        grants.provider.check(grants.iclient)
        grants.provider.check_consent_scopes(grants.iclient, self._scopes(name))
        pending = consent.begin(redirect_uri, asked, self._now())
        asked_with = {**self._demanded(admission), **(hints or {})}
        address = consent.address(pending, grants.iclient, grants.provider, grants.endpoints(), asked_with)
        self._remember(admission, CONSENT, pending, user, browser, return_to)
        return Begun(address, pending.state)

    def begin_for_all(self, name: str, redirect_uri: str, *, browser: str = "") -> Begun:
        """Begin an administrator's consent for everybody in the tenant. Raises as `begin` does."""
        admission = self._installation.admission(name)
        grants = admission.grants()
        pending = consent.begin(redirect_uri, self._scopes(name), self._now())
        address = grants.provider.admin_consent_address(
            grants.iclient, grants.cloud, pending.scopes, redirect_uri, pending.state
        )
        self._remember(admission, ADMIN, pending, "", browser, "")
        return Begun(address, pending.state)

    def auth_of(self, name: str) -> str:
        """How this connection's person consents. Raises NotFoundHere; SettingsError where nobody needs to."""
        return str(self._admission(name).connection.auth)

    def outcome(self, name: str, state: str) -> Authorized | None:
        """How a consent that somebody else ends has ended; None while it has not. Raises NotAuthorized as it failed."""
        with self._store.reading() as stored:
            ended = stored.consent_states.outcome(state)
        if ended is None:
            return None
        if ended.code:
            raise NotAuthorized(ended.message, code=ended.code)
        kept = self._admission(name).keeper.get()
        return Authorized(name, ended.account, kept.consent.scopes if kept else (), (), ended.message)

    def revoke(self, name: str) -> bool:
        """Give a consent back to the provider and forget it; says whether the provider was told.

        A provider without a revocation endpoint is not told: its tokens end by themselves. Raises NotFoundHere;
        NotAuthorized where there is no consent; what asking the provider raises, and then nothing is forgotten.
        """
        admission = self._admission(name)
        with admission.keeper.exclusive():
            kept = admission.keeper.get()
            if kept is None:
                raise NotAuthorized(f"Connection {name} has no consent to revoke.", code="not_consented")
            grants = admission.grants()
            token = kept.consent.refresh_token if kept.consent.given_to in ("", admission.place) else None
            can_tell = token is not None and bool(grants.endpoints().revocation_endpoint)
            if token is not None and can_tell:
                grants.revoke(token)
            with self._store.writing() as stored:
                stored.consents.forget(name)
                stored.connections.set_state(name, OFFLINE, at=self._now())
        return can_tell

    def finish(self, callback: Parameters, *, browser: str = "", only: str | None = None) -> Authorized:
        """End the consent that this callback belongs to: exchange, keep, ping. With `only`, no other one.

        Raises WrongCallback where it belongs to none that waits, or to another browser's: nothing is used up then.
        Raises NotAuthorized, and what asking a provider raises, where the consent has failed.
        """
        state = consent.state_from(callback)
        if only is not None and not secrets.compare_digest(state.encode(), only.encode()):
            raise WrongCallback("This address belongs to another consent than the one that is waited for here.")
        try:
            with self._store.writing() as stored:
                taken = stored.consent_states.take(state, browser, self._now())
                _check_kind(callback, taken.kind)  # what it raises takes the taking back
        except StateRefused as error:
            raise WrongCallback(str(error)) from error
        try:
            done = self._finished(callback, state, taken)
        except Exception as error:
            self._end(taken, *_told(error), "")
            raise
        self._end(taken, "", done.message, done.account)
        return replace(done, return_to=taken.return_to)

    def by_device(self, name: str, say: _Device, timeout_seconds: float) -> Authorized:
        """Take a person through a consent on any device. Raises as `begin` and `finish` do."""
        grants = self._admission(name).grants()
        scopes = self._scopes(name)
        grants.provider.check_consent_scopes(grants.iclient, scopes)
        device = grants.device_begin(grants.provider.consent_scopes(grants.iclient, scopes))
        say(device.verification_uri, device.user_code)
        patient = replace(device, expires_seconds=min(device.expires_seconds, timeout_seconds))
        return self._keep(name, grants.device_poll(patient, scopes), None)

    def _finished(self, callback: Parameters, state: str, taken: TakenState) -> Authorized:
        name = taken.connection
        admission = self._installation.admission(name)
        if taken.pending.place not in ("", admission.place):
            raise NotAuthorized(
                f"Connection {name} goes to another place than when its consent was begun: nothing was sent; start again.",
                code="consent_elsewhere",
            )
        grants, pending = admission.grants(), _pending(taken.pending, state, taken.expires_at)
        if taken.kind == ADMIN:
            tenant = consent.tenant_from(callback, pending, grants.iclient, grants.provider, self._now())
            return Authorized(name, tenant, pending.scopes, (), f"An administrator has consented for tenant {tenant}.")
        code = consent.code_from(callback, pending, grants.iclient, grants.provider, grants.endpoints(), self._now())
        return self._keep(name, grants.redeem(code, pending, self._scopes(name)), pending, grants)

    def _keep(self, name: str, token: Token, pending: Pending | None, grants: Grants | None = None) -> Authorized:
        """Keep the token before it is used, then see whether the connection works with it."""
        admission = self._admission(name)
        account = self._account(grants or admission.grants(), token, pending)
        made = Consent(token.refresh_token, account, token.scopes, self._now(), (token,), given_to=admission.place)
        with admission.keeper.exclusive():
            before = admission.keeper.get()
            admission.keeper.save(made, None)
        try:
            message = tested(self._installation, name)
        except NotAuthorized as error:
            if before is not None:
                with admission.keeper.exclusive():
                    admission.keeper.save(replace(before.consent, claims=error.claims or before.consent.claims), None)
                with suppress(RemoteError):  # from here on it stands as the old one does
                    tested(self._installation, name)
            raise
        except RemoteError as error:
            raise NotOnline(f"The consent is kept, but connection {name} does not work yet. {error}") from error
        missing = tuple(scope for scope in token.asked if scope not in token.scopes and not scope.endswith("/.default"))
        return Authorized(name, account, token.scopes, missing, message)

    def _account(self, grants: Grants, token: Token, pending: Pending | None) -> str:
        if pending is not None and "openid" not in pending.scopes:
            return ""  # what nobody asked for has no nonce of ours, and is not believed
        from iclients.id_tokens import account_in  # JOSE loads slowly

        return account_in(token, pending, grants, self._now())

    def _demanded(self, admission: Admission) -> dict[str, str]:
        """What the provider wants to be asked with since it refused the last refresh: a second factor, for one."""
        kept = admission.keeper.get()
        return {"claims": kept.consent.claims} if kept and kept.consent.claims else {}

    def _admission(self, name: str) -> Admission:
        admission = self._installation.admission(name)
        if not admission.needs_consent:
            raise SettingsError(
                f"Connection {name} has auth: {admission.connection.auth}, for which nobody consents: "
                f"`integrator connections test {name}` says whether it works."
            )
        return admission

    def _scopes(self, name: str) -> tuple[str, ...]:
        return tuple(self._installation.connector(name).scopes)

    def _remember(
        self, admission: Admission, kind: str, pending: Pending, user: str, browser: str, return_to: str
    ) -> None:
        sealed = SealedPending(pending.nonce, pending.verifier, pending.redirect_uri, pending.scopes, admission.place)
        with self._store.writing() as stored:
            stored.consent_states.begin(
                pending.state,
                admission.connection.name,
                kind=kind,
                user=user or self._store.actor,
                browser=browser,
                pending=sealed,
                return_to=return_to,
                now=self._now(),
                expires_at=pending.ends_at,
            )

    def _end(self, taken: TakenState, code: str, message: str, account: str) -> None:
        with self._store.writing() as stored:
            stored.consent_states.end(taken.id, code, message, account, self._now())
            action = "consent failed" if code else "consent ended"
            detail = {"kind": taken.kind, "account": account, "code": code}
            stored.audit.record(action, "connection", taken.connection, detail)

    def _now(self) -> float:
        return self._installation.clock.now()


def _check_kind(callback: Parameters, kind: str) -> None:
    """Raise WrongCallback for what no consent of this kind is answered with: whoever made it up ends nothing."""
    given = {name for name, values in callback.items() if any(values)}
    has_consented = [value.lower() for value in callback.get("admin_consent", ())] == ["true"]
    is_admins = "error" in given or ("tenant" in given and has_consented)
    fits = is_admins if kind == ADMIN else ("code" in given) != ("error" in given)
    if not fits or any(len(callback.get(name, ())) > 1 for name in _READ_ONCE):
        raise WrongCallback("This is not the callback of the consent that waits: go on there, or start it again.")


def _told(error: Exception) -> tuple[str, str]:
    """Code and sentence of what a consent has failed with."""
    if isinstance(error, RemoteError):
        return error.code, str(error)
    is_told = isinstance(error, UserError | SettingsError)
    return "cannot_run" if is_told else "defect", str(error) if is_told else defect_sentence(error)


def _pending(sealed: SealedPending, state: str, ends_at: float) -> Pending:
    return Pending(state, sealed.nonce, sealed.verifier, sealed.redirect_uri, sealed.scopes, ends_at)
