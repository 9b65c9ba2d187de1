"""One browser, one furnished installation and one empty one for each worker; for each test browsers of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_house import House, running_house
from furnishing import furnish
from people import set_up
from playwright.sync_api import Browser, Page, sync_playwright
from watched_browser import Visits, Watch, launched
from watching import watching

SCREENSHOTS = os.environ.get("INTEGRATOR_SCREENSHOTS") == "1"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, launched(playwright) as browser:
        yield browser


@pytest.fixture(scope="session")
def furnished(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """An installation with everything that a page can show; ada may do everything."""
    folder = _usual_folder() if SCREENSHOTS else tmp_path_factory.mktemp("furnished")
    with running_house(folder, usual_ports=SCREENSHOTS) as house:
        watch = watching(house)
        house.signed_in["ada"] = set_up(Visits(browser, house.url, watch), house.first_link, "ada")
        watch.judge()
        furnish(house)
        yield house


@pytest.fixture(scope="session")
def empty(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """An installation where only the first account was made."""
    with running_house(tmp_path_factory.mktemp("empty"), has_lab=False) as house:
        watch = watching(house)
        house.signed_in["ada"] = set_up(Visits(browser, house.url, watch), house.first_link, "ada")
        watch.judge()
        yield house


@pytest.fixture
def house(furnished: House) -> House:
    """The furnished installation; nobody has consented, and the sandbox is calm."""
    assert furnished.lab
    furnished.lab.calm()
    return furnished


@pytest.fixture
def watch(house: House) -> Watch:
    """What is noted of the browsers of this test."""
    return watching(house)


@pytest.fixture
def visits(browser: Browser, house: House, watch: Watch) -> Iterator[Visits]:
    """Browsers of the furnished installation; nothing that they did may be wrong."""
    made = Visits(browser, house.url, watch)
    yield made
    made.close()
    watch.judge()


@pytest.fixture
def page(visits: Visits, house: House) -> Page:
    """A browser in which ada is signed in."""
    return visits.page(house.signed_in["ada"])


def _usual_folder() -> Path:
    """A folder that is called the same wherever pictures are taken; what was left there is gone."""
    folder = Path(tempfile.gettempdir(), "integrator")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder
