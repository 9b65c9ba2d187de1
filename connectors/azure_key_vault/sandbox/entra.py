"""Microsoft Entra ID for one tenant: discovery, keys, and tokens for client credentials.

Both generations of the endpoints, errors with Entra's codes and statuses (Azure reference sheet,
sections 1.5 to 1.14). Signing users in is not part of it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
import uuid
from collections import Counter
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from connectors.azure_key_vault.sandbox.directory import (
    KNOWN_AUDIENCES,
    TENANT_DOMAIN,
    Application,
    Directory,
)
from connectors.azure_key_vault.sandbox.errors import Refused
from connectors.azure_key_vault.sandbox.exchange import JSON_LINE, Answer, Base, Request, base_of, compact

HEADERS = (
    JSON_LINE + b"Cache-Control: no-store, no-cache\r\nPragma: no-cache\r\nExpires: -1\r\n"
    b"Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
)
SHARED_TENANTS = frozenset({"common", "organizations", "consumers"})
TENANT_SHAPE = re.compile(r"[0-9a-zA-Z][0-9a-zA-Z.-]{0,254}")
CLOUD_ALIASES = (
    ("login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"),
    ("login.partner.microsoftonline.cn", "login.chinacloudapi.cn"),
    ("login.microsoftonline.us", "login.usgovcloudapi.net"),
)


class TokenError(Refused):
    """An error of the token service: `code` is the AADSTS number."""

    def __init__(self, number: int, error: str, message: str, status: int = 400) -> None:
        super().__init__(status, error, f"AADSTS{number}: {message}")
        self.number = number


class EntraSite:
    """Answers for the authority."""

    label = "entra"

    def __init__(self, directory: Directory) -> None:
        self.calls: Counter[str] = Counter()
        self._directory = directory

    def answer(self, request: Request) -> Answer:
        """Discovery, keys or a token; anything else is 404."""
        try:
            return Answer(200, compact(self._document(request)), HEADERS)
        except TokenError as refused:
            return self._error(refused, request)
        except Refused as refused:
            return Answer(refused.status, refused.message.encode(), b"Content-Type: text/plain\r\n")

    def count(self, request: Request) -> None:
        """Counts a request that a fault answers."""
        self.calls["faulted"] += 1
        self.calls[_kind(request)] += 1

    def refusal(self, status: int, headers: bytes) -> Answer:
        """A planted fault in the token service's shape."""
        error = {429: "temporarily_unavailable", 503: "temporarily_unavailable"}.get(status, "server_error")
        refused = TokenError(90055, error, f"The sandbox was told to answer {status}.", status)
        answer = self._error(refused, None)
        return Answer(status, answer.body, answer.headers + headers)

    def _document(self, request: Request) -> dict[str, Any]:
        self.calls[_kind(request)] += 1
        base = base_of(request.host)
        tenant, _, rest = request.path.lstrip("/").partition("/")
        match rest:
            case "oauth2/v2.0/token" | "oauth2/token":
                return self._token(request, tenant, v2=rest == "oauth2/v2.0/token")
            case "v2.0/.well-known/openid-configuration" | ".well-known/openid-configuration":
                return self._discovery(base, tenant, v2=rest.startswith("v2.0"))
            case "discovery/v2.0/keys" | "discovery/keys":
                return {"keys": [self._directory.tokens.key.jwk(f"{base.id}/{self._directory.tenant}/v2.0")]}
            case "discovery/instance":
                return self._instances(request, base)
        raise Refused(404, "not_found", "404: nothing is served here")

    def _token(self, request: Request, tenant: str, *, v2: bool) -> dict[str, Any]:
        if request.method != "POST":
            raise TokenError(900561, "invalid_request", "The endpoint only accepts POST requests.")
        form = _form(request)
        self._require_tenant(tenant, "invalid_request")
        grant = _required(form, "grant_type")
        if grant != "client_credentials":
            message = f"The grant type '{grant[:40]}' is not supported here."
            raise TokenError(70003, "unsupported_grant_type", message)
        if tenant.lower() in SHARED_TENANTS:
            message = f"The grant type is not supported over the /{tenant} endpoint. Use the tenant's own."
            raise TokenError(9001023, "invalid_request", message)
        application = self._client(request, form)
        audience = _audience_v2(form) if v2 else _audience_v1(form)
        continuous = _is_continuous(form)
        token, lifetime, expires = self._directory.issue(application, audience, continuous=continuous)
        answer: dict[str, Any] = {"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime}
        if continuous:
            answer["refresh_in"] = lifetime // 2
        if not v2:
            answer |= {"expires_on": expires, "not_before": expires - lifetime - 300}
            answer = {name: str(value) for name, value in answer.items()} | {"resource": form["resource"]}
        return answer | {"access_token": token}

    def _client(self, request: Request, form: dict[str, str]) -> Application:
        """The app that proves itself by its secret, in the body or by Basic."""
        client_id, secret = _basic(request)
        client_id = client_id or _required(form, "client_id")
        application = self._directory.applications.get(client_id.lower())
        if application is None:
            message = f"Application with identifier '{client_id[:64]}' was not found in the directory."
            raise TokenError(700016, "unauthorized_client", message)
        if not application.enabled:
            raise TokenError(7000112, "unauthorized_client", f"Application '{client_id}' is disabled.")
        secret = secret or form.get("client_secret", "")
        if not secret and "client_assertion" in form:
            message = "Client assertions are not registered for this application; the sandbox knows secrets only."
            raise TokenError(700027, "invalid_client", message, 401)
        if not secret:
            message = "The request body must contain 'client_assertion' or 'client_secret'."
            raise TokenError(7000218, "invalid_client", message, 401)
        verdict = application.judge(secret, self._directory.clock.now())
        if verdict == "wrong":
            message = f"Invalid client secret provided. Send the secret's value, not its ID. App '{client_id}'."
            raise TokenError(7000215, "invalid_client", message, 401)
        if verdict == "expired":
            message = (
                f"The provided client secret keys for app '{client_id}' are expired. https://aka.ms/NewClientSecret"
            )
            raise TokenError(7000222, "invalid_client", message, 401)
        return application

    def _discovery(self, base: Base, tenant: str, *, v2: bool) -> dict[str, Any]:
        self._require_tenant(tenant, "invalid_tenant")
        shared = tenant.lower() in SHARED_TENANTS
        where = f"{base.id}/{tenant.lower() if shared else self._directory.tenant}"
        version = "/v2.0" if v2 else ""
        issuer_tenant = "{tenantid}" if shared else self._directory.tenant
        return {
            "token_endpoint": f"{where}/oauth2{version}/token",
            "token_endpoint_auth_methods_supported": [
                "client_secret_post",
                "private_key_jwt",
                "client_secret_basic",
            ],
            "jwks_uri": f"{where}/discovery{version}/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": f"{base.id}/{issuer_tenant}/v2.0" if v2 else f"https://sts.windows.net/{issuer_tenant}/",
            "request_uri_parameter_supported": False,
            "authorization_endpoint": f"{where}/oauth2{version}/authorize",
            "device_authorization_endpoint": f"{where}/oauth2{version}/devicecode",
            "http_logout_supported": True,
            "frontchannel_logout_supported": True,
            "end_session_endpoint": f"{where}/oauth2{version}/logout",
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "ver", "tid", "oid"],
            "tenant_region_scope": None if shared else "NA",
            "cloud_instance_name": "microsoftonline.com",
            "cloud_graph_host_name": "graph.windows.net",
            "msgraph_host": "graph.microsoft.com",
            "rbac_url": "https://pas.windows.net",
        }

    def _instances(self, request: Request, base: Base) -> dict[str, Any]:
        endpoint = request.parameters.get("authorization_endpoint", "")
        scheme, _, rest = endpoint.partition("://")
        host, _, path = rest.partition("/")
        known = {alias for aliases in CLOUD_ALIASES for alias in aliases}
        if scheme != "https" or host.lower() not in known | {base.id.removeprefix("https://")}:
            raise TokenError(50049, "invalid_instance", "Unknown or invalid instance.")
        tenant = path.partition("/")[0] or "common"
        return {
            "tenant_discovery_endpoint": f"https://{host}/{tenant}/v2.0/.well-known/openid-configuration",
            "api-version": request.parameters.get("api-version", "1.1"),
            "metadata": [
                {"preferred_network": aliases[0], "preferred_cache": aliases[-1], "aliases": list(aliases)}
                for aliases in CLOUD_ALIASES
            ],
        }

    def _require_tenant(self, tenant: str, error: str) -> None:
        name = tenant.lower()
        if not TENANT_SHAPE.fullmatch(tenant):
            message = "The specified tenant identifier is neither a valid DNS name, nor a valid external domain."
            raise TokenError(900023, "invalid_request", message)
        if name not in SHARED_TENANTS | {self._directory.tenant, TENANT_DOMAIN}:
            raise TokenError(90002, error, f"Tenant '{tenant}' not found. Check the tenant identifier.")

    def _error(self, refused: TokenError, request: Request | None) -> Answer:
        moment = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(self._directory.clock.now()))
        trace = str(uuid.uuid4())
        sent = request.headers.get(b"client-request-id", b"").decode("latin-1") if request else ""
        correlation = sent or str(uuid.uuid4())
        trailer = f"Trace ID: {trace} Correlation ID: {correlation} Timestamp: {moment}"
        document = {
            "error": refused.code,
            "error_description": f"{refused.message} {trailer}",
            "error_codes": [refused.number],
            "timestamp": moment,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={refused.number}",
        }
        return Answer(refused.status, compact(document), HEADERS)


