"""Calls about secrets (Azure reference sheet, section 4.7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from connectors.azure_key_vault.sandbox import bodies, issuing
from connectors.azure_key_vault.sandbox.api_versions import WITH_CHOSEN_TYPE
from connectors.azure_key_vault.sandbox.calls import RESTORE, Call, Collection, Reply, Route, Router
from connectors.azure_key_vault.sandbox.certificate_policy import PEM
from connectors.azure_key_vault.sandbox.errors import Refused
from connectors.azure_key_vault.sandbox.exchange import Request, compact, parse_object
from connectors.azure_key_vault.sandbox.state import Secret, Vault, Version
from connectors.azure_key_vault.sandbox.throttle import CREATE_COST, OTHER_COST
from connectors.azure_key_vault.sandbox.wire import Writer


class SecretCalls(Collection[Secret]):
    """What a vault answers about its secrets."""

    path = "secrets"

    def __init__(self, vault: Vault) -> None:
        super().__init__(vault, vault.secret_shelf)

    def own(self) -> Mapping[str, Callable[[Call], bytes | Reply]]:
        return {
            "get": self._get,
            "put": self._put,
            "patch": self._patch,
            "backup": self._backup,
            "restore": self._restore,
            "deleted_get": self._deleted_get,
        }

    def routers(self) -> dict[tuple[str, int], Router]:
        return {**super().routers(), (self.path, 1): _secret, (self.path, 2): _secret_version}

    def cost(self, route: Route, request: Request) -> int:
        return CREATE_COST if route.kind in ("put", "restore") else OTHER_COST

    def writer(self, call: Call) -> Writer:
        return Writer(self.vault, call.base.id, call.generation)

    def _get(self, call: Call) -> bytes:
        secret, version = self.vault.find_version(call.route.name, call.route.version)
        if not version.enabled:
            raise _disabled("get")
        if not self.vault.expired_readable:
            self._check_window(version.nbf, version.exp)
        chosen = call.parameters.get("outcontenttype", "") if call.generation >= WITH_CHOSEN_TYPE else ""
        if chosen and secret.managed and chosen != version.content_type:
            version = replace(version, value=_as_type(version, chosen), value_json=None)
        return self.writer(call).bundle(secret, version)

    def _put(self, call: Call) -> bytes:
        secret, version = self.vault.set(call.route.name, bodies.draft(parse_object(call.request.body)))
        return self.writer(call).bundle(secret, version)

    def _patch(self, call: Call) -> bytes:
        changes = bodies.described(parse_object(call.request.body))
        secret, version = self.vault.update(call.route.name, call.route.version, changes)
        return self.writer(call).properties(secret, version)

    def _deleted_get(self, call: Call) -> bytes:
        gone = self.shelf.find_deleted(call.route.name)
        if not gone.thing.latest.enabled:
            raise _disabled("get")
        return self.writer(call).deleted(gone, versioned=True)

    def _backup(self, call: Call) -> bytes:
        secret = self.shelf.find(call.route.name)
        if secret.managed:
            raise Refused(403, "Forbidden", "Back up the certificate that owns this secret instead.")
        return compact({"value": bodies.backup(secret)})

    def _restore(self, call: Call) -> bytes:
        secret = bodies.restored(parse_object(call.request.body))
        self.shelf.restore(secret)
        return self.writer(call).properties(secret, secret.latest)

    def _check_window(self, nbf: int | None, exp: int | None) -> None:
        now = self.vault.clock.now()
        if nbf is not None and now < nbf:
            raise Refused(403, "Forbidden", "Operation get is not allowed on a secret that is not yet valid.")
        if exp is not None and now >= exp:
            raise Refused(403, "Forbidden", "Operation get is not allowed on an expired secret.")


def _as_type(version: Version, chosen: str) -> str:
    """The value of a certificate's secret as PEM, where it is kept as PFX; 400 for anything else."""
    if chosen != PEM:
        raise Refused(400, "BadParameter", f"outContentType can be {PEM} only.")
    return issuing.as_pem(version.value)


def _secret(method: str, rest: list[str]) -> Route | None:
    if method == "POST" and rest[0].lower() == RESTORE:
        return Route("restore")
    kind = {"GET": "get", "PUT": "put", "PATCH": "patch", "DELETE": "delete"}.get(method)
    return Route(kind, rest[0]) if kind else None


def _secret_version(method: str, rest: list[str]) -> Route | None:
    name, last = rest
    if method == "POST":
        return Route("backup", name) if last.lower() == "backup" else None
    if method == "GET" and last.lower() == "versions":
        return Route("versions", name)
    kind = {"GET": "get", "PATCH": "patch"}.get(method)
    return Route(kind, name, last) if kind else None


def _disabled(operation: str) -> Refused:
    message = f"Operation {operation} is not allowed on a disabled secret."
    return Refused(403, "Forbidden", message, "SecretDisabled")
