"""What people do on the pages, by the words that they see: set up, sign in, sign in at the provider, consent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from browser_house import House
from playwright.sync_api import Locator, Page, expect
from watched_browser import Visits

PASSWORD = "a sentence that nobody guesses"


def set_up(visits: Visits, link: str, name: str) -> Any:
    """Use a set-up link in a new browser; gives its cookies."""
    page = visits.page()
    page.goto(link)
    if field(page, "Your name here").count():
        field(page, "Your name here").fill(name)
    choose_password(page)
    expect(page.get_by_role("navigation", name="Main", exact=True)).to_be_visible()
    cookies = page.context.storage_state()
    visits.close()
    return cookies


def field(place: Page | Locator, label: str) -> Locator:
    """The field of this label, whether it is marked as required or not, on a page or in a part of it."""
    words = re.compile(rf"^\s*{re.escape(label)}(\*\s*\(required\))?\s*$")
    page = place if isinstance(place, Page) else place.page
    return place.get_by_label(words).and_(page.locator("input, select, textarea"))


def choose_password(page: Page, password: str = PASSWORD) -> None:
    """Type it twice, send the form, and wait for the page that comes: who goes on before it breaks it off."""
    field(page, "Password").fill(password)
    field(page, "Password, once more").fill(password)
    with page.expect_event("load"):
        page.get_by_role("main").get_by_role("button").click()


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    """Fill in the form that is shown."""
    field(page, "Name").fill(name)
    field(page, "Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def consent(page: Page, user: str = "Ada", decision: str = "Accept") -> None:
    """Go through the provider's pages: the account, then the permissions, where they are asked for."""
    expect(page.get_by_role("heading", name="Pick an account")).to_be_visible()
    page.get_by_role("button", name=user).click()
    expect(page.get_by_role("heading", name="Permissions requested")).to_be_visible()
    page.get_by_role("button", name=decision).click()


def heading(page: Page, name: str | re.Pattern[str]) -> None:
    """Wait for the page of this heading."""
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()


def fill_iclient(page: Page, house: House, name: str) -> None:
    """Fill in the form of an iClient of Entra, for the sandbox's app."""
    assert house.lab
    field(page, "Name").last.fill(name)
    field(page, "Cloud").select_option("lab")
    field(page, "Tenant ID").last.fill(house.lab.iclient["tenant"])
    field(page, "Client ID").fill(house.lab.iclient["client_id"])
    field(page, "Kind").first.select_option(label="Client secret")
    field(page, "Client secret").first.fill(house.lab.client_secret)


def begin_connection(page: Page) -> None:
    """From the list to the form of a new connection to a Key Vault."""
    page.goto("/connections")
    page.get_by_role("link", name="Add a connection").click()
    page.get_by_role("link", name="Azure Key Vault").click()
    heading(page, "Add a connection")


@contextmanager
def swapping(page: Page, address: str) -> Iterator[None]:
    """Wait until what this address answers stands on the page: an answer that has come is not in it yet."""
    with page.expect_response(address):
        yield
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)


def choose_iclient(page: Page, name: str) -> None:
    """Choose it, and wait until its scopes are there."""
    with swapping(page, "**/new/connection/scopes"):
        field(page, "OAuth 2.0 client").select_option(name)
    expect(field(page, "Tenant ID")).not_to_be_empty()


def choose_plane(page: Page, words: str) -> None:
    """Choose the card of an API type, and wait until the scopes are those of it."""
    with swapping(page, "**/new/connection/scopes"):
        page.get_by_role("radio", name=words).check()


def fill_connection(page: Page, house: House, name: str, vault: str = "contoso", iclient: str = "contoso-app") -> None:
    """Fill in everything that the data plane needs."""
    assert house.lab
    field(page, "Name your connection").fill(name)
    choose_plane(page, "Data plane")
    choose_iclient(page, iclient)
    field(page, "Vault URL").fill(house.lab.urls[vault])


def consented(page: Page, house: House, name: str, **told: str) -> None:
    """Make a connection, and go through the consent until it is online."""
    begin_connection(page)
    fill_connection(page, house, name, **told)
    page.get_by_role("button", name="Save & authorize").click()
    consent(page)
    heading(page, f"{name} is online")


def state(page: Page) -> Locator:
    """The chip beside the heading."""
    return page.get_by_role("main").locator(".head .chip")


def count(page: Page, words: str) -> Locator:
    """The number of the funnel that is called so."""
    return page.get_by_role("term").filter(has_text=re.compile(f"^{words}$")).locator("xpath=following-sibling::dd[1]")
