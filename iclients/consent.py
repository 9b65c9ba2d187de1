"""Consent: a person lets an iClient in, in their browser (authorization code with PKCE), or with a code on any device.

The callback is judged here, because nobody else does it: exactly one state that is known and unused, exactly one code
or one error, and the issuer where it is told. Sources: RFC 6749 §4.1, RFC 7636, RFC 9207, RFC 8628.
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from iclients.endpoints import Endpoints
from iclients.errors import NotAuthorized
from iclients.model import IClient
from iclients.provider import Provider, Refusal
from iclients.secret import Secret

STATE_SECONDS: Final = 600.0
"""How long a person may take."""

Parameters = Mapping[str, Sequence[str]]
"""A query as `urllib.parse.parse_qs` gives it."""


class WrongCallback(Exception):
    """Somebody called back who was not asked, or not like this: it is refused, and the waiting goes on."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A consent that has begun: what the callback must fit."""

    state: str
    nonce: str
    verifier: Secret
    redirect_uri: str
    scopes: tuple[str, ...]
    ends_at: float

    @property
    def challenge(self) -> str:
        """RFC 7636 §4.2, S256."""
        digest = hashlib.sha256(self.verifier.reveal().encode("ascii")).digest()
        return urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def begin(redirect_uri: str, scopes: Sequence[str], now: float) -> Pending:
    """A new consent, with a state, a nonce and a verifier of its own."""
    return Pending(
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=Secret(secrets.token_urlsafe(64)),
        redirect_uri=redirect_uri,
        scopes=tuple(scopes),
        ends_at=now + STATE_SECONDS,
    )


def address(pending: Pending, iclient: IClient, provider: Provider, endpoints: Endpoints) -> str:
    """Where the person goes."""
    endpoint = endpoints.need("authorization_endpoint", iclient.name)
    parameters = {
        "response_type": "code",
        "client_id": iclient.client_id,
        "redirect_uri": pending.redirect_uri,
        "scope": " ".join(pending.scopes),
        "state": pending.state,
        "code_challenge": pending.challenge,
        "code_challenge_method": "S256",
        **({"nonce": pending.nonce} if "openid" in pending.scopes else {}),
        **provider.authorization_parameters(iclient, pending.scopes),
    }
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(parameters)}"


def code_from(
    callback: Parameters, pending: Pending, iclient: IClient, provider: Provider, issuer: str, now: float
) -> Secret:
    """The code that the callback brings. Raises WrongCallback, or NotAuthorized where the consent has failed."""
    state = _one(callback, "state")
    if state is None or not secrets.compare_digest(state.encode(), pending.state.encode()):
        raise WrongCallback("This address belongs to no consent that is waiting: start again from the connection.")
    if now > pending.ends_at:
        raise NotAuthorized("The consent took longer than ten minutes: start it again.", code="consent_expired")
    told_issuer = _one(callback, "iss")
    if told_issuer is not None and issuer and told_issuer != issuer:
        raise NotAuthorized(
            f"The answer came from another provider than {issuer}: nothing was sent to it; start again.", code="mix_up"
        )
    error, code = _one(callback, "error"), _one(callback, "code")
    if error and not code:
        refusal = Refusal(400, error[:100], " ".join((_one(callback, "error_description") or "").split())[:300])
        raise provider.explain(refusal, iclient)
    if not code or error:
        raise WrongCallback("This callback has neither one code nor one error: start again from the connection.")
    return Secret(code)


def _one(callback: Parameters, name: str) -> str | None:
    """The value of a parameter that stands exactly once. Raises WrongCallback where it stands more often."""
    values = callback.get(name, ())
    if len(values) > 1:
        raise WrongCallback(f"This callback has {name} more than once: start again from the connection.")
    return values[0] if values else None
