"""The controls of Entra for another process: users, consents, apps, planted errors, managed identities."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cryptography import x509

if TYPE_CHECKING:
    from connectors.azure_key_vault.sandbox.sandbox import Sandbox

Route = Callable[[dict[str, Any]], object]


def entra_routes(sandbox: Sandbox) -> dict[tuple[str, str], Route]:
    """The commands by method and path."""
    entra = sandbox.entra

    def revoke(body: dict[str, Any]) -> None:
        only(body, "user")
        entra.revoke(_text(body, "user"))

    def enable(body: dict[str, Any]) -> None:
        only(body, "user")
        entra.enable(_text(body, "user"))

    def disable(body: dict[str, Any]) -> None:
        only(body, "user")
        entra.enable(_text(body, "user"), False)

    def mfa(body: dict[str, Any]) -> None:
        only(body, "user", "required")
        entra.require_mfa(_text(body, "user"), bool(body.get("required", True)))

    def demand(body: dict[str, Any]) -> None:
        only(body, "host", "claims")
        sandbox.demands.add(body.get("claims"), host=body.get("host"))

    def users(body: dict[str, Any]) -> object:
        found = sandbox.entra.home.users.values()
        return {user.name: {"object_id": user.object_id, "mail": user.mail, "enabled": user.enabled} for user in found}

    def remove_consent(body: dict[str, Any]) -> None:
        only(body, "user", "client_id")
        entra.remove_consent(body.get("user"), body.get("client_id"))

    def redirect_uris(body: dict[str, Any]) -> object:
        only(body, "add")
        registered = sandbox.application.redirect_uris
        registered.extend(str(uri) for uri in body.get("add", []) if uri not in registered)
        return {"redirect_uris": registered}

    def secrets(body: dict[str, Any]) -> None:
        only(body, "value", "expires")
        expires = body.get("expires")
        sandbox.application.add_secret(_text(body, "value"), None if expires is None else float(expires))

    def certificates(body: dict[str, Any]) -> None:
        only(body, "pem")
        sandbox.application.certificates.append(x509.load_pem_x509_certificate(_text(body, "pem").encode()))

    def trusts(body: dict[str, Any]) -> None:
        only(body, "issuer", "subject", "audience", "public_key")
        issuer, subject, audience = (_text(body, name) for name in ("issuer", "subject", "audience"))
        sandbox.application.trust(issuer, subject, audience, _text(body, "public_key").encode())

    def refuse(body: dict[str, Any]) -> None:
        entra.refusals.add(**body)

    def identity(body: dict[str, Any]) -> object:
        return {
            "identity_host": sandbox.identity_host,
            "identity_endpoint": sandbox.identity_endpoint,
            "identity_header": sandbox.identity_header,
        }

    return {
        ("GET", "/sandbox/users"): users,
        ("POST", "/sandbox/users/revoke"): revoke,
        ("POST", "/sandbox/users/disable"): disable,
        ("POST", "/sandbox/users/enable"): enable,
        ("POST", "/sandbox/users/mfa"): mfa,
        ("POST", "/sandbox/demands"): demand,
        ("DELETE", "/sandbox/demands"): lambda _: sandbox.demands.clear(),
        ("POST", "/sandbox/consent/remove"): remove_consent,
        ("POST", "/sandbox/redirect_uris"): redirect_uris,
        ("POST", "/sandbox/secrets"): secrets,
        ("POST", "/sandbox/certificates"): certificates,
        ("POST", "/sandbox/trusts"): trusts,
        ("POST", "/sandbox/refusals"): refuse,
        ("DELETE", "/sandbox/refusals"): lambda _: entra.refusals.clear(),
        ("GET", "/sandbox/identity"): identity,
    }


def only(body: dict[str, Any], *known: str) -> None:
    """ValueError for a member that is not known."""
    unknown = body.keys() - set(known)
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")


def _text(body: dict[str, Any], name: str) -> str:
    value = body[name]
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string")
    return value
