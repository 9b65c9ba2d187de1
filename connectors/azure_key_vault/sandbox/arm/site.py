"""Azure Resource Manager over HTTP: who calls, which operation it is, whether a role allows it, and how it is answered.

Tokens are checked as strictly as at a vault; errors have ARM's shapes (Azure reference sheet, 6.4).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any
from urllib.parse import unquote

from connectors.azure_key_vault.sandbox.arm.assignments import Assignments
from connectors.azure_key_vault.sandbox.arm.calls import Call, Operation, Reply
from connectors.azure_key_vault.sandbox.arm.groups import Groups
from connectors.azure_key_vault.sandbox.arm.network import Network
from connectors.azure_key_vault.sandbox.arm.objects import VaultObjects
from connectors.azure_key_vault.sandbox.arm.subscription import Subscription
from connectors.azure_key_vault.sandbox.arm.throttle import Buckets
from connectors.azure_key_vault.sandbox.arm.vaults import Vaults
from connectors.azure_key_vault.sandbox.challenge import bearer, claims_challenge
from connectors.azure_key_vault.sandbox.demands import Demands
from connectors.azure_key_vault.sandbox.directory import Directory
from connectors.azure_key_vault.sandbox.errors import Refused, TokenRefused
from connectors.azure_key_vault.sandbox.exchange import JSON_LINE, Answer, Request, compact
from connectors.azure_key_vault.sandbox.throttle import Throttle

HEADERS = (
    JSON_LINE + b"Cache-Control: no-cache\r\nPragma: no-cache\r\nExpires: -1\r\n"
    b"Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
)
KEY_VAULT_VERSIONS = (
    "2015-06-01", "2016-10-01", "2018-02-14", "2019-09-01", "2021-10-01", "2022-07-01", "2022-11-01", "2023-02-01",
    "2023-07-01", "2024-11-01", "2025-05-01", "2026-02-01", "2026-05-15",
)  # fmt: skip


class ArmSite:
    """Answers for the control plane."""

    label = "arm"

    def __init__(
        self, subscription: Subscription, directory: Directory, authority: str, demands: Demands, throttle: Throttle
    ) -> None:
        self.calls: Counter[str] = Counter()
        self.subscription = subscription
        vaults = Vaults(subscription)
        objects = VaultObjects(subscription, vaults)
        parts = (
            vaults,
            objects,
            Groups(subscription),
            Network(subscription, vaults, directory.cloud.link_zone),
            Assignments(subscription),
        )
        self._operations = [one for part in parts for one in part.operations]
        self._buckets = Buckets(directory.clock)
        self._throttle = throttle
        self._directory = directory
        self._authority = authority
        self._demands = demands

    def answer(self, request: Request) -> Answer:
        """What the operation says, or ARM's error."""
        remaining = b""
        try:
            claims = self._admit(request)
            wait, remaining = self._buckets.take(claims["oid"], request.method, tenant_wide=_is_tenant_wide(request))
            if wait and self._throttle.on:
                self.calls["throttled"] += 1
                raise _Throttled(wait if self._throttle.retry_after else None)
            return self._carry_out(request, claims, HEADERS + remaining)
        except TokenRefused as refused:
            self.calls["challenge"] += 1
            return self._unauthorized(refused)
        except Refused as refused:
            return _error(refused, HEADERS + remaining)

    def count(self, request: Request) -> None:
        """Counts a request that a fault answers."""
        self.calls["faulted"] += 1
        self.calls[_kind(request)] += 1

    def refusal(self, status: int, headers: bytes) -> Answer:
        """A planted fault in ARM's shape."""
        code = {429: "TooManyRequests", 503: "ServiceUnavailable"}.get(status, "InternalServerError")
        return _error(Refused(status, code, f"The sandbox was told to answer {status}."), HEADERS + headers)

    def _admit(self, request: Request) -> dict[str, Any]:
        claims = self._directory.tokens.read(bearer(request))
        cloud = self._directory.cloud
        if str(claims["aud"]).rstrip("/") not in (cloud.arm_audience, cloud.classic_arm_audience):
            raise TokenRefused("audience", f"The access token has been obtained for wrong audience {claims['aud']}.")
        if claims["tid"] != self._directory.tenant:
            raise TokenRefused("issuer", "The access token is from the wrong issuer.")
        self._demands.check(self.label, claims)
        return claims

    def _carry_out(self, request: Request, claims: dict[str, Any], headers: bytes) -> Answer:
        self.calls[_kind(request)] += 1
        version = request.parameters.get("api-version", "")
        if not version:
            message = "The api-version query parameter (?api-version=) is required for all requests."
            raise Refused(400, "MissingApiVersionParameter", message)
        operation, parts = self._found(request)
        if "subscription" in parts and parts["subscription"].lower() != self.subscription.id:
            message = f"The subscription '{parts['subscription'][:64]}' could not be found."
            raise Refused(404, "SubscriptionNotFound", message)
        if not _API_VERSION.fullmatch(version) and version != "1":
            raise Refused(400, "InvalidApiVersionParameter", f"The api-version '{version[:40]}' is invalid.")
        if _KEY_VAULTS_OWN.fullmatch(request.path) and version not in KEY_VAULT_VERSIONS and "-preview" not in version:
            known = ", ".join(KEY_VAULT_VERSIONS)
            message = f"No registered resource provider found for API version '{version}'. The supported are '{known}'."
            raise Refused(400, "NoRegisteredProviderFound", message)
        self._check(operation, parts, request, claims)
        origin = f"https://{request.host.decode('latin-1')}"
        return _answered(operation.do(Call(request, parts, claims, origin)), headers)

    def _found(self, request: Request) -> tuple[Operation, dict[str, str]]:
        path = _SLASHES.sub("/", unquote(request.path)).rstrip("/")  # an SDK sends two for a parent that is empty
        fitting = [(one, match) for one in self._operations if (match := one.path.fullmatch(path))]
        for one, match in fitting:
            if one.method == request.method:
                return one, {name: value for name, value in match.groupdict().items() if value is not None}
        if fitting:
            message = f"The requested resource does not support http method '{request.method}'."
            raise Refused(405, "MethodNotAllowed", message)
        unknown = _SUBSCRIPTION.match(path)
        if unknown and unknown[1].lower() != self.subscription.id:
            raise Refused(404, "SubscriptionNotFound", f"The subscription '{unknown[1][:64]}' could not be found.")
        raise Refused(404, "ResourceNotFound", f"The Resource '{path[:200]}' was not found.")

    def _check(self, operation: Operation, parts: dict[str, str], request: Request, claims: dict[str, Any]) -> None:
        scope = parts.get("scope") or unquote(request.path).rstrip("/")
        if operation.action and not self.subscription.permits(claims, operation.action, scope):
            message = (
                f"The client '{claims.get('appid')}' with object id '{claims['oid']}' does not have authorization to "
                f"perform action '{operation.action}' over scope '{scope}' or the scope is invalid. If access was "
                "recently granted, please refresh your credentials."
            )
            raise Refused(403, "AuthorizationFailed", message)

    def _unauthorized(self, refused: TokenRefused) -> Answer:
        code = _TOKEN_CODES.get(refused.reason, "InvalidAuthenticationToken")
        uri = f"{self._authority}/{self._directory.tenant}"
        if refused.demanded:
            challenge = claims_challenge(f"{uri}/oauth2/authorize", refused.demanded)
            return _error(Refused(401, code, refused.message), HEADERS + challenge)
        parameters = f'authorization_uri="{uri}", error="invalid_token", error_description="{code}"'
        challenge = f"WWW-Authenticate: Bearer {parameters}\r\n".encode()
        return _error(Refused(401, code, refused.message), HEADERS + challenge)


