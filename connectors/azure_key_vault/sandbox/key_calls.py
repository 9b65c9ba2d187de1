"""Calls about keys (Azure reference sheet, section 4.8)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from connectors.azure_key_vault.sandbox import ciphers, key_bodies, rotation
from connectors.azure_key_vault.sandbox.calls import RESTORE, Call, Collection, Reply, Route, Router
from connectors.azure_key_vault.sandbox.errors import Refused
from connectors.azure_key_vault.sandbox.exchange import Request, compact, parse_object
from connectors.azure_key_vault.sandbox.key_wire import KeyWriter
from connectors.azure_key_vault.sandbox.keys import Key, KeyVersion, weight_of
from connectors.azure_key_vault.sandbox.state import Vault
from connectors.azure_key_vault.sandbox.throttle import CREATE_COST, KEY_COST, KEY_CREATE_COST, OTHER_COST
from connectors.azure_key_vault.sandbox.tokens import encode

_OPERATIONS: Final[Mapping[str, str]] = {
    "encrypt": "encrypt",
    "decrypt": "decrypt",
    "wrapkey": "wrapKey",
    "unwrapkey": "unwrapKey",
    "sign": "sign",
    "verify": "verify",
}
"""What stands in an address → what stands in key_ops."""
_ONLY_WHILE_VALID: Final = frozenset({"encrypt", "wrapkey", "sign"})


class KeyCalls(Collection[Key]):
    """What a vault answers about its keys."""

    path = "keys"
    prefix = "key_"

    def __init__(self, vault: Vault) -> None:
        super().__init__(vault, vault.key_shelf)

    def own(self) -> Mapping[str, Callable[[Call], bytes | Reply]]:
        used = dict.fromkeys(_OPERATIONS, self._use)
        return {
            **used,
            "verify": self._verify,
            "create": self._create,
            "import": self._import,
            "get": self._get,
            "patch": self._patch,
            "backup": self._backup,
            "restore": self._restore,
            "rotate": self._rotate,
            "rotation_get": self._rotation,
            "rotation_put": self._set_rotation,
            "rng": self._rng,
        }

    def routers(self) -> dict[tuple[str, int], Router]:
        own: dict[tuple[str, int], Router] = {
            (self.path, 1): self._one,
            (self.path, 2): self._one_part,
            (self.path, 3): self._one_operation,
            ("rng", 0): lambda method, rest: self.route("rng") if method == "POST" else None,
        }
        return {**super().routers(), **own}

    def cost(self, route: Route, request: Request) -> int:
        kind = route.kind.removeprefix(self.prefix)
        if kind in ("create", "rotate"):
            key = self.shelf.kept.get(route.name.lower()) if kind == "rotate" else None
            return KEY_CREATE_COST["-HSM" in key.latest.kty if key else b"-HSM" in request.body]
        if kind in ("import", "restore"):
            return CREATE_COST
        key = self.shelf.kept.get(route.name.lower()) if route.name else None
        version = (key.version(route.version.lower()) or key.latest) if key else None
        return KEY_COST.get(weight_of(version), OTHER_COST) if version else OTHER_COST

    def writer(self, call: Call) -> KeyWriter:
        return KeyWriter(self.vault, call.base.id, call.generation)

    def _one(self, method: str, rest: list[str]) -> Route | None:
        if method == "POST" and rest[0].lower() == RESTORE:
            return self.route("restore")
        kind = {"GET": "get", "PUT": "import", "PATCH": "patch", "DELETE": "delete"}.get(method)
        return self.route(kind, rest[0]) if kind else None

    def _one_part(self, method: str, rest: list[str]) -> Route | None:
        name, last = rest
        fixed = {
            ("POST", "create"): "create",
            ("POST", "backup"): "backup",
            ("POST", "rotate"): "rotate",
            ("GET", "versions"): "versions",
            ("GET", "rotationpolicy"): "rotation_get",
            ("PUT", "rotationpolicy"): "rotation_put",
        }.get((method, last.lower()))
        if fixed:
            return self.route(fixed, name)
        kind = {"GET": "get", "PATCH": "patch"}.get(method)
        return self.route(kind, name, last) if kind else None

    def _one_operation(self, method: str, rest: list[str]) -> Route | None:
        name, version, operation = rest
        return self.route(operation.lower(), name, version) if self._is_use(method, operation) else None

    def _is_use(self, method: str, operation: str) -> bool:
        return method == "POST" and operation.lower() in _OPERATIONS

    def _create(self, call: Call) -> bytes:
        draft = key_bodies.created(parse_object(call.request.body))
        return self._added(call, draft)

    def _import(self, call: Call) -> bytes:
        return self._added(call, key_bodies.imported(parse_object(call.request.body)))

    def _get(self, call: Call) -> bytes:
        key, version = self._found(call)
        if not version.enabled:
            raise _disabled("get")
        return self.writer(call).properties(key, version)

    def _patch(self, call: Call) -> bytes:
        changes = key_bodies.described(parse_object(call.request.body))
        key, version = self._found(call)
        self._refuse_managed(key)
        for member, value in changes.items():
            setattr(version, member, value)
        version.updated = int(self.vault.clock.now())
        return self.writer(call).properties(key, version)

    def _rotate(self, call: Call) -> bytes:
        key = self.shelf.find(call.route.name)
        self._refuse_managed(key)
        now, before = int(self.vault.clock.now()), key.latest
        exp = rotation.expires(key.rotation, now)
        made = replace(
            before,
            id=secrets.token_hex(16),
            private=key_bodies.another(before.private),
            created=now,
            updated=now,
            nbf=None,
            exp=exp,
            enabled=True,
        )
        key.versions.append(made)
        return self.writer(call).properties(key, made)

    def _rotation(self, call: Call) -> bytes:
        return self.writer(call).rotation(self.shelf.find(call.route.name))

    def _set_rotation(self, call: Call) -> bytes:
        policy = rotation.policy(parse_object(call.request.body))
        key, now = self.shelf.find(call.route.name), int(self.vault.clock.now())
        key.rotation = policy
        key.rotation_created = now if key.rotation_created is None else key.rotation_created
        key.rotation_updated = now
        return self.writer(call).rotation(key)

    def _use(self, call: Call) -> bytes:
        kind = call.route.kind.removeprefix(self.prefix)
        algorithm, value = key_bodies.asked(parse_object(call.request.body))
        key, version = self._usable(call, kind)
        do = {
            "encrypt": ciphers.encrypted,
            "wrapkey": ciphers.encrypted,
            "decrypt": ciphers.decrypted,
            "unwrapkey": ciphers.decrypted,
            "sign": ciphers.signed,
        }[kind]
        result = do(version.private, algorithm, value)
        return compact({"kid": self.writer(call).kid(key, version), "value": encode(result)})

    def _verify(self, call: Call) -> bytes:
        body = parse_object(call.request.body)
        algorithm, signature = key_bodies.asked(body)
        digest = key_bodies.data(body, "digest")
        _, version = self._usable(call, "verify")
        return compact({"value": ciphers.verified(version.private, algorithm, digest, signature)})

    def _backup(self, call: Call) -> bytes:
        key = self.shelf.find(call.route.name)
        self._refuse_managed(key)
        return compact({"value": key_bodies.backup(key)})

    def _restore(self, call: Call) -> bytes:
        key = key_bodies.restored(parse_object(call.request.body))
        self.shelf.restore(key)
        return self.writer(call).properties(key, key.latest)

    def _rng(self, call: Call) -> bytes:
        raise Refused(400, "NotSupported", "Random numbers are made by managed HSMs only.")

    def _added(self, call: Call, draft: dict[str, Any]) -> bytes:
        """A new version of the key of this name; 409 when the name is blocked, 403 when a certificate owns it."""
        name, now = call.route.name, int(self.vault.clock.now())
        self.shelf.check_free(name)
        key = self.shelf.kept.get(name.lower())
        if key is not None:
            self._refuse_managed(key)
        version = KeyVersion(id=secrets.token_hex(16), created=now, updated=now, **draft)
        if key is None:
            key = Key(name, [])
            self.shelf.place(key)
        key.versions.append(version)
        return self.writer(call).properties(key, version)

    def _found(self, call: Call) -> tuple[Key, KeyVersion]:
        key = self.shelf.find(call.route.name)
        version = key.version(call.route.version.lower()) if call.route.version else key.latest
        if version is None:
            raise self.shelf.not_found(f"{call.route.name}/{call.route.version}")
        return key, version

    def _usable(self, call: Call, kind: str) -> tuple[Key, KeyVersion]:
        key, version = self._found(call)
        operation, now = _OPERATIONS[kind], self.vault.clock.now()
        if not version.enabled:
            raise _disabled(operation)
        if operation not in version.operations:
            text = f"Operation {operation} is not permitted on this key."
            raise Refused(403, "Forbidden", text, "KeyOperationForbidden")
        is_early = version.nbf is not None and now < version.nbf
        is_late = version.exp is not None and now >= version.exp
        if kind in _ONLY_WHILE_VALID and (is_early or is_late):
            text = f"Operation {operation} is not allowed on {'a key that is not yet valid' if is_early else 'an expired key'}."
            raise Refused(403, "Forbidden", text, "KeyNotYetValid" if is_early else "KeyExpired")
        return key, version

    def _refuse_managed(self, key: Key) -> None:
        if key.managed:
            raise self.shelf.managed(key.name)


def _disabled(operation: str) -> Refused:
    return Refused(403, "Forbidden", f"Operation {operation} is not allowed on a disabled key.", "KeyDisabled")
