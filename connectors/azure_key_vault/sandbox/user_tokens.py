"""Tokens about people: delegated access tokens, id tokens, client_info (Azure reference sheet, sections 1.3, 1.12)."""

from __future__ import annotations

import hashlib
from typing import Any

from connectors.azure_key_vault.sandbox.claims_request import CAPABILITY, ClaimsRequest
from connectors.azure_key_vault.sandbox.directory import Directory
from connectors.azure_key_vault.sandbox.exchange import compact
from connectors.azure_key_vault.sandbox.grants import Grant
from connectors.azure_key_vault.sandbox.tokens import Claims, encode
from connectors.azure_key_vault.sandbox.users import User

ID_TOKEN_SECONDS = 3600
GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
PUBLIC_CLIENT = "0"


def access_token(
    grant: Grant, audience: str, names: list[str], *, proof: str, asked: ClaimsRequest
) -> tuple[str, int, int]:
    """A delegated access token in v1 format: its text, its lifetime in seconds, and when it expires."""
    directory, user = grant.directory, grant.user
    claims: Claims = {
        "aud": audience,
        "iss": directory.issuer,
        "acct": 1 if user.guest else 0,
        "acr": "1",
        "amr": ["pwd", "mfa"] if grant.proven else ["pwd"],
        "app_displayname": grant.application.name,
        "appid": grant.application.client_id,
        "appidacr": proof,
        "family_name": user.family_name,
        "given_name": user.given_name,
        "ipaddr": "127.0.0.1",
        "name": user.display_name,
        "oid": user.object_id,
        "rh": "1.sandbox.",
        "scp": " ".join(names),
        "sub": _pairwise(user, audience),
        "tid": directory.tenant,
        "ver": "1.0",
    }
    claims |= _names_v1(directory, user)
    if user.administrator:
        claims["wids"] = [GLOBAL_ADMINISTRATOR]
    if asked.continuous:
        claims["xms_cc"] = [CAPABILITY]
    if asked.contexts:
        claims["acrs"] = list(asked.contexts)
    lifetime_seconds = directory.policy.lifetime_seconds(long=asked.continuous)
    token, expires = directory.tokens.issue(claims, lifetime_seconds, asked.not_before)
    return token, lifetime_seconds, expires


def id_token(grant: Grant, openid: frozenset[str], *, issuer: str, nonce: str | None, v2: bool) -> str:
    """An id token for the app; `issuer` is that of the v2 endpoint as it was addressed."""
    directory, user = grant.directory, grant.user
    claims: Claims = {
        "aud": grant.application.client_id,
        "iss": issuer if v2 else directory.issuer,
        "oid": user.object_id,
        "sub": _pairwise(user, grant.application.client_id),
        "tid": directory.tenant,
        "rh": "1.sandbox.",
        "ver": "2.0" if v2 else "1.0",
    }
    if nonce is not None:
        claims["nonce"] = nonce
    if not v2:
        claims |= {"name": user.display_name, "given_name": user.given_name, "family_name": user.family_name}
        claims |= _names_v1(directory, user)
    elif "profile" in openid:
        claims |= {"name": user.display_name, "preferred_username": user.mail}
    if v2 and "email" in openid:
        claims["email"] = user.mail
    if v2 and user.guest:
        claims["idp"] = directory.cloud.issuer(user.home_tenant)
    return directory.tokens.issue(claims, ID_TOKEN_SECONDS)[0]


def client_info(grant: Grant) -> str:
    """Who signed in, as MSAL wants it."""
    about: dict[str, Any] = {"uid": grant.user.object_id, "utid": grant.directory.tenant}
    return encode(compact(about))


def _names_v1(directory: Directory, user: User) -> Claims:
    if user.guest:
        return {"idp": directory.cloud.issuer(user.home_tenant), "email": user.mail, "unique_name": user.mail}
    return {"unique_name": user.mail, "upn": user.mail}


def _pairwise(user: User, party: str) -> str:
    return encode(hashlib.sha256(f"{user.object_id}/{party}".encode()).digest())
