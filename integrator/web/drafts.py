"""Drafts: what was typed into a form, kept while somebody makes on another page what the form needs.

They live in this process for some hours, are their user's only, and never hold a secret: forms with secrets have none.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from flask import current_app
from werkzeug.datastructures import MultiDict

from integrator.web.current import installation, person

KEY: Final = "integrator drafts"
ARGUMENT: Final = "draft"
LONGEST_SECONDS: Final = 12 * 3600.0
MOST: Final = 1000
"""The oldest goes first: a draft is a comfort, no store."""

Sent = MultiDict[str, str]


@dataclass(frozen=True, slots=True)
class Draft:
    """What was typed, and the path of the form that goes on with it."""

    user_id: int
    back: str
    typed: tuple[tuple[str, str], ...]
    at: float

    def values(self) -> Sent:
        """As a form sends them."""
        return MultiDict(self.typed)


class Drafts:
    """The drafts of one process, by a random token."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Draft] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, draft: Draft, token: str = "") -> str:
        """Keep it, under a new token where it has none yet."""
        token = token or secrets.token_urlsafe(24)
        with self._lock:
            self._kept[token] = draft
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
        return token

    def find(self, token: str, user_id: int, now: float) -> Draft | None:
        """This user's draft, while it lives."""
        with self._lock:
            draft = self._kept.get(token)
        is_theirs = draft is not None and draft.user_id == user_id and now - draft.at < LONGEST_SECONDS
        return draft if is_theirs else None


def keep(back: str, typed: Iterable[tuple[str, str]], left_out: Iterable[str] = ()) -> str:
    """Keep what whoever is signed in has typed; gives the token."""
    hidden = frozenset(left_out)
    kept = tuple((name, value) for name, value in typed if name not in hidden)
    return _drafts().keep(Draft(_user_id(), back, kept, installation().clock.now()))


def keep_for(user_id: int, back: str, typed: Iterable[tuple[str, str]]) -> str:
    """Keep what this user has typed, who is not signed in now; gives the token."""
    return _drafts().keep(Draft(user_id, back, tuple(typed), installation().clock.now()))


def find(token: str) -> Draft | None:
    """The draft of whoever is signed in."""
    return _drafts().find(token, _user_id(), installation().clock.now()) if token else None


def with_value(token: str, name: str, value: str) -> Draft | None:
    """The draft with another value of this field, kept under the same token; None where it is over."""
    draft = find(token)
    if draft is None:
        return None
    typed = (*(pair for pair in draft.typed if pair[0] != name), (name, value))
    changed = Draft(draft.user_id, draft.back, typed, installation().clock.now())
    _drafts().keep(changed, token)
    return changed


def _drafts() -> Drafts:
    found: Drafts = current_app.extensions.setdefault(KEY, Drafts())
    return found


def _user_id() -> int:
    user = person()
    return user.id if user else 0
