"""The data plane of one vault over HTTP: secrets, as Azure Key Vault answers (reference sheet, section 4.7).

The order of judgement is Azure's: token, throttle, API version, route, name, permission, network, and
only then the body and the object. A request without a good token is challenged before anything else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from connectors.azure_key_vault.sandbox import bodies
from connectors.azure_key_vault.sandbox.challenge import Guard
from connectors.azure_key_vault.sandbox.errors import Refused
from connectors.azure_key_vault.sandbox.exchange import (
    JSON_LINE,
    Answer,
    Base,
    Request,
    base_of,
    compact,
    parse_object,
)
from connectors.azure_key_vault.sandbox.paging import PageRequest, page_request
from connectors.azure_key_vault.sandbox.state import Vault
from connectors.azure_key_vault.sandbox.throttle import Throttle
from connectors.azure_key_vault.sandbox.wire import API_VERSIONS, LATEST_API_VERSION, Writer

OBJECT_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
VERSION_ID = re.compile(r"[0-9a-fA-F]{32}")

HEADERS = (
    JSON_LINE + b"Cache-Control: no-cache\r\nPragma: no-cache\r\nExpires: -1\r\n"
    b"Strict-Transport-Security: max-age=31536000;includeSubDomains\r\n"
    b"X-Content-Type-Options: nosniff\r\nx-ms-keyvault-region: eastus\r\n"
    b"x-ms-keyvault-service-version: 1.9.0.0\r\n"
    b"x-ms-keyvault-network-info: conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;\r\n"
)
RBAC_HEADERS = (
    HEADERS + b"x-ms-keyvault-rbac-assignment-id: 00000000000000000000000000000001\r\n"
    b"x-ms-keyvault-rbac-cache: ref_age=1;cache_age=1;\r\n"
)


class Route(NamedTuple):
    """Which operation a request asks for, on which object."""

    kind: str
    name: str = ""
    version: str = ""


class Call(NamedTuple):
    """All that an operation needs to know."""

    route: Route
    request: Request
    parameters: Mapping[str, str]
    base: Base
    writer: Writer


class VaultSite:
    """Answers for one vault."""

    def __init__(self, vault: Vault, guard: Guard, throttle: Throttle) -> None:
        self.vault = vault
        self.label = vault.label
        self.calls = vault.calls
        self._guard = guard
        self._throttle = throttle
        self._operations: dict[str, Callable[[Call], bytes]] = {
            "list": self._list,
            "versions": self._versions,
            "deleted_list": self._deleted_list,
            "deleted_get": self._deleted_get,
            "get": self._get,
            "put": self._put,
            "patch": self._patch,
            "delete": self._delete,
            "recover": self._recover,
            "purge": self._purge,
            "backup": self._backup,
            "restore": self._restore,
        }

    def answer(self, request: Request) -> Answer:
        """Carries a request out, or says why not in Key Vault's words."""
        headers = RBAC_HEADERS if self.vault.rbac else HEADERS
        try:
            base = base_of(request.host)
            claims = self._guard.admit(request, base, self.label)
            if isinstance(claims, Answer):
                self.calls["challenge"] += 1
                return Answer(401, claims.body, HEADERS + claims.headers)
            with self.vault.lock:
                body = self._carry_out(request, base, claims)
        except Refused as refused:
            return error_answer(refused, headers)
        return Answer(200, body, headers) if body else Answer(204, b"", headers)

    def count(self, request: Request) -> None:
        """Counts a request that a fault answers; its kind as well."""
        self.calls["faulted"] += 1
        try:
            self.calls[route_of(request.method, request.path).kind] += 1
        except Refused:
            self.calls["other"] += 1

    def refusal(self, status: int, headers: bytes) -> Answer:
        """A planted fault in Key Vault's shape."""
        code = {429: "Throttled", 500: "InternalServerError", 503: "ServiceUnavailable"}.get(status, "Fault")
        refused = Refused(status, code, f"The sandbox was told to answer {status}. {_LIMIT_REACHED}")
        return error_answer(refused, HEADERS + headers)

    def _carry_out(self, request: Request, base: Base, claims: dict[str, Any]) -> bytes:
        vault = self.vault
        try:
            route = route_of(request.method, request.path)
        except Refused:
            self.calls["other"] += 1
            raise
        self.calls[route.kind] += 1
        if self._throttle.on:
            self._pay(route.kind)
        parameters = request.parameters
        generation = generation_of(parameters)
        if route.name and not OBJECT_NAME.fullmatch(route.name):
            raise Refused(400, "BadParameter", f"The request URI contains an invalid name: {route.name}")
        vault.check(route.kind, claims, route.name)
        if route.version and not VERSION_ID.fullmatch(route.version):
            raise Refused(400, "BadParameter", f"Invalid secret version: {route.version}")
        call = Call(route, request, parameters, base, Writer(vault, base.id, generation))
        return self._operations[route.kind](call)

    def _pay(self, kind: str) -> None:
        wait_seconds = self._throttle.admit(self.vault.label, kind)
        if wait_seconds:
            self.calls["throttled"] += 1
            raise Throttled(wait_seconds if self._throttle.retry_after else None)

    def _get(self, call: Call) -> bytes:
        secret, version = self.vault.find_version(call.route.name, call.route.version)
        if not version.enabled:
            raise _disabled("get")
        if not self.vault.expired_readable:
            self._check_window(version.nbf, version.exp)
        return call.writer.bundle(secret, version)

    def _put(self, call: Call) -> bytes:
        secret, version = self.vault.set(call.route.name, bodies.draft(parse_object(call.request.body)))
        return call.writer.bundle(secret, version)

    def _patch(self, call: Call) -> bytes:
        changes = bodies.described(parse_object(call.request.body))
        secret, version = self.vault.update(call.route.name, call.route.version, changes)
        return call.writer.properties(secret, version)

    def _delete(self, call: Call) -> bytes:
        return call.writer.deleted(self.vault.delete(call.route.name), versioned=True)

    def _recover(self, call: Call) -> bytes:
        secret = self.vault.recover(call.route.name)
        return call.writer.properties(secret, secret.latest)

    def _purge(self, call: Call) -> bytes:
        self.vault.purge(call.route.name)
        return b""

    def _deleted_get(self, call: Call) -> bytes:
        gone = self.vault.find_deleted(call.route.name)
        if not gone.secret.latest.enabled:
            raise _disabled("get")
        return call.writer.deleted(gone, versioned=True)

    def _backup(self, call: Call) -> bytes:
        secret = self.vault.find(call.route.name)
        if secret.managed:
            raise Refused(403, "Forbidden", "Back up the certificate that owns this secret instead.")
        return compact({"value": bodies.backup(secret)})

    def _restore(self, call: Call) -> bytes:
        secret = bodies.restored(parse_object(call.request.body))
        self.vault.restore(secret)
        return call.writer.properties(secret, secret.latest)

    def _list(self, call: Call) -> bytes:
        page = page_request(call.parameters)
        vault = self.vault
        count = page.count(ragged=vault.ragged_pages)
        keys = vault.names.after(page.marker, count + 1)
        items = [call.writer.item(vault.secrets[key]) for key in keys[:count] if vault.is_listed(key)]
        return _page(call, page, items, "/secrets", _marker(page, keys, count))

    def _deleted_list(self, call: Call) -> bytes:
        page = page_request(call.parameters)
        count = page.count(ragged=self.vault.ragged_pages)
        keys = self.vault.deleted_names.after(page.marker, count + 1)
        gone = [self.vault.listed_deleted(key) for key in keys[:count]]
        items = [call.writer.deleted(one, versioned=False) for one in gone if one is not None]
        return _page(call, page, items, "/deletedsecrets", _marker(page, keys, count))

    def _versions(self, call: Call) -> bytes:
        page = page_request(call.parameters)
        secret = self.vault.find(call.route.name)
        count = page.count(ragged=self.vault.ragged_pages)
        found = sorted(secret.versions, key=lambda version: version.id)
        found = [version for version in found if version.id > page.marker][: count + 1]
        items = [call.writer.version_item(secret, version) for version in found[:count]]
        marker = _marker(page, [version.id for version in found], count)
        return _page(call, page, items, f"/secrets/{secret.name}/versions", marker)

    def _check_window(self, nbf: int | None, exp: int | None) -> None:
        now = self.vault.clock.now()
        if nbf is not None and now < nbf:
            raise Refused(403, "Forbidden", "Operation get is not allowed on a secret that is not yet valid.")
        if exp is not None and now >= exp:
            raise Refused(403, "Forbidden", "Operation get is not allowed on an expired secret.")


