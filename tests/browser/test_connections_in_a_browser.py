"""The connection's form as people use it: with the two panes and the side panel, from the keyboard alone, and without scripts."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from browser_house import House
from furnishing import SCOPE
from keyboard import tab_to
from looking import picture
from people import (
    begin_connection,
    choose_iclient,
    choose_plane,
    consent,
    field,
    fill_connection,
    fill_iclient,
    heading,
    swapping,
)
from playwright.sync_api import Page, expect
from watched_browser import Visits, Watch

pytestmark = pytest.mark.browser

ARM_SCOPE = "https://management.azure.com/user_impersonation"
FORM = "/new/connection?connector=azure-key-vault"


def new_name(kind: str) -> str:
    return f"{kind}-{uuid4().hex[:6]}"


def chosen(page: Page) -> list[str]:
    """The scopes that stand as chips."""
    removers = page.get_by_role("button", name=re.compile("^Remove "))
    return [str(one.get_attribute("aria-label")).removeprefix("Remove ") for one in removers.all()]


def test_scopes_move_between_two_panes(page: Page, house: House) -> None:
    page.goto(FORM)
    choose_iclient(page, "contoso-app")
    choose_plane(page, "Data plane")
    page.get_by_role("button", name="Choose scopes").click()
    panes = page.get_by_role("dialog", name="Choose scopes")
    available, picked = panes.get_by_role("listbox", name="Available"), panes.get_by_role("listbox", name="Chosen")
    panes.get_by_role("button", name="Put all back").click()
    expect(picked.get_by_role("option")).to_have_count(0)
    count = available.get_by_role("option").count()
    available.get_by_role("option", name=SCOPE).click()
    panes.get_by_role("button", name="Choose the checked").click()
    expect(picked.get_by_role("option", name=SCOPE)).to_be_visible()
    expect(available.get_by_role("option")).to_have_count(count - 1)
    expect(panes.get_by_role("heading", name=re.compile(r"Chosen\s+\(1\)"))).to_be_visible()
    panes.get_by_label("Search scopes").fill(".default")
    panes.get_by_role("button", name="Choose all that the search shows").click()
    picked.get_by_role("option", name=".default").click()
    panes.get_by_role("button", name="Put the checked back").click()
    panes.get_by_label("Type a scope of your own").fill("https://vault.azure.net/own")
    panes.get_by_role("button", name="Add", exact=True).click()
    panes.get_by_role("button", name="Use these scopes").click()
    expect(panes).to_be_hidden()
    assert chosen(page) == [SCOPE, "https://vault.azure.net/own"]
    expect(page.get_by_role("button", name="Choose scopes")).to_be_focused()


def test_a_connection_is_made_authorized_and_tested(page: Page, house: House) -> None:
    name = new_name("made")
    begin_connection(page)
    fill_connection(page, house, name)
    assert chosen(page) == [SCOPE]
    page.get_by_role("button", name="Save & authorize").click()
    consent(page)
    heading(page, f"{name} is online")
    page.get_by_role("link", name="Go to the connection").click()
    heading(page, name)
    expect(page.get_by_text("Online", exact=True)).to_be_visible()
    expect(page.get_by_text(re.compile("^ada@"))).to_be_visible()
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text(name)


def test_the_control_plane_wants_no_vault_and_its_own_scope(page: Page, house: House) -> None:
    name = new_name("control")
    page.goto(FORM)
    field(page, "Name your connection").fill(name)
    choose_iclient(page, "contoso-app")
    choose_plane(page, "Data plane")
    expect(field(page, "Vault URL")).to_be_visible()
    page.get_by_role("button", name="Choose scopes").click()
    page.get_by_role("button", name="Put all back").click()
    page.get_by_role("option", name=SCOPE).click()
    page.get_by_role("button", name="Choose the checked").click()
    page.get_by_role("button", name="Use these scopes").click()
    choose_plane(page, "Control plane")
    expect(field(page, "Vault URL")).to_be_hidden()
    expect(page.get_by_role("alert")).to_contain_text("does not fit any more")
    with swapping(page, "**/new/connection/scopes"):
        page.get_by_role("button", name=f"Use {ARM_SCOPE} instead").click()
    expect(page.get_by_role("button", name=f"Remove {ARM_SCOPE}")).to_be_visible()
    assert chosen(page) == [ARM_SCOPE]
    page.get_by_role("button", name="Save & authorize").click()
    consent(page)
    heading(page, f"{name} is online")


def test_the_vault_is_recognized_as_it_is_typed(page: Page) -> None:
    page.goto(FORM)
    page.get_by_role("radio", name="Data plane").check()
    vault = field(page, "Vault URL")
    vault.press_sequentially("https://contoso.vault.azure.net")
    expect(page.get_by_text(re.compile("public", re.IGNORECASE)).last).to_be_visible()
    vault.fill("https://contoso.vault.azure.com")
    expect(page.get_by_text("vault.azure.net").last).to_be_visible()


def test_what_was_typed_survives_what_is_wrong_with_it(page: Page, house: House, watch: Watch) -> None:
    page.goto(FORM)
    field(page, "Name your connection").fill("contoso")
    choose_plane(page, "Data plane")
    choose_iclient(page, "contoso-app")
    field(page, "Vault URL").fill("http://contoso.vault.azure.net")
    page.get_by_text("Advanced", exact=True).click()
    field(page, "Owner").fill("grace@contoso.test")
    field(page, "Calls").fill("many")
    watch.allow(422)
    page.get_by_role("button", name="Save & close").click()
    summary = page.get_by_role("alert").first
    expect(summary).to_contain_text("have to be changed")
    expect(summary).to_be_focused()
    summary.get_by_role("link", name="address begins with https").click()
    expect(field(page, "Vault URL")).to_be_focused()
    typed = {
        "Name your connection": "contoso",
        "Vault URL": "http://contoso.vault.azure.net",
        "Owner": "grace@contoso.test",
    }
    for label, text in {**typed, "Calls": "many", "OAuth 2.0 client": "contoso-app"}.items():
        expect(field(page, label)).to_have_value(text)
    expect(page.get_by_role("radio", name="Data plane")).to_be_checked()
    assert chosen(page) == [SCOPE]


def test_an_iclient_is_made_beside_the_form_and_nothing_that_was_typed_is_lost(page: Page, house: House) -> None:
    name, iclient = new_name("beside"), new_name("app")
    page.goto(FORM)
    field(page, "Name your connection").fill(name)
    page.get_by_role("radio", name="Data plane").check()
    field(page, "Vault URL").fill("https://contoso.vault.azure.net")
    page.get_by_role("button", name="Add an OAuth 2.0 client").click()
    panel = page.get_by_role("dialog", name="OAuth 2.0 client")
    panel.get_by_label("Search providers").fill("entra")
    panel.get_by_role("link", name="Microsoft Entra ID", exact=True).click()
    panel.get_by_role("button", name="Save").click()
    expect(panel.get_by_role("alert")).to_contain_text("have to be changed")
    fill_iclient(page, house, iclient)
    picture(page, "connection-form-panel-filled")
    panel.get_by_role("button", name="Save").click()
    expect(panel).to_be_hidden()
    expect(field(page, "OAuth 2.0 client")).to_have_value(iclient)
    expect(field(page, "OAuth 2.0 client")).to_be_focused()
    expect(field(page, "Tenant ID")).to_have_value(house.lab.iclient["tenant"] if house.lab else "")
    expect(field(page, "Name your connection")).to_have_value(name)
    expect(field(page, "Vault URL")).to_have_value("https://contoso.vault.azure.net")
    expect(page.get_by_role("radio", name="Data plane")).to_be_checked()


def test_the_pencil_opens_the_chosen_iclient_and_escape_gives_the_focus_back(page: Page) -> None:
    page.goto(FORM)
    choose_iclient(page, "contoso-app")
    pencil = page.get_by_role("button", name="Edit the chosen OAuth 2.0 client")
    pencil.click()
    panel = page.get_by_role("dialog", name="OAuth 2.0 client")
    expect(panel.get_by_role("heading", name="Edit contoso-app")).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(pencil).to_be_focused()


def test_a_connection_is_made_from_the_keyboard_alone(page: Page, house: House) -> None:
    """Tab, arrows, space and Enter, as far as the provider's own page; whatever has the focus shows it."""
    assert house.lab
    name = new_name("keys")
    page.goto(FORM)
    keys = page.keyboard
    tab_to(page, "Name your connection")
    keys.type(name)
    keys.press("Tab")
    keys.press("Space")
    with swapping(page, "**/new/connection/scopes"):
        keys.press("ArrowRight")
    expect(page.get_by_role("radio", name="Data plane")).to_be_checked()
    tab_to(page, "OAuth 2.0 client")
    with swapping(page, "**/new/connection/scopes"):
        keys.type("contoso-app")
    expect(field(page, "OAuth 2.0 client")).to_have_value("contoso-app")
    expect(field(page, "Tenant ID")).not_to_be_empty()
    tab_to(page, "Choose scopes")
    keys.press("Enter")
    panes = page.get_by_role("dialog", name="Choose scopes")
    picked = panes.get_by_role("listbox", name="Chosen").get_by_role("option")
    tab_to(page, "Chosen")
    keys.press("Space")
    keys.press("Enter")
    expect(picked).to_have_count(0)
    tab_to(page, "Available")
    keys.press("ArrowDown")
    keys.press("ArrowUp")
    keys.press("Space")
    keys.press("Enter")
    expect(picked).to_have_count(1)
    tab_to(page, "Use these scopes")
    keys.press("Enter")
    assert chosen(page) == [SCOPE]
    tab_to(page, "Vault URL")
    keys.type(house.lab.urls["contoso"])
    tab_to(page, "Save & authorize")
    keys.press("Enter")
    consent(page)
    heading(page, f"{name} is online")


