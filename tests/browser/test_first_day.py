"""The whole story as a person does it: from the set-up link to a run that begins by itself, with an error, its fix and its retry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_house import House, running_house, until
from furnishing import BAD_NAME, SCOPE, rows
from looking import check, picture
from people import (
    PASSWORD,
    choose_iclient,
    choose_plane,
    consent,
    count,
    field,
    fill_iclient,
    heading,
    set_up,
    sign_in,
    state,
    swapping,
)
from playwright.sync_api import Browser, Locator, Page, expect
from watched_browser import Visits
from watching import watching

pytestmark = pytest.mark.browser

ROWS = 450
LATENCY_SECONDS = 0.2
"""Of every answer of the sandbox, so that a run can be watched."""


@pytest.fixture(scope="module")
def new_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server that nobody has opened yet, and a sandbox."""
    with running_house(tmp_path_factory.mktemp("first-day")) as house:
        yield house


@pytest.fixture
def visits(browser: Browser, new_house: House) -> Iterator[Visits]:
    watch = watching(new_house)
    made = Visits(browser, new_house.url, watch)
    yield made
    made.close()
    watch.judge()


def test_from_the_set_up_link_to_a_run_that_begins_by_itself(new_house: House, visits: Visits) -> None:
    house, page = new_house, visits.page()
    make_the_first_account(page, house)
    register_an_iclient(page, house)
    make_a_vault_connection(page, house)
    make_a_folder_connection(page, house)
    make_a_flow(page, house)
    watch_a_run(page, house)
    see_what_went_wrong_and_retry_it(page, house)
    let_it_run_by_itself(page, house)


def test_a_newcomer_tries_it_with_one_click(browser: Browser, tmp_path: Path) -> None:
    with running_house(tmp_path, has_lab=False) as house:
        watch = watching(house)
        visits = Visits(browser, house.url, watch)
        page = visits.page(set_up(visits, house.first_link, "grace"))
        page.goto("/")
        page.get_by_role("button", name="Try it with a local Azure").click()
        page.get_by_role("link", name="its flow").click()
        page.get_by_role("button", name="Run now").click()
        expect(state(page)).to_have_text("Succeeded")
        visits.close()
        watch.judge()


def make_the_first_account(page: Page, house: House) -> None:
    page.goto(house.first_link)
    heading(page, "Make the first account")
    field(page, "Your name here").fill("grace")
    field(page, "Password").fill(PASSWORD)
    field(page, "Password, once more").fill(PASSWORD)
    page.get_by_role("button", name="Create the account").click()
    heading(page, "Home")
    expect(page.get_by_role("main")).to_contain_text("three steps")
    page.get_by_label("You: grace").click()
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, "grace")
    heading(page, "Home")


def register_an_iclient(page: Page, house: House) -> None:
    assert house.lab
    house.apply({"version": 1, "clouds": [house.lab.cloud]})  # a cloud of one's own comes from a document
    page.get_by_role("link", name="Register a client").click()
    heading(page, "Add an iClient")
    page.get_by_label("Search providers").press_sequentially("entra")
    expect(page.get_by_role("link", name="Adobe", exact=True)).to_have_count(0)
    page.get_by_role("link", name="Microsoft Entra ID", exact=True).click()
    heading(page, "Add an iClient")
    fill_iclient(page, house, "contoso-app")
    expect(field(page, "Redirect URI")).to_have_value(f"{house.url}/callback")
    page.get_by_role("button", name="Save").click()
    heading(page, "contoso-app")
    expect(page.get_by_role("status")).to_contain_text("contoso-app is saved")
    expect(page.get_by_role("main")).not_to_contain_text(house.lab.client_secret)


def make_a_vault_connection(page: Page, house: House) -> None:
    assert house.lab
    page.get_by_role("navigation", name="Main", exact=True).get_by_role("link", name="Home").click()
    page.get_by_role("link", name="Add a connection").click()
    page.get_by_role("link", name="Azure Key Vault").click()
    field(page, "Name your connection").fill("contoso-vault")
    choose_plane(page, "Data plane")
    choose_iclient(page, "contoso-app")
    page.get_by_role("button", name="Choose scopes").click()
    panes = page.get_by_role("dialog", name="Choose scopes")
    panes.get_by_role("button", name="Put all back").click()
    panes.get_by_role("listbox", name="Available").get_by_role("option", name=SCOPE).click()
    panes.get_by_role("button", name="Choose the checked").click()
    panes.get_by_role("button", name="Use these scopes").click()
    field(page, "Vault URL").fill(house.lab.urls["fabrikam"])
    page.get_by_role("button", name="Save & authorize").click()
    consent(page)
    heading(page, "contoso-vault is online")
    page.get_by_role("link", name="Go to the connection").click()
    expect(page.get_by_text("Online", exact=True)).to_be_visible()


