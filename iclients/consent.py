"""Consent: a person lets an iClient in, in their browser (authorization code with PKCE), or with a code on any device.

The callback is judged here, because nobody else does it: exactly one state that is known and unused, exactly one code
or one error, and the issuer where it is told. Sources: RFC 6749 §4.1, RFC 7636, RFC 9207, RFC 8628.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from iclients.endpoints import Endpoints, is_issuer
from iclients.errors import NotAuthorized
from iclients.model import IClient
from iclients.provider import Provider, Refusal
from iclients.redaction import cleaned, plain
from iclients.secret import Secret

STATE_SECONDS: Final = 600.0
"""How long a person may take."""

_AADSTS: Final = re.compile(r"AADSTS([0-9]{4,9})")
"""Entra has no `error_codes` in callbacks: its number stands in the description."""

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

    def challenge(self, method: str) -> dict[str, str]:
        """What shows later that whoever brings the code is who asked for it (RFC 7636 §4.2, §4.3)."""
        if method == "none":
            return {}
        verifier = self.verifier.reveal()
        digest = urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).decode("ascii").rstrip("=")
        return {"code_challenge": digest if method == "S256" else verifier, "code_challenge_method": method}


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


def address(
    pending: Pending,
    iclient: IClient,
    provider: Provider,
    endpoints: Endpoints,
    hints: Mapping[str, str] | None = None,
) -> str:
    """Where the person goes. `hints` are `prompt` and `login_hint` (OpenID Connect Core §3.1.2.1), where they are wanted.

    Raises NotAuthorized where the provider has no such page.
    """
    endpoint = endpoints.need("authorization_endpoint", iclient.name)
    traits = provider.traits(iclient)
    audience = {"audience": traits.audience} if traits.audience else {}
    scope = {"scope": traits.scope_delimiter.join(pending.scopes)} if pending.scopes else {}
    ours = {
        "response_type": "code",
        "client_id": iclient.client_id,
        "redirect_uri": pending.redirect_uri,
        **scope,
        "state": pending.state,
        **pending.challenge(traits.pkce),
        **({"nonce": pending.nonce} if "openid" in pending.scopes else {}),
        **audience,
    }
    given = {**traits.authorization_parameters, **(hints or {})}
    parameters = {**ours, **{name: text for name, text in given.items() if name not in ours}}
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(parameters)}"


def code_from(
    callback: Parameters, pending: Pending, iclient: IClient, provider: Provider, endpoints: Endpoints, now: float
) -> Secret:
    """The code that the callback brings. Raises WrongCallback, or NotAuthorized where the consent has failed."""
    _check_waited_for(callback, pending, now)
    _check_issuer(_one(callback, "iss"), endpoints)
    code, error = _one(callback, "code"), _one(callback, "error")
    if bool(code) == bool(error):  # state_from lets an administrator's callback pass
        raise WrongCallback("This callback has neither one code nor one error: start again from the connection.")
    if not code:
        raise provider.explain(_refusal(callback, pending, iclient), iclient)
    return Secret(code)


def state_from(callback: Parameters) -> str:
    """The state of a callback that is well formed. Raises WrongCallback: then it is nobody's, and nothing is used up."""
    state, code, error = (_one(callback, name) for name in ("state", "code", "error"))
    if not state or not state.isascii():
        raise WrongCallback("This address belongs to no consent that is waiting: start again from the connection.")
    if bool(code) == bool(error) and "admin_consent" not in callback:
        raise WrongCallback("This callback has neither one code nor one error: start again from the connection.")
    return state


def tenant_from(callback: Parameters, pending: Pending, iclient: IClient, provider: Provider, now: float) -> str:
    """The tenant for which an administrator has consented. Raises as `code_from` does."""
    _check_waited_for(callback, pending, now)
    if _one(callback, "error"):
        raise provider.explain(_refusal(callback, pending, iclient), iclient)
    tenant = plain(_one(callback, "tenant"), 100)
    if (_one(callback, "admin_consent") or "").lower() != "true" or not tenant:
        raise WrongCallback("This callback is not that of an administrator's consent: start it again.")
    return tenant


def _check_waited_for(callback: Parameters, pending: Pending, now: float) -> None:
    if not secrets.compare_digest(state_from(callback).encode(), pending.state.encode()):
        raise WrongCallback("This address belongs to no consent that is waiting: start again from the connection.")
    if now > pending.ends_at:
        raise NotAuthorized("The consent took longer than ten minutes: start it again.", code="consent_expired")


def _check_issuer(told: str | None, endpoints: Endpoints) -> None:
    """RFC 9207 §2.4: an answer of another server must not lead us to send it our code."""
    is_missing = told is None and endpoints.sends_issuer
    is_other = told is not None and endpoints.issuer and not is_issuer(told, endpoints.issuer)
    if is_missing or is_other:
        raise NotAuthorized(
            f"The answer came from another provider than {endpoints.issuer}: nothing was sent to it; start again.",
            code="mix_up",
        )


def _refusal(callback: Parameters, pending: Pending, iclient: IClient) -> Refusal:
    def told(name: str) -> str:
        return cleaned(_one(callback, name) or "", iclient, (pending.verifier.reveal(),))

    description = told("error_description")
    return Refusal(
        status=400,
        error=told("error")[:100],
        description=description,
        suberror=(told("error_subcode") or told("suberror"))[:100],
        codes=tuple(int(number) for number in _AADSTS.findall(description)),
    )


def _one(callback: Parameters, name: str) -> str | None:
    """The value of a parameter that stands exactly once. Raises WrongCallback where it stands more often."""
    values = callback.get(name, ())
    if len(values) > 1:
        raise WrongCallback(f"This callback has {name} more than once: start again from the connection.")
    return values[0] if values else None
