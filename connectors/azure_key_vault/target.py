"""Writing secrets: compare first, write only real changes, carry forward what the mapping does not name.

A write that makes a new version is never repeated blindly: after a lost answer the secret is read, and only if it is
not what was sent it is sent again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from connectors.azure_key_vault.errors import is_disabled
from connectors.azure_key_vault.model import LAG_SECONDS, SecretProperties, VaultSecret
from connectors.azure_key_vault.schemas import WRITABLE_FIELDS, load_record
from connectors.azure_key_vault.secrets import VaultSecrets
from connectors.connector import Target
from connectors.errors import Conflict, Forbidden, NotFound, SettingsError
from connectors.model import Change, Effect, Known, Record, WriteOptions
from connectors.rest import CALL_RETRYING
from iclients.clock import Clock
from iclients.errors import AnswerLost, MalformedAnswer

_ATTRIBUTES: Final = (("enabled", "enabled"), ("not_before", "nbf"), ("expires", "exp"))
_PROPERTIES: Final = ("content_type", "enabled", "not_before", "expires", "tags")
_OPERATIONS: Final = ("add", "update", "upsert")
_MANAGED, _ENABLED = 1, 2
_UNCLEAR: Final = (AnswerLost, MalformedAnswer)


@dataclass(frozen=True, slots=True)
class _Write:
    """One call to make: a new version, or (with `version`) attributes of the one that is there."""

    name: str
    parameters: dict[str, Any]
    version: str = ""
    is_new: bool = False

    def __repr__(self) -> str:
        return f"_Write({self.name!r})"


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
        self._disabled: dict[str, SecretProperties] = {}

    def begin(self, resume: Mapping[str, Any] | None, known: Known | None) -> bool:
        for items, _ in self._secrets.pages():
            self._listed.update({item.name.lower(): _packed(item) for item in items})
            self._disabled.update({item.name.lower(): item for item in items if not item.enabled})
        return True

    def key(self, fields: Mapping[str, Any]) -> str | None:
        key = super().key(fields)
        return key.lower() if key else None

    def is_current(self, key: str, known: Known) -> bool:
        listed = self._listed.get(key)
        return listed is not None and known.marker == str(listed >> 2)

    def assess(self, record: Record, known: Known | None) -> Change:
        wanted = load_record(record.fields)
        name = wanted["name"]
        known = known or Known()
        fingerprint = self._fingerprint(_canonical(wanted))
        listed = self._listed.get(name.lower())
        if listed is None:
            return self._missing(wanted, fingerprint)
        if listed & _MANAGED:
            return Change(
                Effect.CONFLICT,
                code="managed",
                reason=f"{name} in {self._secrets.vault.host} belongs to a certificate: import the certificate instead.",
            )
        if known.fingerprint == fingerprint and self.is_current(name.lower(), known):
            return Change(Effect.UNCHANGED, fingerprint, known.marker, known.owned)
        return self._compared(wanted, fingerprint, known)

    def write(self, record: Record, change: Change) -> Change:
        write = change.payload
        if write is None:
            return change
        try:
            written = self._carry_out(write)
        except Conflict as error:
            return Change(Effect.CONFLICT, code=error.code, reason=str(error))
        return Change(change.effect, change.fingerprint, str(written.updated), owned=True)

    def _missing(self, wanted: dict[str, Any], fingerprint: str) -> Change:
        if self._options.operation == "update":
            return Change(Effect.SKIPPED, reason="it is not there to be updated")
        write = _Write(wanted["name"], _parameters(wanted), is_new=True)
        return Change(Effect.CREATED, fingerprint, owned=True, payload=write)

    def _compared(self, wanted: dict[str, Any], fingerprint: str, known: Known) -> Change:
        name = wanted["name"]
        current = self._current(name)
        if current is None:
            return self._unseen(wanted, fingerprint, known)
        now = current.properties
        same_value = current.value.reveal() == wanted["value"]
        if same_value and _same_properties(wanted, now):
            return self._already_there(fingerprint, now, known)
        if self._options.operation == "add":
            return Change(Effect.SKIPPED, reason="it is already there")
        if known.intent and not known.owned and known.intent == self._fingerprint(_canonical(_like(wanted, current))):
            known = replace(known, owned=True)
        if not (known.owned or self._options.adopt):
            return self._unowned(name)
        if same_value and not _clears(wanted, now):
            parameters = _parameters({key: wanted[key] for key in wanted if key != "value"})
            return Change(Effect.UPDATED, fingerprint, owned=True, payload=_Write(name, parameters, now.version or ""))
        return self._replacement(wanted, now, fingerprint, known)

    def _unseen(self, wanted: dict[str, Any], fingerprint: str, known: Known) -> Change:
        """Its value cannot be compared: the vault shows no value of a disabled secret."""
        if self._options.operation == "add":
            return Change(Effect.SKIPPED, reason="it is already there")
        now = self._disabled.get(wanted["name"].lower())
        was_ours = known.intent == fingerprint and not (known.owned or self._options.adopt)
        if was_ours and now is not None and _same_properties(wanted, now):
            return self._already_there(fingerprint, now, known)
        return self._replacement(wanted, now, fingerprint, known)

    def _already_there(self, fingerprint: str, now: SecretProperties, known: Known) -> Change:
        """Equal: nothing to write. If an earlier attempt meant to write exactly this, the write was ours."""
        is_settled = now.updated is not None and self._clock.now() - now.updated >= LAG_SECONDS
        marker = str(now.updated) if is_settled else ""
        if known.intent and known.intent == fingerprint:
            effect = Effect.UPDATED if known.owned else Effect.CREATED
            return Change(effect, fingerprint, marker, owned=True)
        return Change(Effect.UNCHANGED, fingerprint, marker, known.owned)

    def _current(self, name: str) -> VaultSecret | None:
        """What is there now; None where it is disabled or gone, so that its value cannot be compared."""
        try:
            return self._secrets.get(name)
        except NotFound:
            return None
        except Forbidden as error:
            if is_disabled(error):
                return None
            raise

    def _replacement(
        self, wanted: dict[str, Any], now: SecretProperties | None, fingerprint: str, known: Known
    ) -> Change:
        if not (known.owned or self._options.adopt):
            return self._unowned(wanted["name"])
        carried = {key: getattr(now, key) for key in _PROPERTIES if now is not None and key not in wanted}
        parameters = _parameters({**carried, **wanted})
        return Change(Effect.UPDATED, fingerprint, owned=True, payload=_Write(wanted["name"], parameters))

    def _unowned(self, name: str) -> Change:
        return Change(
            Effect.CONFLICT,
            code="unowned",
            reason=f"{name} is in {self._secrets.vault.host} already and no flow of ours wrote it: "
            "set adopt: true to overwrite it.",
        )

    def _carry_out(self, write: _Write) -> SecretProperties:
        if write.version:
            return self._secrets.update(write.name, write.parameters, write.version)
        tries = 0

        def look_then_set() -> SecretProperties:
            nonlocal tries
            tries += 1
            found = self._find(write) if tries > 1 else None
            return found or self._secrets.set(write.name, write.parameters)

        return CALL_RETRYING.call(look_then_set, self._clock, lambda error: isinstance(error, _UNCLEAR))

    def _find(self, write: _Write) -> SecretProperties | None:
        """The secret, if it is what a write with a lost answer should have made it."""
        current = self._current(write.name)
        if current is None:
            return self._find_disabled(write) if write.is_new else None
        if current.value.reveal() != write.parameters["value"]:
            return None
        return current.properties if _plain(_parameters_of(current)) == _plain(write.parameters) else None

    def _find_disabled(self, write: _Write) -> SecretProperties | None:
        """A new secret that was written as disabled: no value of it is shown, but it was not there before."""
        try:
            found = next((item for items, _ in self._secrets.versions(write.name) for item in items), None)
        except NotFound:
            return None
        if found is None or found.enabled:
            return None
        return found if _plain(_parameters_of_properties(found)) == _plain(_without_value(write.parameters)) else None


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
    return ((item.updated or 0) << 2) | (_MANAGED if item.managed else 0) | (_ENABLED if item.enabled else 0)


def _parameters(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """SecretSetParameters or SecretUpdateParameters: only what is set."""
    parameters: dict[str, Any] = {"value": wanted["value"]} if "value" in wanted else {}
    if wanted.get("content_type"):
        parameters["contentType"] = wanted["content_type"]
    attributes = {wire: wanted[name] for name, wire in _ATTRIBUTES if wanted.get(name) is not None}
    if attributes:
        parameters["attributes"] = attributes
    if "tags" in wanted:
        parameters["tags"] = dict(wanted["tags"] or {})
    return parameters


def _parameters_of(secret: VaultSecret) -> dict[str, Any]:
    return {"value": secret.value.reveal(), **_parameters_of_properties(secret.properties)}


def _parameters_of_properties(properties: SecretProperties) -> dict[str, Any]:
    return _parameters({key: getattr(properties, key) for key in _PROPERTIES})


def _without_value(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {key: part for key, part in parameters.items() if key != "value"}


def _like(wanted: Mapping[str, Any], current: VaultSecret) -> dict[str, Any]:
    """What is there now, in the fields that are wanted: what an earlier attempt may have written."""
    there = {key: getattr(current.properties, key) for key in _PROPERTIES if key in wanted}
    return {"name": wanted["name"], "value": current.value.reveal(), **there}


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """With what a vault fills in: enabled, and no tags."""
    attributes = {"enabled": True, **parameters.get("attributes", {})}
    return {"tags": {}, **parameters, "attributes": attributes}


def _same_properties(wanted: Mapping[str, Any], now: SecretProperties) -> bool:
    return all(_meaning(key, wanted[key]) == _meaning(key, getattr(now, key)) for key in _PROPERTIES if key in wanted)


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
    meaning = {key: _meaning(key, value) if key in _PROPERTIES else value for key, value in wanted.items()}
    return json.dumps({**meaning, "name": wanted["name"].lower()}, sort_keys=True).encode()
