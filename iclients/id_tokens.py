"""Id tokens, checked whenever we asked for one: signature, issuer, audience, nonce, expiry (OpenID Connect Core §3.1.3.7)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from iclients.consent import Pending
from iclients.endpoints import Fetch, is_issuer
from iclients.errors import NotAuthorized
from iclients.grants import Grants
from iclients.model import Token
from iclients.redaction import READ_LIMIT, plain, repeats, secrets_with
from iclients.secret import Secret

ALGORITHMS: Final = ("RS256", "PS256", "ES256")
LEEWAY_SECONDS: Final = 60
MAX_ACCOUNT: Final = 200
MAX_KEYS: Final = 100


def account_of(
    id_token: Secret,
    *,
    jwks_uri: str,
    issuer: str,
    client_id: str,
    nonce: str | None,
    now: float,
    fetch: Fetch,
    secrets: Collection[str] = (),
) -> str:
    """Who consented, as people name them; a name that repeats one of the `secrets` is passed over.

    Raises NotAuthorized where the id token is not what it should be.
    """
    claims = _verified(id_token, jwks_uri, fetch)
    expected = {
        "issuer": is_issuer(claims.get("iss"), issuer),
        "audience": _is_for(claims, client_id),
        "nonce": nonce is None or claims.get("nonce") == nonce,
        "expiry": _is_time(claims.get("exp")) and claims["exp"] + LEEWAY_SECONDS > now,
    }
    wrong = [name for name, fits in expected.items() if not fits]
    if wrong:
        raise _refused(f"its {wrong[0]} is another one")
    found = (claims.get(name) for name in ("preferred_username", "email", "upn", "sub"))
    hidden = (id_token.reveal(), *secrets)
    names = (name for name in found if isinstance(name, str) and not repeats(name[:READ_LIMIT], hidden))
    return next(filter(None, (plain(name, MAX_ACCOUNT) for name in names)), "")


def account_in(token: Token, pending: Pending | None, grants: Grants, now: float) -> str:
    """Who consented, by the id token that came with this token; empty where none was asked for. Raises as `account_of`.

    One that nobody asked for has no nonce of ours and is not believed. One that was asked for comes with the token for
    a code (§3.1.3.3), or somebody has taken it away; with a device's token it may come.
    """
    if pending is not None and "openid" not in pending.scopes:
        return ""
    endpoints, iclient = grants.endpoints(), grants.iclient
    if token.id_token is None:
        asked = token.asked if grants.provider.traits(iclient).names_scopes_again else pending and pending.scopes
        if pending is not None and endpoints.jwks_uri and "openid" in (asked or ()):
            raise _missing(iclient.name)
        return ""
    return account_of(
        token.id_token,
        jwks_uri=endpoints.need("jwks_uri", iclient.name),
        issuer=endpoints.issuer,
        client_id=iclient.client_id,
        nonce=pending.nonce if pending else None,
        now=now,
        fetch=grants.fetch,
        secrets=(*secrets_with(token, iclient), *((pending.verifier.reveal(),) if pending else ())),
    )


def _missing(iclient: str) -> NotAuthorized:
    return NotAuthorized(
        f"The provider of iClient {iclient} sent no id token although it was asked for openid, so nobody knows who "
        "consented: nothing was kept; take openid out of its scopes where the provider does not know it.",
        code="id_token",
    )


def _verified(id_token: Secret, jwks_uri: str, fetch: Fetch) -> Mapping[str, Any]:
    try:
        keys = [key for key in fetch(jwks_uri)["keys"][:MAX_KEYS] if key.get("use", "sig") == "sig"]
        return jwt.decode(id_token.reveal(), KeySet.import_key_set({"keys": keys}), algorithms=list(ALGORITHMS)).claims
    except (JoseError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise _refused(f"its signature cannot be checked ({type(error).__name__})") from None


def _is_time(told: object) -> bool:
    return isinstance(told, int) or (isinstance(told, float) and math.isfinite(told))


def _is_for(claims: Mapping[str, Any], client_id: str) -> bool:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    party = claims.get("azp")
    return client_id in audiences and (party == client_id if party is not None else len(audiences) == 1)


def _refused(why: str) -> NotAuthorized:
    return NotAuthorized(f"The provider's id token is refused, {why}: nothing was kept; start again.", code="id_token")
