"""Who may do what in a vault: permissions, network switches, and how Azure words each refusal.

Azure reference sheet, sections 3.3 and 6.2. Permissions are taken away by the words of access policies
(`get`, `list`, `set`, `delete`, `recover`, `purge`, `backup`, `restore`) and `update`, which only RBAC
tells from `set`; denying `set` denies both. Those of keys and certificates have it in
front: `keys/get`, `keys/wrapKey`, `certificates/import`.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, NamedTuple

from connectors.azure_key_vault.sandbox.errors import Refused

Network = IPv4Network | IPv6Network
SECRET_PERMISSIONS = frozenset({"get", "list", "set", "update", "delete", "recover", "purge", "backup", "restore"})


class Operation(NamedTuple):
    """The words that can deny one kind of call, and the name of its RBAC data action."""

    words: frozenset[str]
    collection: str
    policy: str
    action: str


def _operation(policy: str, action: str, *more: str) -> Operation:
    return Operation(frozenset({policy, *more}), "secrets", policy, f"Microsoft.KeyVault/vaults/secrets/{action}")


def _key_operation(policy: str, action: str) -> Operation:
    words = frozenset({f"keys/{policy}"})
    place = "" if action.startswith("keyrotationpolicies") else "keys/"
    return Operation(words, "keys", policy, f"Microsoft.KeyVault/vaults/{place}{action}")


def _certificate_operation(policy: str, action: str) -> Operation:
    words = frozenset({f"certificates/{policy}"})
    place = "" if action.startswith("certificate") else "certificates/"
    return Operation(words, "certificates", policy, f"Microsoft.KeyVault/vaults/{place}{action}")


_CERTIFICATE_CALLS = {
    **dict.fromkeys(("list", "versions", "deleted_list"), ("list", "read")),
    **dict.fromkeys(("get", "deleted_get", "policy_get", "pending_get"), ("get", "read")),
    **{word: (word, f"{word}/action") for word in ("create", "import", "recover", "purge", "backup", "restore")},
    "merge": ("create", "create/action"),
    **dict.fromkeys(("patch", "policy_patch", "pending_patch"), ("update", "update/action")),
    **dict.fromkeys(("delete", "pending_delete"), ("delete", "delete")),
    **{f"contacts_{verb}": ("managecontacts", "certificatecontacts/write") for verb in ("get", "put", "delete")},
    "issuers_list": ("listissuers", "certificatecas/read"),
    "issuer_get": ("getissuers", "certificatecas/read"),
    **{f"issuer_{verb}": ("setissuers", "certificatecas/write") for verb in ("put", "patch")},
    "issuer_delete": ("deleteissuers", "certificatecas/delete"),
}
_KEY_WORDS = (
    "create", "import", "recover", "purge", "backup", "restore", "encrypt", "decrypt", "sign", "verify", "rotate"
)  # fmt: skip
OPERATIONS = {
    "list": _operation("list", "readMetadata/action"),
    "versions": _operation("list", "readMetadata/action"),
    "deleted_list": _operation("list", "readMetadata/action"),
    "deleted_get": _operation("get", "readMetadata/action", "list"),
    "get": _operation("get", "getSecret/action"),
    "put": _operation("set", "setSecret/action"),
    "patch": _operation("set", "update/action", "update"),
    "delete": _operation("delete", "delete"),
    "recover": _operation("recover", "recover/action"),
    "purge": _operation("purge", "purge/action"),
    "backup": _operation("backup", "backup/action"),
    "restore": _operation("restore", "restore/action"),
    "key_list": _key_operation("list", "read"),
    "key_versions": _key_operation("list", "read"),
    "key_deleted_list": _key_operation("list", "read"),
    "key_deleted_get": _key_operation("get", "read"),
    "key_get": _key_operation("get", "read"),
    "key_delete": _key_operation("delete", "delete"),
    "key_wrapkey": _key_operation("wrapKey", "wrap/action"),
    "key_unwrapkey": _key_operation("unwrapKey", "unwrap/action"),
    "key_patch": _key_operation("update", "update/action"),
    "key_rotation_get": _key_operation("getrotationpolicy", "keyrotationpolicies/read"),
    "key_rotation_put": _key_operation("setrotationpolicy", "keyrotationpolicies/write"),
    "key_rng": _key_operation("get", "read"),
    **{f"key_{word}": _key_operation(word, f"{word}/action") for word in _KEY_WORDS},
}
OPERATIONS |= {f"cert_{kind}": _certificate_operation(*told) for kind, told in _CERTIFICATE_CALLS.items()}
PERMISSIONS = SECRET_PERMISSIONS | {word for operation in OPERATIONS.values() for word in operation.words}


class Access:
    """The switches of a vault that lead to 403."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.denied: frozenset[str] = frozenset()
        self.rbac = True
        self.firewall = False
        self.allowed_networks: tuple[Network, ...] = ()
        self.private = False
        self.linked = False
        self.approved_links = 0
        self.client_address = "127.0.0.1"
        self.judge: Callable[[Operation, dict[str, Any], str], bool] | None = None

    def deny(self, *permissions: str) -> None:
        """Takes permissions away; ValueError for a word that is none."""
        unknown = set(permissions) - PERMISSIONS
        if unknown:
            raise ValueError(f"no such permission: {', '.join(sorted(unknown))}")
        self.denied |= set(permissions)

    def allow(self, *permissions: str) -> None:
        """Gives permissions back; without arguments all of them."""
        self.denied = self.denied - set(permissions) if permissions else frozenset()

    def check(self, kind: str, claims: dict[str, Any], name: str) -> None:
        """403 when the caller may not make this kind of call."""
        if self.denied:
            operation = OPERATIONS[kind]
            if operation.words & self.denied:
                raise self._forbidden(operation, claims, name)
        if self.judge is not None and not self.judge(OPERATIONS[kind], claims, name):
            raise self._forbidden(OPERATIONS[kind], claims, name)
        self._check_network(claims)

    def _check_network(self, claims: dict[str, Any]) -> None:
        """403 for a call that comes a way that is closed. Through a private link that was approved, all may come."""
        if self.linked and self.approved_links:
            return
        if self.private:
            message = (
                f"Public network access is disabled and request is not from a private link.\r\nVault: {self._location}"
            )
            raise Refused(403, "Forbidden", message, "ForbiddenByConnection")
        if self.firewall and not any(ip_address(self.client_address) in one for one in self.allowed_networks):
            lines = ["Client address is not authorized and caller is not a trusted service."]
            lines += [
                f"Client address: {self.client_address}",
                f"Caller: {_caller(claims)}",
                f"Vault: {self._location}",
            ]
            raise Refused(403, "Forbidden", "\r\n".join(lines), "ForbiddenByFirewall")

    @property
    def _location(self) -> str:
        return f"{self.label};location=eastus"

    def _forbidden(self, operation: Operation, claims: dict[str, Any], name: str) -> Refused:
        if self.rbac:
            return Refused(403, "Forbidden", self._rbac_text(operation, claims, name), "ForbiddenByRbac")
        message = (
            f"The user, group or application '{_caller(claims)}' does not have {operation.collection} {operation.policy} "
            f"permission on key vault '{self._location}'. See https://go.microsoft.com/fwlink/?linkid=2125287"
        )
        return Refused(403, "Forbidden", message, "AccessDenied")

    def _rbac_text(self, operation: Operation, claims: dict[str, Any], name: str) -> str:
        resource = f"/providers/microsoft.keyvault/vaults/{self.label}"
        lines = (
            "Caller is not authorized to perform action on resource.",
            f"Caller: {_caller(claims)}",
            f"Action: '{operation.action}'",
            f"Resource: '{resource}/{operation.collection}/{name}'" if name else f"Resource: '{resource}'",
            "Assignment: (not found)",
            "DenyAssignmentId: null",
            "DecisionReason: null",
            f"Vault: {self._location}",
        )
        return "\r\n".join(lines)


def _caller(claims: dict[str, Any]) -> str:
    return f"appid={claims['appid']};oid={claims['oid']};iss={claims['iss']}"
