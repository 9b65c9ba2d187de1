"""What one vault holds: secrets and keys with their versions, on shelves; and the switches a test turns.

Every set of a secret is a new version that inherits nothing (Azure reference sheet, sections 4.3 and 4.7).
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
from connectors.azure_key_vault.sandbox.keys import Key
from connectors.azure_key_vault.sandbox.shelf import Shelf

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
        self.calls: Counter[str] = Counter()
        self.lock = threading.RLock()
        self.settle_seconds = 0.0
        self.retention_days = 90
        self.purge_protection = False
        self.ragged_pages = True
        self.expired_readable = True
        self.secret_shelf: Shelf[Secret] = Shelf("Secret", self)
        self.key_shelf: Shelf[Key] = Shelf("Key", self)
        self.issue_seconds = 0.0
        self.gone = False

    @property
    def secrets(self) -> dict[str, Secret]:
        """The secrets by lower-case name."""
        return self.secret_shelf.kept

    @property
    def keys(self) -> dict[str, Key]:
        """The keys by lower-case name."""
        return self.key_shelf.kept

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
            self.secret_shelf.fill(planted)

    def find_version(self, name: str, version_id: str) -> tuple[Secret, Version]:
        """A secret and one of its versions, the latest for an empty id; 404 when there is none."""
        secret = self.secret_shelf.find(name)
        version = secret.version(version_id.lower()) if version_id else secret.latest
        if version is None:
            raise self.secret_shelf.not_found(f"{name}/{version_id}")
        return secret, version

    def set(self, name: str, draft: Draft) -> tuple[Secret, Version]:
        """Adds a version; 409 when the name is blocked, 403 when a certificate owns it."""
        with self.lock:
            self.secret_shelf.check_free(name)
            secret = self.secrets.get(name.lower())
            if secret is None:
                secret = Secret(name, [])
                self.secret_shelf.place(secret)
            elif secret.managed:
                raise self.secret_shelf.managed(name)
            version = _version(draft, int(self.clock.now()))
            secret.versions.append(version)
            return secret, version

    def update(self, name: str, version_id: str, changes: dict[str, Any]) -> tuple[Secret, Version]:
        """Changes members of a version, named as its fields; 403 when a certificate owns it."""
        with self.lock:
            secret, version = self.find_version(name, version_id)
            if secret.managed:
                raise self.secret_shelf.managed(name)
            for member, value in changes.items():
                setattr(version, member, value)
            version.updated = int(self.clock.now())
            version.tails = None
            return secret, version

    def delete(self, name: str) -> None:
        """Soft-deletes a secret with all its versions."""
        with self.lock:
            self.secret_shelf.delete(name)

    def purge(self, name: str) -> None:
        """Removes a deleted secret for good."""
        with self.lock:
            self.secret_shelf.purge(name)


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
