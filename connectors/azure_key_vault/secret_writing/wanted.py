"""What a record wants a secret to be: its fields under the import's rules, compared with what is there.

An attribute that neither the mapping nor `clear` names is kept; one that is there and empty is cleared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from connectors.azure_key_vault.model import SecretProperties
from connectors.azure_key_vault.schemas import load_record
from connectors.azure_key_vault.secret_writing.standing import Standing
from connectors.azure_key_vault.secret_writing.write import PROPERTIES, Write, parameters
from connectors.azure_key_vault.writing.rules import EXACT, ImportRules
from connectors.azure_key_vault.writing.tags import meant_tags
from connectors.equality import equal

Wanted = dict[str, Any]
"""Name, value, and of the other fields those that are to be set or (None) cleared."""


def wanted_of(fields: Mapping[str, Any], rules: ImportRules) -> Wanted:
    """A record as what shall be written. Raises RecordError."""
    return {**load_record(fields), **dict.fromkeys(rules.clear)}


def canonical(wanted: Wanted, rules: ImportRules) -> bytes:
    """What fingerprints are made of: two records that want the same, under the same rules, have one."""
    meaning = {key: _meaning(key, value) if key in PROPERTIES else value for key, value in wanted.items()}
    told = {"rules": rules.meaning} if rules.meaning else {}
    return json.dumps({**meaning, **told, "name": wanted["name"].lower()}, sort_keys=True).encode()


def meant(wanted: Wanted, there: Standing, rules: ImportRules) -> Wanted:
    """A record of the same fields that would have made what is there; its value must be shown."""
    fields: Wanted = {key: getattr(there.properties, key) for key in PROPERTIES if key in wanted}
    fields.update(meant_tags(wanted, there.properties.tags, rules))
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


def _meaning(key: str, value: Any) -> Any:
    """Not set, empty and the default mean the same."""
    if key == "enabled":
        return value is not False
    return value or None


def _clears(wanted: Wanted, now: SecretProperties) -> bool:
    """Whether something that is set must go: only a new version can do that."""
    names = ("content_type", "not_before", "expires")
    return any(name in wanted and wanted[name] is None and getattr(now, name) is not None for name in names)
