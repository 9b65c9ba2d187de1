"""The tenant of the sandbox: its apps with their client secrets, its resources, its token key."""

from __future__ import annotations

import hmac
import secrets
import uuid
from dataclasses import dataclass, field

from connectors.azure_key_vault.sandbox.clock import Clock
from connectors.azure_key_vault.sandbox.tokens import Claims, Tokens

VAULT_AUDIENCE = "https://vault.azure.net"
ARM_AUDIENCE = "https://management.azure.com"
KNOWN_AUDIENCES = (VAULT_AUDIENCE, ARM_AUDIENCE, "https://management.core.windows.net")
TENANT_DOMAIN = "sandbox.example.com"


@dataclass(slots=True)
class ClientSecret:
    """A client secret and the moment from which it is refused, in Unix seconds."""

    value: str = field(repr=False)
    expires: float | None = None


@dataclass(slots=True)
class Application:
    """An app registration with its service principal."""

    client_id: str
    object_id: str
    secrets: list[ClientSecret]
    enabled: bool = True

    def judge(self, secret: str, now: float) -> str:
        """`good`, `expired` or `wrong`."""
        matching = [one for one in self.secrets if hmac.compare_digest(one.value.encode(), secret.encode())]
        if not matching:
            return "wrong"
        return "good" if any(one.expires is None or now < one.expires for one in matching) else "expired"


class Directory:
    """One Entra tenant."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self.clock = clock
        self.tokens = Tokens(clock)
        self.tenant = _identifier(seed, "tenant")
        self.subscription = _identifier(seed, "subscription")
        self.issuer = f"https://sts.windows.net/{self.tenant}/"
        self.applications: dict[str, Application] = {}
        self.lifetime_seconds = 3599

    def register(self, seed: int, name: str) -> Application:
        """A new app with one client secret; the secret holds characters that must be percent-encoded."""
        client_secret = ClientSecret(f"sB8Q~{secrets.token_urlsafe(24)}+/=&%")
        application = Application(_identifier(seed, name), _identifier(seed, f"{name}/principal"), [client_secret])
        self.applications[application.client_id] = application
        return application

    def issue(self, application: Application, audience: str, *, continuous: bool) -> tuple[str, int, int]:
        """An app-only token: its text, its lifetime in seconds, and when it expires."""
        lifetime_seconds = 86_399 if continuous else self.lifetime_seconds
        claims: Claims = {
            "aud": audience,
            "iss": self.issuer,
            "appid": application.client_id,
            "appidacr": "1",
            "idp": self.issuer,
            "idtyp": "app",
            "oid": application.object_id,
            "sub": application.object_id,
            "tid": self.tenant,
            "rh": "1.sandbox.",
            "ver": "1.0",
        }
        if continuous:
            claims["xms_cc"] = ["CP1"]
        token, expires = self.tokens.issue(claims, lifetime_seconds)
        return token, lifetime_seconds, expires


def _identifier(seed: int, name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"integrator-sandbox/{seed}/{name}"))
