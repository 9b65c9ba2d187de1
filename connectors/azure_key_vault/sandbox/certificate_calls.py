"""Calls about certificates (Azure reference sheet, section 4.9)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography import x509

from connectors.azure_key_vault.sandbox import bodies, certificate_policy, issuing, key_material
from connectors.azure_key_vault.sandbox.api_versions import WITH_PENDING_LISTED
from connectors.azure_key_vault.sandbox.bodies import invalid
from connectors.azure_key_vault.sandbox.calls import RESTORE, Call, Collection, Reply, Route, Router
from connectors.azure_key_vault.sandbox.certificate_backup import backup, restored
from connectors.azure_key_vault.sandbox.certificate_wire import CertificateWriter
from connectors.azure_key_vault.sandbox.certificates import IN_PROGRESS, Certificate, Certificates, Pending
from connectors.azure_key_vault.sandbox.errors import Refused
from connectors.azure_key_vault.sandbox.exchange import Request, compact, parse_object
from connectors.azure_key_vault.sandbox.issuing import Held
from connectors.azure_key_vault.sandbox.names import Names
from connectors.azure_key_vault.sandbox.state import Vault
from connectors.azure_key_vault.sandbox.throttle import CREATE_COST, OTHER_COST

_CREATING: Final = frozenset({"create", "import", "merge", "restore"})
_FIXED: Final = frozenset({"contacts", "issuers"})
_PARTS: Final = {
    ("POST", "create"): "create",
    ("POST", "import"): "import",
    ("POST", "backup"): "backup",
    ("GET", "versions"): "versions",
    ("GET", "policy"): "policy_get",
    ("PATCH", "policy"): "policy_patch",
    ("GET", "pending"): "pending_get",
    ("PATCH", "pending"): "pending_patch",
    ("DELETE", "pending"): "pending_delete",
}


class CertificateCalls(Collection[Certificate]):
    """What a vault answers about its certificates."""

    path = "certificates"
    prefix = "cert_"

    def __init__(self, vault: Vault, certificates: Certificates) -> None:
        self.certificates = certificates
        super().__init__(vault, certificates.shelf)

    def own(self) -> Mapping[str, Callable[[Call], bytes | Reply]]:
        return {
            "create": self._create,
            "import": self._import,
            "merge": self._merge,
            "get": self._get,
            "patch": self._patch,
            "policy_get": self._policy,
            "policy_patch": self._set_policy,
            "pending_get": self._pending,
            "pending_patch": self._cancel,
            "pending_delete": self._delete_pending,
            "backup": self._backup,
            "restore": self._restore,
        }

    def routers(self) -> dict[tuple[str, int], Router]:
        own: dict[tuple[str, int], Router] = {
            (self.path, 1): self._one,
            (self.path, 2): self._one_part,
            (self.path, 3): self._one_action,
        }
        return {**super().routers(), **own}

    def cost(self, route: Route, request: Request) -> int:
        return CREATE_COST if route.kind.removeprefix(self.prefix) in _CREATING else OTHER_COST

    def writer(self, call: Call) -> CertificateWriter:
        return CertificateWriter(self.vault, call.base.id, call.generation)

    def _one(self, method: str, rest: list[str]) -> Route | None:
        if rest[0].lower() in _FIXED:
            return authority_route(method, rest)
        if method == "POST" and rest[0].lower() == RESTORE:
            return self.route("restore")
        kind = {"GET": "get", "PATCH": "patch", "DELETE": "delete"}.get(method)
        return self.route(kind, rest[0]) if kind else None

    def _one_part(self, method: str, rest: list[str]) -> Route | None:
        name, last = rest
        if name.lower() in _FIXED:
            return authority_route(method, rest)
        if fixed := _PARTS.get((method, last.lower())):
            return self.route(fixed, name)
        kind = {"GET": "get", "PATCH": "patch"}.get(method)
        return self.route(kind, name, last) if kind else None

    def _one_action(self, method: str, rest: list[str]) -> Route | None:
        is_merge = method == "POST" and [one.lower() for one in rest[1:]] == ["pending", "merge"]
        return self.route("merge", rest[0]) if is_merge else None

    def _create(self, call: Call) -> Reply:
        body = parse_object(call.request.body)
        before = self.shelf.kept.get(call.route.name.lower())
        asked = body.get("policy")
        policy = before.policy if before is not None and asked is None else certificate_policy.policy(asked)
        key = policy["key_props"]
        if before is not None and key["reuse_key"]:
            private = before.latest.held.private
        else:
            private = key_material.made(key["kty"], key.get("key_size"), key.get("crv"), None)
        one = self.certificates.begin(call.route.name, policy, private, _told(body))
        writer = self.writer(call)
        location = writer.pending_location(one, call.parameters["api-version"])
        return Reply(202, writer.operation(one), b"Location: %s\r\n" % location.encode())

    def _import(self, call: Call) -> bytes:
        body = parse_object(call.request.body)
        value, password, told = body.get("value"), body.get("pwd"), body.get("policy") or {}
        if not isinstance(value, str) or not isinstance(told, dict) or not isinstance(password, str | None):
            raise invalid("value" if not isinstance(value, str) else "policy")
        wanted = (told.get("secret_props") or {}).get("contentType")
        held, kind = issuing.opened(value, password, wanted)
        policy = certificate_policy.imported(told, held.certificate, wanted or kind)
        name = call.route.name
        self.certificates.check_free(name)
        self._refuse_while_pending(name)
        certificate = self.certificates.add(name, held, policy, _told(body))
        return self.writer(call).properties(certificate, certificate.latest)

    def _merge(self, call: Call) -> Reply:
        body, one = parse_object(call.request.body), self._pending_of(call)
        if one.status != IN_PROGRESS or one.done_at is not None:
            raise Refused(403, "Forbidden", "This pending certificate is not one to merge into.")
        first, *chain = _merged(body.get("x5c"))
        if first.public_key() != one.private.public_key():
            raise Refused(400, "BadParameter", "The public key of the certificate is not that of the pending request.")
        told = _told(body)
        one.enabled, one.tags = told.get("enabled", one.enabled), told.get("tags", one.tags)
        certificate = self.certificates.end(one, Held(first, one.private, tuple(chain)))
        writer = self.writer(call)
        location = f"{call.base.id}/certificates/{certificate.name}/{certificate.latest.id}".encode()
        return Reply(201, writer.properties(certificate, certificate.latest), b"Location: %s\r\n" % location)

    def _get(self, call: Call) -> bytes:
        self.certificates.advance(call.route.name)
        certificate = self.shelf.find(call.route.name)
        version = certificate.version(call.route.version.lower()) if call.route.version else certificate.latest
        if version is None:
            raise self.shelf.not_found(f"{call.route.name}/{call.route.version}")
        return self.writer(call).properties(certificate, version)

    def _patch(self, call: Call) -> bytes:
        body = parse_object(call.request.body)
        told = bodies.described({name: body.get(name) for name in ("attributes", "tags")})
        self.certificates.advance(call.route.name)
        certificate = self.shelf.find(call.route.name)
        version = certificate.version(call.route.version.lower()) if call.route.version else certificate.latest
        if version is None:
            raise self.shelf.not_found(f"{call.route.name}/{call.route.version}")
        if "enabled" in told:
            self.certificates.enable(certificate, version, enabled=told["enabled"])
        version.tags = told.get("tags", version.tags)
        version.updated = int(self.vault.clock.now())
        if body.get("policy") is not None:
            certificate.policy = certificate_policy.policy(body["policy"], certificate.policy)
        return self.writer(call).properties(certificate, version)

    def _policy(self, call: Call) -> bytes:
        self.certificates.advance(call.route.name)
        return self.writer(call).policy(self.shelf.find(call.route.name))

    def _set_policy(self, call: Call) -> bytes:
        certificate = self.shelf.find(call.route.name)
        certificate.policy = certificate_policy.policy(parse_object(call.request.body), certificate.policy)
        certificate.updated = int(self.vault.clock.now())
        return self.writer(call).policy(certificate)

    def _pending(self, call: Call) -> bytes:
        return self.writer(call).operation(self._pending_of(call))

    def _cancel(self, call: Call) -> bytes:
        one = self._pending_of(call)
        if parse_object(call.request.body).get("cancellation_requested") is not True:
            raise invalid("cancellation_requested")
        if one.status != IN_PROGRESS:
            raise Refused(400, "BadParameter", f"The pending certificate is {one.status}: there is nothing to cancel.")
        one.is_cancelling = True
        return self.writer(call).operation(one)

    def _delete_pending(self, call: Call) -> bytes:
        one = self._pending_of(call)
        del self.certificates.pending[call.route.name.lower()]
        return self.writer(call).operation(one)

    def _delete(self, call: Call) -> bytes:
        gone = self.shelf.delete(call.route.name)
        for shelf in self.certificates.owned:
            shelf.take(call.route.name)
        self.certificates.pending.pop(call.route.name.lower(), None)
        return self.writer(call).deleted(gone, versioned=True)

    def _recover(self, call: Call) -> bytes:
        certificate = self.shelf.recover(call.route.name)
        for shelf in self.certificates.owned:
            shelf.recover(call.route.name)
        return self.writer(call).properties(certificate, certificate.latest)

    def _purge(self, call: Call) -> bytes:
        self.shelf.purge(call.route.name)
        for shelf in self.certificates.owned:
            shelf.purge(call.route.name)
        return b""

    def _list(self, call: Call) -> bytes:
        for name in [*self.certificates.pending]:
            self.certificates.advance(name)
        return super()._list(call)

    def listed_names(self, call: Call) -> Names:
        if not _wants_pending(call):
            return super().listed_names(call)
        return Names({*self.shelf.kept, *self.certificates.under_way()})

    def listed_items(self, call: Call, names: list[str]) -> list[bytes]:
        if not _wants_pending(call):
            return super().listed_items(call, names)
        writer, made = self.writer(call), self.shelf.kept
        pending = self.certificates.pending
        return [writer.item(made[name]) if name in made else writer.pending_item(pending[name]) for name in names]

    def _backup(self, call: Call) -> bytes:
        return compact({"value": backup(self.shelf.find(call.route.name))})

    def _restore(self, call: Call) -> bytes:
        certificate = restored(parse_object(call.request.body))
        self.certificates.restore(certificate)
        return self.writer(call).properties(certificate, certificate.latest)

    def _pending_of(self, call: Call) -> Pending:
        name = call.route.name
        self.certificates.advance(name)
        one = self.certificates.pending.get(name.lower())
        asked = call.parameters.get("request_id")
        if one is None or (asked and asked != one.request_id):
            raise Refused(404, "PendingCertificateNotFound", f"Pending certificate not found: {name}")
        return one

    def _refuse_while_pending(self, name: str) -> None:
        self.certificates.advance(name)
        one = self.certificates.pending.get(name.lower())
        if one is not None and one.status == IN_PROGRESS:
            raise Refused(409, "Conflict", f"A pending certificate of the name {name} is in progress.")


def authority_route(method: str, rest: list[str]) -> Route | None:
    """The route of a call about contacts or issuers."""
    what, name = rest[0].lower(), rest[1] if len(rest) > 1 else ""
    kinds = {
        ("contacts", 1): {"GET": "contacts_get", "PUT": "contacts_put", "DELETE": "contacts_delete"},
        ("issuers", 1): {"GET": "issuers_list"},
        ("issuers", 2): {"GET": "issuer_get", "PUT": "issuer_put", "PATCH": "issuer_patch", "DELETE": "issuer_delete"},
    }
    kind = kinds.get((what, len(rest)), {}).get(method)
    return Route(f"cert_{kind}", name) if kind else None


def _wants_pending(call: Call) -> bool:
    """Whether those are listed, too, that are being made and have no version yet."""
    return call.generation >= WITH_PENDING_LISTED and call.parameters.get("includepending", "").lower() == "true"


def _told(body: dict[str, Any]) -> dict[str, Any]:
    """Whether a new version is enabled, and its tags."""
    found = bodies.described({name: body.get(name) for name in ("attributes", "tags")})
    return {name: value for name, value in found.items() if name in ("enabled", "tags")}


def _merged(told: Any) -> list[x509.Certificate]:
    if not isinstance(told, list) or not told:
        raise invalid("x5c")
    try:
        return [x509.load_der_x509_certificate(base64.b64decode(one)) for one in told]
    except (ValueError, TypeError) as problem:
        raise invalid("x5c") from problem
