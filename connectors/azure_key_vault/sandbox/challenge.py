"""Guards a vault: checks the bearer token, and challenges whoever comes without a good one.

The 401 is given before anything else of the request is looked at, since clients send their first request
without token and body to learn tenant and resource (Azure reference sheet, sections 5.1 and 5.4).
"""

from __future__ import annotations

import base64
from typing import Any

from connectors.azure_key_vault.sandbox.claims_request import newer_than
from connectors.azure_key_vault.sandbox.demands import Demands
from connectors.azure_key_vault.sandbox.directory import Directory
from connectors.azure_key_vault.sandbox.errors import TokenRefused
from connectors.azure_key_vault.sandbox.exchange import Answer, Base, Request, compact
from connectors.azure_key_vault.sandbox.tokens import Claims


class Guard:
    """Knows the tenant whose tokens a vault accepts and where they are to be had."""

    def __init__(self, directory: Directory, authority: str, demands: Demands) -> None:
        self._directory = directory
        self._authority = authority
        self._demands = demands

    def admit(self, request: Request, base: Base, label: str) -> Claims | Answer:
        """The caller's claims, or the 401 that says why there are none."""
        try:
            claims = self._directory.tokens.read(bearer(request))
            self._check(claims, base)
            if self._demands.planted:
                self._demands.check(label, claims)
        except TokenRefused as refused:
            text = _TEXTS[refused.reason].format(refused.message)
            if refused.demanded:
                return _unauthorized(text, self.claims_challenge(refused.demanded))
            return _unauthorized(text, self._challenge(base))
        return claims

    def claims_challenge(self, demanded: str = "") -> bytes:
        """The header line that demands claims; a token issued from now on unless told otherwise."""
        demanded = demanded or newer_than(self._directory.clock.now())
        return claims_challenge(f"{self._authority}/{self._directory.tenant}/oauth2/authorize", demanded)

    def _check(self, claims: Claims, base: Base) -> None:
        audience = str(claims["aud"]).rstrip("/")
        expected_audience = self._directory.cloud.vault_audience
        if audience not in (expected_audience, self._resource(base)):
            expected = f"Expected {expected_audience}, found {claims['aud']}"
            raise TokenRefused("audience", expected)
        if claims["iss"] != self._directory.issuer or claims["tid"] != self._directory.tenant:
            raise TokenRefused("issuer", f"Should be one of {self._directory.issuer}, found {claims['iss']}")

    def _resource(self, base: Base) -> str:
        """What a token must be for: the cloud's vaults, or what stands for them on this machine."""
        return local_resource(base) or self._directory.cloud.vault_audience

    def _challenge(self, base: Base) -> bytes:
        cloud = self._directory.cloud
        authority = cloud.challenger if base.name.endswith(f".{cloud.vault_suffix}") else self._authority
        parameters = f'authorization="{authority}/{self._directory.tenant}", resource="{self._resource(base)}"'
        return f"WWW-Authenticate: Bearer {parameters}\r\n".encode()


def local_resource(base: Base) -> str:
    """The resource of `*.vault.localhost`, its suffix with its port; empty for every other name."""
    if not base.name.endswith(".vault.localhost"):
        return ""
    return f"https://vault.localhost{'' if base.port == '443' else f':{base.port}'}"


def claims_challenge(authorization_uri: str, demanded: str) -> bytes:
    """The header line of a continuous access evaluation challenge (Azure reference sheet, section 5.3)."""
    claims = base64.b64encode(demanded.encode()).decode()
    parameters = f'realm="", authorization_uri="{authorization_uri}", error="insufficient_claims", claims="{claims}"'
    return f"WWW-Authenticate: Bearer {parameters}\r\n".encode()


def bearer(request: Request) -> str:
    """The token of the Authorization header; TokenRefused when there is none."""
    scheme, _, token = request.headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"bearer" or not token.strip():
        raise TokenRefused("missing", "Request is missing a Bearer or PoP token.")
    return token.strip().decode("latin-1")


def _unauthorized(text: str, challenge: bytes) -> Answer:
    body: dict[str, Any] = {"error": {"code": "Unauthorized", "message": text}}
    return Answer(401, compact(body), challenge)


_TEXTS = {
    "missing": "AKV10000: {}",
    "malformed": "AKV10001: Cannot parse the token: {}.",
    "signature": "AKV10006: Cannot validate the token: {}.",
    "revoked": "AKV10006: Cannot accept the token: {}.",
    "claims": "AKV10006: Cannot accept the token: {}.",
    "early": "[TokenNotYetValid] Error validating token: 'S2S12087': {}.",
    "expired": "[TokenExpired] Error validating token: 'S2S12086': {}.",
    "audience": "AKV10022: Invalid audience. {}.",
    "issuer": "AKV10032: Invalid issuer. {}.",
}
