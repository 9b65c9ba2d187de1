"""The data plane of one vault over HTTP, as Azure Key Vault answers (reference sheet, section 4).

The order of judgement is Azure's: token, throttle, API version, route, name, permission, network, and
only then the body and the object. A request without a good token is challenged before anything else.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from connectors.azure_key_vault.sandbox.api_versions import generation_of
from connectors.azure_key_vault.sandbox.authority_calls import AuthorityCalls
from connectors.azure_key_vault.sandbox.calls import Call, Collection, Reply, Route
from connectors.azure_key_vault.sandbox.certificate_calls import CertificateCalls
from connectors.azure_key_vault.sandbox.certificates import Certificates
from connectors.azure_key_vault.sandbox.challenge import Guard
from connectors.azure_key_vault.sandbox.errors import Refused
from connectors.azure_key_vault.sandbox.exchange import (
    JSON_LINE,
    Answer,
    Base,
    Request,
    base_of,
    compact,
)
from connectors.azure_key_vault.sandbox.key_calls import KeyCalls
from connectors.azure_key_vault.sandbox.names import OBJECT_NAME, VERSION_ID
from connectors.azure_key_vault.sandbox.secret_calls import SecretCalls
from connectors.azure_key_vault.sandbox.state import Vault
from connectors.azure_key_vault.sandbox.throttle import OTHER_COST, Throttle

HEADERS = (
    JSON_LINE + b"Cache-Control: no-cache\r\nPragma: no-cache\r\nExpires: -1\r\n"
    b"Strict-Transport-Security: max-age=31536000;includeSubDomains\r\n"
    b"X-Content-Type-Options: nosniff\r\nx-ms-keyvault-region: eastus\r\n"
    b"x-ms-keyvault-service-version: 1.9.0.0\r\n"
    b"x-ms-keyvault-network-info: conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;\r\n"
)
RBAC_HEADERS = (
    HEADERS + b"x-ms-keyvault-rbac-assignment-id: 00000000000000000000000000000001\r\n"
    b"x-ms-keyvault-rbac-cache: ref_age=1;cache_age=1;\r\n"
)


class VaultSite:
    """Answers for one vault."""

    def __init__(self, vault: Vault, guard: Guard, throttle: Throttle) -> None:
        self.vault = vault
        self.label = vault.label
        self.calls = vault.calls
        self._guard = guard
        self._throttle = throttle
        certificates = Certificates(vault)
        collections: tuple[Collection[Any], ...] = (
            SecretCalls(vault),
            KeyCalls(vault),
            CertificateCalls(vault, certificates),
        )
        self._operations = {kind: do for one in collections for kind, do in one.operations.items()}
        self._operations |= AuthorityCalls(vault, certificates).operations
        self._costs = {kind: one.cost for one in collections for kind in one.operations}
        self._routers = {place: router for one in collections for place, router in one.routers().items()}

    def answer(self, request: Request) -> Answer:
        """Carries a request out, or says why not in Key Vault's words."""
        headers = RBAC_HEADERS if self.vault.rbac else HEADERS
        try:
            base = base_of(request.host)
            claims = self._guard.admit(request, base, self.label)
            if isinstance(claims, Answer):
                self.calls["challenge"] += 1
                return Answer(401, claims.body, HEADERS + claims.headers)
            if self.vault.gone:
                raise Refused(404, "VaultNotFound", f"The vault {self.label} is deleted.")
            with self.vault.lock:
                body = self._carry_out(request, base, claims)
        except Refused as refused:
            return error_answer(refused, headers)
        if isinstance(body, Reply):
            return Answer(body.status, body.body, headers + body.headers)
        return Answer(200, body, headers) if body else Answer(204, b"", headers)

    def count(self, request: Request) -> None:
        """Counts a request that a fault answers; its kind as well."""
        self.calls["faulted"] += 1
        try:
            self.calls[self._route(request).kind] += 1
        except Refused:
            self.calls["other"] += 1

    def refusal(self, status: int, headers: bytes) -> Answer:
        """A planted fault in Key Vault's shape."""
        code = {429: "Throttled", 500: "InternalServerError", 503: "ServiceUnavailable"}.get(status, "Fault")
        refused = Refused(status, code, f"The sandbox was told to answer {status}. {_LIMIT_REACHED}")
        return error_answer(refused, HEADERS + headers)

    def _carry_out(self, request: Request, base: Base, claims: dict[str, Any]) -> bytes | Reply:
        vault = self.vault
        try:
            route = self._route(request)
        except Refused:
            self.calls["other"] += 1
            raise
        self.calls[route.kind] += 1
        if self._throttle.on:
            self._pay(route, request)
        parameters = request.parameters
        generation = generation_of(parameters, route.kind)
        if route.name and not OBJECT_NAME.fullmatch(route.name):
            raise Refused(400, "BadParameter", f"The request URI contains an invalid name: {route.name}")
        vault.check(route.kind, claims, route.name)
        if route.version and not VERSION_ID.fullmatch(route.version):
            raise Refused(400, "BadParameter", f"Invalid version: {route.version}")
        return self._operations[route.kind](Call(route, request, parameters, base, generation))

    def _pay(self, route: Route, request: Request) -> None:
        wait_seconds = self._throttle.admit(self.vault.label, self._cost(route, request))
        if wait_seconds:
            self.calls["throttled"] += 1
            raise Throttled(wait_seconds if self._throttle.retry_after else None)

    def _cost(self, route: Route, request: Request) -> int:
        cost = self._costs.get(route.kind)
        return cost(route, request) if cost else OTHER_COST

    def _route(self, request: Request) -> Route:
        """The operation behind a method and a path; 404 or 405 when there is none."""
        collection, *rest = unquote(request.path).split("/")[1:]
        if len(rest) > 1 and not rest[-1]:
            rest.pop()  # an empty last segment is "the latest version"
        found = self._routers.get((collection.lower(), len(rest) if rest != [""] else 0))
        route = found(request.method, rest) if found is not None else None
        if route is None:
            status = 404 if found is None else 405
            raise Refused(status, "NotFound" if status == 404 else "MethodNotAllowed", "No such operation here.")
        return route


class Throttled(Refused):
    """429 with or without the seconds to wait."""

    def __init__(self, wait_seconds: int | None) -> None:
        super().__init__(429, "Throttled", f"Too many requests for this vault. {_LIMIT_REACHED}")
        self.wait_seconds = wait_seconds


def error_answer(refused: Refused, headers: bytes) -> Answer:
    """The error JSON of Key Vault."""
    error: dict[str, Any] = {"code": refused.code, "message": refused.message}
    if refused.inner is not None:
        error["innererror"] = {"code": refused.inner}
    if isinstance(refused, Throttled) and refused.wait_seconds is not None:
        headers += b"Retry-After: %d\r\n" % refused.wait_seconds
    return Answer(refused.status, compact({"error": error}), headers)


_LIMIT_REACHED = "Reason: VaultRequestTypeLimitReached"
