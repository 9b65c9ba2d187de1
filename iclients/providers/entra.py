"""Microsoft Entra ID, in any cloud whose profile names its authority.

Source: Microsoft identity platform, "OAuth 2.0 client credentials flow" and "Authentication and authorization error
codes".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from iclients.clouds import CloudProfile
from iclients.errors import CredentialRefused, ScopeRefused
from iclients.model import IClient
from iclients.provider import Provider

_MANY_TENANTS = frozenset({"common", "organizations", "consumers"})


class Entra(Provider):
    """One tenant of Entra ID; client credentials need a tenant of their own and one `/.default` scope."""

    name = "entra"
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
        53003: "A Conditional Access policy of tenant {tenant} blocks iClient {iclient}: ask its administrator.",
    }

    def token_endpoint(self, iclient: IClient, cloud: CloudProfile) -> str:
        if not iclient.tenant:
            raise CredentialRefused(f"iClient {iclient.name} has no tenant: set its tenant ID and apply it again.")
        return f"{cloud.authority}/{iclient.tenant}/oauth2/v2.0/token"

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