class Throttled(Refused):
    """429 with or without the seconds to wait."""

    def __init__(self, wait_seconds: int | None) -> None:
        super().__init__(429, "Throttled", f"Too many requests for this vault. {_LIMIT_REACHED}")
        self.wait_seconds = wait_seconds


def error_answer(refused: Refused, headers: bytes) -> Answer:
    """The error JSON of Key Vault."""
    error: dict[str, Any] = {"code": refused.code, "message": refused.message}
    if refused.inner is not None:
        error["innererror"] = {"code": refused.inner}
    if isinstance(refused, Throttled) and refused.wait_seconds is not None:
        headers += b"Retry-After: %d\r\n" % refused.wait_seconds
    return Answer(refused.status, compact({"error": error}), headers)


def generation_of(parameters: Mapping[str, str]) -> int:
    """Which members an API version knows; 400 when it is missing or unknown."""
    api_version = parameters.get("api-version")
    if not api_version:
        raise Refused(400, "BadParameter", "The query parameter api-version is required.")
    generation = API_VERSIONS.get(api_version)
    if generation is None:
        generation = API_VERSIONS.get(api_version.partition("-preview")[0])
    if generation is None:
        message = f"The api-version is not recognised. The latest supported is {LATEST_API_VERSION}."
        raise Refused(400, "BadParameter", message)
    return generation


