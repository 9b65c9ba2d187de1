"""Managed identities: tokens for whoever runs on the machine, over plain HTTP on loopback.

Two forms on one port: the instance metadata service of a virtual machine (`/metadata/identity/oauth2/token`,
api-version 2018-02-01) and App Service's (`/msi/token`, 2019-08-01, with a secret header). Numbers are strings.
"""

from __future__ import annotations

import hmac
import secrets
from collections import Counter
from typing import Any

from connectors.azure_key_vault.sandbox.aadsts import TokenError
from connectors.azure_key_vault.sandbox.applications import Application
from connectors.azure_key_vault.sandbox.authority import Authority
from connectors.azure_key_vault.sandbox.errors import Refused
from connectors.azure_key_vault.sandbox.exchange import JSON_LINE, Answer, Request, compact
from connectors.azure_key_vault.sandbox.scopes import audience_of

LABEL = "managed_identity"
IMDS_PATH, APP_SERVICE_PATH = "/metadata/identity/oauth2/token", "/msi/token"
IMDS_VERSIONS = frozenset({"2018-02-01", "2019-08-01", "2020-06-01", "2021-02-01"})
APP_SERVICE_VERSIONS = frozenset({"2019-08-01"})
RESOURCE_ID = (
    "/subscriptions/{subscription}/resourcegroups/sandbox/providers/"
    "Microsoft.ManagedIdentity/userAssignedIdentities/user-assigned-identity"
)
PROOF_OF_CERTIFICATE = "2"


class ManagedIdentitySite:
    """Answers for the machine's own identity, and for one that was assigned to it."""

    label = LABEL

    def __init__(self, authority: Authority) -> None:
        self.calls: Counter[str] = Counter()
        self.header = secrets.token_hex(16).upper()
        self._authority = authority

    def answer(self, request: Request) -> Answer:
        """A token, or the error in the form that was asked."""
        self.calls[_kind(request)] += 1
        try:
            match request.path.rstrip("/"):
                case path if path == IMDS_PATH:
                    return self._for_machine(request)
                case path if path == APP_SERVICE_PATH:
                    return self._for_app_service(request)
            raise Refused(404, "not_found", "Nothing is served here.")
        except Refused as refused:
            return _error(request, refused)

    def count(self, request: Request) -> None:
        """Counts a request that a fault answers."""
        self.calls["faulted"] += 1
        self.calls[_kind(request)] += 1

    def refusal(self, status: int, headers: bytes) -> Answer:
        """A planted fault in the metadata service's shape."""
        document = {"error": "server_error", "error_description": f"The sandbox was told to answer {status}."}
        return Answer(status, compact(document), JSON_LINE + headers)

    def _for_machine(self, request: Request) -> Answer:
        if request.headers.get(b"metadata", b"").lower() != b"true":
            raise Refused(400, "invalid_request", "Required metadata header not specified")
        if b"x-forwarded-for" in request.headers:
            raise Refused(400, "invalid_request", "A forwarded request is not answered")
        found = self._token(request, IMDS_VERSIONS)
        lifetime = int(found["expires_in"])
        found |= {"ext_expires_in": str(lifetime), "not_before": str(int(found["expires_on"]) - lifetime - 300)}
        return Answer(200, compact(found))

    def _for_app_service(self, request: Request) -> Answer:
        sent = request.headers.get(b"x-identity-header", b"")
        if not hmac.compare_digest(sent, self.header.encode()):
            raise Refused(401, "401", "The X-IDENTITY-HEADER is missing or wrong.")
        found = self._token(request, APP_SERVICE_VERSIONS)
        del found["expires_in"]
        return Answer(200, compact(found))

    def _token(self, request: Request, versions: frozenset[str]) -> dict[str, str]:
        if request.method != "GET":
            raise Refused(405, "invalid_request", "Only GET is answered")
        parameters = request.parameters
        if parameters.get("api-version") not in versions:
            known = ", ".join(sorted(versions))
            raise Refused(400, "invalid_request", f"The api-version is missing or not supported; there are {known}")
        identity = self._identity(dict(parameters))
        directory = self._authority.home
        resource = parameters.get("resource", "")
        try:
            audience = audience_of(resource, strict=directory.policy.strict_resources, cloud=directory.cloud)
        except TokenError as refused:
            raise Refused(400, "invalid_resource", refused.message) from refused
        token, lifetime, expires = directory.issue(identity, audience, proof=PROOF_OF_CERTIFICATE, long=True)
        return {
            "access_token": token,
            "client_id": identity.client_id,
            "expires_in": str(lifetime),
            "expires_on": str(expires),
            "resource": resource,
            "token_type": "Bearer",
        }

    def _identity(self, parameters: dict[str, Any]) -> Application:
        """The identity that is named by client, object or resource ID; without any, the machine's own."""
        assigned = self._authority.user_assigned_identity
        resource_id = RESOURCE_ID.format(subscription=self._authority.home.subscription).lower()
        names = {
            "client_id": assigned.client_id,
            "object_id": assigned.object_id,
            "principal_id": assigned.object_id,
            "mi_res_id": resource_id,
            "msi_res_id": resource_id,
        }
        named = {name: parameters[name] for name in names if name in parameters}
        identity = assigned if named else self._authority.managed_identity
        if any(names[name] != value.lower() for name, value in named.items()) or not identity.enabled:
            raise Refused(400, "invalid_request", "Identity not found")
        return identity


def _error(request: Request, refused: Refused) -> Answer:
    if request.path.rstrip("/") == APP_SERVICE_PATH:
        return Answer(refused.status, compact({"statusCode": refused.status, "message": refused.message}))
    return Answer(refused.status, compact({"error": refused.code, "error_description": refused.message}))


def _kind(request: Request) -> str:
    return {IMDS_PATH: "machine", APP_SERVICE_PATH: "app_service"}.get(request.path.rstrip("/"), "other")
