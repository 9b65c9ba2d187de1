"""What a vault's refusals mean: status → code → inner code → a sentence, never by the text.

Source: Key Vault REST API error codes; Azure RBAC guide for Key Vault.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from connectors.errors import Forbidden, error_for
from connectors.rest import Call
from iclients.answers import Answer
from iclients.errors import RemoteError

LONGEST_MESSAGE: Final = 4_000
LONGEST_SENTENCE: Final = 200

_WORD: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_TOKEN: Final = re.compile(r"(?i)bearer\s+\S+|eyJ[\w.-]+")
_ROLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "list": "Key Vault Secrets User",
        "get": "Key Vault Secrets User",
        "versions": "Key Vault Secrets User",
        "deleted": "Key Vault Secrets User",
    }
)
_WRITING_ROLE: Final = "Key Vault Secrets Officer"
_PERMISSIONS: Final[Mapping[str, str]] = MappingProxyType(
    {"put": "set", "patch": "set", "versions": "list", "deleted": "list"}
)

_SENTENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ForbiddenByRbac": "The app of this connection may not {verb} secrets in {vault}: give it the role {role} on the "
        "vault. A role that was just given can take ten minutes.",
        "AccessDenied": "The access policy of {vault} does not let the app of this connection {verb} secrets: add the "
        "secret permission {permission}.",
        "ForbiddenByFirewall": "The firewall of {vault} does not let this machine in: add its address under Networking.",
        "ForbiddenByConnection": "{vault} takes no calls from the public network: use its private endpoint.",
        "ForbiddenByPolicy": "An Azure Policy forbids this call to {vault}: ask the owner of the policy.",
        "SecretDisabled": "{name} is disabled, so its value cannot be read: enable it, or leave it out with where: enabled.",
        "SecretTooLarge": "{name} is larger than the 25 KB that Key Vault takes.",
        "ObjectIsDeletedButRecoverable": "{name} was deleted from {vault} and still blocks its name: recover or purge it, "
        "then run again.",
        "ObjectIsBeingDeleted": "{name} is being deleted from {vault} at this moment: run again in a minute.",
        "SecretNotFound": "{name} is not in {vault}.",
    }
)
_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "SecretDisabled": "secret_disabled",
        "ObjectIsDeletedButRecoverable": "deleted_but_recoverable",
        "ObjectIsBeingDeleted": "being_deleted",
    }
)


def explain(answer: Answer, call: Call, vault: str) -> RemoteError:
    """The error that this answer means for this call."""
    code, inner, message = _parsed(answer)
    kind = error_for(answer.status)
    word = inner if inner in _SENTENCES else code
    sentence = _SENTENCES.get(word)
    if sentence is None:
        return kind(_unknown(answer, call, vault, code, message))
    permission = _PERMISSIONS.get(call.kind, call.kind)
    filled = sentence.format(
        vault=vault,
        verb=permission,
        name=_secret_name(call.url),
        role=_ROLES.get(call.kind, _WRITING_ROLE),
        permission=permission.capitalize(),
    )
    return kind(filled, code=_CODES.get(word))


def is_disabled(error: Forbidden) -> bool:
    """Whether a value is withheld only because its secret is disabled."""
    return error.code == "secret_disabled"


def _parsed(answer: Answer) -> tuple[str, str, str]:
    """Code, inner code and message; empty where a gateway answered something else."""
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return "", "", ""
    error = _part(document, "error")
    inner = _part(error, "innererror")
    return _word(error.get("code")), _word(inner.get("code")), str(error.get("message") or "")[:LONGEST_MESSAGE]


def _word(code: Any) -> str:
    """A code is a word; anything else a server puts there is not shown."""
    return code if isinstance(code, str) and _WORD.fullmatch(code) else ""


def _part(document: Any, name: str) -> Mapping[str, Any]:
    part = document.get(name) if isinstance(document, dict) else None
    return part if isinstance(part, dict) else {}


def _unknown(answer: Answer, call: Call, vault: str, code: str, message: str) -> str:
    what = f"{vault} answered {call.kind} {_secret_name(call.url)}".rstrip()
    may_echo = answer.status in (200, 400) or "value" in (call.body or ())
    said = f" {code}: {_one_line(message)}" if code and not may_echo else f" {code}".rstrip()
    return f"{what} with HTTP {answer.status}{said}".rstrip(".") + "."


def _one_line(message: str) -> str:
    shown = _TOKEN.sub("••••", " ".join(message.split()))
    return "".join(character for character in shown if character.isprintable())[:LONGEST_SENTENCE]


def _secret_name(url: str) -> str:
    segments = url.split("?", 1)[0].split("/")
    return segments[4] if len(segments) > 4 else ""
