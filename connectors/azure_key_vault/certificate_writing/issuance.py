"""Policies of certificates as an import writes them: what they say of the certificate itself, of its issuer, and no more.

A policy is about the next version, so it may say something else of key and package than what is imported: there the
certificate is right. An issuer is known to one vault and not to another. Source: Key Vault REST API, CertificatePolicy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from threading import Lock
from typing import Any, Final

from connectors.azure_key_vault.documents import part
from connectors.azure_key_vault.vault.certificates import VaultCertificates
from connectors.errors import Forbidden, NotFound, RecordError
from iclients.key_pairs import KeyPair

Policy = dict[str, Any]
UNKNOWN: Final = "Unknown"
_WITHOUT_ACCOUNT: Final = frozenset({"self", "unknown"})
_VAULTS_OWN: Final = frozenset({"id", "attributes"})
_OF_THE_KEY: Final = frozenset({"kty", "key_size", "crv"})


class Issuers:
    """Which authorities a vault knows: each is asked for once. Needs getissuers."""

    def __init__(self, certificates: VaultCertificates) -> None:
        self._certificates = certificates
        self._known: dict[str, bool] = {}
        self._lock = Lock()

    def knows(self, name: str) -> bool:
        """Whether a certificate can be renewed by it; false where the app may not look."""
        key = name.lower()
        if key in _WITHOUT_ACCOUNT:
            return True
        with self._lock:
            if key not in self._known:
                self._known[key] = self._is_there(name)
            return self._known[key]

    def _is_there(self, name: str) -> bool:
        try:
            self._certificates.issuer(name)
        except (NotFound, Forbidden):
            return False
        return True


def load_policy(name: str, told: Any) -> Policy | None:
    """A policy from a record's field: an object, or JSON that is one; None where it is empty. Raises RecordError."""
    if isinstance(told, str) and told:
        try:
            told = json.loads(told)
        except (ValueError, RecursionError):
            told = False
    if told in (None, "", {}):
        return None
    parts = ("key_props", "secret_props", "x509_props", "issuer")
    if not isinstance(told, dict) or not all(isinstance(told.get(one, {}), dict | None) for one in parts):
        example = '{"issuer": {"name": "Self"}}'
        raise RecordError(
            f"{name}: policy is not an object in the words of Key Vault, such as {example}.", code="invalid_policy"
        )
    return {key: value for key, value in told.items() if key not in _VAULTS_OWN and value is not None} or None


def fitted(policy: Mapping[str, Any] | None, pair: KeyPair, kind: str) -> Policy:
    """The policy with what the certificate says of its own key and package."""
    policy = {key: value for key, value in (policy or {}).items() if key not in _VAULTS_OWN}
    if key := part(policy, "key_props"):
        rest = {name: value for name, value in key.items() if name not in _OF_THE_KEY}
        policy["key_props"] = {**rest, **pair.key_properties}
    return {**policy, "secret_props": {**part(policy, "secret_props"), "contentType": kind}}


def issuer_of(policy: Mapping[str, Any] | None) -> str:
    """The name of its issuer, `Unknown` where it names none."""
    name = part(policy, "issuer").get("name")
    return name if isinstance(name, str) and name else UNKNOWN


def without_renewal(policy: Policy) -> Policy:
    """The same for a vault that cannot ask the issuer: it tells people instead of renewing."""
    actions = policy.get("lifetime_actions")
    kept = {**policy, "issuer": {"name": UNKNOWN}}
    if isinstance(actions, list):
        kept["lifetime_actions"] = [
            {**one, "action": {"action_type": "EmailContacts"}} for one in actions if isinstance(one, dict)
        ]
    return kept


def is_within(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    """Whether the policy that is there says all that the wanted one says."""
    return bool(meaning(wanted) == meaning(projected(wanted, there)))


def projected(shape: Any, there: Any) -> Any:
    """Of what is there, the members that the other one has, too."""
    if isinstance(shape, Mapping) and isinstance(there, Mapping):
        return {name: projected(value, there[name]) for name, value in shape.items() if name in there}
    if isinstance(shape, list) and isinstance(there, list) and len(shape) == len(there):
        return [projected(*pair) for pair in zip(shape, there, strict=True)]
    return there


def meaning(policy: Any) -> Any:
    """One spelling of a policy: what is empty means nothing, and lists of texts have no order."""
    if isinstance(policy, Mapping):
        told = {name: meaning(value) for name, value in policy.items() if name not in _VAULTS_OWN}
        return {name: value for name, value in told.items() if value not in (None, "", [], {})}
    if isinstance(policy, list):
        return sorted(policy) if all(isinstance(one, str) for one in policy) else [meaning(one) for one in policy]
    return policy
