"""What a record wants a secret to be: its fields under the import's rules, compared with what is there.

An attribute that neither the mapping nor `clear` names is kept; one that is there and empty is cleared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from connectors.azure_key_vault.model import MOST_TAGS, ORIGINAL_NAME_TAG, SecretProperties
from connectors.azure_key_vault.schemas import load_record
from connectors.azure_key_vault.secret_writing.rules import EXACT, MERGE, ImportRules
from connectors.azure_key_vault.secret_writing.standing import Standing
from connectors.azure_key_vault.secret_writing.write import PROPERTIES, Write, parameters
from connectors.equality import equal
from connectors.errors import RecordError

Wanted = dict[str, Any]
"""Name, value, and of the other fields those that are to be set or (None) cleared."""
_ORIGINAL_NAME: Final = "original_name"


def wanted_of(fields: Mapping[str, Any], rules: ImportRules) -> Wanted:
    """A record as what shall be written. Raises RecordError."""
    return {**load_record(fields), **dict.fromkeys(rules.clear)}


def settled(wanted: Wanted, there: Mapping[str, str], rules: ImportRules) -> Wanted:
    """The same with the tags that shall be there in the end, given those that are there now. Raises RecordError."""
    if "tags" not in wanted and _ORIGINAL_NAME not in wanted:
        return wanted
    keeps = "tags" not in wanted or (rules.tags == MERGE and "tags" not in rules.clear)
    tags = {**(there if keeps else {}), **(wanted.get("tags") or {})}
    if _ORIGINAL_NAME in wanted:
        tags.pop(ORIGINAL_NAME_TAG, None)
        if wanted[_ORIGINAL_NAME]:
            tags[ORIGINAL_NAME_TAG] = wanted[_ORIGINAL_NAME]
    if len(tags) > MOST_TAGS:
        raise RecordError(
            f"{wanted['name']} would have {len(tags)} tags{_kept(there, wanted, tags)}; Key Vault takes at most "
            f"{MOST_TAGS}: map fewer.",
            code="too_many_tags",
        )
    return {**{key: value for key, value in wanted.items() if key != _ORIGINAL_NAME}, "tags": tags}


def canonical(wanted: Wanted, rules: ImportRules) -> bytes:
    """What fingerprints are made of: two records that want the same, under the same rules, have one."""
    meaning = {key: _meaning(key, value) if key in PROPERTIES else value for key, value in wanted.items()}
    told = {"rules": rules.meaning} if rules.meaning else {}
    return json.dumps({**meaning, **told, "name": wanted["name"].lower()}, sort_keys=True).encode()


def meant(wanted: Wanted, there: Standing, rules: ImportRules) -> Wanted:
    """A record of the same fields that would have made what is there; its value must be shown."""
    tags = dict(there.properties.tags)
    fields: Wanted = {key: getattr(there.properties, key) for key in PROPERTIES if key in wanted}
    if _ORIGINAL_NAME in wanted:
        fields[_ORIGINAL_NAME] = tags.pop(ORIGINAL_NAME_TAG, None)
    if "tags" in fields:
        named = wanted["tags"] or {}
        fields["tags"] = {key: tags[key] for key in tags if key in named} if rules.tags == MERGE else tags
    return {"name": wanted["name"], "value": there.value.reveal() if there.value else None, **fields}


def has_value(wanted: Wanted, there: Standing, rules: ImportRules) -> bool:
    """Whether it shows what is wanted, by the rules of the import."""
    if there.value is None or rules.compare == EXACT:
        return there.has_value(wanted["value"])
    content_type = wanted.get("content_type", there.properties.content_type)
    return equal(wanted["value"], there.value.reveal(), content_type, newlines=rules.newlines)


def same_properties(wanted: Wanted, now: SecretProperties) -> bool:
    """Whether everything but the value is as wanted."""
    return all(_meaning(key, wanted[key]) == _meaning(key, getattr(now, key)) for key in PROPERTIES if key in wanted)


def is_equal(wanted: Wanted, there: Standing, rules: ImportRules) -> bool:
    """Whether there is nothing to write."""
    return has_value(wanted, there, rules) and same_properties(wanted, there.properties)


def update(wanted: Wanted, there: Standing, rules: ImportRules) -> Write:
    """Attributes alone where that is enough, else a new version with all that is kept."""
    name, now = wanted["name"], there.properties
    if has_value(wanted, there, rules) and not _clears(wanted, now):
        return Write(name, parameters({key: wanted[key] for key in wanted if key != "value"}), now.version or "")
    kept = {key: getattr(now, key) for key in PROPERTIES if key not in wanted}
    return Write(name, parameters({**kept, **wanted}), before=now.version)


def _kept(there: Mapping[str, str], wanted: Wanted, tags: Mapping[str, str]) -> str:
    kept = [name for name in there if name in tags and name not in (wanted.get("tags") or {})]
    return f" with the {len(kept)} that are kept" if kept else ""


def _meaning(key: str, value: Any) -> Any:
    """Not set, empty and the default mean the same."""
    if key == "enabled":
        return value is not False
    return value or None


def _clears(wanted: Wanted, now: SecretProperties) -> bool:
    """Whether something that is set must go: only a new version can do that."""
    names = ("content_type", "not_before", "expires")
    return any(name in wanted and wanted[name] is None and getattr(now, name) is not None for name in names)
