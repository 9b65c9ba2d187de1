"""Microsoft Entra ID, in any cloud whose profile names its authority.

Source: Microsoft identity platform, "OAuth 2.0 client credentials flow" and "Authentication and authorization error
codes".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from iclients.clouds import CloudProfile
from iclients.endpoints import Endpoints, Fetch
from iclients.errors import CredentialRefused, ScopeRefused
from iclients.model import IClient
from iclients.provider import Provider

_MANY_TENANTS = frozenset({"common", "organizations", "consumers"})


class Entra(Provider):
    """One tenant of Entra ID; client credentials need a tenant of their own and one `/.default` scope."""

    name = "entra"
    uses_clouds = True
    explanations: ClassVar[Mapping[int | str, str]] = {
        7000215: "Entra refused the client secret of iClient {iclient}: set the secret's value, not its ID, "
        "in the document and apply it again.",
        7000222: "The client secret of iClient {iclient} has expired: make a new one in Entra under "
        "App registrations → Certificates & secrets, and apply it.",
        7000218: "iClient {iclient} has no credential: set client_secret in the document and apply it again.",
        700016: "Entra knows no app {client_id} in tenant {tenant}: check the client ID and the tenant of iClient {iclient}.",
        7000112: "The app {client_id} of iClient {iclient} is disabled in tenant {tenant}: enable it in Entra.",
        90002: "Entra knows no tenant {tenant}: check the tenant of iClient {iclient}.",
        900023: "{tenant} is not a tenant's ID or domain: check the tenant of iClient {iclient}.",
        500011: "Tenant {tenant} has no service for the scope that iClient {iclient} asks for: check its scopes and its cloud.",
        1002012: "iClient {iclient} asks for a named scope: client credentials take only one scope that ends in /.default.",
        70011: "Entra does not accept the scopes of iClient {iclient}: use one scope that ends in /.default.",
        700027: "Entra does not know the certificate of iClient {iclient}: upload it in Entra under App registrations → "
        "Certificates & secrets.",
        700024: "Entra finds the assertion of iClient {iclient} outside its time: check this machine's clock.",
        50027: "Entra cannot read the assertion of iClient {iclient}: check the certificate or the file it comes from.",
        65004: "The consent for iClient {iclient} was declined: start it again and accept.",
        65001: "Nobody has consented to iClient {iclient} yet, or the consent was taken back: authorize the connection.",
        90094: "An administrator of tenant {tenant} must consent to iClient {iclient}: ask one to open the address.",
        54005: "The code of the consent for iClient {iclient} was used already: start the consent again.",
        70008: "The consent for iClient {iclient} has expired: authorize the connection again.",
        700082: "The consent for iClient {iclient} was not used for 90 days: authorize the connection again.",
        50173: "The consent for iClient {iclient} was revoked, by a new password or an administrator: authorize again.",
        "access_denied": "The consent for iClient {iclient} was declined: start it again and accept.",
        53003: "A Conditional Access policy of tenant {tenant} blocks iClient {iclient}: ask its administrator.",
    }

    def endpoints(self, iclient: IClient, cloud: CloudProfile, fetch: Fetch) -> Endpoints:
        if not iclient.tenant:
            raise CredentialRefused(f"iClient {iclient.name} has no tenant: set its tenant ID and apply it again.")
        base = f"{cloud.authority}/{iclient.tenant}"
        return Endpoints(
            issuer=f"{base}/v2.0",
            authorization_endpoint=f"{base}/oauth2/v2.0/authorize",
            token_endpoint=f"{base}/oauth2/v2.0/token",
            device_authorization_endpoint=f"{base}/oauth2/v2.0/devicecode",
            jwks_uri=f"{base}/discovery/v2.0/keys",
        )

    def consent_scopes(self, scopes: Sequence[str]) -> tuple[str, ...]:
        """`offline_access` for a refresh token, `openid profile` to learn who consented."""
        return (*scopes, *(scope for scope in ("openid", "profile", "offline_access") if scope not in scopes))

    def check_app_scopes(self, iclient: IClient, scopes: Sequence[str]) -> None:
        if (iclient.tenant or "").lower() in _MANY_TENANTS:
            raise CredentialRefused(
                f"iClient {iclient.name} names tenant {iclient.tenant}: client credentials need one tenant's ID or domain."
            )
        if len(scopes) != 1 or not scopes[0].endswith("/.default"):
            raise ScopeRefused(
                f"iClient {iclient.name} asks for {', '.join(scopes) or 'no scope'}: client credentials take one "
                "scope that ends in /.default, because one token serves one audience."
            )
