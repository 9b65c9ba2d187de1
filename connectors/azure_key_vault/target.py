"""Writing secrets: compare first, write only real changes, carry forward what the mapping does not name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from connectors.azure_key_vault.model import LAG_SECONDS, SecretProperties
from connectors.azure_key_vault.schemas import WRITABLE_FIELDS, load_record
from connectors.azure_key_vault.secrets import VaultSecrets
from connectors.azure_key_vault.standing import Standing, look
from connectors.azure_key_vault.write import PROPERTIES, Write, parameters
from connectors.connector import Target
from connectors.errors import Conflict, SettingsError
from connectors.model import Change, Effect, Known, Record, WriteOptions
from iclients.clock import Clock

LISTING_HOLDS_SECONDS: Final = 30.0
"""So long the listing's word is taken that a name is free; later each create costs a look (ADR 0004)."""
_OPERATIONS: Final = ("add", "update", "upsert")
_MANAGED: Final = 1
_UPDATING: Final = ":updating"
"""Ends the fingerprint of a planned update, so that a run that takes over tells it from a create."""


class SecretsTarget(Target):
    """The secrets of a vault as the place to write to. Needs list, get and set."""

    def __init__(
        self, secrets: VaultSecrets, options: WriteOptions, fingerprint: Callable[[bytes], str], clock: Clock
    ) -> None:
        """Raises SettingsError where the operation or a mapped field cannot be."""
        _check_options(options)
        self.identity = f"azure-key-vault:{secrets.vault.host}/secrets"
        self._secrets = secrets
        self._options = options
        self._fingerprint = fingerprint
        self._clock = clock
        self._listed: dict[str, int] = {}
        self._listed_at = clock.monotonic()

    def begin(self, resume: Mapping[str, Any] | None, known: Known | None) -> bool:
        self._listed_at = self._clock.monotonic()
        for items, _ in self._secrets.pages():
            self._listed.update({item.name.lower(): _packed(item) for item in items})
        return True

    def key(self, fields: Mapping[str, Any]) -> str | None:
        key = super().key(fields)
        return key.lower() if key else None

    def is_current(self, key: str, known: Known) -> bool:
        listed = self._listed.get(key)
        return listed is not None and known.marker == str(listed >> 1)

    def assess(self, record: Record, known: Known | None) -> Change:
        wanted = load_record(record.fields)
        name = wanted["name"]
        known = known or Known()
        fingerprint = self._fingerprint(_canonical(wanted))
        listed = self._listed.get(name.lower())
        if listed is None and self._clock.monotonic() - self._listed_at < LISTING_HOLDS_SECONDS:
            return self._missing(wanted, fingerprint)
        if listed is not None and listed & _MANAGED:
            return self._managed(name)
        if known.fingerprint == fingerprint and self.is_current(name.lower(), known):
            return Change(Effect.UNCHANGED, fingerprint, known.marker, known.owned)
        there = look(self._secrets, name)
        if there is None:
            return self._missing(wanted, fingerprint)
        return self._compared(wanted, there, fingerprint, known)

    def write(self, record: Record, change: Change) -> Change:
        fingerprint = change.fingerprint.removesuffix(_UPDATING)
        write = change.payload
        if write is None:
            return replace(change, fingerprint=fingerprint)
        try:
            written = write.carry_out(self._secrets, self._clock)
        except Conflict as error:
            return Change(Effect.CONFLICT, code=error.code, reason=str(error))
        return Change(change.effect, fingerprint, str(written.updated), owned=True)

    def _missing(self, wanted: dict[str, Any], fingerprint: str) -> Change:
        if self._options.operation == "update":
            return Change(Effect.SKIPPED, reason="it is not there to be updated")
        return Change(Effect.CREATED, fingerprint, owned=True, payload=Write(wanted["name"], parameters(wanted)))

    def _compared(self, wanted: dict[str, Any], there: Standing, fingerprint: str, known: Known) -> Change:
        if there.properties.managed:
            return self._managed(wanted["name"])
        if _is_equal(wanted, there) or _is_our_create(wanted, there, fingerprint, known):
            return self._already_there(fingerprint, there.properties, known)
        if self._options.operation == "add":
            return Change(Effect.SKIPPED, reason="it is already there")
        if not (known.owned or self._options.adopt or self._is_what_we_meant(wanted, there, known)):
            return self._unowned(wanted["name"])
        return Change(Effect.UPDATED, fingerprint + _UPDATING, owned=True, payload=_update(wanted, there))

    def _already_there(self, fingerprint: str, now: SecretProperties, known: Known) -> Change:
        """Equal: nothing to write. If an earlier attempt meant to write exactly this, the write was ours."""
        is_settled = now.updated is not None and self._clock.now() - now.updated >= LAG_SECONDS
        marker = str(now.updated) if is_settled else ""
        if known.intent.removesuffix(_UPDATING) == fingerprint:
            is_update = known.owned or known.intent.endswith(_UPDATING)
            return Change(Effect.UPDATED if is_update else Effect.CREATED, known.intent, marker, owned=True)
        return Change(Effect.UNCHANGED, fingerprint, marker, known.owned)

    def _is_what_we_meant(self, wanted: Mapping[str, Any], there: Standing, known: Known) -> bool:
        """Whether an earlier attempt wrote what is there, although the source has changed since."""
        if there.value is None or not known.intent:
            return False
        fields = {key: getattr(there.properties, key) for key in PROPERTIES if key in wanted}
        meant = {"name": wanted["name"], "value": there.value.reveal(), **fields}
        return known.intent.removesuffix(_UPDATING) == self._fingerprint(_canonical(meant))

    def _managed(self, name: str) -> Change:
        return Change(
            Effect.CONFLICT,
            code="managed",
            reason=f"{name} in {self._secrets.vault.host} belongs to a certificate: import the certificate instead.",
        )

    def _unowned(self, name: str) -> Change:
        return Change(
            Effect.CONFLICT,
            code="unowned",
            reason=f"{name} is in {self._secrets.vault.host} already and no flow of ours wrote it: "
            "set adopt: true to overwrite it.",
        )


