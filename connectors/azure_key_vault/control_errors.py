"""What refusals of Azure Resource Manager mean: status and code, never the text. Source: ARM, common errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from connectors.azure_key_vault.errors import error_parts
from connectors.errors import error_for
from connectors.rest import Call
from iclients.answers import Answer
from iclients.errors import RemoteError

_WHO: Final = "Azure Resource Manager"
_SENTENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "AuthorizationFailed": "The app of this connection may not {kind} in {scope}: give it the role {role} there. A role "
        "that was given in the last ten minutes may still be propagating.",
        "SubscriptionNotFound": "The app of this connection does not see {scope}: correct `subscription`, or give it the "
        "role Reader there.",
        "ResourceGroupNotFound": "There is no {scope}: correct `resource_group`.",
        "VaultNameNotValid": "The vault's name cannot be: 3 to 24 letters, digits and -, the first a letter.",
        "DeletedVaultNotFound": "No deleted vault of that name is in {scope}.",
        "VaultAlreadyExists": "The vault's name is taken, by a vault or a deleted one: choose another.",
        "MethodNotAllowed": "The vault has purge protection: it cannot be purged before its time is over.",
        "MissingSubscriptionRegistration": "{scope} does not know Key Vault yet: register Microsoft.KeyVault in it.",
    }
)
_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {"SubscriptionNotFound": "subscription_not_found", "ResourceGroupNotFound": "resource_group_not_found"}
)
_SCOPE: Final = re.compile(r"/subscriptions/([^/?]+)(?:/resourceGroups/([^/?]+))?", re.IGNORECASE)
_READING: Final = "Reader"
_CHANGING: Final = "Key Vault Contributor"


def explain_control(answer: Answer, call: Call) -> RemoteError:
    """The error that this answer of ARM means for this call."""
    code, _, message = error_parts(answer)
    kind, sentence = error_for(answer.status), _SENTENCES.get(code)
    if sentence is None:
        said = f" {code}: {message}" if code and message and answer.status != 400 else f" {code}".rstrip()
        return kind(f"{_WHO} answered {call.kind} with HTTP {answer.status}{said}".rstrip(".") + ".")
    what = f"list {call.kind.replace('_', ' ')}" if call.method == "GET" else call.kind.replace("_", " ")
    role = _READING if call.method == "GET" else _CHANGING
    return kind(sentence.format(kind=what, scope=_scope(call.url), role=role), code=_CODES.get(code))


def _scope(url: str) -> str:
    found = _SCOPE.search(url)
    if found is None:
        return "the tenant"
    return f"resource group {found[2]}" if found[2] else f"subscription {found[1]}"
