"""Whom a test watches: the browsers of one installation, which go there and to its sandbox, and nowhere else."""

from __future__ import annotations

from browser_house import House
from watched_browser import Watch


def watching(house: House) -> Watch:
    """Notes what goes anywhere but to this installation and its sandbox."""
    places = [house.url]
    if house.lab:
        places += [house.lab.authority, str(house.lab.cloud["arm"]), *house.lab.urls.values()]
    return Watch(*places)
