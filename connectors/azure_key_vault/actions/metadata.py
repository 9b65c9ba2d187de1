"""What a vault says of an object, in the words of actions: name, version, isEnabled, createdTime, …

Names and versions are read from the path of ids alone, never from their host. Source: Key Vault REST API, bundles and
items of secrets, keys and certificates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connectors.actions import decoded
from connectors.azure_key_vault.documents import Outputs, part, with_id
from connectors.azure_key_vault.model import SecretProperties, iso
from connectors.azure_key_vault.schemas import load_page, load_properties
from connectors.azure_key_vault.vault.objects import VaultObjects
from connectors.errors import BadInput, Forbidden, NotFound


def described(document: Any) -> Outputs:
    """What is said of objects of every kind. Raises MalformedAnswer."""
    return _common(load_properties(with_id(document)))


def secret_described(document: Any) -> Outputs:
    """What is said of a secret, without its value."""
    properties = load_properties(with_id(document))
    return secret_properties(properties)


def secret_properties(properties: SecretProperties) -> Outputs:
    """The same of properties that were read already."""
    return {**_common(properties), "contentType": properties.content_type, "isManaged": properties.managed}


def key_described(document: Any) -> Outputs:
    """What is said of a key, and its public half where the answer has it."""
    properties = load_properties(with_id(document))
    key = part(document, "key")
    public = {name: key[name] for name in ("kty", "n", "e", "crv", "x", "y") if isinstance(key.get(name), str)}
    operations = key.get("key_ops")
    return {
        **_common(properties),
        "isManaged": properties.managed,
        "allowedOperations": list(map(str, operations)) if isinstance(operations, list) else None,
        "keyType": public.get("kty"),
        "publicKey": public or None,
    }


def key_item(document: Any) -> Outputs:
    """What a list says of a key: nothing of its material."""
    properties = load_properties(with_id(document))
    return {**_common(properties), "isManaged": properties.managed}


def certificate_item(document: Any) -> Outputs:
    """What a list says of a certificate."""
    return {**described(document), "thumbprint": _hexadecimal(document.get("x5t"))}


def certificate_described(document: Any) -> Outputs:
    """What is said of a certificate, with itself (not its key) and its policy."""
    found = certificate_item(document)
    return {**found, "cer": document.get("cer"), "policy": part(document, "policy") or None}


def deletion(document: Any) -> Outputs:
    """When it was deleted, and when the vault forgets it."""
    return {
        "deletedTime": _moment(document, "deletedDate"),
        "scheduledPurgeTime": _moment(document, "scheduledPurgeDate"),
    }


def deleted_item(item: Callable[[Any], Outputs]) -> Callable[[Any], Outputs]:
    """What a list of deleted objects says of one."""
    return lambda document: {**item(document), **deletion(document)}


def latest(objects: VaultObjects, name: str) -> SecretProperties:
    """The latest version by the list of versions, so that no value travels and a disabled one is found, too.

    Where the newest were made in the same second, the vault is asked for the latest. Needs list, then get as well.
    """
    versions = _versions(objects, name)
    if not versions:
        raise NotFound(f"{name} is not in {objects.vault.host}.")
    newest = max(version.created or 0 for version in versions)
    tied = [version for version in versions if (version.created or 0) == newest]
    return tied[0] if len(tied) == 1 else _settled(objects, name, tied)


def one_version(objects: VaultObjects, name: str, version: str) -> SecretProperties:
    """That version, by the list of versions. Needs list. Raises NotFound."""
    for found in _versions(objects, name):
        if (found.version or "").lower() == version.lower():
            return found
    raise NotFound(f"{name} has no version {version} in {objects.vault.host}.")


def attributes(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The members `attributes` and `tags` of a request: only what the inputs have. Raises BadInput."""
    wire = {
        "enabled": inputs.get("enabled"),
        "nbf": inputs.get("validityStartTime"),
        "exp": inputs.get("validityEndTime"),
    }
    found: dict[str, Any] = {}
    if said := {name: value for name, value in wire.items() if value is not None}:
        found["attributes"] = said
    if inputs.get("tags") is not None:
        found["tags"] = tags_of(inputs["tags"])
    return found


def tags_of(value: Any) -> dict[str, str]:
    """Tags as they were given. Raises BadInput."""
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise BadInput('tags is not a map of texts such as {"owner": "payments"}.', parameter="tags")
    return value


def mapping(inputs: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A JSON input that must be an object. Raises BadInput."""
    found = inputs[name]
    if not isinstance(found, dict):
        raise BadInput(f"{name} is not a JSON object.", parameter=name)
    return found


def _versions(objects: VaultObjects, name: str) -> list[SecretProperties]:
    link = objects.link(f"/{objects.path}/{name}/versions")
    found: list[SecretProperties] = []
    for document in objects.documents("versions", link):
        items = document.get("value") if isinstance(document, dict) else None
        named = [with_id(item) for item in items] if isinstance(items, list) else items
        found += load_page({"value": named})[0]
    return found


def _settled(objects: VaultObjects, name: str, tied: list[SecretProperties]) -> SecretProperties:
    try:
        version = load_properties(with_id(objects.document(name))).version
    except Forbidden:  # the latest is disabled, or we may not read: a disabled one is the likeliest
        return max(tied, key=lambda one: (not one.enabled, one.updated or 0))
    return next((one for one in tied if one.version == version), tied[0])


def _common(properties: SecretProperties) -> Outputs:
    return {
        "name": properties.name,
        "version": properties.version,
        "isEnabled": properties.enabled,
        "createdTime": iso(properties.created),
        "lastUpdatedTime": iso(properties.updated),
        "validityStartTime": iso(properties.not_before),
        "validityEndTime": iso(properties.expires),
        "tags": dict(properties.tags),
    }


def _moment(document: Any, name: str) -> str | None:
    value = document.get(name) if isinstance(document, dict) else None
    return iso(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _hexadecimal(thumbprint: Any) -> str | None:
    try:
        return decoded(thumbprint).hex().upper() if isinstance(thumbprint, str) else None
    except ValueError:
        return None
