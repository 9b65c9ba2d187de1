"""Coming in and going out: the set-up link, sign-in, the account, the theme."""

from __future__ import annotations

import re

import pytest
from browser_house import House
from people import PASSWORD, choose_password, field, heading, sign_in
from playwright.sync_api import Page, expect
from watched_browser import Visits, Watch

pytestmark = pytest.mark.browser


def new_person(house: House, visits: Visits, name: str) -> Page:
    """Somebody who has just chosen a password."""
    page = visits.page()
    page.goto(house.link_of(name))
    heading(page, "Choose a password")
    choose_password(page)
    heading(page, "Home")
    return page


def test_a_new_user_chooses_a_password_by_a_link_that_works_once(house: House, visits: Visits, watch: Watch) -> None:
    page = visits.page()
    link = house.link_of("lena")
    page.goto(link)
    field(page, "Password").fill("short")
    field(page, "Password, once more").fill("short")
    watch.allow(422)
    page.get_by_role("button", name="Save and sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("characters")
    choose_password(page)
    heading(page, "Home")
    watch.allow(410)
    other = visits.page()
    other.goto(link)
    heading(other, "This link does not work any more")


def test_whoever_is_sent_to_sign_in_comes_back_to_the_page(house: House, visits: Visits, watch: Watch) -> None:
    new_person(house, visits, "mona")
    page = visits.page()
    page.goto("/runs?status=failed")
    heading(page, "Sign in")
    watch.allow(401, 422, 403)
    sign_in(page, "mona", "not the password, surely")
    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    sign_in(page, "mona")
    heading(page, "Runs")
    expect(page).to_have_url(re.compile(r"/runs\?status=failed$"))


def test_after_signing_out_neither_the_back_button_nor_the_old_cookies_show_anything(
    house: House, visits: Visits
) -> None:
    page = new_person(house, visits, "nora")
    page.goto("/connections")
    heading(page, "Connections")
    kept = page.context.storage_state()
    page.get_by_label("You: nora").click()
    page.get_by_role("button", name="Sign out").click()
    heading(page, "Sign in")
    page.go_back()
    heading(page, "Sign in")
    expect(page.get_by_text("contoso")).to_have_count(0)
    thief = visits.page(kept)
    thief.goto("/connections")
    heading(thief, "Sign in")


def test_a_new_password_signs_every_other_browser_out(house: House, visits: Visits, watch: Watch) -> None:
    page, new = new_person(house, visits, "olga"), "another sentence that nobody guesses"
    other = visits.page()
    other.goto("/sign-in")
    sign_in(other, "olga")
    heading(other, "Home")
    page.get_by_label("You: olga").click()
    page.get_by_role("link", name="Your account").click()
    expect(page.get_by_text("In 2 browsers")).to_be_visible()
    field(page, "Current password").fill(PASSWORD)
    field(page, "New password").fill(new)
    field(page, "New password, once more").fill(new)
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_text("In 1 browser,")).to_be_visible()
    other.goto("/connections")
    heading(other, "Sign in")
    sign_in(other, "olga", new)
    heading(other, "Connections")


def test_a_chosen_theme_is_remembered(visits: Visits, house: House) -> None:
    page = visits.page(house.signed_in["ada"], color_scheme="light")
    page.goto("/flows")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_label("Theme").click()
    page.get_by_role("button", name="Dark").click()
    heading(page, "Flows")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.goto("/runs")
    assert (ground != dark, page.evaluate("getComputedStyle(document.body).backgroundColor")) == (True, dark)


def test_a_reader_sees_everything_and_is_refused_what_changes_it(house: House, visits: Visits, watch: Watch) -> None:
    page = visits.page()
    page.goto(house.link_of("rita", role="reader"))
    choose_password(page)
    page.goto("/connections/contoso")
    heading(page, "contoso")
    watch.allow(403)
    page.goto("/connections/contoso/edit")
    expect(page.get_by_role("heading", level=1)).to_contain_text(re.compile("not allowed|may not", re.IGNORECASE))