def test_without_scripts_iclient_and_connection_are_made_on_pages_of_their_own(house: House, visits: Visits) -> None:
    assert house.lab
    name, iclient = new_name("plain"), new_name("plain-app")
    page = visits.page(house.signed_in["ada"], java_script_enabled=False)
    begin_connection(page)
    field(page, "Name your connection").fill(name)
    page.get_by_role("radio", name="Data plane").check()
    field(page, "Vault URL").fill(house.lab.urls["contoso"])
    page.get_by_role("button", name="Add an OAuth 2.0 client").click()
    heading(page, "Add an iClient")
    page.get_by_label("Search providers").fill("entra")
    page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_role("link", name="Microsoft Entra ID", exact=True).click()
    fill_iclient(page, house, iclient)
    page.get_by_role("button", name="Save").click()
    heading(page, "Add a connection")
    expect(field(page, "OAuth 2.0 client")).to_have_value(iclient)
    expect(field(page, "Name your connection")).to_have_value(name)
    expect(field(page, "Vault URL")).to_have_value(house.lab.urls["contoso"])
    page.get_by_role("checkbox", name=SCOPE).check()
    page.get_by_role("button", name="Save & authorize").click()
    consent(page)
    heading(page, f"{name} is online")
    page.get_by_role("link", name="Go to the connection").click()
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text(name)


