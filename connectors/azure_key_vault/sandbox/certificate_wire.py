"""How certificates are written as JSON: bundles, items, policies, operations (Azure reference sheet, section 4.9)."""

from __future__ import annotations

import base64
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from connectors.azure_key_vault.sandbox.api_versions import WITH_OTHER_NAMES
from connectors.azure_key_vault.sandbox.certificate_policy import Policy
from connectors.azure_key_vault.sandbox.certificates import (
    COMPLETED,
    IN_PROGRESS,
    Certificate,
    CertificateVersion,
    Pending,
)
from connectors.azure_key_vault.sandbox.exchange import compact
from connectors.azure_key_vault.sandbox.shelf import Deleted
from connectors.azure_key_vault.sandbox.state import Vault
from connectors.azure_key_vault.sandbox.tokens import encode
from connectors.azure_key_vault.sandbox.wire import attributes_of, deletion_of


class CertificateWriter:
    """Writes one vault's certificates for one host and one generation of the API."""

    __slots__ = ("_base", "_generation", "_vault")

    def __init__(self, vault: Vault, base: str, generation: int) -> None:
        self._vault = vault
        self._base = base
        self._generation = generation

    def properties(self, certificate: Certificate, version: CertificateVersion) -> bytes:
        """A version with its policy, and the ids of its key and its secret."""
        return compact(self._bundle(certificate, version))

    def item(self, certificate: Certificate) -> bytes:
        """A list's item: the id names no version."""
        return compact({"id": self._place(certificate.name), **self._described(certificate.latest)})

    def version_item(self, certificate: Certificate, version: CertificateVersion) -> bytes:
        """An item in a list of versions."""
        return compact({"id": f"{self._place(certificate.name)}/{version.id}", **self._described(version)})

    def pending_item(self, one: Pending) -> bytes:
        """An item of one that is being made and has no version yet."""
        return compact({"id": self._place(one.name), "attributes": {"enabled": one.enabled}, "subject": ""})

    def deleted(self, gone: Deleted[Certificate], *, versioned: bool) -> bytes:
        """A deleted certificate: its bundle, or its list item."""
        certificate, told = gone.thing, deletion_of(gone, self._base, "certificates")
        if versioned:
            return compact(told | self._bundle(certificate, certificate.latest))
        return compact(told | {"id": self._place(certificate.name), **self._described(certificate.latest)})

    def policy(self, certificate: Certificate) -> bytes:
        """The policy by which the next version is made."""
        return compact(self._policy(certificate))

    def operation(self, one: Pending) -> bytes:
        """How the making of one stands."""
        document = {
            "id": f"{self._place(one.name)}/pending",
            "issuer": one.policy["issuer"],
            "csr": base64.b64encode(one.request.public_bytes(Encoding.DER)).decode(),
            "cancellation_requested": one.is_cancelling,
            "status": one.status,
            "request_id": one.request_id,
        }
        if one.status == IN_PROGRESS:
            document["status_details"] = "Pending certificate created. Certificate request is in progress."
        if one.status == COMPLETED:
            document["target"] = self._place(one.name)
        return compact(document)

    def pending_location(self, one: Pending, api_version: str) -> str:
        """Where the making of one is asked about."""
        return f"{self._place(one.name)}/pending?api-version={api_version}&request_id={one.request_id}"

    def _place(self, name: str) -> str:
        return f"{self._base}/certificates/{name}"

    def _bundle(self, certificate: Certificate, version: CertificateVersion) -> dict[str, Any]:
        name = certificate.name
        return {
            "id": f"{self._place(name)}/{version.id}",
            "kid": f"{self._base}/keys/{name}/{version.id}",
            "sid": f"{self._base}/secrets/{name}/{version.id}",
            "cer": base64.b64encode(version.certificate.public_bytes(Encoding.DER)).decode(),
            **self._described(version, is_item=False),
            "policy": self._policy(certificate),
            "pending": {"id": f"{self._place(name)}/pending"},
        }

    def _described(self, version: CertificateVersion, *, is_item: bool = True) -> dict[str, Any]:
        thumbprint = version.certificate.fingerprint(hashes.SHA1())  # noqa: S303 - what x5t is
        document: dict[str, Any] = {
            "x5t": encode(thumbprint),
            "attributes": attributes_of(version, self._vault, self._generation),
        }
        if is_item:
            document["subject"] = version.certificate.subject.rfc4514_string()
        if version.tags is not None:
            document["tags"] = version.tags
        return document

    def _policy(self, certificate: Certificate) -> dict[str, Any]:
        times = {"enabled": True, "created": certificate.created, "updated": certificate.updated}
        told = certificate.policy if self._generation >= WITH_OTHER_NAMES else _older(certificate.policy)
        return {"id": f"{self._place(certificate.name)}/policy", **told, "attributes": times}


def _older(policy: Policy) -> Policy:
    """A policy without the kinds of names that came later."""
    named = policy["x509_props"]
    sans = {kind: names for kind, names in (named.get("sans") or {}).items() if kind not in ("uris", "ipAddresses")}
    return {**policy, "x509_props": {**named, "sans": sans}}