class _Throttled(Refused):
    """429 with or without the seconds to wait."""

    def __init__(self, wait_seconds: int | None) -> None:
        super().__init__(429, "TooManyRequests", "Number of requests exceeded the limit. Please try again later.")
        self.wait_seconds = wait_seconds


def _kind(request: Request) -> str:
    """What a call is counted as: the last kind of thing in its path, with the method where it changes something."""
    kinds = _PLACES.findall(request.path.lower())
    word = kinds[-1] if kinds else "other"
    return word if request.method == "GET" else f"{request.method.lower()} {word}"


def _is_tenant_wide(request: Request) -> bool:
    return not _SUBSCRIPTION.match(request.path)


def _answered(result: Any, headers: bytes) -> Answer:
    if not isinstance(result, Reply):
        return Answer(200, compact(result), headers)
    if result.location:
        headers += b"Location: %s\r\nRetry-After: 1\r\n" % result.location.encode()
    return Answer(result.status, b"" if result.document is None else compact(result.document), headers)


def _error(refused: Refused, headers: bytes) -> Answer:
    if isinstance(refused, _Throttled) and refused.wait_seconds is not None:
        headers += b"Retry-After: %d\r\n" % refused.wait_seconds
    return Answer(refused.status, compact({"error": {"code": refused.code, "message": refused.message}}), headers)


_KEY_VAULTS_OWN = re.compile(r".*/providers/Microsoft\.KeyVault/(?!register$|.*/providers/).*", re.IGNORECASE)
_API_VERSION = re.compile(r"20\d\d-\d\d-\d\d(-preview)?")
_SLASHES = re.compile("/{2,}")
_SUBSCRIPTION = re.compile(r"/subscriptions/([^/]+)", re.IGNORECASE)
_PLACES = re.compile(
    r"/(subscriptions|tenants|locations|resourcegroups|vaults|deletedvaults|accesspolicies|roleassignments"
    r"|roledefinitions|permissions|privateendpointconnections|privatelinkresources|secrets|keys|versions|operationresults|checknameavailability|purge)"
)
_TOKEN_CODES = {
    "missing": "AuthenticationFailed",
    "expired": "ExpiredAuthenticationToken",
    "audience": "InvalidAuthenticationTokenAudience",
    "issuer": "InvalidAuthenticationTokenTenant",
}
