"""The tags that an object shall have in the end: mapped ones, those that are kept, and the original name among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.azure_key_vault.model import MOST_TAGS, ORIGINAL_NAME_TAG
from connectors.azure_key_vault.writing.rules import MERGE, ImportRules
from connectors.errors import RecordError

ORIGINAL_NAME: Final = "original_name"


def settled(wanted: Mapping[str, Any], there: Mapping[str, str], rules: ImportRules) -> dict[str, Any]:
    """The same with the tags that shall be there in the end, given those that are there now. Raises RecordError.

    `wanted` has the record's name, and of the other fields those that are to be set or (None) cleared.
    """
    if "tags" not in wanted and ORIGINAL_NAME not in wanted:
        return dict(wanted)
    keeps = "tags" not in wanted or (rules.tags == MERGE and "tags" not in rules.clear)
    tags = {**(there if keeps else {}), **(wanted.get("tags") or {})}
    if ORIGINAL_NAME in wanted:
        tags.pop(ORIGINAL_NAME_TAG, None)
        if wanted[ORIGINAL_NAME]:
            tags[ORIGINAL_NAME_TAG] = wanted[ORIGINAL_NAME]
    if len(tags) > MOST_TAGS:
        raise RecordError(
            f"{wanted['name']} would have {len(tags)} tags{_kept(there, wanted, tags)}; Key Vault takes at most "
            f"{MOST_TAGS}: map fewer.",
            code="too_many_tags",
        )
    return {**{key: value for key, value in wanted.items() if key != ORIGINAL_NAME}, "tags": tags}


def meant_tags(wanted: Mapping[str, Any], there: Mapping[str, str], rules: ImportRules) -> dict[str, Any]:
    """Tags and original name of a record of the same fields that would have made the tags that are there."""
    tags = dict(there)
    fields: dict[str, Any] = {}
    if ORIGINAL_NAME in wanted:
        fields[ORIGINAL_NAME] = tags.pop(ORIGINAL_NAME_TAG, None)
    if "tags" in wanted:
        named = wanted["tags"] or {}
        fields["tags"] = {key: tags[key] for key in tags if key in named} if rules.tags == MERGE else tags
    return fields


def _kept(there: Mapping[str, str], wanted: Mapping[str, Any], tags: Mapping[str, str]) -> str:
    kept = [name for name in there if name in tags and name not in (wanted.get("tags") or {})]
    return f" with the {len(kept)} that are kept" if kept else ""
