"""The device code flow: the endpoint for the device, and the page where a person types its code (sheet, 1.8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connectors.azure_key_vault.sandbox import pages
from connectors.azure_key_vault.sandbox import scopes as asked
from connectors.azure_key_vault.sandbox.aadsts import TokenError
from connectors.azure_key_vault.sandbox.authority import PERSONAL_TENANT, Authority
from connectors.azure_key_vault.sandbox.exchange import Answer, Request, base_of
from connectors.azure_key_vault.sandbox.forms import fields_of, required
from connectors.azure_key_vault.sandbox.grants import DeviceCode
from connectors.azure_key_vault.sandbox.signin import Interaction, SignIn

PAGE_PATH = "/devicelogin"


@dataclass(slots=True, eq=False)
class DeviceAllowed:
    """The purpose of typing a code: a device gets a token, and the person a last page."""

    authority: Authority
    device: DeviceCode
    always_asks: bool = True
    for_everybody: bool = False

    def accepted(self, interaction: Interaction) -> Answer:
        """The device's next poll succeeds."""
        self.device.grant = interaction.begin(self.authority.grants)
        name = interaction.application.name
        return pages.message("You have signed in", f"You have signed in to {name} on your device. Close this window.")

    def refused(self, interaction: Interaction, error: TokenError) -> Answer:
        """The device's next poll is told so."""
        self.device.declined = True
        return pages.message("You have not signed in", f"The request was declined. {error.message}")


class DeviceLogin:
    """Gives device codes out, and asks people for them."""

    def __init__(self, authority: Authority, signin: SignIn) -> None:
        self._authority = authority
        self._signin = signin

    def code(self, request: Request, tenant: str, *, v2: bool) -> dict[str, Any]:
        """What a device shows and polls with."""
        if request.method != "POST":
            raise TokenError(900561)
        form = fields_of(request)
        directory = self._authority.resolve(tenant)
        if tenant.lower() == PERSONAL_TENANT:
            raise TokenError(9001023)
        application = self._authority.known_application(required(form, "client_id"), directory)
        strict, cloud = self._authority.policy.strict_resources, self._authority.cloud
        read = asked.parse if v2 else asked.of_resource
        scopes = read(required(form, "scope" if v2 else "resource"), strict=strict, cloud=cloud)
        scopes.permissions(application.permissions)
        text, device = self._authority.grants.new_device_code(directory, application, scopes)
        page = f"{base_of(request.host).id}{PAGE_PATH}"
        message = f"To sign in, use a web browser to open the page {page} and enter the code {device.user_code}."
        answer: dict[str, Any] = {
            "user_code": device.user_code,
            "device_code": text,
            "verification_uri" if v2 else "verification_url": page,
            "expires_in": self._authority.policy.device_code_seconds,
            "interval": int(device.interval_seconds),
            "message": message,
        }
        return answer if v2 else {name: str(value) for name, value in answer.items()}

    def page(self, request: Request) -> Answer:
        """Asks for the user code; when it is right, who and what."""
        form = fields_of(request)
        if request.method != "POST":
            return pages.user_code(PAGE_PATH, form.get("otc", ""), wrong=False)
        typed = form.get("user_code", "")
        device = self._authority.grants.device_of(typed)
        if device is None:
            return pages.user_code(PAGE_PATH, typed, wrong=True)
        purpose = DeviceAllowed(self._authority, device)
        session, now = self._signin.session(request), self._authority.clock.now()
        interaction = Interaction(purpose, device.directory, device.application, device.scopes, session, now)
        interaction.prompt = "select_account"
        return self._signin.begin(interaction)
