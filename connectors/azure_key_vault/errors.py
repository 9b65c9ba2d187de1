"""What a vault's refusals mean: status → code → inner code → a sentence, never by the text.

Source: Key Vault REST API error codes; Azure RBAC guide for Key Vault.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from connectors.azure_key_vault.documents import part
from connectors.errors import Forbidden, error_for
from connectors.rest import Call
from connectors.schemas import load_actions
from iclients.answers import Answer
from iclients.errors import Recovery, RemoteError

LONGEST_MESSAGE: Final = 4_000
LONGEST_SENTENCE: Final = 200

_MAY_BE_ECHOED: Final = frozenset({"value", "key", "pwd", "credentials"})
"""Members of a request that a server's message could repeat."""
_WORD: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_TOKEN: Final = re.compile(r"(?i)bearer\s+\S+|eyJ[\w.-]+")
_NOUNS: Final[Mapping[str, str]] = MappingProxyType({"key_": "keys", "cert_": "certificates"})
"""What a kind of call begins with → what it is about; everything else is about secrets."""
_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "put": "set",
        "patch": "set",
        "key_patch": "update",
        "cert_patch": "update",
        "versions": "list",
        "deleted": "list",
        "deleted_list": "list",
        "deleted_get": "get",
        "wrapkey": "wrapKey",
        "unwrapkey": "unwrapKey",
        "rotation_get": "getrotationpolicy",
        "rotation_put": "setrotationpolicy",
        "policy_get": "get",
        "policy_patch": "update",
        "pending_get": "get",
        "pending_patch": "update",
        "merge": "create",
        "contacts_get": "managecontacts",
        "contacts_put": "managecontacts",
        "contacts_delete": "managecontacts",
        "issuers_list": "listissuers",
        "issuer_get": "getissuers",
        "issuer_put": "setissuers",
        "issuer_delete": "deleteissuers",
    }
)
"""Kind of call → the word of access policies, where it is another."""
_LARGEST_ROLE: Final = "Key Vault Administrator"

_SENTENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ForbiddenByRbac": "The app of this connection may not {verb} {noun} in {vault}: give it the role {role} on the "
        "vault. A role that was just given can take ten minutes.",
        "AccessDenied": "The access policy of {vault} does not let the app of this connection {verb} {noun}: add the "
        "{one} permission {permission}.",
        "ForbiddenByFirewall": "The firewall of {vault} does not let this machine in: add its address under Networking.",
        "ForbiddenByConnection": "{vault} takes no calls from the public network: use its private endpoint.",
        "ForbiddenByPolicy": "An Azure Policy forbids this call to {vault}: ask the owner of the policy.",
        "SecretDisabled": "{name} is disabled, so its value cannot be read: enable it, or leave it out with where: enabled.",
        "SecretTooLarge": "{name} is larger than the 25 KB that Key Vault takes.",
        "ObjectIsDeletedButRecoverable": "{name} was deleted from {vault} and still blocks its name: recover or purge it, "
        "then run again.",
        "ObjectIsBeingDeleted": "{name} is being deleted from {vault} at this moment: run again in a minute.",
        "ObjectIsBeingRecovered": "{name} is being recovered in {vault} at this moment: try again in a minute.",
        "SecretNotFound": "{name} is not in {vault}.",
        "VaultNotFound": "{vault} is deleted: recover the vault, or correct vault_url.",
        "KeyNotFound": "{name} is not in {vault}.",
        "CertificateNotFound": "{name} is not in {vault}.",
        "PendingCertificateNotFound": "No certificate {name} is being made in {vault}.",
        "ContactsNotFound": "{vault} has no certificate contacts.",
        "CertificateIssuerNotFound": "{vault} knows no issuer of that name: set it first.",
        "KeyDisabled": "The key {name} is disabled: enable it, or name another version.",
        "KeyOperationForbidden": "The key {name} does not allow to {verb}: its allowed operations are others.",
        "KeyNotYetValid": "The key {name} is not valid yet: it only decrypts, unwraps and verifies.",
        "KeyExpired": "The key {name} has expired: it only decrypts, unwraps and verifies.",
        "SecretManagedByKeyVault": "The secret {name} belongs to a certificate: act on the certificate instead.",
        "KeyManagedByKeyVault": "The key {name} belongs to a certificate: act on the certificate instead.",
    }
)
_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ForbiddenByFirewall": "forbidden_by_firewall",
        "ForbiddenByConnection": "forbidden_by_connection",
        "ForbiddenByPolicy": "forbidden_by_azure_policy",
        "VaultNotFound": "vault_not_found",
        "SecretDisabled": "secret_disabled",
        "ObjectIsDeletedButRecoverable": "deleted_but_recoverable",
        "ObjectIsBeingDeleted": "being_deleted",
        "ObjectIsBeingRecovered": "being_recovered",
        "KeyDisabled": "key_disabled",
        "KeyOperationForbidden": "operation_forbidden",
        "KeyNotYetValid": "key_not_valid",
        "KeyExpired": "key_not_valid",
        "SecretManagedByKeyVault": "managed",
        "KeyManagedByKeyVault": "managed",
    }
)

