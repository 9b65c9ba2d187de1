"""What the vault says, and what a record must be to become a secret: the two directions of the wire.

Source: Key Vault REST API, SecretBundle, SecretItem, SecretSetParameters, SecretAttributes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, validate

from connectors.azure_key_vault.model import (
    LONGEST_CONTENT_TYPE_CHARACTERS,
    LONGEST_NAME_CHARACTERS,
    LONGEST_TAG_CHARACTERS,
    LONGEST_VALUE_CHARACTERS,
    MOST_TAGS,
    NAME_PATTERN,
    SecretProperties,
    VaultSecret,
)
from connectors.errors import RecordError
from iclients.errors import MalformedAnswer
from iclients.secret import Secret

MOST_ITEMS: Final = 1_000
"""More on one page than any vault sends: 25 is its limit."""

_IN_TIME: Final = validate.Range(-(2**53), 2**53)


class _Attributes(Schema):
    class Meta:
        unknown = EXCLUDE

    enabled = fields.Boolean(load_default=True)
    nbf = fields.Integer(allow_none=True, load_default=None, validate=_IN_TIME)
    exp = fields.Integer(allow_none=True, load_default=None, validate=_IN_TIME)
    created = fields.Integer(allow_none=True, load_default=None, validate=_IN_TIME)
    updated = fields.Integer(allow_none=True, load_default=None, validate=_IN_TIME)


class _Bundle(Schema):
    class Meta:
        unknown = EXCLUDE

    id = fields.String(required=True)
    value = fields.String(load_default=None)
    contentType = fields.String(allow_none=True, load_default=None)
    attributes = fields.Nested(_Attributes, load_default=dict)
    tags = fields.Dict(keys=fields.String(), values=fields.String(), allow_none=True, load_default=None)
    managed = fields.Boolean(allow_none=True, load_default=False)
    x5t = fields.String(allow_none=True, load_default=None)


class _Page(Schema):
    class Meta:
        unknown = EXCLUDE

    value = fields.List(fields.Nested(_Bundle), allow_none=True, load_default=None)
    nextLink = fields.String(allow_none=True, load_default=None)


_BUNDLE: Final = _Bundle()
_PAGE: Final = _Page()


def load_page(document: Any) -> tuple[list[SecretProperties], str | None]:
    """A list answer: properties, and the link to the next page. Raises MalformedAnswer."""
    items = document.get("value") if isinstance(document, dict) else None
    if isinstance(items, list) and len(items) > MOST_ITEMS:
        raise MalformedAnswer(f"The vault's page has {len(items)} secrets; no vault sends so many.")
    loaded = _load(_PAGE, document)
    return [_properties(item) for item in loaded["value"] or ()], loaded["nextLink"] or None


def next_link(document: Any) -> str | None:
    """The link to the next page, read before the page itself is looked at."""
    link = document.get("nextLink") if isinstance(document, dict) else None
    return link if isinstance(link, str) and link else None


def load_properties(document: Any) -> SecretProperties:
    """An answer about one secret whose value does not matter. Raises MalformedAnswer."""
    return _properties(_load(_BUNDLE, document))


def load_secret(document: Any) -> VaultSecret:
    """A secret with its value. Raises MalformedAnswer."""
    loaded = _load(_BUNDLE, document)
    if loaded["value"] is None:
        raise MalformedAnswer("The vault answered without the secret's value.")
    return VaultSecret(_properties(loaded), Secret(loaded["value"]))


def _load(schema: Schema, document: Any) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = schema.load(document)
    except ValidationError as error:
        places = ", ".join(sorted(map(str, error.messages_dict)))
        raise MalformedAnswer(f"The vault's answer is not what its API promises: {places}.") from None
    return loaded


def _properties(loaded: Mapping[str, Any]) -> SecretProperties:
    name, version = _name_and_version(loaded["id"])
    attributes = loaded["attributes"]
    return SecretProperties(
        name=name,
        version=version,
        content_type=loaded["contentType"],
        enabled=attributes.get("enabled", True),
        not_before=attributes.get("nbf"),
        expires=attributes.get("exp"),
        created=attributes.get("created"),
        updated=attributes.get("updated"),
        tags=loaded["tags"] or {},
        managed=bool(loaded["managed"]),
        id=loaded["id"],
        thumbprint=loaded["x5t"] or "",
    )


def _name_and_version(identifier: str) -> tuple[str, str | None]:
    """From the path alone: an id may name another host than the one that was asked."""
    segments = [segment for segment in urlsplit(identifier).path.split("/") if segment]
    if len(segments) < 2:
        raise MalformedAnswer("The vault gave a secret an id without a name.")
    name = unquote(segments[1])
    if not re.fullmatch(NAME_PATTERN, name):
        raise MalformedAnswer("The vault gave a secret a name that no secret can have.")
    return name, segments[2] if len(segments) > 2 else None


class _ContentType(fields.Field[Any]):
    """A text; empty means not set. One that is made of a secret would show it to whoever lists."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str | None:
        if isinstance(value, Secret):
            raise ValidationError("is made of a secret, and everybody who lists the vault would see it")
        if not isinstance(value, str):
            raise ValidationError("is not a text")
        if len(value) > LONGEST_CONTENT_TYPE_CHARACTERS:
            raise ValidationError(f"is longer than {LONGEST_CONTENT_TYPE_CHARACTERS} characters")
        return value or None


