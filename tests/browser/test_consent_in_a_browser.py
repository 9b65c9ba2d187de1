"""Consent as a person meets it: accepted, cancelled, too late, strange, for an administrator only; each end names its next step."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from browser_house import House
from looking import check, picture, sideways
from people import consent, heading
from playwright.sync_api import Page, expect
from watched_browser import NARROW, Visits, Watch

from connectors.azure_key_vault.sandbox import visitor

pytestmark = pytest.mark.browser

CONNECTION = "/connections/grace-vault"


def begin(page: Page) -> None:
    """From the connection's page to the provider's."""
    page.goto(CONNECTION)
    page.get_by_role("button", name=re.compile("^Authorize")).click()
    expect(page.get_by_role("heading", name="Pick an account")).to_be_visible()


def ended(page: Page, title: str, next_step: str, name: str = "") -> None:
    """The page has this title, and says what to do next; axe finds nothing, narrow neither."""
    heading(page, title)
    expect(page.get_by_text("What to do next")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text(next_step)
    if name:
        picture(page, f"consent-{name}")
    assert check(page) == []
    size = page.viewport_size
    page.set_viewport_size({"width": NARROW, "height": 900})
    assert sideways(page) == 0
    assert size
    page.set_viewport_size(size)


def test_whoever_accepts_is_led_back_to_a_connection_that_is_online(page: Page, house: House) -> None:
    begin(page)
    consent(page)
    ended(page, "grace-vault is online", "You can close this page", "online")
    page.get_by_role("link", name="Go to the connection").click()
    expect(page.get_by_text("Online", exact=True)).to_be_visible()
    expect(page.get_by_text(re.compile("^ada@"))).to_be_visible()


def test_whoever_cancels_is_told_that_nothing_has_changed(page: Page) -> None:
    begin(page)
    consent(page, "Ben", "Cancel")
    ended(page, "The consent was declined", "start the consent again and accept", "declined")


def test_a_consent_that_takes_too_long_is_begun_anew(page: Page, house: House, watch: Watch) -> None:
    begin(page)
    house.grow_old("consent_states", "expires_at", 3600)
    watch.allow(400)
    consent(page)
    ended(page, "This consent took too long", "Start the consent again", "too-late")


def test_a_callback_that_nobody_waits_for_changes_nothing(page: Page, watch: Watch) -> None:
    begin(page)
    watch.allow(400)
    page.goto("/callback?" + urlencode({"code": "a-code", "state": "another-state"}))
    ended(page, "Nobody waits for this consent", "Start the consent again")


def test_a_consent_ends_only_in_the_browser_in_which_it_began(
    page: Page, visits: Visits, house: House, watch: Watch
) -> None:
    watch.allow(400)
    begin(page)
    assert house.lab
    callback = visitor.consent(page.url, ca_file=house.lab.cloud["ca_file"])
    other = visits.page(house.signed_in["ada"])
    other.context.clear_cookies(name="integrator-browser")
    other.goto(callback)
    ended(other, "This consent began in another browser", "Start the consent again")
    page.goto(callback)
    heading(page, "grace-vault is online")
    page.goto(callback)
    ended(page, "This consent was used already", "Start the consent again")


def test_what_only_an_administrator_may_allow_says_whom_to_ask(page: Page, house: House) -> None:
    assert house.lab
    house.lab.settings(user_consent=False)
    begin(page)
    page.get_by_role("button", name="Ben").click()
    expect(page.get_by_role("heading", name="Need admin approval")).to_be_visible()
    page.get_by_role("button", name="Return to the application").click()
    ended(page, "An administrator must approve this", "Ask an administrator", "administrator")


def test_somebody_else_consents_by_a_link_without_an_account_here(house: House, visits: Visits, watch: Watch) -> None:
    page = visits.page()
    link = house.consent_link("grace-vault")
    page.goto(link)
    expect(page.get_by_role("main")).to_contain_text("Meant for")
    page.get_by_role("main").get_by_role("button").click()
    consent(page)
    ended(page, "grace-vault is online", "You can close this page")
    expect(page.get_by_role("link", name="Go to the connection")).to_have_count(0)
    watch.allow(410)
    page.goto(link)
    heading(page, "This link does not work any more")


def test_consent_works_without_scripts(house: House, visits: Visits) -> None:
    page = visits.page(house.signed_in["ada"], java_script_enabled=False)
    begin(page)
    consent(page, decision="Cancel")
    heading(page, "The consent was declined")
    page = visits.page(house.signed_in["ada"], java_script_enabled=False)
    begin(page)
    consent(page)
    heading(page, "grace-vault is online")
    page.get_by_role("link", name="Go to the connection").click()
    heading(page, "grace-vault")
