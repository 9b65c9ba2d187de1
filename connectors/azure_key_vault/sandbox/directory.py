"""One tenant of the sandbox's Entra: its users, its consents, and the apps that it knows."""

from __future__ import annotations

from connectors.azure_key_vault.sandbox.applications import Application
from connectors.azure_key_vault.sandbox.claims_request import CAPABILITY, NOTHING, ClaimsRequest
from connectors.azure_key_vault.sandbox.clock import Clock
from connectors.azure_key_vault.sandbox.clouds import Cloud
from connectors.azure_key_vault.sandbox.consents import Consents
from connectors.azure_key_vault.sandbox.policy import Policy
from connectors.azure_key_vault.sandbox.tokens import Claims, Tokens
from connectors.azure_key_vault.sandbox.users import User


class Directory:
    """A tenant. Apps, keys, clock and policy are shared by all tenants of the sandbox."""

    def __init__(
        self,
        tenant: str,
        domain: str,
        subscription: str,
        users: list[User],
        *,
        tokens: Tokens,
        policy: Policy,
        applications: dict[str, Application],
        cloud: Cloud,
    ) -> None:
        self.tenant = tenant
        self.domain = domain
        self.subscription = subscription
        self.cloud = cloud
        self.issuer = cloud.issuer(tenant)
        self.users = {user.name: user for user in users}
        self.consents = Consents()
        self.tokens = tokens
        self.policy = policy
        self._applications = applications

    @property
    def clock(self) -> Clock:
        """The sandbox's clock."""
        return self.tokens.clock

    def application(self, client_id: str) -> Application | None:
        """The app of that client ID, if this tenant knows it."""
        application = self._applications.get(client_id.lower())
        if application is None or (not application.multi_tenant and application.home_tenant != self.tenant):
            return None
        return application

    def issue(
        self,
        application: Application,
        audience: str,
        *,
        asked: ClaimsRequest = NOTHING,
        proof: str = "1",
        long: bool = False,
    ) -> tuple[str, int, int]:
        """An app-only token: its text, its lifetime in seconds, and when it expires."""
        lifetime_seconds = self.policy.lifetime_seconds(long=long or asked.continuous)
        object_id = application.principal(self.tenant)
        claims: Claims = {
            "aud": audience,
            "iss": self.issuer,
            "appid": application.client_id,
            "appidacr": proof,
            "idp": self.issuer,
            "idtyp": "app",
            "oid": object_id,
            "sub": object_id,
            "tid": self.tenant,
            "rh": "1.sandbox.",
            "ver": "1.0",
        }
        if asked.continuous:
            claims["xms_cc"] = [CAPABILITY]
        if asked.contexts:
            claims["acrs"] = list(asked.contexts)
        token, expires = self.tokens.issue(claims, lifetime_seconds, asked.not_before)
        return token, lifetime_seconds, expires
