"""What a vault listed when a run began: which names are there, and in which state."""

from __future__ import annotations

from typing import Final

from connectors.azure_key_vault.model import SecretProperties
from connectors.azure_key_vault.writing.remembered import Marker
from iclients.clock import Clock

LISTING_HOLDS_SECONDS: Final = 30.0
"""So long the listing's word is taken that a name is free; later each create costs a look (ADR 0004)."""
_MANAGED: Final = 1


class Listing:
    """The names of one collection, without case: one number each, because a vault may hold very many."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_at = clock.monotonic()
        self._found: dict[str, int] = {}
        self._thumbprints: dict[str, str] = {}

    def begin(self) -> None:
        """From now on it holds for a while."""
        self._began_at = self._clock.monotonic()

    def add(self, listed: SecretProperties) -> None:
        """One that is there."""
        name = listed.name.lower()
        self._found[name] = ((listed.updated or 0) << 1) | (_MANAGED if listed.managed else 0)
        if listed.thumbprint:
            self._thumbprints[name] = listed.thumbprint

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._found

    @property
    def is_fresh(self) -> bool:
        """Whether it is still taken at its word that a name is free."""
        return self._clock.monotonic() - self._began_at < LISTING_HOLDS_SECONDS

    def is_managed(self, name: str) -> bool:
        """Whether it belongs to a certificate."""
        return bool(self._found.get(name.lower(), 0) & _MANAGED)

    def shows(self, name: str, marker: Marker) -> bool:
        """Whether it is there in the state that was remembered."""
        found = self._found.get(name.lower())
        if found is None or marker.updated != found >> 1:
            return False
        return marker.thumbprint == self._thumbprints.get(name.lower(), "")
