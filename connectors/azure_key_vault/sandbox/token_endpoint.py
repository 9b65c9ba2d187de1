"""The token endpoints of both generations: tokens for apps, and for people by code, refresh token and device code."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from connectors.azure_key_vault.sandbox import scopes as asked
from connectors.azure_key_vault.sandbox import user_tokens
from connectors.azure_key_vault.sandbox.aadsts import TokenError
from connectors.azure_key_vault.sandbox.authentication import NO_PROOF, Client, authenticate
from connectors.azure_key_vault.sandbox.authority import PERSONAL_TENANT, Authority
from connectors.azure_key_vault.sandbox.claims_request import ClaimsRequest
from connectors.azure_key_vault.sandbox.directory import Directory
from connectors.azure_key_vault.sandbox.exchange import Request, base_of
from connectors.azure_key_vault.sandbox.forms import claims_of, fields_of, required
from connectors.azure_key_vault.sandbox.grants import Code, Grant
from connectors.azure_key_vault.sandbox.scopes import Scopes

GRANT_TYPES = {
    "client_credentials": "client_credentials",
    "authorization_code": "authorization_code",
    "refresh_token": "refresh_token",
    "urn:ietf:params:oauth:grant-type:device_code": "device_code",
    "device_code": "device_code",
}
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class Call(NamedTuple):
    """One request for a token by an app that is known."""

    form: Mapping[str, str]
    client: Client
    directory: Directory | None
    base: str
    claims: ClaimsRequest
    v2: bool


class TokenEndpoint:
    """Answers token requests; counts them by grant type."""

    def __init__(self, authority: Authority, calls: Counter[str]) -> None:
        self._authority = authority
        self._calls = calls

    def answer(self, request: Request, tenant: str, *, v2: bool) -> dict[str, Any]:
        """The token response; TokenError otherwise."""
        if request.method != "POST":
            raise TokenError(900561)
        form = fields_of(request)
        directory = self._authority.resolve(tenant)
        grant_type = required(form, "grant_type")
        grant = GRANT_TYPES.get(grant_type)
        if grant is None:
            raise TokenError(70003, f"The grant type '{grant_type[:40]}' is not supported here.")
        self._calls[grant] += 1
        if directory is None and (grant == "client_credentials" or tenant.lower() == PERSONAL_TENANT):
            raise TokenError(9001023)
        if v2 and "resource" in form:
            raise TokenError(901002)
        client = authenticate(self._authority, directory, request, form, tenant)
        self._authority.refusals.check("token", grant)
        call = Call(form, client, directory, base_of(request.host).id, claims_of(form), v2)
        match grant:
            case "client_credentials":
                return self._for_application(call)
            case "authorization_code":
                return self._for_code(call)
            case "refresh_token":
                return self._for_refresh_token(call)
        return self._for_device_code(call)

    def _for_application(self, call: Call) -> dict[str, Any]:
        call.client.require_proof()
        assert call.directory is not None
        form = call.form
        strict, cloud = self._authority.policy.strict_resources, self._authority.cloud
        if call.v2:
            audience = asked.for_application(required(form, "scope"), strict=strict, cloud=cloud)
        else:
            audience = asked.audience_of(required(form, "resource"), strict=strict, cloud=cloud)
        application, proof = call.client
        token, lifetime, expires = call.directory.issue(application, audience, asked=call.claims, proof=proof)
        answer: dict[str, Any] = {"token_type": "Bearer", **_times(lifetime, expires, call.claims)}
        if not call.v2:
            answer = _as_v1(answer, lifetime) | {"resource": form["resource"]}
        else:
            del answer["expires_on"]
        return answer | {"access_token": token}

    def _for_code(self, call: Call) -> dict[str, Any]:
        text = required(call.form, "code")
        if not call.client.application.public:
            call.client.require_proof()
        code = self._authority.grants.code(text)
        grant = code.grant
        if grant.application is not call.client.application:
            raise TokenError(70000, "The code was issued to another client.", suberror="client_mismatch")
        if call.directory not in (None, grant.directory):
            raise TokenError(700005)
        if not call.form.get("redirect_uri"):
            raise TokenError(700009)
        if call.form["redirect_uri"] != code.redirect_uri:
            raise TokenError(500112)
        grant.check()
        try:
            _check_verifier(code, call.form.get("code_verifier", ""))
            scopes = self._scopes(call, grant)
        finally:
            code.redeemed = True
        grant.public = call.client.proof == NO_PROOF
        return self._for_person(call, grant, scopes, code.nonce, renewable="offline_access" in grant.scopes.openid)

    def _for_refresh_token(self, call: Call) -> dict[str, Any]:
        token = self._authority.grants.refresh_token(required(call.form, "refresh_token"))
        grant = token.grant
        if not grant.public:
            call.client.require_proof()
        if grant.application is not call.client.application:
            raise TokenError(70000, "The refresh token was issued to another client.", suberror="client_mismatch")
        self._authority.grants.check_refresh(token)
        if call.directory not in (None, grant.directory):
            raise TokenError(50020)
        scopes = self._scopes(call, grant)
        answer = self._for_person(call, grant, scopes, None, renewable=True)
        token.used += 1
        return answer

    def _for_device_code(self, call: Call) -> dict[str, Any]:
        application = call.client.application
        if not application.public and not application.allow_public_flows:
            call.client.require_proof()
        text = call.form.get("device_code") or required(call.form, "code")
        grant = self._authority.grants.poll(text, application.client_id)
        if call.directory not in (None, grant.directory):
            raise TokenError(700005)
        grant.check()
        grant.public = call.client.proof == NO_PROOF
        scopes = self._scopes(call, grant)
        return self._for_person(call, grant, scopes, None, renewable="offline_access" in grant.scopes.openid)

    def _scopes(self, call: Call, grant: Grant) -> Scopes:
        """What the token is to be for: one resource, and only what has been consented to (65001)."""
        form, strict, cloud = call.form, self._authority.policy.strict_resources, self._authority.cloud
        if call.v2 and form.get("scope"):
            scopes = asked.parse(form["scope"], strict=strict, cloud=cloud)
            if not scopes.resources and len(grant.scopes.audiences) == 1:
                scopes = scopes._replace(resources=grant.scopes.resources)
        elif not call.v2 and form.get("resource"):
            scopes = asked.of_resource(form["resource"], strict=strict, cloud=cloud)
            scopes = scopes._replace(openid=grant.scopes.openid)
        else:
            scopes = grant.scopes
        scopes.only_resource()
        application, directory = grant.application, grant.directory
        wanted = scopes.permissions(application.permissions)
        if directory.consents.missing(grant.user.object_id, application.client_id, wanted):
            text = (
                "The user or administrator has not consented to use the application with ID "
                f"'{application.client_id}' named '{application.name}'. Send an interactive authorization request."
            )
            raise TokenError(65001, text)
        return scopes

    def _for_person(
        self, call: Call, grant: Grant, scopes: Scopes, nonce: str | None, *, renewable: bool
    ) -> dict[str, Any]:
        if call.claims.needs_proof and not grant.proven:
            raise TokenError(50076, claims=call.claims.step_up)
        registered = grant.application.permissions
        names = scopes.granted_names(registered)
        audience = scopes.audiences[0] if scopes.resources else grant.directory.cloud.graph
        token, lifetime, expires = user_tokens.access_token(
            grant, audience, names, proof=call.client.proof, asked=call.claims
        )
        answer: dict[str, Any] = {"token_type": "Bearer", "scope": scopes.echo(registered)}
        answer |= _times(lifetime, expires, call.claims)
        if call.v2:
            del answer["expires_on"]
        else:
            answer = _as_v1(answer | {"scope": " ".join(names)}, lifetime)
            answer["resource"] = call.form.get("resource") or audience
        answer["access_token"] = token
        if renewable:
            answer["refresh_token"] = self._authority.grants.new_refresh_token(grant)
        openid = grant.scopes.openid | scopes.openid
        if "openid" in openid:
            issuer = f"{call.base}/{grant.directory.tenant}/v2.0"
            answer["id_token"] = user_tokens.id_token(grant, openid, issuer=issuer, nonce=nonce, v2=call.v2)
        if call.form.get("client_info") == "1":
            answer["client_info"] = user_tokens.client_info(grant)
        return answer


def _times(lifetime: int, expires: int, claims: ClaimsRequest) -> dict[str, Any]:
    times = {"expires_in": lifetime, "ext_expires_in": lifetime, "expires_on": expires}
    return times | {"refresh_in": lifetime // 2} if claims.continuous else times


def _as_v1(answer: dict[str, Any], lifetime: int) -> dict[str, Any]:
    """The same with strings for numbers, and with `not_before`."""
    times = {"not_before": answer["expires_on"] - lifetime - 300}
    return {name: str(value) for name, value in (answer | times).items()}


def _check_verifier(code: Code, verifier: str) -> None:
    """Proof Key for Code Exchange (RFC 7636, section 4.6); a verifier without a challenge is refused as well."""
    if not code.challenge and not verifier:
        return
    if not code.challenge or not verifier:
        raise TokenError(50148, "" if code.challenge else "A code_verifier was sent, but no code_challenge before.")
    if not VERIFIER.fullmatch(verifier):
        raise TokenError(50148, "The code_verifier is malformed.")
    digest = hashlib.sha256(verifier.encode()).digest()
    hashed = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    expected = hashed if code.method == "S256" else verifier
    if not hmac.compare_digest(expected, code.challenge):
        raise TokenError(501481)
