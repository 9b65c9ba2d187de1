"""One write to a secret, carried out once: after a lost answer the secret is looked at before it is set again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.azure_key_vault.model import SecretProperties
from connectors.azure_key_vault.secret_writing.standing import Standing, look
from connectors.azure_key_vault.vault.objects import UNCLEAR
from connectors.azure_key_vault.vault.secrets import VaultSecrets
from connectors.errors import Refused
from connectors.rest import CALL_RETRYING
from iclients.clock import Clock
from iclients.errors import AnswerLost

PROPERTIES: Final = ("content_type", "enabled", "not_before", "expires", "tags")
"""What can be written beside name and value."""
_ATTRIBUTES: Final = (("enabled", "enabled"), ("not_before", "nbf"), ("expires", "exp"))


@dataclass(frozen=True, slots=True)
class Write:
    """One call to make: a new version, or (with `version`) attributes of the one that is there.

    `before` is the version that was the latest when this was planned, None where there was no secret.
    """

    name: str
    parameters: dict[str, Any]
    version: str = ""
    before: str | None = None

    def __repr__(self) -> str:
        return f"Write({self.name!r})"

    @property
    def makes_version(self) -> bool:
        """Whether it makes a new version."""
        return not self.version

    def carry_out(self, secrets: VaultSecrets, clock: Clock) -> SecretProperties:
        """What it made. Raises Refused only where nothing was written, AnswerLost where that is not known."""
        if self.version:
            return secrets.update(self.name, self.parameters, self.version)
        is_repeated = False

        def look_then_set() -> SecretProperties:
            nonlocal is_repeated
            found = self._made(secrets) if is_repeated else None
            is_repeated = True
            return found or secrets.set(self.name, self.parameters)

        return CALL_RETRYING.call(look_then_set, clock, lambda error: isinstance(error, UNCLEAR))

    def _made(self, secrets: VaultSecrets) -> SecretProperties | None:
        """What is there, if it is what this write should have made."""
        try:
            there = look(secrets, self.name)
        except Refused as error:
            message = f"The answer to writing {self.name} was lost: run again to see whether it was written."
            lost = AnswerLost(f"{error} {message}", code=error.code)
            lost.was_retried = True  # another look would be refused likewise
            raise lost from error
        return there.properties if there is not None and self._is_made_of(there) else None

    def _is_made_of(self, there: Standing) -> bool:
        """A disabled secret shows no value, but its version is not the one that was there before."""
        wanted = _filled(self.parameters)
        value = wanted.pop("value")
        if _filled(parameters({key: getattr(there.properties, key) for key in PROPERTIES})) != wanted:
            return False
        return there.has_value(value) if there.value is not None else there.properties.version != self.before


def parameters(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """SecretSetParameters or SecretUpdateParameters: only what is set."""
    written: dict[str, Any] = {"value": wanted["value"]} if "value" in wanted else {}
    if wanted.get("content_type"):
        written["contentType"] = wanted["content_type"]
    attributes = {wire: wanted[name] for name, wire in _ATTRIBUTES if wanted.get(name) is not None}
    if attributes:
        written["attributes"] = attributes
    if "tags" in wanted:
        written["tags"] = dict(wanted["tags"] or {})
    return written


def _filled(written: Mapping[str, Any]) -> dict[str, Any]:
    """With what a vault fills in: enabled, and no tags."""
    return {"tags": {}, **written, "attributes": {"enabled": True, **written.get("attributes", {})}}
