"""Tokens of a consent: refreshed by one process at a time, and kept before they are used.

A provider may revoke the whole family of tokens when a refresh token is used twice, and a crash may come between the
exchange and the saving. So one process at a time refreshes; it reads again what is kept before it does; it writes a
note before it asks, and the new refresh token before anybody sees the new access token. Who finds a note whose writer
is gone tries the old refresh token first: many providers still take it. Source: RFC 6749 §6, §10.4; RFC 9700 §4.14.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from typing import Final, Protocol

from iclients.clock import Clock
from iclients.errors import AnswerLost, MalformedAnswer, NotAuthorized, Recovery, RemoteError
from iclients.grants import Grants
from iclients.model import Consent, Token

FINAL: Final = frozenset(
    {
        "access_denied",
        "account_selection_required",
        "consent_required",
        "interaction_required",
        "invalid_grant",
        "login_required",
    }
)
"""Refusals of a refresh after which only a person can help (RFC 6749 §5.2, OpenID Connect Core §3.1.2.6)."""


class ConsentReplaced(Exception):
    """Another consent, or another refresh, is kept by now: read again."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A consent as it is kept, with the number of its version."""

    consent: Consent
    version: int
    exchanging_since: float | None = None
    """An exchange of this refresh token began then and never ended: the process that began it is gone."""


class ConsentKeeper(Protocol):
    """Where the consent of one connection is kept, sealed."""

    def exclusive(self) -> AbstractContextManager[None]:
        """Only one holder in all processes of this installation; a holder that dies lets go."""

    def get(self) -> Kept | None:
        """The consent as it is kept now."""

    def note(self, version: int, now: float) -> None:
        """An exchange of this version's refresh token begins: written before it is sent."""

    def save(self, consent: Consent, version: int | None) -> None:
        """Keep this one instead of that version (None: of whatever is there), durably, and take the note away.

        Raises ConsentReplaced where another version is there by now.
        """

    def clear_note(self, version: int) -> None:
        """The exchange has ended, and the refresh token is the one that it was."""


class ConsentedTokens:
    """Gives the tokens of one connection's consent, at the place that it was given for and at no other."""

    def __init__(self, connection: str, grants: Grants, keeper: ConsentKeeper, clock: Clock, place: str = "") -> None:
        self._connection = connection
        self._grants = grants
        self._keeper = keeper
        self._clock = clock
        self._place = place

    def acquire(self, scopes: tuple[str, ...], refused: Token | None, claims: str = "") -> Token:
        """A token other than the refused one: a fresh one, or the kept one while it serves and the provider does not.

        Raises NotAuthorized where a person must consent (again), and whatever else refreshing raises.
        """
        with self._keeper.exclusive():
            kept = self._kept()
            token = _other_than(refused, kept.consent.token_for(scopes))
            if token is not None and not claims and token.is_fresh(self._clock.now()):
                return token
            try:
                return self._refreshed(kept, scopes, claims)
            except RemoteError as error:
                if error.recovery is Recovery.RETRY and token is not None and token.is_valid(self._clock.now()):
                    return token
                raise

    def keep_alive(self) -> None:
        """Use the refresh token once, so that the provider does not forget it: for connections that idle.

        Raises what `acquire` raises; nothing where the consent has no refresh token.
        """
        with self._keeper.exclusive():
            kept = self._kept()
            asked = next((token.asked for token in kept.consent.tokens), kept.consent.scopes)
            if kept.consent.refresh_token is not None:
                self._refreshed(kept, asked, "")

    def _kept(self) -> Kept:
        kept = self._keeper.get()
        if kept is None:
            raise self._unauthorized("has not been authorized yet")
        if kept.consent.given_to not in ("", self._place):
            raise self._unauthorized(
                "goes to another place than the one that its consent was given for", "consent_elsewhere"
            )
        return kept

    def _refreshed(self, kept: Kept, scopes: tuple[str, ...], claims: str) -> Token:
        """A new token, kept. Called by the one holder only."""
        refresh_token = kept.consent.refresh_token
        if refresh_token is None:
            raise self._unauthorized("was given no refresh token, and its access has ended")
        self._keeper.note(kept.version, self._clock.now())
        try:
            token = self._grants.refresh(refresh_token, scopes, claims)
        except RemoteError as error:
            if not isinstance(error, AnswerLost | MalformedAnswer):  # after these it may have been carried out
                self._keeper.clear_note(kept.version)
            return self._after_refusal(error, kept, scopes)
        with suppress(ConsentReplaced):  # somebody authorized anew meanwhile: what they keep stays
            self._keeper.save(replace(kept.consent.with_token(token), given_to=self._place), kept.version)
        return token

    def _after_refusal(self, error: RemoteError, kept: Kept, scopes: tuple[str, ...]) -> Token:
        """What another process has kept meanwhile, else the error: it is final only for the token that was used."""
        if error.code not in FINAL:
            raise error
        newest = self._kept()
        token = newest.consent.token_for(scopes)
        if newest.version != kept.version and token is not None and token.is_fresh(self._clock.now()):
            return token
        if isinstance(error, NotAuthorized) and error.claims:
            with suppress(ConsentReplaced):
                self._keeper.save(replace(kept.consent, claims=error.claims), kept.version)
        if kept.exchanging_since is not None and error.code == "invalid_grant":
            raise self._unauthorized(
                "lost its tokens when a process ended in the middle of refreshing them", code="interrupted_refresh"
            ) from error
        raise error

    def _unauthorized(self, why: str, code: str = "not_consented") -> NotAuthorized:
        return NotAuthorized(
            f"Connection {self._connection} {why}: run `integrator connections authorize {self._connection}`.",
            code=code,
        )


def _other_than(refused: Token | None, kept: Token | None) -> Token | None:
    if refused is None or kept is None:
        return kept
    return None if kept.access_token == refused.access_token else kept