def _kind(request: Request) -> str:
    last = request.path.rpartition("/")[2]
    kinds = {"token": "token", "openid-configuration": "discovery", "keys": "keys", "instance": "instance"}
    return kinds.get(last, "other")


def _form(request: Request) -> dict[str, str]:
    """The fields of a form; one that is given twice is refused."""
    try:
        pairs = parse_qsl(request.body.decode(), keep_blank_values=True, max_num_fields=100)
    except ValueError as problem:
        raise TokenError(90013, "invalid_request", "Invalid input received from the user.") from problem
    form = dict(pairs)
    if len(form) != len(pairs):
        raise TokenError(90013, "invalid_request", "A parameter was sent more than once.")
    return form


def _required(form: dict[str, str], name: str) -> str:
    if not form.get(name):
        message = f"The request body must contain the following parameter: '{name}'."
        raise TokenError(900144, "invalid_request", message)
    return form[name]


def _basic(request: Request) -> tuple[str, str]:
    """Client ID and secret of a Basic header, percent-decoded (RFC 6749, section 2.3.1)."""
    scheme, _, encoded = request.headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"basic":
        return "", ""
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as problem:
        raise TokenError(90013, "invalid_request", "The Authorization header cannot be read.") from problem
    return unquote_plus(client_id), unquote_plus(secret)


