"""Reads the bodies that clients send to a vault, and refuses what Key Vault refuses.

Limits of the Azure reference sheet, section 4.2: a value of 25,600 characters, a content type of 255,
15 tags of 512 characters each.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

from connectors.azure_key_vault.sandbox.errors import Refused
from connectors.azure_key_vault.sandbox.state import Draft, Secret, Version
from connectors.azure_key_vault.sandbox.tokens import decode

MAXIMUM_VALUE_CHARACTERS = 25_600
MAXIMUM_CONTENT_TYPE_CHARACTERS = 255
MAXIMUM_TAGS = 15
MAXIMUM_TAG_CHARACTERS = 512
LATEST_MOMENT = 253_402_300_799  # the end of year 9999
BACKUP_FIELDS = ("id", "value", "created", "updated", "enabled", "nbf", "exp", "content_type", "tags")

Kind = TypeVar("Kind")
_BACKUP_KEY = secrets.token_bytes(32)


def draft(body: dict[str, Any]) -> Draft:
    """What a set request asks for."""
    value = body.get("value")
    if not isinstance(value, str):
        raise invalid("value")
    if len(value) > MAXIMUM_VALUE_CHARACTERS:
        message = f"Secret value is longer than {MAXIMUM_VALUE_CHARACTERS} characters."
        raise Refused(400, "BadParameter", message, "SecretTooLarge")
    changes = described(body)
    enabled = changes.pop("enabled", True)
    return Draft(value, enabled=enabled, **changes)


def described(body: dict[str, Any]) -> dict[str, Any]:
    """The members of a set or update request that are there, by our names for them."""
    attributes = _member(body, "attributes", _object) or {}
    found = {
        "content_type": _member(body, "contentType", _content_type),
        "tags": _member(body, "tags", _tags),
        "enabled": _member(attributes, "enabled", _boolean),
        "nbf": _member(attributes, "nbf", _moment),
        "exp": _member(attributes, "exp", _moment),
    }
    return {name: value for name, value in found.items() if value is not None}


def backup(secret: Secret) -> str:
    """All versions of a secret as an opaque text that only this process restores."""
    versions = [{name: getattr(version, name) for name in BACKUP_FIELDS} for version in secret.versions]
    document = {"name": secret.name, "managed": secret.managed, "versions": versions}
    return sealed(json.dumps(document).encode())


def restored(body: dict[str, Any]) -> Secret:
    """The secret in a backup; 400 when it is not one of ours."""
    document = json.loads(unsealed(body))
    if "name" not in document:
        raise Refused(400, "BadParameter", "Backup blob is not that of a secret.")
    versions = [Version(**version) for version in document["versions"]]
    return Secret(document["name"], versions, document["managed"])


def sealed(plain: bytes) -> str:
    """A backup: text that only this process opens again."""
    packed = zlib.compress(plain, 1)
    return base64.urlsafe_b64encode(_seal(packed) + packed).rstrip(b"=").decode()


def unsealed(body: dict[str, Any]) -> bytes:
    """What is in a backup that a restore request brings; 400 when it is not one of ours."""
    blob = body.get("value")
    if not isinstance(blob, str):
        raise invalid("value")
    try:
        backed_up = decode(blob)
    except ValueError as problem:
        raise invalid("value") from problem
    if not hmac.compare_digest(backed_up[:32], _seal(backed_up[32:])):
        raise Refused(400, "BadParameter", "Backup blob is corrupt or was not made in this geography.")
    return zlib.decompress(backed_up[32:])


def invalid(name: str) -> Refused:
    """400 for a member of the wrong shape."""
    return Refused(400, "BadParameter", f"Property {name} has invalid value\r\n")


def _member(document: dict[str, Any], name: str, read: Callable[[str, Any], Kind]) -> Kind | None:
    value = document.get(name)
    return None if value is None else read(name, value)


def _object(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise invalid(name)
    return value


def _boolean(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise invalid(name)
    return value


def _moment(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LATEST_MOMENT:
        raise invalid(name)
    return value


def _content_type(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAXIMUM_CONTENT_TYPE_CHARACTERS:
        raise invalid(name)
    return value


def _tags(name: str, value: Any) -> dict[str, str]:
    tags = _object(name, value)
    if len(tags) > MAXIMUM_TAGS:
        raise invalid(name)
    for key, text in tags.items():
        if not isinstance(text, str) or max(len(key), len(text)) > MAXIMUM_TAG_CHARACTERS:
            raise invalid(name)
    return tags


def _seal(packed: bytes) -> bytes:
    return hmac.digest(_BACKUP_KEY, packed, "sha256")
