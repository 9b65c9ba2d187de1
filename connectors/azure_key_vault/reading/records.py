"""What a vault says of keys, certificates, versions and deleted objects, as fields of records.

Source: Key Vault REST API: KeyItem, KeyBundle, CertificateItem, CertificateBundle, CertificatePolicy, DeletedSecretItem.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from connectors.actions import decoded
from connectors.azure_key_vault.documents import part
from connectors.azure_key_vault.model import ORIGINAL_NAME_TAG, SecretProperties, iso
from connectors.azure_key_vault.reading.public_key import as_pem, key_size, pem, public_half
from connectors.azure_key_vault.schemas import load_secret

Fields = dict[str, Any]
_OF_SECRETS: Final = ("version", "content_type", "managed", "original_name")
"""What is not said of every object, or not by a list."""


def key_listed(properties: SecretProperties, item: Mapping[str, Any]) -> Fields:
    """What a list says of a key: nothing of its material."""
    return {**_told(properties), "managed": properties.managed}


def key_details(bundle: Mapping[str, Any]) -> Fields:
    """What only a read says of a key: its public half."""
    key = part(bundle, "key")
    public, operations = public_half(key), key.get("key_ops")
    return {
        "key_type": public.get("kty"),
        "key_size": key_size(public),
        "curve": public.get("crv"),
        "operations": [str(one) for one in operations] if isinstance(operations, list) else [],
        "jwk": public if len(public) > 1 else None,
        "pem": as_pem(public),
    }


def certificate_listed(properties: SecretProperties, item: Mapping[str, Any]) -> Fields:
    """What a list says of a certificate."""
    subject = item.get("subject")
    return {
        **_told(properties),
        "subject": subject if isinstance(subject, str) else None,
        "thumbprint": _thumbprint(item.get("x5t")),
        "original_name": properties.tags.get(ORIGINAL_NAME_TAG),
    }


def certificate_details(bundle: Mapping[str, Any]) -> Fields:
    """What only a read says of a certificate: its policy, and itself without its key."""
    policy = part(bundle, "policy")
    key, x509 = part(policy, "key_props"), part(policy, "x509_props")
    names = part(x509, "sans").get("dns_names")
    return {
        "issuer": part(policy, "issuer").get("name"),
        "key_type": key.get("kty"),
        "key_size": key.get("key_size"),
        "exportable": key.get("exportable"),
        "content_type": part(policy, "secret_props").get("contentType"),
        "dns_names": [str(one) for one in names] if isinstance(names, list) else [],
        "policy": {name: value for name, value in policy.items() if name != "id"} or None,
        "pem": _certificate(bundle.get("cer")),
    }


def certificate_pem(bundle: Mapping[str, Any]) -> Fields:
    """What only a read says of one version of a certificate: itself. The policy is the certificate's, not the version's."""
    return {"pem": _certificate(bundle.get("cer"))}


def secret_listed(properties: SecretProperties, item: Mapping[str, Any]) -> Fields:
    """What a list says of a secret, or of a version of it: everything but the value."""
    return properties.fields()


def secret_value(bundle: Mapping[str, Any]) -> Fields:
    """What only a read says of a version of a secret. Raises MalformedAnswer."""
    return {"value": load_secret(bundle).value}


def deleted_listed(properties: SecretProperties, item: Mapping[str, Any]) -> Fields:
    """What a list says of a deleted secret: when, until when, and how it comes back."""
    return {**deleted_key_listed(properties, item), "content_type": properties.content_type}


def deleted_certificate_listed(properties: SecretProperties, item: Mapping[str, Any]) -> Fields:
    """What a list says of a deleted certificate."""
    return {**certificate_listed(properties, item), **_deletion(item)}


def deleted_key_listed(properties: SecretProperties, item: Mapping[str, Any]) -> Fields:
    """What a list says of a deleted key."""
    return {**key_listed(properties, item), **_deletion(item)}


def _deletion(item: Mapping[str, Any]) -> Fields:
    level, recovery = part(item, "attributes").get("recoveryLevel"), item.get("recoveryId")
    return {
        "deleted": _moment(item.get("deletedDate")),
        "scheduled_purge": _moment(item.get("scheduledPurgeDate")),
        "recovery_id": recovery if isinstance(recovery, str) else None,
        "recovery_level": level if isinstance(level, str) else None,
    }


def _told(properties: SecretProperties) -> Fields:
    """What is said of every object; the version is left to a read, because a list names none."""
    said = properties.fields()
    return {name: said[name] for name in said if name not in _OF_SECRETS}


def _moment(value: Any) -> str | None:
    return iso(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _thumbprint(value: Any) -> str | None:
    try:
        return decoded(value).hex().upper() if isinstance(value, str) else None
    except ValueError:
        return None


def _certificate(value: Any) -> str | None:
    try:
        return pem("CERTIFICATE", base64.b64decode(value, validate=True)) if isinstance(value, str) else None
    except (binascii.Error, ValueError):
        return None
