"""Consent of an administrator for the whole tenant, without any sign-in to the app (sheet, section 1.9)."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.azure_key_vault.sandbox import scopes as asked
from connectors.azure_key_vault.sandbox.aadsts import ON_PAGE, TokenError
from connectors.azure_key_vault.sandbox.applications import Application
from connectors.azure_key_vault.sandbox.authority import Authority
from connectors.azure_key_vault.sandbox.authorize import Reply, redirect_uri
from connectors.azure_key_vault.sandbox.directory import Directory
from connectors.azure_key_vault.sandbox.exchange import Answer, Request
from connectors.azure_key_vault.sandbox.forms import correlation_of, fields_of, required
from connectors.azure_key_vault.sandbox.scopes import DEFAULT, Scope, Scopes
from connectors.azure_key_vault.sandbox.signin import Interaction, SignIn


@dataclass(slots=True, eq=False)
class TenantConsent:
    """The purpose: the app hears that the tenant has consented, or not."""

    reply: Reply
    v2: bool
    always_asks: bool = True
    for_everybody: bool = True

    def accepted(self, interaction: Interaction) -> Answer:
        """`admin_consent=True` with the tenant, and in v2 with what was granted."""
        found = {"admin_consent": "True", "tenant": interaction.where.tenant}
        if self.v2:
            found["scope"] = interaction.scopes.echo(interaction.application.permissions)
        return self.reply.send(found)

    def refused(self, interaction: Interaction, error: TokenError) -> Answer:
        """The error."""
        return self.send_error(error, interaction.where)

    def send_error(self, error: TokenError, directory: Directory | None) -> Answer:
        """v2 says `admin_consent=True` even now, and v1 has one error for all."""
        if not self.v2:
            return self.reply.send_error(error, name="permission_denied")
        tenant = {"tenant": directory.tenant} if directory else {}
        return self.reply.send_error(error, admin_consent="True", **tenant)


class AdminConsent:
    """The endpoints of both generations."""

    def __init__(self, authority: Authority, signin: SignIn) -> None:
        self._authority = authority
        self._signin = signin

    def answer(self, request: Request, tenant: str, *, v2: bool) -> Answer:
        """The first page; what cannot be trusted never leaves Entra's own pages."""
        form = fields_of(request)
        directory = self._authority.resolve(tenant)
        if directory is None and (tenant.lower() != "organizations" if v2 else tenant.lower() == "consumers"):
            raise TokenError(90002, f"Tenant '{tenant}' cannot be used for the consent of an administrator.")
        application = self._authority.known_application(required(form, "client_id"), directory)
        uri = redirect_uri(application, form.get("redirect_uri", ""))
        reply = Reply(self._authority, uri, "query", form.get("state"), correlation_of(request))
        purpose = TenantConsent(reply, v2)
        session, now = self._signin.session(request), self._authority.clock.now()
        try:
            scopes = self._asked(form) if v2 else _registered(application)
            return self._signin.begin(Interaction(purpose, directory, application, scopes, session, now))
        except TokenError as refused:
            if refused.number in ON_PAGE:
                raise
            return purpose.send_error(refused, directory)

    def _asked(self, form: dict[str, str]) -> Scopes:
        strict, cloud = self._authority.policy.strict_resources, self._authority.cloud
        return asked.parse(required(form, "scope"), strict=strict, cloud=cloud)


def _registered(application: Application) -> Scopes:
    """All that the app has registered, as v1 takes it."""
    scopes = [Scope(audience, DEFAULT, f"{audience}/{DEFAULT}") for audience in application.permissions]
    return Scopes(tuple(scopes), frozenset())
