"""What a view works with: the installation that this application serves, acting as whoever is signed in."""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager
from typing import Final, cast

from flask import current_app, g

from integrator.access import User
from integrator.bootstrap import Installation
from integrator.store.pages import Reading

KEY: Final = "integrator"


def installation() -> Installation:
    """The installation that is served: where somebody is signed in, what is changed by it is changed by them."""
    served = cast(Installation, current_app.extensions[KEY])
    user = person()
    if user is None:
        return served
    if "acting" not in g:
        g.acting = _acting(served, user.actor)
    return cast(Installation, g.acting)


def person() -> User | None:
    """Who is signed in."""
    return cast("User | None", g.get("person"))


def reading_pages() -> AbstractContextManager[Reading]:
    """The database, for one page of a list."""
    return installation().store.database.reading()


def _acting(served: Installation, actor: str) -> Installation:
    """The same installation, whose audit rows name this actor: everything but the name is shared."""
    acting = copy.copy(served)
    acting.store = copy.copy(served.store)
    acting.store.actor = actor
    return acting
