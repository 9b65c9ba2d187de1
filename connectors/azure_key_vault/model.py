"""A vault's address, and what a vault says of a secret: its properties, apart from its value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from iclients.secret import Secret

LAG_SECONDS: Final = 3.0
"""`updated` has whole seconds: what was touched this short ago may be touched again without showing it."""
API_VERSIONS: Final = ("2016-10-01", "7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01", "2026-04-01")
"""Versions of the data plane that are spoken, oldest first. Source: Key Vault REST API, versions."""
DEFAULT_API_VERSION: Final = API_VERSIONS[-1]
LONGEST_VALUE_CHARACTERS: Final = 25_600
LONGEST_CONTENT_TYPE_CHARACTERS: Final = 255
MOST_TAGS: Final = 15
LONGEST_TAG_CHARACTERS: Final = 256
ORIGINAL_NAME_TAG: Final = "original-name"
"""The tag that keeps what a secret was called where its name could not be a secret's."""
LONGEST_NAME_CHARACTERS: Final = 127
NAME_PATTERN: Final = r"[0-9A-Za-z-]{1,127}"


@dataclass(frozen=True, slots=True)
class VaultAddress:
    """Where a vault is: `https://host[:port]`, without a slash at the end."""

    url: str

    @classmethod
    def parse(cls, text: str) -> VaultAddress:
        parts = urlsplit(text)
        host = (parts.hostname or "").lower()
        port = f":{parts.port}" if parts.port not in (None, 443) else ""
        return cls(f"https://{host}{port}")

    @property
    def host(self) -> str:
        """Host and, where it is not 443, port."""
        return self.url.removeprefix("https://")

    def owns(self, link: str) -> bool:
        """Whether a link that the vault gave leads back to the vault itself."""
        try:
            return link.startswith("https://") and VaultAddress.parse(link).url == self.url
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class SecretProperties:
    """Everything about one version of a secret but its value. Times are Unix seconds."""

    name: str
    version: str | None = None
    content_type: str | None = None
    enabled: bool = True
    not_before: int | None = None
    expires: int | None = None
    created: int | None = None
    updated: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    managed: bool = False
    id: str = ""
    thumbprint: str = ""
    """Of a certificate, as the wire spells it."""

    def is_settled(self, now: float) -> bool:
        """Whether `updated` would show if it were touched again at this moment."""
        return self.updated is not None and now - self.updated >= LAG_SECONDS

    def fields(self) -> dict[str, Any]:
        """As a record's fields; times are ISO 8601 in UTC."""
        return {
            "name": self.name,
            "version": self.version,
            "content_type": self.content_type,
            "enabled": self.enabled,
            "not_before": iso(self.not_before),
            "expires": iso(self.expires),
            "created": iso(self.created),
            "updated": iso(self.updated),
            "tags": dict(self.tags),
            "original_name": self.tags.get(ORIGINAL_NAME_TAG),
            "managed": self.managed,
            "id": self.id,
        }


@dataclass(frozen=True, slots=True)
class VaultSecret:
    """A secret with its value."""

    properties: SecretProperties
    value: Secret


def iso(seconds: int | None) -> str | None:
    """Unix seconds as `2026-11-12T03:00:00Z`; those that no calendar holds stay a number."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(seconds)