_CLOSED: Final = frozenset({"ForbiddenByFirewall", "ForbiddenByConnection", "VaultNotFound"})
"""These say nothing of one object: every other one would fare the same."""
_RIGHTS: Final = frozenset({"ForbiddenByRbac", "AccessDenied"})


class MissingRight(Forbidden):
    """The app lacks a right (`secrets/get`): a role that has it, or a permission of the access policy."""

    def __init__(self, message: str, right: str, *, by_role: bool) -> None:
        super().__init__(message)
        self.right = right
        self.by_role = by_role


def explain(answer: Answer, call: Call, vault: str) -> RemoteError:
    """The error that this answer means for this call."""
    code, inner, message = _parsed(answer)
    kind = error_for(answer.status)
    word = inner if inner in _SENTENCES else code
    noun, permission = needed(call.kind)
    if answer.status == 403 and permission == "purge" and not inner:
        return kind(_unknown(answer, call, vault, code, message), code="purge_refused")  # purge protection, mostly
    sentence = _SENTENCES.get(word)
    if sentence is None:
        return kind(_unknown(answer, call, vault, code, message))
    filled = sentence.format(
        vault=vault,
        verb=permission,
        noun=noun,
        one=noun.removesuffix("s"),
        name=_secret_name(call.url),
        role=_role(f"{noun}/{permission}"),
        permission=permission[:1].upper() + permission[1:],
    )
    if answer.status == 403 and word in _RIGHTS:
        return MissingRight(filled, f"{noun}/{permission}", by_role=word == "ForbiddenByRbac")
    return kind(filled, code=_CODES.get(word), recovery=Recovery.ABORT if word in _CLOSED else None)


def needed(kind: str) -> tuple[str, str]:
    """What a kind of call is about (secrets, keys, certificates), and the word of access policies that it needs."""
    for prefix, noun in _NOUNS.items():
        if kind.startswith(prefix):
            bare = kind.removeprefix(prefix)
            return noun, _WORDS.get(kind, _WORDS.get(bare, bare))
    return "secrets", _WORDS.get(kind, kind)


def _role(word: str) -> str:
    """The smallest built-in role, as the actions have it."""
    actions = load_actions("connectors.azure_key_vault")
    roles = {permission.word: permission.role for action in actions for permission in action.permissions}
    return roles.get(word, _LARGEST_ROLE)


def error_parts(answer: Answer) -> tuple[str, str, str]:
    """Code, inner code and one line of what is said, for other sites that answer in this shape; tokens are hidden."""
    code, inner, message = _parsed(answer)
    return code, inner, _one_line(message)


def is_disabled(error: Forbidden) -> bool:
    """Whether a value is withheld only because its secret is disabled."""
    return error.code == "secret_disabled"


def _parsed(answer: Answer) -> tuple[str, str, str]:
    """Code, inner code and message; empty where a gateway answered something else."""
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return "", "", ""
    error = part(document, "error")
    inner = part(error, "innererror")
    return _word(error.get("code")), _word(inner.get("code")), str(error.get("message") or "")[:LONGEST_MESSAGE]


def _word(code: Any) -> str:
    """A code is a word; anything else a server puts there is not shown."""
    return code if isinstance(code, str) and _WORD.fullmatch(code) else ""


def _unknown(answer: Answer, call: Call, vault: str, code: str, message: str) -> str:
    name = _secret_name(call.url)
    if answer.status == 400:
        return (
            f"{vault} does not take one of the inputs{' for ' + name if name else ''} (HTTP 400 {code or 'without a code'}): "
            "check what each of them must look like. Its own words are left out, because they may hold what was sent."
        )
    what = f"{vault} answered {call.kind} {name}".rstrip()
    may_echo = answer.status == 200 or not _MAY_BE_ECHOED.isdisjoint(call.body or ())
    said = f" {code}: {_one_line(message)}" if code and not may_echo else f" {code}".rstrip()
    return f"{what} with HTTP {answer.status}{said}".rstrip(".") + "."


def _one_line(message: str) -> str:
    shown = _TOKEN.sub("••••", " ".join(message.split()))
    return "".join(character for character in shown if character.isprintable())[:LONGEST_SENTENCE]


def _secret_name(url: str) -> str:
    segments = url.split("?", 1)[0].split("/")
    name = segments[4] if len(segments) > 4 else ""
    return "what the backup holds" if name == "restore" else name
