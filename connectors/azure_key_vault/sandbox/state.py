"""What one vault holds: secrets, their versions, what is deleted; and the switches a test turns.

Rules of the Azure reference sheet, sections 4.2 to 4.5 and 4.7: names compare without case and keep the
case of their first creation, every set is a new version that inherits nothing, delete is soft and
settles after a while, and a name with a deleted secret is blocked.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from connectors.azure_key_vault.sandbox.access import Access
from connectors.azure_key_vault.sandbox.clock import Clock
from connectors.azure_key_vault.sandbox.errors import Refused
from connectors.azure_key_vault.sandbox.names import Names

SECONDS_PER_DAY = 86_400
VAULT_NAME = re.compile(r"(?=.{3,24}\Z)[A-Za-z](-?[A-Za-z0-9])*")
RESERVED_VAULT_NAMES = frozenset({"arm", "entra"})


@dataclass(slots=True, eq=False)
class Version:
    """One version of a secret. The last two fields remember how it is written on the wire."""

    id: str
    value: str = field(repr=False)
    created: int
    updated: int
    enabled: bool = True
    nbf: int | None = None
    exp: int | None = None
    content_type: str | None = None
    tags: dict[str, str] | None = None
    value_json: bytes | None = field(default=None, repr=False)
    tails: tuple[object, bytes, bytes] | None = field(default=None, repr=False)


@dataclass(slots=True, eq=False)
class Secret:
    """A name and its versions, oldest first; `managed` when a certificate owns it."""

    name: str
    versions: list[Version]
    managed: bool = False

    @property
    def latest(self) -> Version:
        """The version created last, even if it is disabled."""
        return self.versions[-1]

    def version(self, version_id: str) -> Version | None:
        """That version, or None."""
        return next((version for version in self.versions if version.id == version_id), None)


@dataclass(slots=True, eq=False)
class DeletedSecret:
    """A soft-deleted secret: when it went, when that becomes visible, when it goes for good."""

    secret: Secret
    deleted_at: int
    settled_at: float
    purge_at: int


@dataclass(frozen=True, slots=True)
class Draft:
    """What a set request brings; the value is never shown."""

    value: str = field(repr=False)
    content_type: str | None = None
    tags: dict[str, str] | None = None
    enabled: bool = True
    nbf: int | None = None
    exp: int | None = None


class Vault(Access):
    """A vault's contents and switches. Every public method may be called from any thread."""

    def __init__(self, name: str, clock: Clock) -> None:
        if not VAULT_NAME.fullmatch(name) or name.lower() in RESERVED_VAULT_NAMES:
            raise ValueError(f"{name!r} cannot be a vault's name")
        super().__init__(name)
        self.clock = clock
        self.secrets: dict[str, Secret] = {}
        self.deleted: dict[str, DeletedSecret] = {}
        self.calls: Counter[str] = Counter()
        self.lock = threading.RLock()
        self.settle_seconds = 0.0
        self.retention_days = 90
        self.purge_protection = False
        self.ragged_pages = True
        self.expired_readable = True
        self.names = Names()
        self.deleted_names = Names()
        self._recovering: dict[str, float] = {}
        self._purging: dict[str, float] = {}

    @property
    def recovery_level(self) -> str:
        """`Recoverable+Purgeable` and its three relatives, after the vault's settings."""
        level = "Recoverable" if self.retention_days == 90 else "CustomizedRecoverable"
        return level if self.purge_protection else f"{level}+Purgeable"

    def put(
        self,
        name: str,
        value: str,
        *,
        content_type: str | None = None,
        tags: dict[str, str] | None = None,
        enabled: bool = True,
        nbf: int | None = None,
        exp: int | None = None,
    ) -> Version:
        """Plants a new version of a secret; no permission is asked and no call is counted."""
        return self.set(name, Draft(value, content_type, tags, enabled, nbf, exp))[1]

    def add_managed(self, name: str, value: str = "MIIJ…", content_type: str = "application/x-pkcs12") -> Version:
        """Plants the secret of a certificate: readable, but not to be changed alone."""
        with self.lock:
            version = self.put(name, value, content_type=content_type)
            self.secrets[name.lower()].managed = True
            return version

    def value(self, name: str) -> str:
        """The value of a secret's latest version; KeyError when there is no such secret."""
        return self.secrets[name.lower()].latest.value

    def fill(self, planted: Iterable[Secret]) -> None:
        """Plants many secrets at once."""
        with self.lock:
            self.secrets.update((secret.name.lower(), secret) for secret in planted)
            self.names = Names(self.secrets)

    def find(self, name: str) -> Secret:
        """The secret of that name; 404 when there is none or it is still being recovered."""
        key = name.lower()
        secret = self.secrets.get(key)
        if secret is None or (self._recovering and self._waits(self._recovering, key)):
            raise not_found(name)
        return secret

    def find_version(self, name: str, version_id: str) -> tuple[Secret, Version]:
        """A secret and one of its versions, the latest for an empty id; 404 when there is none."""
        secret = self.find(name)
        version = secret.version(version_id.lower()) if version_id else secret.latest
        if version is None:
            raise not_found(f"{name}/{version_id}")
        return secret, version

    def set(self, name: str, draft: Draft) -> tuple[Secret, Version]:
        """Adds a version; 409 when the name is blocked, 403 when a certificate owns it."""
        with self.lock:
            self.check_free(name)
            secret = self.secrets.get(name.lower())
            if secret is None:
                secret = Secret(name, [])
                self._place(secret)
            elif secret.managed:
                raise managed(name)
            version = _version(draft, int(self.clock.now()))
            secret.versions.append(version)
            return secret, version

    def update(self, name: str, version_id: str, changes: dict[str, Any]) -> tuple[Secret, Version]:
        """Changes members of a version, named as its fields; 403 when a certificate owns it."""
        with self.lock:
            secret, version = self.find_version(name, version_id)
            if secret.managed:
                raise managed(name)
            for member, value in changes.items():
                setattr(version, member, value)
            version.updated = int(self.clock.now())
            version.tails = None
            return secret, version

    def delete(self, name: str) -> DeletedSecret:
        """Soft-deletes a secret with all its versions."""
        with self.lock:
            secret = self.find(name)
            if secret.managed:
                raise managed(name)
            now = self.clock.now()
            purge_at = int(now) + self.retention_days * SECONDS_PER_DAY
            gone = DeletedSecret(secret, int(now), now + self.settle_seconds, purge_at)
            key = name.lower()
            del self.secrets[key]
            self.names.remove(key)
            self.deleted[key] = gone
            self.deleted_names.add(key)
            return gone

    def find_deleted(self, name: str) -> DeletedSecret:
        """The deleted secret of that name; 404 while its deletion has not settled."""
        gone = self._deleted(name.lower())
        if gone is None or gone.settled_at > self.clock.now():
            raise Refused(404, "SecretNotFound", f"Deleted Secret not found: {name}")
        return gone

    def recover(self, name: str) -> Secret:
        """Brings a deleted secret back; it can be read again after the settling time."""
        with self.lock:
            gone = self.find_deleted(name)
            self._forget(name.lower())
            self._place(gone.secret)
            if self.settle_seconds > 0:
                self._recovering[name.lower()] = self.clock.now() + self.settle_seconds
            return gone.secret

    def purge(self, name: str) -> None:
        """Removes a deleted secret for good; 403 under purge protection."""
        with self.lock:
            self.find_deleted(name)
            if self.purge_protection:
                raise Refused(403, "Forbidden", _PURGE_PROTECTED.format(vault=self.label))
            self._forget(name.lower())
            if self.settle_seconds > 0:
                self._purging[name.lower()] = self.clock.now() + self.settle_seconds

    def restore(self, secret: Secret) -> None:
        """Puts a secret from a backup in; 409 when the name is taken."""
        with self.lock:
            self.check_free(secret.name)
            if secret.name.lower() in self.secrets:
                message = f"A secret with the name {secret.name} already exists in this vault."
                raise Refused(409, "Conflict", message)
            self._place(secret)

    def check_free(self, name: str) -> None:
        """409 when a deletion, recovery or purge blocks the name."""
        key = name.lower()
        if self.deleted:
            gone = self._deleted(key)
            if gone is not None:
                settled = gone.settled_at <= self.clock.now()
                raise blocked(name, "ObjectIsDeletedButRecoverable" if settled else "ObjectIsBeingDeleted")
        if self._purging and self._waits(self._purging, key):
            raise blocked(name, "ObjectIsBeingDeleted")
        if self._recovering and self._waits(self._recovering, key):
            raise blocked(name, "ObjectIsBeingRecovered")

    def is_listed(self, key: str) -> bool:
        """Whether a list shows this (lower-case) name now."""
        return not (self._recovering and self._waits(self._recovering, key))

    def listed_deleted(self, key: str) -> DeletedSecret | None:
        """The deleted secret of this (lower-case) name if a list shows it now."""
        gone = self._deleted(key)
        return gone if gone is not None and gone.settled_at <= self.clock.now() else None

    def _place(self, secret: Secret) -> None:
        self.secrets[secret.name.lower()] = secret
        self.names.add(secret.name.lower())

    def _forget(self, key: str) -> None:
        del self.deleted[key]
        self.deleted_names.remove(key)

    def _deleted(self, key: str) -> DeletedSecret | None:
        gone = self.deleted.get(key)
        if gone is not None and gone.purge_at <= self.clock.now():
            self._forget(key)
            return None
        return gone

    def _waits(self, pending: dict[str, float], key: str) -> bool:
        until = pending.get(key)
        if until is not None and until <= self.clock.now():
            del pending[key]
            return False
        return until is not None


def not_found(what: str) -> Refused:
    """404 for a secret or version that is not there."""
    hint = "If you recently deleted this secret you may be able to recover it: https://go.microsoft.com/fwlink/?linkid=2125182"
    return Refused(404, "SecretNotFound", f"A secret with (name/id) {what} was not found in this key vault. {hint}")


def managed(name: str) -> Refused:
    """403 for touching the secret of a certificate."""
    message = f"Secret {name} belongs to a certificate and its lifetime is managed by Key Vault."
    return Refused(403, "Forbidden", message, "SecretManagedByKeyVault")


def blocked(name: str, inner: str) -> Refused:
    """409 for a name that a deleted secret holds."""
    return Refused(409, "Conflict", f"Secret {name} is currently in a state that blocks its name.", inner)


def _version(draft: Draft, now: int) -> Version:
    return Version(
        secrets.token_hex(16),
        draft.value,
        now,
        now,
        draft.enabled,
        draft.nbf,
        draft.exp,
        draft.content_type,
        draft.tags,
    )


_PURGE_PROTECTED = 'Operation "purge" is not allowed because purge protection is enabled for this vault.\r\nVault: {vault};location=eastus'