class _Flag(fields.Boolean):
    """true or false, also as a file writes it; empty means not set."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return None if value == "" else super()._deserialize(value, attr, data, **kwargs)


class _Moment(fields.Field[int]):
    """ISO 8601 (UTC where it says nothing) or Unix seconds; empty means not set."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if value == "":
            return None
        try:
            if isinstance(value, int | float) and not isinstance(value, bool):
                return int(value)
            return _seconds(str(value))
        except (ValueError, OverflowError) as error:
            raise ValidationError("is not a moment: write 2026-11-12T03:00:00Z or Unix seconds") from error


class _Tags(fields.Dict):
    """A map of texts, also as JSON in a file's cell; empty means none."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, str):
            try:
                value = json.loads(value) if value else {}
            except (ValueError, RecursionError) as error:
                raise ValidationError('is not JSON such as {"owner": "payments"}') from error
        return super()._deserialize(value, attr, data, **kwargs)  # type: ignore[no-untyped-call]


class _OriginalName(fields.Field[Any]):
    """What becomes a tag of its own; empty means none."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str | None:
        if not isinstance(value, str):
            raise ValidationError("is not a text")
        if len(value) > LONGEST_TAG_CHARACTERS:
            raise ValidationError(
                f"has {len(value):,} characters; it is kept as a tag, which takes at most {LONGEST_TAG_CHARACTERS}"
            )
        return value or None


class _SecretToWrite(Schema):
    class Meta:
        unknown = RAISE

    name = fields.String(
        required=True,
        validate=validate.Regexp(rf"^{NAME_PATTERN}\Z", error="may have letters, digits and - only, at most 127"),
        error_messages={"invalid": "is not a text", "null": "is missing", "required": "is missing"},
    )
    value = fields.Raw(required=True, error_messages={"null": "is missing", "required": "is missing"})
    content_type = _ContentType(allow_none=True)
    enabled = _Flag(allow_none=True, error_messages={"invalid": "is neither true nor false"})
    not_before = _Moment(allow_none=True)
    expires = _Moment(allow_none=True)
    tags = _Tags(
        keys=fields.String(validate=validate.Length(max=LONGEST_TAG_CHARACTERS)),
        values=fields.String(validate=validate.Length(max=LONGEST_TAG_CHARACTERS)),
        allow_none=True,
        validate=validate.Length(max=MOST_TAGS, error=f"has more than {MOST_TAGS} entries"),
    )
    original_name = _OriginalName(allow_none=True)


_SECRET_TO_WRITE: Final = _SecretToWrite()
WRITABLE_FIELDS: Final = tuple(_SECRET_TO_WRITE.fields)
_VAULTS_OWN_FIELDS: Final = frozenset({"version", "created", "updated", "managed", "id"})
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def load_record(record_fields: Mapping[str, Any]) -> dict[str, Any]:
    """A record as what shall be written: checked, typed, the value as plain text. Raises RecordError.

    What the record does not have is not in the result; what it has empty is None there. What another vault tells of
    its own secret (version, times, id) is left out.
    """
    value = record_fields.get("value")
    text = value.reveal() if isinstance(value, Secret) else value
    _check_value(record_fields.get("name"), text)
    try:
        wanted = {key: record_fields[key] for key in record_fields if key not in _VAULTS_OWN_FIELDS}
        loaded: dict[str, Any] = _SECRET_TO_WRITE.load({**wanted, "value": text})
    except ValidationError as error:
        field, reason = _first_reason(error)
        raise RecordError(
            f"{_shown(record_fields.get('name'))}: {field} {reason}.", code=_CODES.get(field, f"invalid_{field}")
        ) from None
    return loaded


_CODES: Final[Mapping[str, str]] = {"name": "invalid_name"}
_PLAIN: Final[Mapping[str, str]] = {
    "Not a valid mapping type": 'is not a map such as {"owner": "payments"}',
    "Not a valid string": "is not a text",
}


def _check_value(name: Any, value: Any) -> None:
    name = _shown(name)
    if value == "":
        raise RecordError(f"{name}: value is empty; give one, or leave the record out.", code="invalid_value")
    if value is not None and not isinstance(value, str):
        raise RecordError(f"{name}: value is not a text; map a text to it.", code="invalid_value")
    if value is not None and len(value) > LONGEST_VALUE_CHARACTERS:
        raise RecordError(
            f"{name}: the value has {len(value):,} characters; Key Vault takes at most {LONGEST_VALUE_CHARACTERS:,} "
            "(25 KB).",
            code="value_too_large",
        )
    if value is not None and _SURROGATE.search(value):
        raise RecordError(
            f"{name}: the value has half of a character (a lone surrogate), which no vault can keep: correct the source.",
            code="invalid_value",
        )


def _first_reason(error: ValidationError) -> tuple[str, str]:
    field, reasons = next(iter(sorted(error.messages_dict.items())))
    while isinstance(reasons, dict):
        reasons = next(iter(reasons.values()))
    reason = str(reasons[0] if isinstance(reasons, list) else reasons).rstrip(".")
    return str(field), _PLAIN.get(reason, reason)


def _shown(name: Any) -> str:
    """The name in a sentence, unless it can be none: a value may have slipped into its column."""
    is_likely = isinstance(name, str) and 0 < len(name) <= LONGEST_NAME_CHARACTERS and name.isprintable()
    return str(name) if is_likely else "A record"


def _seconds(text: str) -> int:
    if text.lstrip("-").isdigit():
        return int(text)
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