def test_a_list_is_searched_as_one_types_and_the_address_says_so(page: Page) -> None:
    page.goto("/connections")
    page.get_by_role("searchbox", name="Search connections", exact=True).press_sequentially("fabri")
    expect(page.get_by_role("link", name="contoso", exact=True)).to_have_count(0)
    expect(page.get_by_role("link", name="fabrikam", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile(r"[?&]q=fabri"))
    page.reload()
    expect(page.get_by_role("link", name="contoso", exact=True)).to_have_count(0)


def test_a_connection_in_use_says_by_which_flows_and_one_that_is_not_is_deleted_by_its_name(
    page: Page, house: House, watch: Watch
) -> None:
    name = new_name("gone")
    house.apply(
        {"version": 1, "connections": [{"name": name, "connector": "files", "settings": {"folder": str(house.files)}}]}
    )
    page.goto("/connections/contoso/delete")
    expect(page.get_by_role("main").get_by_role("link", name="vault-to-file")).to_be_visible()
    expect(page.get_by_role("button", name="Delete contoso")).to_have_count(0)
    page.goto("/connections")
    page.get_by_label(f"Actions for {name}").click()
    page.get_by_role("link", name="Delete").locator("visible=true").click()
    heading(page, f"Delete {name}")
    page.get_by_role("main").get_by_role("textbox").fill(name)
    page.get_by_role("button", name=f"Delete {name}").click()
    heading(page, "Connections")
    expect(page.get_by_role("status")).to_contain_text(f"{name} is deleted")
