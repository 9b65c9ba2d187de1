"""A change of a vault's access policies, worked out before it is made: per principal what was and what will be.

Entries belong together by tenant, object and application; words and ids compare without case. Nothing is called here.
Source: ARM REST, Vaults, Update Access Policy.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from connectors.azure_key_vault.documents import part, parts

COLLECTIONS: Final = ("secrets", "keys", "certificates", "storage")
WORDS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        name: frozenset(words.split())
        for name, words in {
            "secrets": "all get list set delete backup restore recover purge",
            "keys": "all encrypt decrypt wrapkey unwrapkey sign verify get list create update import delete backup "
            "restore recover purge release rotate getrotationpolicy setrotationpolicy",
            "certificates": "all get list delete create import update managecontacts getissuers listissuers setissuers "
            "deleteissuers manageissuers recover purge backup restore",
            "storage": "all get list delete set update regeneratekey recover purge backup restore setsas listsas getsas "
            "deletesas",
        }.items()
    }
)
"""The words of access policies. Source: ARM REST, Vaults, Permissions."""
Rights = Mapping[str, frozenset[str]]
"""Collection → words, in lower case; collections without any are left out."""


class Whose(NamedTuple):
    """Whom an entry is for; in lower case. `application` is empty where it counts through every app."""

    tenant: str
    principal: str
    application: str = ""

    @property
    def label(self) -> str:
        """As people and `dropped` name it."""
        return f"{self.principal}/{self.application}" if self.application else self.principal


Policies = Mapping[Whose, Rights]
"""A vault's entries. One without any right is none."""


def policies_of(entries: Iterable[Mapping[str, Any]]) -> dict[Whose, Rights]:
    """Entries as Azure writes them."""
    return with_rights((whose_of(one), rights_of(part(one, "permissions"))) for one in entries)


def in_vault(document: Any) -> dict[Whose, Rights]:
    """The entries of a vault's document."""
    return policies_of(parts(part(document, "properties"), "accessPolicies"))


def whose_of(entry: Mapping[str, Any]) -> Whose:
    """Whom an entry is for."""
    told = (str(entry.get(name) or "").lower() for name in ("tenantId", "objectId", "applicationId"))
    return Whose(*told)


def rights_of(permissions: Mapping[str, Any]) -> Rights:
    """Words by collection."""
    found = {name: permissions.get(name) for name in COLLECTIONS}
    return {name: frozenset(str(word).lower() for word in words) for name, words in found.items() if words}


def with_rights(entries: Iterable[tuple[Whose, Rights]]) -> dict[Whose, Rights]:
    """Those that have any."""
    return {whose: rights for whose, rights in entries if rights}


def added(before: Rights, told: Rights) -> Rights:
    """These rights and those."""
    return _each(before, told, frozenset.union)


def removed(before: Rights, told: Rights) -> Rights:
    """The rights but for those; nothing where none are named."""
    return _each(before, told, frozenset.difference) if told else {}


def replaced(before: Rights, told: Rights) -> Rights:
    """Those alone."""
    return told


def changes(before: Policies, after: Policies) -> list[dict[str, Any]]:
    """Who has other rights after than before: for each, both; None for nothing."""
    return [
        _change(whose, before.get(whose), after.get(whose))
        for whose in sorted({*before, *after})
        if before.get(whose) != after.get(whose)
    ]


def dropped(before: Policies, after: Policies) -> list[Whose]:
    """Who has rights before and none after."""
    return sorted(whose for whose in before if whose not in after)


def shown(rights: Rights | None) -> dict[str, list[str]] | None:
    """Rights in the order of the collections, words sorted."""
    return {name: sorted(rights[name]) for name in COLLECTIONS if name in rights} if rights else None


def digest(state: Any) -> str:
    """What tells one state of a vault from another: of JSON, by its contents."""
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()[:16]


def digest_of(policies: Policies) -> str:
    """The same of policies."""
    return digest([[*whose, shown(rights)] for whose, rights in sorted(policies.items())])


def _each(before: Rights, told: Rights, combine: Callable[[frozenset[str], frozenset[str]], frozenset[str]]) -> Rights:
    none: frozenset[str] = frozenset()
    made = {name: combine(before.get(name, none), told.get(name, none)) for name in COLLECTIONS}
    return {name: words for name, words in made.items() if words}


def _change(whose: Whose, before: Rights | None, after: Rights | None) -> dict[str, Any]:
    who = {"principalId": whose.principal, "applicationId": whose.application or None}
    return {**who, "before": shown(before), "after": shown(after)}
