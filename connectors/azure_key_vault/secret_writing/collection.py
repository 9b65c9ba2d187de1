"""The secrets of a vault as their target sees them: compared by value and attributes, written by set or update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from connectors.azure_key_vault.model import SecretProperties
from connectors.azure_key_vault.secret_writing.standing import Standing, look
from connectors.azure_key_vault.secret_writing.wanted import (
    Wanted,
    canonical,
    is_equal,
    meant,
    same_properties,
    update,
    wanted_of,
)
from connectors.azure_key_vault.secret_writing.write import Write, parameters
from connectors.azure_key_vault.vault.secrets import VaultSecrets
from connectors.azure_key_vault.writing.collection import Collection
from connectors.azure_key_vault.writing.deed import Aim, Wish
from connectors.azure_key_vault.writing.rules import ImportRules
from connectors.azure_key_vault.writing.tags import ORIGINAL_NAME, settled
from iclients.clock import Clock


class SecretsCollection(Collection[Wanted, Standing, Write]):
    """The secrets of one vault. Needs get and set; list for those that are disabled."""

    noun: ClassVar[str] = "secret"

    def __init__(self, secrets: VaultSecrets, rules: ImportRules, clock: Clock) -> None:
        self.objects = self._secrets = secrets
        self._rules = rules
        self._clock = clock

    def wish(self, fields: Mapping[str, Any]) -> Wish[Wanted]:
        wanted = wanted_of(fields, self._rules)
        settled(wanted, {}, self._rules)  # tags that are too many by themselves are told before any call
        return Wish(wanted, wanted["name"], wanted.get(ORIGINAL_NAME))

    def canonical(self, wanted: Wanted) -> bytes:
        return canonical(wanted, self._rules)

    def meant(self, aim: Aim[Wanted], there: Standing) -> bytes | None:
        return None if there.value is None else self.canonical(meant(aim.wanted, there, self._rules))

    def look(self, name: str) -> Standing | None:
        return look(self._secrets, name)

    def is_equal(self, aim: Aim[Wanted], there: Standing) -> bool:
        return is_equal(self._final(aim, there), there, self._rules)

    def may_be_made(self, aim: Aim[Wanted], there: Standing) -> bool:
        return there.value is None and same_properties(self._final(aim, there), there.properties)

    def create(self, aim: Aim[Wanted]) -> Write:
        return Write(aim.name, parameters(settled(aim.wanted, {}, self._rules)))

    def update(self, aim: Aim[Wanted], there: Standing) -> Write:
        return update({**self._final(aim, there), "name": aim.name}, there, self._rules)

    def carry_out(self, write: Write) -> SecretProperties:
        return write.carry_out(self._secrets, self._clock)

    def _final(self, aim: Aim[Wanted], there: Standing) -> Wanted:
        return settled(aim.wanted, there.properties.tags, self._rules)