def make_a_folder_connection(page: Page, house: House) -> None:
    page.goto("/new/connection?connector=files")
    field(page, "Name your connection").fill("folder")
    field(page, "Folder").fill(str(house.files))
    page.get_by_role("button", name=re.compile("^Save & test")).click()
    heading(page, "folder")
    expect(page.get_by_text("Online", exact=True)).to_be_visible()


def make_a_flow(page: Page, house: House) -> None:
    house.file("settings.csv", rows(*(f"setting-{number},value-{number}" for number in range(ROWS)), f"{BAD_NAME},x"))
    page.get_by_role("navigation", name="Main", exact=True).get_by_role("link", name="Home").click()
    page.get_by_role("link", name="New flow").click()
    heading(page, "Add a flow")
    field(page, "Name your flow").fill("settings")
    source = page.get_by_role("region", name="Source")
    with swapping(page, "**/new/flow/part/source"):
        field(source, "Connection").select_option("folder")
    with swapping(page, "**/new/flow/part/source"):
        field(source, "Resource").fill("settings.csv")
        field(source, "Resource").press("Tab")
    part(page, "Destination").click()
    destination = page.get_by_role("region", name="Destination")
    with swapping(page, "**/new/flow/part/destination"):
        field(destination, "Connection").select_option("contoso-vault")
    expect(destination.get_by_text("upsert")).to_be_visible()
    part(page, "Mapping").click()
    mapping = page.get_by_role("region", name="Mapping")
    mapping.get_by_role("button", name="Same fields").click()
    expect(mapping.get_by_label(re.compile("^Target field of row 2"))).to_have_value("value")
    expect(mapping.get_by_text("••••").first).to_be_visible()
    expect(mapping.get_by_text("setting-0").first).to_be_visible()
    expect(mapping).not_to_contain_text("value-0")
    picture(page, "flow-form-mapping")
    assert check(page) == []
    page.get_by_role("button", name="Save flow").click()
    heading(page, "settings")
    expect(page.get_by_role("status")).to_contain_text("Flow settings is saved")


def watch_a_run(page: Page, house: House) -> None:
    assert house.lab
    house.lab.settings(latency_seconds=LATENCY_SECONDS)
    page.get_by_role("button", name="Run now").click()
    heading(page, re.compile(r"^Run \d+ of settings"))
    page.evaluate("document.documentElement.dataset.watched = 'yes'")  # a page that is loaded anew has lost it
    expect(state(page)).to_have_text("Running")
    expect(count(page, "Created")).not_to_have_text("0")
    expect(state(page)).to_have_text("Running")
    picture(page, "run-running")
    house.lab.settings(latency_seconds=0)
    expect(state(page)).to_have_text("Completed with errors")
    expect(count(page, "Read")).to_have_text(str(ROWS + 1))
    expect(count(page, "Created")).to_have_text(str(ROWS))
    expect(count(page, "Failed")).to_have_text("1")


def see_what_went_wrong_and_retry_it(page: Page, house: House) -> None:
    expect(page.get_by_role("main")).to_contain_text(BAD_NAME)
    expect(page.get_by_text("Mend the record").first).to_be_visible()
    picture(page, "run-completed-with-errors")
    house.file("settings.csv", rows(*(f"setting-{number},value-{number}" for number in range(ROWS)), "db-password,x"))
    page.get_by_role("button", name=re.compile("^Retry")).first.click()
    expect(state(page)).to_have_text("Succeeded")


def let_it_run_by_itself(page: Page, house: House) -> None:
    house.file("settings.csv", rows("setting-new,value-new"))
    before = house.last_run("settings")
    page.goto("/flows/settings/edit")
    part(page, "Schedule").click()
    page.get_by_role("radio", name="Cron").check()
    page.get_by_role("textbox", name="Cron").fill("0 3 1 1 *")
    expect(page.get_by_role("region", name="Schedule")).to_contain_text("January")
    picture(page, "flow-form-schedule")
    page.get_by_role("button", name="Save flow").click()
    heading(page, "settings")
    expect(page.get_by_role("main").get_by_text("On", exact=True).first).to_be_visible()
    house.make_due("settings")
    until(lambda: house.last_run("settings") > before)
    page.goto("/runs?flow=settings")
    page.get_by_role("link", name=str(house.last_run("settings")), exact=True).click()
    expect(page.get_by_role("main")).to_contain_text("started by the schedule")
    expect(state(page)).to_have_text("Succeeded")
    expect(count(page, "Created")).to_have_text("1")


def part(page: Page, name: str) -> Locator:
    """The card of the flow's form that opens this part."""
    return page.get_by_role("navigation", name="Parts of the flow").get_by_role("link", name=re.compile(f"^{name}"))
