"""Tokens of a consent: refreshed by one process at a time, and kept before they are used.

A provider may revoke the whole family of tokens when a refresh token is used twice, and a crash may come between the
exchange and the saving: so one process at a time refreshes, it reads again what is kept before it does, and it keeps
the new refresh token before anybody sees the new access token.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

from iclients.clock import Clock
from iclients.errors import NotAuthorized, Recovery, RemoteError
from iclients.grants import Grants
from iclients.model import Consent, Token


class ConsentKeeper(Protocol):
    """Where the consent of one connection is kept, sealed."""

    def exclusive(self) -> AbstractContextManager[None]:
        """Only one holder in all processes of this installation; a holder that dies lets go."""

    def get(self) -> Consent | None:
        """The consent as it is kept now."""

    def save(self, consent: Consent) -> None:
        """Keep this one instead, durably."""


class ConsentedTokens:
    """Gives the tokens of one connection's consent for one set of scopes."""

    def __init__(self, connection: str, grants: Grants, keeper: ConsentKeeper, clock: Clock) -> None:
        self._connection = connection
        self._grants = grants
        self._keeper = keeper
        self._clock = clock

    def acquire(self, scopes: tuple[str, ...], refused: Token | None) -> Token:
        """A token other than the refused one: a fresh one, or the kept one while it serves and the provider does not.

        Raises NotAuthorized where a person must consent (again), and whatever else refreshing raises.
        """
        with self._keeper.exclusive():
            consent = self._keeper.get()
            if consent is None:
                raise self._unauthorized("has not been authorized yet")
            kept = _other_than(refused, consent.token)
            if kept is not None and kept.is_fresh(self._clock.now()):
                return kept
            if consent.refresh_token is None:
                raise self._unauthorized("was given no refresh token, and its access has ended")
            try:
                token = self._grants.refresh(consent.refresh_token, scopes)
            except RemoteError as error:
                if error.recovery is Recovery.RETRY and kept is not None and kept.is_valid(self._clock.now()):
                    return kept
                raise
            self._keeper.save(replace(consent, refresh_token=token.refresh_token, token=token))
            return token

    def _unauthorized(self, why: str) -> NotAuthorized:
        return NotAuthorized(
            f"Connection {self._connection} {why}: run `integrator connections authorize {self._connection}`.",
            code="not_consented",
        )


def _other_than(refused: Token | None, kept: Token | None) -> Token | None:
    if refused is None or kept is None:
        return kept
    return None if kept.access_token == refused.access_token else kept
