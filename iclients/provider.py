"""A provider: an authorization server that we know how to talk to. Plug-ins are a page of constants.

Entry point group: `integrator.iclients`. A provider says where to ask, how the server wants to be asked (`traits`),
which scopes may stand together, and what its refusals mean; asking, checking and remembering are done once, for all of
them. Most providers inherit `iclients.providers.generic.Generic` and give it a `Preset`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from iclients.clouds import CloudProfile
from iclients.endpoints import Endpoints, Fetch
from iclients.errors import CredentialRefused, NotAuthorized, Recovery, ScopeRefused
from iclients.model import IClient
from iclients.reasons import STANDARD, Reason
from iclients.traits import Traits

SIGN_IN_SCOPES: Final = frozenset({"openid", "profile", "email", "offline_access"})
"""Scopes that belong to no resource (OpenID Connect Core §5.4, §11)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error answer of a token endpoint (RFC 6749 §5.2), with secrets already taken out of its text."""

    status: int
    error: str
    description: str = ""
    suberror: str = ""
    codes: tuple[int, ...] = ()
    claims: str = ""
    """What the server wants to be asked with, where it says so: the text of a JSON object."""


class Provider:
    """What authors inherit. Override the constants, `endpoints`, and the rest where the server is odd."""

    name: ClassVar[str]
    settings: ClassVar[tuple[str, ...]] = ()
    """The names that an iClient's `settings` may have."""

    reasons: ClassVar[Mapping[int | str, Reason]] = {}
    """Number, `error/suberror` or error → why and what to do, where the standards' reasons do not say it well."""

    uses_clouds: ClassVar[bool] = False
    """Whether an iClient's cloud profile says where this provider is."""

    has_tenants: ClassVar[bool] = False
    """Whether its addresses have a tenant in them, which a system may name where the iClient names none."""

    def endpoints(self, iclient: IClient, cloud: CloudProfile, fetch: Fetch) -> Endpoints:
        """Where this iClient's server answers. `fetch` gets JSON, for providers that are found by discovery."""
        raise NotImplementedError

    def traits(self, iclient: IClient) -> Traits:
        """How the server wants to be asked. Raises NotAuthorized where the iClient's settings make no sense."""
        return Traits()

    def check(self, iclient: IClient) -> None:
        """Raise NotAuthorized where the iClient cannot work, before anything is sent or saved."""
        self.traits(iclient)

    def check_app_scopes(self, iclient: IClient, scopes: Sequence[str]) -> None:
        """Raise ScopeRefused where client credentials cannot be asked for these scopes."""

    def check_consent_scopes(self, iclient: IClient, scopes: Sequence[str]) -> None:
        """Raise ScopeRefused where one token of a consent cannot have these scopes."""

    def consent_scopes(self, iclient: IClient, scopes: Sequence[str]) -> tuple[str, ...]:
        """What a person is asked for, so that these scopes can be had, and had again later."""
        chosen = [scope for scope in iclient.scopes if scope in SIGN_IN_SCOPES]  # no resource's, so nobody else asks
        offline = self.traits(iclient).offline_scope
        return tuple(dict.fromkeys([*scopes, *chosen, *([offline] if offline else [])]))

    def scope_parameters(self, iclient: IClient, scopes: Sequence[str]) -> dict[str, str]:
        """How a token request names scopes."""
        return {"scope": self.traits(iclient).scope_delimiter.join(scopes)} if scopes else {}

    def claims_parameters(self, iclient: IClient, claims: str) -> dict[str, str]:
        """How a token request passes on claims that a resource demands (`claims` is the text of a JSON object)."""
        return {}

    def admin_consent_address(
        self, iclient: IClient, cloud: CloudProfile, scopes: Sequence[str], redirect_uri: str, state: str
    ) -> str:
        """Where an administrator consents for everybody. Raises NotAuthorized where the provider has no such page."""
        raise NotAuthorized(
            f"Provider {self.name} has no page where an administrator consents for everybody: authorize the connection.",
            code="no_endpoint",
        )

    def explain(self, refusal: Refusal, iclient: IClient) -> NotAuthorized:
        """The refusal as a sentence for a person, with a recovery."""
        named: tuple[int | str, ...] = (*refusal.codes, f"{refusal.error}/{refusal.suberror}", refusal.error)
        found = (self.reasons.get(name) or STANDARD.get(str(name)) for name in named)
        reason = next(filter(None, found), None)
        if reason is None:
            kind, words = _KINDS.get(refusal.error, NotAuthorized), _quoted(refusal.description or refusal.error)
            return _with_claims(
                kind(f"The provider refused iClient {iclient.name}: {words}", code=refusal.error), refusal
            )
        kind = reason.kind or _KINDS.get(refusal.error, NotAuthorized)
        sentence = reason.sentence(iclient=iclient.name, tenant=iclient.tenant or "", client_id=iclient.client_id)
        if refusal.description and not any(code in self.reasons for code in refusal.codes):
            sentence = f"{sentence} It says: {_quoted(refusal.description)}"  # it may tell more than the error alone
        if reason.wait_seconds:
            waits = reason.wait_seconds
            return kind(sentence, code="provider_busy", recovery=Recovery.RETRY, retry_after_seconds=waits)
        return _with_claims(kind(sentence, code=refusal.error), refusal)


_KINDS: Mapping[str, type[NotAuthorized]] = {
    "invalid_client": CredentialRefused,
    "unauthorized_client": CredentialRefused,
    "invalid_scope": ScopeRefused,
    "invalid_resource": ScopeRefused,
    "invalid_target": ScopeRefused,
}


def _with_claims(error: NotAuthorized, refusal: Refusal) -> NotAuthorized:
    error.claims = refusal.claims
    return error


def _quoted(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