def _audience_v1(form: dict[str, str]) -> str:
    return _known(_required(form, "resource"))


def _audience_v2(form: dict[str, str]) -> str:
    if "resource" in form:
        raise TokenError(901002, "invalid_request", "The 'resource' request parameter is not supported.")
    scopes = [scope for scope in _required(form, "scope").split() if scope not in _OPENID_SCOPES]
    if len(scopes) != 1:
        message = "The provided value for the input parameter 'scope' is not valid: one resource is needed."
        raise TokenError(70011, "invalid_scope", message)
    resource, separator, _ = scopes[0].rpartition("/.default")
    if not separator or not scopes[0].endswith("/.default"):
        message = "For client credentials the scope must be a resource identifier with the suffix /.default."
        raise TokenError(1002012, "invalid_scope", message)
    return _known(resource)


def _known(resource: str) -> str:
    """The audience for a resource: Azure's, without the trailing slash, or a vault suffix on localhost."""
    audience = resource.rstrip("/").lower()
    if audience == "https://management.core.windows.net":
        return f"{audience}/"
    if audience not in KNOWN_AUDIENCES and not _LOCAL_RESOURCE.fullmatch(audience):
        message = f"The resource principal named {resource[:100]} was not found in the tenant."
        raise TokenError(500011, "invalid_resource", message)
    return audience


def _is_continuous(form: dict[str, str]) -> bool:
    """Whether the client declares that it understands claims challenges (`xms_cc` with CP1)."""
    if not form.get("claims"):
        return False
    try:
        declared = json.loads(form["claims"])["access_token"]["xms_cc"]["values"]
    except KeyError:
        return False
    except (ValueError, TypeError, RecursionError) as problem:
        raise TokenError(90013, "invalid_request", "The 'claims' parameter is not valid JSON.") from problem
    return isinstance(declared, list) and "CP1" in declared


_OPENID_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})
_LOCAL_RESOURCE = re.compile(r"https://vault\.localhost(:[0-9]{1,5})?")
