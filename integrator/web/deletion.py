"""The page before a thing is deleted: what uses it, or what would be gone, and its name to be typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flask import render_template

MOST_USERS: Final = 50
"""How many of what uses a thing are named; the others stand in a list."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """What is told of one noun: what uses such things, in which view one of those is shown, and what would be gone."""

    noun: str
    user_noun: str
    user_view: str
    gone: str

    def page(self, name: str, users: Sequence[str], all_at: str, error: str = "") -> str:
        """The page for the thing of this name. `all_at` is the address of the list of what uses it."""
        told = {"noun": self.noun, "user_noun": self.user_noun, "user_view": self.user_view, "gone": self.gone}
        return render_template(
            "delete.html", **told, name=name, users=users, most=MOST_USERS, all_at=all_at, error=error
        )