def _check_options(options: WriteOptions) -> None:
    if options.operation not in _OPERATIONS:
        raise SettingsError(
            f"Secrets cannot be imported with operation {options.operation}; it can be: upsert, add, update."
        )
    unknown = [field for field in options.fields if field not in WRITABLE_FIELDS]
    if unknown:
        raise SettingsError(
            f"The mapping names {unknown[0]}, which a vault does not let anybody write; it takes: "
            f"{', '.join(WRITABLE_FIELDS)}."
        )
    missing = [field for field in ("name", "value") if options.fields and field not in options.fields]
    if missing:
        raise SettingsError(f"The mapping does not name {missing[0]}, which every secret needs.")


def _packed(item: SecretProperties) -> int:
    """What the target remembers of a listed secret, in one number: a vault may hold very many."""
    return ((item.updated or 0) << 1) | (_MANAGED if item.managed else 0)


def _is_equal(wanted: Mapping[str, Any], there: Standing) -> bool:
    return there.has_value(wanted["value"]) and _same_properties(wanted, there.properties)


def _is_our_create(wanted: Mapping[str, Any], there: Standing, fingerprint: str, known: Known) -> bool:
    """A disabled secret shows no value; but where we meant to create just this one, it is ours."""
    was_meant = known.intent == fingerprint and not known.owned
    return there.value is None and was_meant and _same_properties(wanted, there.properties)


def _update(wanted: Mapping[str, Any], there: Standing) -> Write:
    """Attributes alone where that is enough, else a new version with all that the mapping does not name."""
    name, now = wanted["name"], there.properties
    if there.has_value(wanted["value"]) and not _clears(wanted, now):
        return Write(name, parameters({key: wanted[key] for key in wanted if key != "value"}), now.version or "")
    carried = {key: getattr(now, key) for key in PROPERTIES if key not in wanted}
    return Write(name, parameters({**carried, **wanted}), before=now.version)


def _same_properties(wanted: Mapping[str, Any], now: SecretProperties) -> bool:
    return all(_meaning(key, wanted[key]) == _meaning(key, getattr(now, key)) for key in PROPERTIES if key in wanted)


def _meaning(key: str, value: Any) -> Any:
    """Not set, empty and the default mean the same."""
    if key == "enabled":
        return value is not False
    return value or None


def _clears(wanted: Mapping[str, Any], now: SecretProperties) -> bool:
    """Whether something that is set must go: only a new version can do that."""
    names = ("content_type", "not_before", "expires")
    return any(name in wanted and wanted[name] is None and getattr(now, name) is not None for name in names)


def _canonical(wanted: Mapping[str, Any]) -> bytes:
    meaning = {key: _meaning(key, value) if key in PROPERTIES else value for key, value in wanted.items()}
    return json.dumps({**meaning, "name": wanted["name"].lower()}, sort_keys=True).encode()
