"""Calls about who issues certificates and who is told: issuers and contacts (Azure reference sheet, section 4.9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from connectors.azure_key_vault.sandbox.bodies import invalid
from connectors.azure_key_vault.sandbox.calls import Call, Reply
from connectors.azure_key_vault.sandbox.certificates import Certificates
from connectors.azure_key_vault.sandbox.errors import Refused
from connectors.azure_key_vault.sandbox.exchange import compact, parse_object
from connectors.azure_key_vault.sandbox.state import Vault

_CONTACT: Final = ("email", "name", "phone")
_RESERVED: Final = frozenset({"self", "unknown"})


class AuthorityCalls:
    """What a vault answers about issuers and contacts."""

    def __init__(self, vault: Vault, certificates: Certificates) -> None:
        self._vault = vault
        self._certificates = certificates
        self.operations: Mapping[str, Callable[[Call], bytes | Reply]] = {
            "cert_contacts_get": self._contacts,
            "cert_contacts_put": self._set_contacts,
            "cert_contacts_delete": self._delete_contacts,
            "cert_issuers_list": self._issuers,
            "cert_issuer_get": self._issuer,
            "cert_issuer_put": self._set_issuer,
            "cert_issuer_patch": self._change_issuer,
            "cert_issuer_delete": self._delete_issuer,
        }

    def _contacts(self, call: Call) -> bytes:
        if not self._certificates.contacts:
            raise Refused(404, "ContactsNotFound", "Contacts not found")
        return self._contacts_document(call)

    def _set_contacts(self, call: Call) -> bytes:
        told = parse_object(call.request.body).get("contacts")
        if not isinstance(told, list) or not all(isinstance(one, dict) and one.get("email") for one in told):
            raise invalid("contacts")
        self._certificates.contacts = [{name: one[name] for name in _CONTACT if one.get(name)} for one in told]
        return self._contacts_document(call)

    def _delete_contacts(self, call: Call) -> bytes:
        document = self._contacts(call)
        self._certificates.contacts = []
        return document

    def _contacts_document(self, call: Call) -> bytes:
        return compact({"id": f"{call.base.id}/certificates/contacts", "contacts": self._certificates.contacts})

    def _issuers(self, call: Call) -> bytes:
        found = sorted(self._certificates.issuers.values(), key=lambda one: str(one["name"]).lower())
        items = [{"id": _place(call, one["name"]), "provider": one["provider"]} for one in found]
        return compact({"value": items, "nextLink": None})

    def _issuer(self, call: Call) -> bytes:
        return _written(call, self._found(call))

    def _set_issuer(self, call: Call) -> bytes:
        name, body = call.route.name, parse_object(call.request.body)
        if name.lower() in _RESERVED or not isinstance(body.get("provider"), str):
            raise invalid("provider" if name.lower() not in _RESERVED else "issuer")
        before = self._certificates.issuers.get(name.lower())
        now = int(self._vault.clock.now())
        made = {"name": name, "created": before["created"] if before else now, "updated": now, "enabled": True}
        self._certificates.issuers[name.lower()] = _changed(made, body)
        return _written(call, self._certificates.issuers[name.lower()])

    def _change_issuer(self, call: Call) -> bytes:
        found = self._found(call)
        found["updated"] = int(self._vault.clock.now())
        return _written(call, _changed(found, parse_object(call.request.body)))

    def _delete_issuer(self, call: Call) -> bytes:
        found = self._found(call)
        del self._certificates.issuers[call.route.name.lower()]
        return _written(call, found)

    def _found(self, call: Call) -> dict[str, Any]:
        found = self._certificates.issuers.get(call.route.name.lower())
        if found is None:
            raise Refused(404, "CertificateIssuerNotFound", f"Issuer not found: {call.route.name}")
        return found


def _changed(issuer: dict[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """The issuer with what a request says; its password is taken and never given back."""
    for name in ("provider", "org_details"):
        if body.get(name) is not None:
            issuer[name] = body[name]
    account = (body.get("credentials") or {}).get("account_id")
    if account is not None:
        issuer["account_id"] = account
    enabled = (body.get("attributes") or {}).get("enabled")
    if enabled is not None:
        issuer["enabled"] = enabled is True
    return issuer


def _written(call: Call, issuer: Mapping[str, Any]) -> bytes:
    document: dict[str, Any] = {"id": _place(call, issuer["name"]), "provider": issuer["provider"]}
    if "account_id" in issuer:
        document["credentials"] = {"account_id": issuer["account_id"]}
    document["org_details"] = issuer.get("org_details") or {}
    document["attributes"] = {name: issuer[name] for name in ("enabled", "created", "updated")}
    return compact(document)


def _place(call: Call, name: str) -> str:
    return f"{call.base.id}/certificates/issuers/{name}"
