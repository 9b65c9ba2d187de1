"""Any authorization server that keeps to RFC 6749: found by discovery, or its endpoints typed one by one."""

from __future__ import annotations

from typing import ClassVar, Final

from iclients.clouds import CloudProfile
from iclients.endpoints import NAMES, Endpoints, Fetch, discovered
from iclients.errors import NotAuthorized
from iclients.model import IClient
from iclients.provider import Provider

AUTHENTICATIONS: Final = {
    "basic": "client_secret_basic",
    "post": "client_secret_post",
    "private_key_jwt": "none",
    "none": "none",
}


class Generic(Provider):
    """A server that `settings` describe: `issuer` for discovery, or endpoints; typed ones win over discovery."""

    name = "generic"
    settings: ClassVar[tuple[str, ...]] = (*NAMES, "client_authentication", "ca_file")

    def endpoints(self, iclient: IClient, cloud: CloudProfile, fetch: Fetch) -> Endpoints:
        typed = {name: str(iclient.settings[name]) for name in NAMES if iclient.settings.get(name)}
        issuer = typed.pop("issuer", "")
        if "token_endpoint" in typed and not (issuer and "authorization_endpoint" not in typed):
            return Endpoints(issuer=issuer, **typed)
        if not issuer:
            raise NotAuthorized(
                f"iClient {iclient.name} says neither where its provider is nor its endpoints: set settings.issuer, or "
                "settings.token_endpoint.",
                code="no_endpoint",
            )
        return discovered(issuer, typed, fetch)

    def authentication(self, iclient: IClient) -> str:
        wanted = str(iclient.settings.get("client_authentication", "post"))
        if wanted not in AUTHENTICATIONS:
            raise NotAuthorized(
                f"settings.client_authentication of iClient {iclient.name} is {wanted}; it can be: "
                f"{', '.join(AUTHENTICATIONS)}.",
                code="client_authentication",
            )
        return AUTHENTICATIONS[wanted]
