"""Id tokens, checked whenever we asked for one: signature, issuer, audience, nonce, expiry (OpenID Connect Core §3.1.3.7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from iclients.endpoints import Fetch, is_issuer
from iclients.errors import NotAuthorized
from iclients.secret import Secret

ALGORITHMS: Final = ("RS256", "PS256", "ES256")
LEEWAY_SECONDS: Final = 60


def account_of(
    id_token: Secret, *, jwks_uri: str, issuer: str, client_id: str, nonce: str | None, now: float, fetch: Fetch
) -> str:
    """Who consented, as people name them. Raises NotAuthorized where the id token is not what it should be."""
    claims = _verified(id_token, jwks_uri, fetch)
    expected = {
        "issuer": is_issuer(claims.get("iss"), issuer),
        "audience": _is_for(claims, client_id),
        "nonce": nonce is None or claims.get("nonce") == nonce,
        "expiry": isinstance(claims.get("exp"), int | float) and claims["exp"] + LEEWAY_SECONDS > now,
    }
    wrong = [name for name, fits in expected.items() if not fits]
    if wrong:
        raise _refused(f"its {wrong[0]} is another one")
    return next((str(claims[name]) for name in ("preferred_username", "email", "upn", "sub") if claims.get(name)), "")


def _verified(id_token: Secret, jwks_uri: str, fetch: Fetch) -> Mapping[str, Any]:
    try:
        keys = [key for key in fetch(jwks_uri)["keys"] if key.get("use", "sig") == "sig"]
        return jwt.decode(id_token.reveal(), KeySet.import_key_set({"keys": keys}), algorithms=list(ALGORITHMS)).claims
    except (JoseError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise _refused(f"its signature cannot be checked ({type(error).__name__})") from None


def _is_for(claims: Mapping[str, Any], client_id: str) -> bool:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    party = claims.get("azp")
    return client_id in audiences and (party == client_id if party is not None else len(audiences) == 1)


def _refused(why: str) -> NotAuthorized:
    return NotAuthorized(f"The provider's id token is refused, {why}: nothing was kept; start again.", code="id_token")
