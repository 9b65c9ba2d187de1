"""Who may do what: every permission check of the application is here, and whatever is not said here is refused.

Today administrators may do everything and others may read. What depends on the thing itself (its owners, those it is
shared with) comes in by `thing`, so that no caller changes when that is told apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from integrator.store.moments import iso

ADMINISTRATOR: Final = "administrator"
READER: Final = "reader"
ROLES: Final = (ADMINISTRATOR, READER)

READ: Final = "read"
CHANGE: Final = "change"
OWN: Final = "own"
"""What concerns nobody but the user themselves: their password, their sessions, what they see."""

PUBLIC: Final = frozenset(
    {
        "static",
        "sign_in.form",
        "sign_in.begun",
        "setting_up.form",
        "setting_up.done",
        "callback.ended",
        "consent.shown",
        "consent.begun",
        "health.live",
        "health.ready",
        "health.proven",
    }
)
"""The views that answer whoever asks; every other one wants somebody who is signed in."""

API: Final = "api"
"""The blueprint whose views let in by a token, and never by a cookie; all others take no token."""

ACTING_VIEWS: Final = frozenset({"connections.actions.done", "api.acted"})
"""Views that carry out an action, whoever reads: what it needs they ask by `verb_of_action`, once they know which it is."""

OWN_VIEWS: Final = frozenset(
    {
        "sign_in.out",
        "account.shown",
        "account.password_changed",
        "account.out_everywhere",
        "account.token_made",
        "account.token_taken_back",
        "theme.chosen",
    }
)
"""The views by which users change what is only theirs."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who signs in. Times are Unix seconds."""

    id: int
    name: str
    role: str
    has_password: bool = True
    created_at: float | None = None
    signed_in_at: float | None = None
    via: str = "web"
    """Where they act: in a browser, or by a program (`api`)."""

    @property
    def actor(self) -> str:
        """As audit rows have who acts."""
        return f"{self.via}:{self.name}"

    def document(self) -> dict[str, Any]:
        """As `integrator users list --json` prints it."""
        told = {"name": self.name, "role": self.role, "password": "set" if self.has_password else "not set"}
        return {**told, "created": iso(self.created_at), "signed_in": iso(self.signed_in_at)}


def may(user: User, verb: str, noun: str, thing: str = "") -> bool:
    """Whether this user may do this to the noun of this name, or, without a name, to any."""
    if verb in (READ, OWN):
        return user.role in ROLES
    return user.role == ADMINISTRATOR


def verb_of(view: str, method: str) -> str:
    """What a request to this view does."""
    if view in OWN_VIEWS:
        return OWN
    if view in ACTING_VIEWS:
        return READ
    return READ if method in ("GET", "HEAD", "OPTIONS") else CHANGE


def verb_of_action(*, only_reads: bool) -> str:
    """What carrying out an action on a connection is: one that changes something, gives a secret or is guarded is a change."""
    return READ if only_reads else CHANGE
