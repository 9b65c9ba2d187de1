"""Reasons: why an authorization server refuses, and what to do about it, in words for the person who must do it.

A provider adds its own under its numbers or as `error/suberror`; these are the standards'. `{iclient}`, `{tenant}` and
`{client_id}` are filled in. Sources: RFC 6749 §4.1.2.1, §5.2; RFC 8628 §3.5; RFC 8707 §2; RFC 9126 §2.3;
OpenID Connect Core 1.0 §3.1.2.6; OpenID Connect Core Unmet Authentication Requirements 1.0 §2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from iclients.errors import NotAuthorized


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, and what to do next: two halves of one sentence."""

    cause: str
    fix: str
    kind: type[NotAuthorized] | None = None
    """CredentialRefused where the next credential may be taken, NotAuthorized where no credential or scope would help;
    None: as the error says."""

    wait_seconds: float = 0.0
    """How long nothing is to be asked, where waiting is all that helps: the refusal then says nothing against us."""

    def sentence(self, **values: str) -> str:
        """Both, with the holes filled."""
        text = f"{self.cause}: {self.fix}."
        for hole, value in values.items():
            text = text.replace("{" + hole + "}", value)
        return text


STANDARD: Final[Mapping[str, Reason]] = {
    "access_denied": Reason(
        "The consent for iClient {iclient} was declined, by the person or by a policy", "start it again and accept"
    ),
    "invalid_request": Reason(
        "The provider does not take the request of iClient {iclient} as it stands",
        "compare the settings of iClient {iclient} with what the provider's documentation asks for",
    ),
    "invalid_client": Reason(
        "The provider does not take the credential of iClient {iclient}",
        "check client ID, credential and settings.client_authentication, and apply the document again",
    ),
    "unauthorized_client": Reason(
        "The provider does not allow iClient {iclient} to be used like this",
        "enable the grant for app {client_id} at the provider, and check its credential",
    ),
    "invalid_grant": Reason(
        "The provider no longer takes what was granted to iClient {iclient}; it was used, revoked or has expired",
        "authorize the connection again",
    ),
    "invalid_scope": Reason(
        "The provider does not give the scopes that iClient {iclient} asks for",
        "compare them with what app {client_id} may ask for there",
    ),
    "invalid_target": Reason(
        "The provider does not know the audience that iClient {iclient} asks for", "check settings.audience"
    ),
    "unsupported_grant_type": Reason(
        "The provider of iClient {iclient} does not offer this grant", "choose another auth for the connection"
    ),
    "unsupported_response_type": Reason(
        "The provider of iClient {iclient} gives no codes to this app",
        "enable the authorization code grant for app {client_id} at the provider",
    ),
    "login_required": Reason(
        "The provider of iClient {iclient} wants a person to sign in", "start the consent again without prompt none"
    ),
    "interaction_required": Reason(
        "The provider of iClient {iclient} wants to see a person again", "authorize the connection again"
    ),
    "consent_required": Reason(
        "Nobody has consented to what iClient {iclient} asks for, or the consent was taken back",
        "authorize the connection again",
    ),
    "account_selection_required": Reason(
        "The provider of iClient {iclient} wants a person to choose an account", "authorize the connection again"
    ),
    "unmet_authentication_requirements": Reason(
        "The provider of iClient {iclient} could not make sure of the person as strongly as it must",
        "authorize the connection again, and sign in as the provider asks",
    ),
    "authorization_declined": Reason(
        "The person declined the code of iClient {iclient}", "start the consent again and accept"
    ),
    "expired_token": Reason("The code of iClient {iclient} was not typed in time", "start the consent again"),
}
"""Error → reason, where the provider has none of its own."""
