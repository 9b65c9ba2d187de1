"""A provider: an authorization server that we know how to talk to. Plug-ins are a page of constants and two methods.

Entry point group: `integrator.iclients`. A provider says where to ask, how to prove who asks, which scopes may stand
together, and what the server's refusals mean; asking, checking and remembering are done once, for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from iclients.clouds import CloudProfile
from iclients.endpoints import Endpoints, Fetch
from iclients.errors import CredentialRefused, NotAuthorized, ScopeRefused
from iclients.model import IClient


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error answer of a token endpoint (RFC 6749 §5.2), with secrets already taken out of its text."""

    status: int
    error: str
    description: str = ""
    codes: tuple[int, ...] = ()


class Provider:
    """What authors inherit. Override the constants, `endpoints`, and where it helps `explanations`."""

    name: ClassVar[str]
    client_authentication: ClassVar[str] = "client_secret_post"
    settings: ClassVar[tuple[str, ...]] = ()
    """The names that an iClient's `settings` may have."""
    explanations: ClassVar[Mapping[int | str, str]] = {}
    """Code or error → one sentence with the next step; `{iclient}`, `{tenant}` and `{client_id}` are filled in."""

    uses_clouds: ClassVar[bool] = False
    """Whether an iClient's cloud profile says where this provider is."""

    def endpoints(self, iclient: IClient, cloud: CloudProfile, fetch: Fetch) -> Endpoints:
        """Where this iClient's server answers. `fetch` gets JSON, for providers that are found by discovery."""
        raise NotImplementedError

    def authentication(self, iclient: IClient) -> str:
        """How a client secret is sent: client_secret_post, client_secret_basic or none."""
        return self.client_authentication

    def check_app_scopes(self, iclient: IClient, scopes: Sequence[str]) -> None:
        """Raise ScopeRefused where client credentials cannot be asked for these scopes."""

    def consent_scopes(self, scopes: Sequence[str]) -> tuple[str, ...]:
        """What a person is asked for, so that these scopes can be had, and had again later."""
        return tuple(scopes)

    def authorization_parameters(self, iclient: IClient, scopes: Sequence[str]) -> dict[str, str]:
        """Extra parameters of the address that a person opens."""
        return {}

    def token_parameters(self, iclient: IClient) -> dict[str, Any]:
        """Extra parameters of every token request."""
        return {}

    def explain(self, refusal: Refusal, iclient: IClient) -> NotAuthorized:
        """The refusal as a sentence for a person, with a recovery."""
        reasons: tuple[int | str, ...] = (*refusal.codes, refusal.error)
        sentence = next(
            (self.explanations[reason] for reason in reasons if reason in self.explanations),
            "The provider refused iClient {iclient}: " + _quoted(refusal.description or refusal.error),
        )
        values = {"iclient": iclient.name, "tenant": iclient.tenant or "", "client_id": iclient.client_id}
        for hole, value in values.items():
            sentence = sentence.replace("{" + hole + "}", value)
        kind = _KINDS.get(refusal.error, NotAuthorized)
        return kind(sentence, code=refusal.error)


_KINDS: Mapping[str, type[NotAuthorized]] = {
    "invalid_client": CredentialRefused,
    "unauthorized_client": CredentialRefused,
    "invalid_scope": ScopeRefused,
    "invalid_resource": ScopeRefused,
}


def _quoted(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