def route_of(method: str, path: str) -> Route:
    """The operation behind a method and a path; 404 or 405 when there is none."""
    collection, *rest = unquote(path).split("/")[1:]
    if len(rest) > 1 and not rest[-1]:
        rest.pop()  # an empty last segment is "the latest version"
    found = _ROUTES.get((collection.lower(), len(rest) if rest != [""] else 0))
    route = found(method, rest) if found is not None else None
    if route is None:
        status = 404 if found is None else 405
        raise Refused(status, "NotFound" if status == 404 else "MethodNotAllowed", "No such operation here.")
    return route


def _secrets(method: str, rest: list[str]) -> Route | None:
    return Route("list") if method == "GET" else None


def _secret(method: str, rest: list[str]) -> Route | None:
    if method == "POST" and rest[0].lower() == "restore":
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


def _deleted_secrets(method: str, rest: list[str]) -> Route | None:
    return Route("deleted_list") if method == "GET" else None


def _deleted_secret(method: str, rest: list[str]) -> Route | None:
    kind = {"GET": "deleted_get", "DELETE": "purge"}.get(method)
    return Route(kind, rest[0]) if kind else None


def _deleted_secret_action(method: str, rest: list[str]) -> Route | None:
    return Route("recover", rest[0]) if method == "POST" and rest[1].lower() == "recover" else None


def _disabled(operation: str) -> Refused:
    message = f"Operation {operation} is not allowed on a disabled secret."
    return Refused(403, "Forbidden", message, "SecretDisabled")


def _marker(page: PageRequest, keys: list[str], count: int) -> str | None:
    """Where the next page starts, or None when this is the last one. `keys` holds one more than `count`."""
    if len(keys) <= count:
        return None
    return keys[count - 1] if count else page.marker


def _page(call: Call, page: PageRequest, items: list[bytes], path: str, marker: str | None) -> bytes:
    link = None
    if marker is not None:
        link = call.base.link + page.link(path, call.parameters["api-version"], marker)
    return b'{"value":[' + b",".join(items) + b'],"nextLink":' + compact(link) + b"}"


_LIMIT_REACHED = "Reason: VaultRequestTypeLimitReached"
_ROUTES: dict[tuple[str, int], Callable[[str, list[str]], Route | None]] = {
    ("secrets", 0): _secrets,
    ("secrets", 1): _secret,
    ("secrets", 2): _secret_version,
    ("deletedsecrets", 0): _deleted_secrets,
    ("deletedsecrets", 1): _deleted_secret,
    ("deletedsecrets", 2): _deleted_secret_action,
}
