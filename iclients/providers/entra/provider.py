"""Microsoft Entra ID, in any cloud whose profile names its authority.

An iClient's tokens come from the v2.0 endpoints; `settings.resource` asks the older v1 ones for that resource instead.
Source: Microsoft identity platform, "OAuth 2.0 authorization code flow", "OAuth 2.0 client credentials flow",
"Admin consent", "Continuous access evaluation".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlencode
from uuid import UUID

from iclients.clouds import CloudProfile
from iclients.endpoints import TENANT_HOLE, Endpoints, Fetch
from iclients.errors import CredentialRefused, NotAuthorized
from iclients.model import IClient
from iclients.provider import Provider, Refusal
from iclients.providers.entra.reasons import CERTIFICATE_ENDED, CERTIFICATE_REFUSED, REASONS
from iclients.providers.entra.scopes import check_app, check_one_audience, check_resource
from iclients.reasons import Reason
from iclients.traits import Traits

_MANY_TENANTS: Final = frozenset({"common", "organizations", "consumers"})
_CAPABILITIES: Final = {"xms_cc": {"values": ["CP1"]}}
"""Says that we answer claims challenges; tokens then live for a day, and can be revoked at once."""

_ASSERTION_SECONDS: Final = 300
_HINTS: Final = ("prompt", "login_hint", "domain_hint")
_WITH_CONSENT: Final = ("openid", "profile", "offline_access")
"""For a refresh token, and to learn who consented."""

_PROMPTS: Final = ("login", "none", "consent", "select_account")
_CHINA_ISSUER: Final = "https://sts.chinacloudapi.cn"
_V1_ISSUERS: Final = {
    "https://login.partner.microsoftonline.cn": _CHINA_ISSUER,
    "https://login.chinacloudapi.cn": _CHINA_ISSUER,
}
"""Authority → who signs the id tokens of its v1 endpoints, where it is not the same as for all others."""

_V1_ISSUER: Final = "https://sts.windows.net"
_KEY_VAULT_HOSTS: Final = ("vault.", "managedhsm.")


class Entra(Provider):
    """One tenant of Entra ID; client credentials need a tenant of their own and one `/.default` scope."""

    name = "entra"
    uses_clouds = True
    has_tenants = True
    settings = ("resource", *_HINTS)
    reasons: ClassVar[Mapping[int | str, Reason]] = REASONS

    def endpoints(self, iclient: IClient, cloud: CloudProfile, fetch: Fetch) -> Endpoints:
        base = f"{cloud.authority}/{_tenant(iclient)}"
        version = "" if _resource(iclient) else "/v2.0"
        return Endpoints(
            issuer=_issuer(iclient, cloud),
            authorization_endpoint=f"{base}/oauth2{version}/authorize",
            token_endpoint=f"{base}/oauth2{version}/token",
            device_authorization_endpoint=f"{base}/oauth2{version}/devicecode",
            jwks_uri=f"{base}/discovery/v2.0/keys",
        )

    def traits(self, iclient: IClient) -> Traits:
        hints = {name: str(iclient.settings[name]) for name in _HINTS if iclient.settings.get(name)}
        resource = {"resource": _resource(iclient)} if _resource(iclient) else {}
        return Traits(
            authorization_parameters={**hints, **resource},
            offline_scope="" if resource else "offline_access",
            names_scopes_again=True,
            tells_scopes=not resource,
            assertion_audience="token_endpoint",
            assertion_seconds=_ASSERTION_SECONDS,
            names_certificate=True,
        )

    def check(self, iclient: IClient) -> None:
        """Without a tenant it may work all the same: the system that is reached may name one."""
        possible = (*_PROMPTS, "admin_consent") if _resource(iclient) else _PROMPTS
        if (prompt := iclient.settings.get("prompt")) and prompt not in possible:
            raise NotAuthorized(
                f"settings.prompt of iClient {iclient.name} is {prompt}; it can be: {', '.join(possible)}.",
                code="setting",
            )

    def check_app_scopes(self, iclient: IClient, scopes: Sequence[str]) -> None:
        if (iclient.tenant or "").lower() in _MANY_TENANTS:
            raise CredentialRefused(
                f"iClient {iclient.name} names tenant {iclient.tenant}: client credentials need one tenant's ID or domain."
            )
        check_app(iclient.name, scopes)
        check_resource(iclient.name, _resource(iclient), scopes)

    def check_consent_scopes(self, iclient: IClient, scopes: Sequence[str]) -> None:
        check_one_audience(iclient.name, scopes)
        check_resource(iclient.name, _resource(iclient), scopes)

    def consent_scopes(self, iclient: IClient, scopes: Sequence[str]) -> tuple[str, ...]:
        """`offline_access` for a refresh token, `openid profile` to learn who consented."""
        return tuple(dict.fromkeys((*scopes, *(("openid",) if _resource(iclient) else _WITH_CONSENT))))

    def scope_parameters(self, iclient: IClient, scopes: Sequence[str]) -> dict[str, str]:
        resource = _resource(iclient)
        return {"resource": resource} if resource else {"scope": " ".join(scopes)}

    def claims_parameters(self, iclient: IClient, claims: str) -> dict[str, str]:
        if _resource(iclient):
            return {}
        asked = json.loads(claims) if claims else {}
        of_token = asked.get("access_token")
        merged = {**asked, "access_token": {**(of_token if isinstance(of_token, dict) else {}), **_CAPABILITIES}}
        return {"claims": json.dumps(merged, separators=(",", ":"))}

    def admin_consent_address(
        self, iclient: IClient, cloud: CloudProfile, scopes: Sequence[str], redirect_uri: str, state: str
    ) -> str:
        """The v2.0 page: for all that people will be asked for, or they could be asked nevertheless. Where the tenant
        is any, the administrator's own is taken."""
        tenant = "organizations" if _tenant(iclient).lower() == "common" else _tenant(iclient)
        parameters = {
            "client_id": iclient.client_id,
            "scope": " ".join(dict.fromkeys((*scopes, *_WITH_CONSENT))),
            "redirect_uri": redirect_uri,
            "state": state,
        }
        return f"{cloud.authority}/{tenant}/v2.0/adminconsent?{urlencode(parameters)}"

    def explain(self, refusal: Refusal, iclient: IClient) -> NotAuthorized:
        """As the table says. A certificate that has ended is told from an unknown one by Entra's words alone: where
        they change, the sentence for both is shown."""
        if CERTIFICATE_REFUSED in refusal.codes and "is expired" in refusal.description:
            error, suberror = CERTIFICATE_ENDED
            refusal = replace(refusal, error=error, suberror=suberror, codes=(), description="")
        return super().explain(refusal, iclient)


def _tenant(iclient: IClient) -> str:
    if not iclient.tenant:
        raise CredentialRefused(f"iClient {iclient.name} has no tenant: set its tenant ID and apply it again.")
    return quote(iclient.tenant, safe="")


def _resource(iclient: IClient) -> str:
    """The resource of the v1 endpoints. Key Vault's is known without a slash at its end, with which people copy it."""
    resource = str(iclient.settings.get("resource") or "")
    is_key_vault = resource.partition("://")[2].startswith(_KEY_VAULT_HOSTS)
    return resource.rstrip("/") if is_key_vault else resource


def _issuer(iclient: IClient, cloud: CloudProfile) -> str:
    """Who signs id tokens; with a hole where the tenant is named by its domain, or is any."""
    tenant = str(iclient.tenant).lower() if _is_guid(iclient.tenant) else TENANT_HOLE
    if _resource(iclient):
        return f"{_V1_ISSUERS.get(cloud.authority, _V1_ISSUER)}/{tenant}/"
    return f"{cloud.authority}/{tenant}/v2.0"


def _is_guid(tenant: Any) -> bool:
    try:
        return str(UUID(str(tenant))) == str(tenant).lower()
    except ValueError:
        return False
