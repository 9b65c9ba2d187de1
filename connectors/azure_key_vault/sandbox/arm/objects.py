"""Secrets and keys of a vault through the control plane: made, described and listed, never read (8.2, 8.3).

Roles at the control plane alone decide here: neither the vault's own permissions nor its firewall do. A secret's value
goes in and never comes out, and a key that is there already stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from connectors.azure_key_vault.sandbox import bodies, key_bodies, rotation
from connectors.azure_key_vault.sandbox.arm.calls import Call, Operation, bad, object_of, operation
from connectors.azure_key_vault.sandbox.arm.subscription import PROVIDER, Subscription, VaultResource
from connectors.azure_key_vault.sandbox.arm.vaults import VAULTS, Vaults, paged
from connectors.azure_key_vault.sandbox.errors import Refused
from connectors.azure_key_vault.sandbox.key_material import curve_of
from connectors.azure_key_vault.sandbox.keys import Key, KeyVersion
from connectors.azure_key_vault.sandbox.names import OBJECT_NAME, new_version_id
from connectors.azure_key_vault.sandbox.state import Secret, Version

_V: Final = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/{PROVIDER}/vaults/{{vault}}"
_S: Final = f"{_V}/secrets"
_K: Final = f"{_V}/keys"


class VaultObjects:
    """What the control plane answers about what is in vaults."""

    def __init__(self, subscription: Subscription, vaults: Vaults) -> None:
        self._subscription = subscription
        self._vaults = vaults
        secrets, keys = f"{VAULTS}/secrets", f"{VAULTS}/keys"
        self.operations: Sequence[Operation] = (
            operation("GET", _S, f"{secrets}/read", self._secrets),
            operation("GET", f"{_S}/{{name}}", f"{secrets}/read", self._secret),
            operation("PUT", f"{_S}/{{name}}", f"{secrets}/write", self._put_secret),
            operation("PATCH", f"{_S}/{{name}}", f"{secrets}/write", self._patch_secret),
            operation("GET", _K, f"{keys}/read", self._keys),
            operation("GET", f"{_K}/{{name}}", f"{keys}/read", self._key),
            operation("PUT", f"{_K}/{{name}}", f"{keys}/write", self._put_key),
            operation("GET", f"{_K}/{{name}}/versions", f"{keys}/versions/read", self._versions),
            operation("GET", f"{_K}/{{name}}/versions/{{version}}", f"{keys}/versions/read", self._version),
        )

    def _secrets(self, call: Call) -> dict[str, Any]:
        resource = self._vaults.found(call)
        with resource.data.lock:
            found = [resource.data.secrets[name] for name in sorted(resource.data.secrets)]
            return paged(call, [self._secret_document(resource, one) for one in found])

    def _secret(self, call: Call) -> dict[str, Any]:
        resource = self._vaults.found(call)
        with resource.data.lock:
            return self._secret_document(resource, resource.data.secret_shelf.find(_name(call)))

    def _put_secret(self, call: Call) -> dict[str, Any]:
        resource, told = self._vaults.found(call), object_of(call.body, "properties")
        if not isinstance(told.get("value"), str):
            raise bad("The property 'properties.value' is required and must be a string.", "InvalidRequestContent")
        draft = bodies.draft({**told, "tags": call.body.get("tags")})
        secret, _ = resource.data.set(_name(call), draft)
        return self._secret_document(resource, secret)

    def _patch_secret(self, call: Call) -> dict[str, Any]:
        """What is named changes; a value makes a new version with what the one before had besides."""
        resource, told, name = self._vaults.found(call), call.body.get("properties") or {}, _name(call)
        changes = bodies.described({**told, "tags": call.body.get("tags")})
        vault = resource.data
        with vault.lock:
            if isinstance(told.get("value"), str):
                before = vault.secret_shelf.find(name).latest
                draft = bodies.draft({"value": told["value"]})
                kept = {one: getattr(before, one) for one in ("content_type", "tags", "enabled", "nbf", "exp")}
                secret, _ = vault.set(name, replace(draft, **{**kept, **changes}))
            else:
                secret, _ = vault.update(name, "", changes)
            return self._secret_document(resource, secret)

    def _keys(self, call: Call) -> dict[str, Any]:
        resource = self._vaults.found(call)
        with resource.data.lock:
            found = [resource.data.keys[name] for name in sorted(resource.data.keys)]
            return paged(call, [self._key_document(resource, one) for one in found])

    def _key(self, call: Call) -> dict[str, Any]:
        resource = self._vaults.found(call)
        with resource.data.lock:
            return self._key_document(resource, resource.data.key_shelf.find(_name(call)))

    def _put_key(self, call: Call) -> dict[str, Any]:
        resource, name = self._vaults.found(call), _name(call)
        told = object_of(call.body, "properties")
        shelf, now = resource.data.key_shelf, int(resource.data.clock.now())
        with resource.data.lock:
            key = shelf.kept.get(name.lower())
            if key is None:
                shelf.check_free(name)
                wanted = {"key_size": told.get("keySize"), "crv": told.get("curveName"), "key_ops": told.get("keyOps")}
                draft = key_bodies.created({**told, **wanted, "tags": call.body.get("tags")})
                key = Key(name, [KeyVersion(id=new_version_id(), created=now, updated=now, **draft)])
                if told.get("rotationPolicy"):
                    key.rotation = rotation.policy(told["rotationPolicy"])
                    key.rotation_created = key.rotation_updated = now
                shelf.place(key)
            return self._key_document(resource, key)

    def _versions(self, call: Call) -> dict[str, Any]:
        resource = self._vaults.found(call)
        with resource.data.lock:
            key = resource.data.key_shelf.find(_name(call))
            found = sorted(key.versions, key=lambda one: one.id)
            return paged(call, [self._key_document(resource, key, one) for one in found])

    def _version(self, call: Call) -> dict[str, Any]:
        resource = self._vaults.found(call)
        with resource.data.lock:
            key = resource.data.key_shelf.find(_name(call))
            version = key.version(call.parts["version"].lower())
            if version is None:
                raise Refused(404, "KeyNotFound", f"The key {key.name} has no version {call.parts['version'][:64]}.")
            return self._key_document(resource, key, version)

    def _secret_document(self, resource: VaultResource, secret: Secret) -> dict[str, Any]:
        version, uri = secret.latest, f"{resource.url}/secrets/{secret.name}"
        told: dict[str, Any] = {
            "attributes": _attributes(version),
            "secretUri": uri,
            "secretUriWithVersion": f"{uri}/{version.id}",
        }
        if version.content_type is not None:
            told["contentType"] = version.content_type
        return self._shown(resource, "secrets", secret.name, version, told)

    def _key_document(self, resource: VaultResource, key: Key, version: KeyVersion | None = None) -> dict[str, Any]:
        one, uri = version or key.latest, f"{resource.url}/keys/{key.name}"
        is_rsa = isinstance(one.private, RSAPrivateKey)
        told: dict[str, Any] = {
            "attributes": {
                **_attributes(one),
                "recoveryLevel": resource.data.recovery_level,
                "exportable": one.exportable,
            },
            "kty": one.kty,
            "keyOps": list(one.operations),
            **({"keySize": one.private.key_size} if is_rsa else {"curveName": _curve(one)}),
            "keyUri": uri,
            "keyUriWithVersion": f"{uri}/{one.id}",
            "rotationPolicy": key.rotation,
        }
        if one.release_policy:
            told["release_policy"] = one.release_policy
        place = f"{key.name}/versions/{one.id}" if version else key.name
        return self._shown(resource, "keys", place, one, told)

    def _shown(
        self, resource: VaultResource, kind: str, place: str, version: Version | KeyVersion, told: Mapping[str, Any]
    ) -> dict[str, Any]:
        is_version = "/versions/" in place
        return {
            "id": f"{self._subscription.vault_path(resource)}/{kind}/{place}",
            "name": place.rpartition("/")[2],
            "type": f"{VAULTS}/{kind}{'/versions' if is_version else ''}",
            "location": resource.location,
            "tags": version.tags or {},
            "properties": dict(told),
        }


def _name(call: Call) -> str:
    name = call.parts["name"]
    if not OBJECT_NAME.fullmatch(name):
        raise bad(f"The name '{name[:64]}' is invalid: an object's name has 1 to 127 letters, digits and -.")
    return name


def _curve(version: KeyVersion) -> str | None:
    private = version.private
    return None if isinstance(private, RSAPrivateKey) else curve_of(private)


def _attributes(version: Version | KeyVersion) -> dict[str, Any]:
    moments = {"nbf": version.nbf, "exp": version.exp}
    shown = {name: moment for name, moment in moments.items() if moment is not None}
    return {"enabled": version.enabled, **shown, "created": version.created, "updated": version.updated}
