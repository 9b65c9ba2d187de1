"""All of the sandbox's Entra that is not HTTP: tenants, apps, grants, policy. `sandbox.entra` is one.

Two tenants: the sandbox's own, whose tokens the vaults accept, and another one, for wrong tokens and guests.
"""

from __future__ import annotations

import uuid

from connectors.azure_key_vault.sandbox.aadsts import Refusals, TokenError
from connectors.azure_key_vault.sandbox.applications import Application
from connectors.azure_key_vault.sandbox.clock import Clock
from connectors.azure_key_vault.sandbox.clouds import PUBLIC, Cloud
from connectors.azure_key_vault.sandbox.directory import Directory
from connectors.azure_key_vault.sandbox.grants import Grants
from connectors.azure_key_vault.sandbox.policy import Policy
from connectors.azure_key_vault.sandbox.scopes import registered
from connectors.azure_key_vault.sandbox.tokens import Tokens
from connectors.azure_key_vault.sandbox.users import User, home_users, other_users

HOME_DOMAIN = "sandbox.example.com"
OTHER_DOMAIN = "other.example.com"
REDIRECT_URIS = ("http://127.0.0.1/callback", "http://localhost/callback")
PERSONAL_TENANT = "consumers"
SHARED_TENANTS = frozenset({"common", "organizations", PERSONAL_TENANT})


class Authority:
    """The tenants of one sandbox and what they share."""

    def __init__(self, clock: Clock, seed: int, cloud: Cloud = PUBLIC) -> None:
        self.clock = clock
        self.cloud = cloud
        self.policy = Policy()
        self.tokens = Tokens(clock)
        self.grants = Grants(clock, self.policy)
        self.refusals = Refusals()
        self.administrators_only: set[str] = set()
        self.applications: dict[str, Application] = {}
        self._seed = seed
        tenant, other = self._identifier("tenant"), self._identifier("other tenant")
        self.home = self._directory(tenant, HOME_DOMAIN, home_users(tenant, HOME_DOMAIN, other, OTHER_DOMAIN))
        self.other = self._directory(other, OTHER_DOMAIN, other_users(other, OTHER_DOMAIN))
        self.managed_identity = self._application("managed-identity")
        self.user_assigned_identity = self._application("user-assigned-identity")

    def register(self, name: str, *, public: bool = False, multi_tenant: bool = True) -> Application:
        """A new app; one client secret unless it is public, and redirect URIs on loopback."""
        application = self._application(name)
        application.public, application.multi_tenant = public, multi_tenant
        application.redirect_uris.extend(REDIRECT_URIS)
        if not public:
            application.add_secret()
        self.applications[application.client_id] = application
        return application

    def user(self, name: str) -> User:
        """A user by short name, of the sandbox's tenant if both have one; KeyError for nobody."""
        return self.home.users.get(name) or self.other.users[name]

    def revoke(self, name: str) -> None:
        """All sessions and refresh tokens of a user end; so do tokens under continuous access evaluation."""
        user = self.user(name)
        self.grants.revoke(user)
        self.tokens.revoke_subject(user.object_id)

    def enable(self, name: str, enabled: bool = True) -> None:
        """Enables or disables a user's account."""
        user = self.user(name)
        user.enabled = enabled
        if not enabled:
            self.tokens.revoke_subject(user.object_id)

    def require_mfa(self, name: str, required: bool = True) -> None:
        """From now on a user's grants without a second proof are 50076, until a sign-in that asks for it."""
        self.user(name).second_factor = required

    def remove_consent(self, name: str | None = None, client_id: str | None = None) -> None:
        """Forgets what a user (None: everybody and each tenant) has consented to."""
        object_id = None if name is None else self.user(name).object_id
        for directory in (self.home, self.other):
            directory.consents.remove(object_id, client_id)

    def directory(self, tenant: str) -> Directory | None:
        """The tenant of that GUID or domain."""
        name = tenant.lower()
        return next((one for one in (self.home, self.other) if name in (one.tenant, one.domain)), None)

    def resolve(self, tenant: str, error: str = "") -> Directory | None:
        """The same; None for a shared name (`common` …), 90002 or 900023 for an unknown one."""
        if not tenant or len(tenant) > 255 or not set(tenant.lower()) <= _TENANT_CHARACTERS or tenant[0] in "-.":
            raise TokenError(900023)
        directory = self.directory(tenant)
        if directory is None and tenant.lower() not in SHARED_TENANTS:
            raise TokenError(90002, f"Tenant '{tenant}' not found. Check the tenant identifier.", error=error)
        return directory

    def known_application(self, client_id: str, directory: Directory | None) -> Application:
        """The app that may be used in a tenant (None: in any); 700016, 50194 or 7000112."""
        known = directory.application(client_id) if directory else self.applications.get(client_id.lower())
        if known is None:
            text = f"Application with identifier '{client_id[:64]}' was not found in the directory."
            raise TokenError(700016, text)
        if directory is None and not known.multi_tenant:
            raise TokenError(50194)
        if not known.enabled:
            raise TokenError(7000112, f"Application '{client_id[:64]}' is disabled.")
        return known

    def accounts(self, directory: Directory | None) -> list[tuple[Directory, User]]:
        """Who can sign in to a tenant; through a shared name, each person at home."""
        if directory is not None:
            return [(directory, user) for user in directory.users.values()]
        tenants = (self.home, self.other)
        return [(one, user) for one in tenants for user in one.users.values() if not user.guest]

    def _directory(self, tenant: str, domain: str, users: list[User]) -> Directory:
        return Directory(
            tenant,
            domain,
            self._identifier("subscription"),
            users,
            tokens=self.tokens,
            policy=self.policy,
            applications=self.applications,
            cloud=self.cloud,
        )

    def _application(self, name: str) -> Application:
        client_id, object_id = self._identifier(name), self._identifier(f"{name}/principal")
        return Application(name, client_id, object_id, self.home.tenant, permissions=registered(self.cloud))

    def _identifier(self, name: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"integrator-sandbox/{self._seed}/{name}"))


_TENANT_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-.")
