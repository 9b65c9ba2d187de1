"""Discovery: what the authority says about its endpoints, and about the clouds there are (sheet, section 1.11)."""

from __future__ import annotations

from typing import Any

from connectors.azure_key_vault.sandbox.aadsts import TokenError
from connectors.azure_key_vault.sandbox.authority import Authority
from connectors.azure_key_vault.sandbox.exchange import Base, Request

CLOUD_ALIASES = (
    ("login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"),
    ("login.partner.microsoftonline.cn", "login.chinacloudapi.cn"),
    ("login.microsoftonline.de",),
    ("login.microsoftonline.us", "login.usgovcloudapi.net"),
    ("login-us.microsoftonline.com",),
)
PREFERRED_CACHES = {"login.microsoftonline.com": "login.windows.net"}
AUTHENTICATION_METHODS = ("client_secret_post", "private_key_jwt", "client_secret_basic")
CLAIMS = (
    "sub iss cloud_instance_name cloud_instance_host_name cloud_graph_host_name msgraph_host aud exp iat auth_time "
    "acr nonce preferred_username name tid ver at_hash c_hash email"
)


def openid_configuration(authority: Authority, base: Base, tenant: str, *, v2: bool) -> dict[str, Any]:
    """The OpenID document of a tenant, or of a shared name with its template issuer."""
    directory = authority.resolve(tenant, error="invalid_tenant")
    where = f"{base.id}/{directory.tenant if directory else tenant.lower()}"
    version = "/v2.0" if v2 else ""
    issuer_tenant = directory.tenant if directory else "{tenantid}"
    return {
        "token_endpoint": f"{where}/oauth2{version}/token",
        "token_endpoint_auth_methods_supported": list(AUTHENTICATION_METHODS),
        "jwks_uri": f"{where}/discovery{version}/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": f"{base.id}/{issuer_tenant}/v2.0" if v2 else authority.cloud.issuer(issuer_tenant),
        "request_uri_parameter_supported": False,
        "userinfo_endpoint": f"{authority.cloud.graph}/oidc/userinfo",
        "authorization_endpoint": f"{where}/oauth2{version}/authorize",
        "device_authorization_endpoint": f"{where}/oauth2{version}/devicecode",
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "end_session_endpoint": f"{where}/oauth2{version}/logout",
        "claims_supported": CLAIMS.split(),
        "kerberos_endpoint": f"{where}/kerberos",
        "tenant_region_scope": "NA" if directory else None,
        "cloud_instance_name": authority.cloud.instance,
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": authority.cloud.graph.removeprefix("https://"),
        "rbac_url": "https://pas.windows.net",
    }


def keys(authority: Authority, base: Base, tenant: str) -> dict[str, Any]:
    """The public key set; all tenants share one key."""
    directory = authority.resolve(tenant)
    issuer_tenant = directory.tenant if directory else "{tenantid}"
    return {"keys": [authority.tokens.key.jwk(f"{base.id}/{issuer_tenant}/v2.0")]}


def instances(request: Request, base: Base) -> dict[str, Any]:
    """The clouds and the names of each; `invalid_instance` for an authority that belongs to none."""
    endpoint = request.parameters.get("authorization_endpoint", "")
    scheme, _, rest = endpoint.partition("://")
    host, _, path = rest.partition("/")
    own = base.id.removeprefix("https://")
    groups = CLOUD_ALIASES if any(own in aliases for aliases in CLOUD_ALIASES) else (*CLOUD_ALIASES, (own,))
    if scheme != "https" or not any(host.lower() in aliases for aliases in groups):
        raise TokenError(50049)
    tenant = path.partition("/")[0] or "common"
    return {
        "tenant_discovery_endpoint": f"https://{host}/{tenant}/v2.0/.well-known/openid-configuration",
        "api-version": request.parameters.get("api-version", "1.1"),
        "metadata": [
            {
                "preferred_network": aliases[0],
                "preferred_cache": PREFERRED_CACHES.get(aliases[0], aliases[0]),
                "aliases": list(aliases),
            }
            for aliases in groups
        ],
    }
