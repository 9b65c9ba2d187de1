"""App registrations: what an app may prove itself with, where its users are sent back to, what it may ask for."""

from __future__ import annotations

import hmac
import secrets
import uuid
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from connectors.azure_key_vault.sandbox.clouds import PUBLIC
from connectors.azure_key_vault.sandbox.scopes import Permissions, registered

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1"})


@dataclass(slots=True)
class ClientSecret:
    """A client secret and the moment from which it is refused, in Unix seconds."""

    value: str = field(repr=False)
    expires: float | None = None


class Trust(NamedTuple):
    """An external issuer whose assertions count as this app's credential."""

    issuer: str
    subject: str
    audience: str
    public_key: rsa.RSAPublicKey


@dataclass(slots=True)
class Application:
    """An app registration.

    `redirect_uris` compare exactly, but `http://localhost` and `http://127.0.0.1` match with any port. A
    `public` app has no credentials; `allow_public_flows` lets any app use device codes without one. An app
    that is not `multi_tenant` is known in its `home_tenant` only. `assigned` None lets every user in, else
    only those object ids. `permissions` are what `.default` stands for.
    """

    name: str
    client_id: str
    object_id: str
    home_tenant: str
    secrets: list[ClientSecret] = field(default_factory=list)
    certificates: list[x509.Certificate] = field(default_factory=list)
    trusts: list[Trust] = field(default_factory=list)
    redirect_uris: list[str] = field(default_factory=list)
    permissions: Permissions = field(default_factory=lambda: registered(PUBLIC))
    assigned: set[str] | None = None
    enabled: bool = True
    public: bool = False
    allow_public_flows: bool = True
    multi_tenant: bool = True

    def add_secret(self, value: str | None = None, expires: float | None = None) -> ClientSecret:
        """One more client secret; the value is made up, with characters that must be percent-encoded."""
        secret = ClientSecret(value or f"sB8Q~{secrets.token_urlsafe(24)}+/=&%", expires)
        self.secrets.append(secret)
        return secret

    def trust(self, issuer: str, subject: str, audience: str, public_key: rsa.RSAPublicKey | bytes) -> None:
        """Accepts assertions of an external issuer as this app's credential; ValueError for no RSA key in PEM."""
        key = load_pem_public_key(public_key) if isinstance(public_key, bytes) else public_key
        if not isinstance(key, rsa.RSAPublicKey):
            raise ValueError("the public key of a trusted issuer must be RSA")
        self.trusts.append(Trust(issuer, subject, audience, key))

    def judge(self, secret: str, now: float) -> str:
        """`good`, `expired` or `wrong`."""
        matching = [one for one in self.secrets if hmac.compare_digest(one.value.encode(), secret.encode())]
        if not matching:
            return "wrong"
        return "good" if any(one.expires is None or now < one.expires for one in matching) else "expired"

    def redirects_to(self, uri: str) -> bool:
        """Whether the URI is registered."""
        return any(uri == registered or _same_on_loopback(uri, registered) for registered in self.redirect_uris)

    def principal(self, tenant: str) -> str:
        """The object id of the app's service principal in a tenant."""
        if tenant == self.home_tenant:
            return self.object_id
        return str(uuid.uuid5(uuid.UUID(tenant), f"principal/{self.client_id}"))


def _same_on_loopback(uri: str, registered: str) -> bool:
    """Whether both are the same but for the port of a loopback host (RFC 8252, section 7.3)."""
    prefix = next((f"http://{host}" for host in LOOPBACK_HOSTS if registered.startswith(f"http://{host}")), None)
    if prefix is None or not uri.startswith(prefix):
        return False
    return _without_port(uri, prefix) == _without_port(registered, prefix) is not None


def _without_port(uri: str, prefix: str) -> str | None:
    """What follows host and port; None when the rest is no port and path."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return None
    authority = prefix.removeprefix("http://") + (f":{port}" if port is not None else "")
    if parts.netloc != authority:
        return None
    return uri.removeprefix(f"http://{authority}")
