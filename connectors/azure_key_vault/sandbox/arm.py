"""As much of Azure Resource Manager as a connection test needs: the subscriptions a caller can see.

Tokens are checked as strictly as at a vault; errors have ARM's shapes (Azure reference sheet, 6.4).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from connectors.azure_key_vault.sandbox.challenge import bearer, claims_challenge
from connectors.azure_key_vault.sandbox.demands import Demands
from connectors.azure_key_vault.sandbox.directory import Directory
from connectors.azure_key_vault.sandbox.errors import Refused, TokenRefused
from connectors.azure_key_vault.sandbox.exchange import JSON_LINE, Answer, Request, compact

HEADERS = (
    JSON_LINE + b"Cache-Control: no-cache\r\nPragma: no-cache\r\nExpires: -1\r\n"
    b"Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
)
REMAINING_READS = b"x-ms-ratelimit-remaining-tenant-reads: 249\r\n"
AUDIENCES = frozenset({"https://management.azure.com", "https://management.core.windows.net"})


class ArmSite:
    """Answers for the control plane."""

    label = "arm"

    def __init__(self, directory: Directory, authority: str, demands: Demands) -> None:
        self.calls: Counter[str] = Counter()
        self._directory = directory
        self._authority = authority
        self._demands = demands

    def answer(self, request: Request) -> Answer:
        """One subscription, the list of it, or ARM's error."""
        try:
            self._admit(request)
            return Answer(200, compact(self._document(request)), HEADERS + REMAINING_READS)
        except TokenRefused as refused:
            self.calls["challenge"] += 1
            return self._unauthorized(refused)
        except Refused as refused:
            return _error(refused, HEADERS)

    def count(self, request: Request) -> None:
        """Counts a request that a fault answers."""
        self.calls["faulted"] += 1
        self.calls[_kind(request)] += 1

    def refusal(self, status: int, headers: bytes) -> Answer:
        """A planted fault in ARM's shape."""
        code = {429: "TooManyRequests", 503: "ServiceUnavailable"}.get(status, "InternalServerError")
        return _error(Refused(status, code, f"The sandbox was told to answer {status}."), HEADERS + headers)

    def _admit(self, request: Request) -> None:
        claims = self._directory.tokens.read(bearer(request))
        if str(claims["aud"]).rstrip("/") not in AUDIENCES:
            raise TokenRefused("audience", f"The access token has been obtained for wrong audience {claims['aud']}.")
        if claims["tid"] != self._directory.tenant:
            raise TokenRefused("issuer", "The access token is from the wrong issuer.")
        self._demands.check(self.label, claims)

    def _document(self, request: Request) -> dict[str, Any]:
        self.calls[_kind(request)] += 1
        if not request.parameters.get("api-version"):
            message = "The api-version query parameter (?api-version=) is required for all requests."
            raise Refused(400, "MissingApiVersionParameter", message)
        if request.method != "GET":
            raise Refused(405, "MethodNotAllowed", "The sandbox's control plane only reads.")
        match request.path.strip("/").split("/"):
            case [collection] if collection.lower() == "subscriptions":
                return {"value": [self._subscription()], "count": {"type": "Total", "value": 1}}
            case [collection, identifier, *_] if (
                collection.lower() == "subscriptions" and identifier.lower() != self._directory.subscription
            ):
                message = f"The subscription '{identifier[:64]}' could not be found."
                raise Refused(404, "SubscriptionNotFound", message)
            case [collection, _] if collection.lower() == "subscriptions":
                return self._subscription()
        raise Refused(404, "ResourceNotFound", f"The Resource '{request.path[:200]}' was not found.")

    def _subscription(self) -> dict[str, Any]:
        subscription = self._directory.subscription
        return {
            "id": f"/subscriptions/{subscription}",
            "authorizationSource": "RoleBased",
            "managedByTenants": [],
            "subscriptionId": subscription,
            "tenantId": self._directory.tenant,
            "displayName": "Sandbox",
            "state": "Enabled",
            "subscriptionPolicies": {
                "locationPlacementId": "Public_2014-09-01",
                "quotaId": "Sandbox_2014-09-01",
                "spendingLimit": "Off",
            },
        }

    def _unauthorized(self, refused: TokenRefused) -> Answer:
        code = _TOKEN_CODES.get(refused.reason, "InvalidAuthenticationToken")
        uri = f"{self._authority}/{self._directory.tenant}"
        if refused.demanded:
            challenge = claims_challenge(f"{uri}/oauth2/authorize", refused.demanded)
            return _error(Refused(401, code, refused.message), HEADERS + challenge)
        parameters = f'authorization_uri="{uri}", error="invalid_token", error_description="{code}"'
        challenge = f"WWW-Authenticate: Bearer {parameters}\r\n".encode()
        return _error(Refused(401, code, refused.message), HEADERS + challenge)


def _kind(request: Request) -> str:
    return "subscriptions" if request.path.lower().startswith("/subscriptions") else "other"


def _error(refused: Refused, headers: bytes) -> Answer:
    return Answer(refused.status, compact({"error": {"code": refused.code, "message": refused.message}}), headers)


_TOKEN_CODES = {
    "missing": "AuthenticationFailed",
    "expired": "ExpiredAuthenticationToken",
    "audience": "InvalidAuthenticationTokenAudience",
    "issuer": "InvalidAuthenticationTokenTenant",
}
