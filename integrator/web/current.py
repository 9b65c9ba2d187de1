"""What a view works with: the installation that this application serves, acting as whoever is signed in."""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager
from typing import Final, cast

from flask import current_app, g

from integrator.access import User
from integrator.bootstrap import Installation
from integrator.local_azure import LocalAzure
from integrator.store.pages import Reading
from integrator.web.live import Streams, Watched

KEY: Final = "integrator"
AZURE_KEY: Final = "local azure"
STREAMS_KEY: Final = "streams"
WATCHED_KEY: Final = "watched"


def installation() -> Installation:
    """The installation that is served: where somebody is signed in, what is changed by it is changed by them."""
    served = cast(Installation, current_app.extensions[KEY])
    user = person()
    if user is None:
        return served
    if "acting" not in g:
        g.acting = _acting(served, user.actor)
    return cast(Installation, g.acting)


def local_azure() -> LocalAzure | None:
    """The local Azure that this server may start; None where it is served without one."""
    return cast("LocalAzure | None", current_app.extensions[AZURE_KEY])


def streams() -> Streams:
    """The streams of this server."""
    return cast(Streams, current_app.extensions[STREAMS_KEY])


def watched() -> Watched:
    """What was seen lately of runs that move."""
    return cast(Watched, current_app.extensions[WATCHED_KEY])


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
