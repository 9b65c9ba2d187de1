"""The certificates of one vault, call by call, with contacts and issuers. Source: Key Vault REST API, Certificates."""

from __future__ import annotations

from typing import Any, ClassVar

from connectors.azure_key_vault.vault.objects import VaultObjects


class VaultCertificates(VaultObjects):
    """Calls one vault. Every method raises RemoteError: its recovery says what follows."""

    path: ClassVar[str] = "certificates"
    prefix: ClassVar[str] = "cert_"

    def create(self, name: str, body: dict[str, Any]) -> Any:
        """Begin to make a version; gives the operation. Needs create."""
        return self._once("create", "POST", f"/{name}/create", body, f"certificate {name}")

    def bring(self, name: str, body: dict[str, Any]) -> Any:
        """A new version that was made outside. Needs import."""
        return self._once("import", "POST", f"/{name}/import", body, f"certificate {name}")

    def merge(self, name: str, body: dict[str, Any]) -> Any:
        """What an authority made of the request that is pending. Needs create."""
        return self._once("merge", "POST", f"/{name}/pending/merge", body, f"certificate {name}")

    def operation(self, name: str) -> Any:
        """How the making of a version stands. Needs get."""
        return self._ask("pending_get", "GET", f"/{name}/pending")

    def cancel(self, name: str) -> Any:
        """Ask the issuer to stop. Needs update."""
        return self._ask("pending_patch", "PATCH", f"/{name}/pending", {"cancellation_requested": True})

    def update(self, name: str, version: str, body: dict[str, Any]) -> Any:
        """Attributes or tags of a version; what is not named stays. Needs update."""
        return self._ask("patch", "PATCH", f"/{name}/{version}", body)

    def policy(self, name: str) -> Any:
        """By which policy the next version is made. Needs get."""
        return self._ask("policy_get", "GET", f"/{name}/policy")

    def update_policy(self, name: str, policy: dict[str, Any]) -> Any:
        """Change that policy; what is not named stays. Needs update."""
        return self._ask("policy_patch", "PATCH", f"/{name}/policy", policy)

    def contacts(self) -> Any:
        """Who is told of certificates that end. Needs managecontacts."""
        return self._ask("contacts_get", "GET", "/contacts")

    def set_contacts(self, contacts: list[Any]) -> Any:
        """Replace them. Needs managecontacts."""
        return self._ask("contacts_put", "PUT", "/contacts", {"contacts": contacts})

    def delete_contacts(self) -> Any:
        """Forget them. Needs managecontacts. Not repeated when the answer is lost: it would not find them."""
        return self._ask("contacts_delete", "DELETE", "/contacts", repeatable=False)

    def issuer(self, name: str) -> Any:
        """What the vault knows of an authority, without its password. Needs getissuers."""
        return self._ask("issuer_get", "GET", f"/issuers/{name}")

    def set_issuer(self, name: str, body: dict[str, Any]) -> Any:
        """Make an authority known. Needs setissuers."""
        return self._ask("issuer_put", "PUT", f"/issuers/{name}", body)

    def delete_issuer(self, name: str) -> Any:
        """Forget an authority. Needs deleteissuers. Not repeated when the answer is lost: it would not find it."""
        return self._ask("issuer_delete", "DELETE", f"/issuers/{name}", repeatable=False)
