"""Runs as people watch them: live, and without scripts; cancelled, resumed, and what failed tried again."""

from __future__ import annotations

from uuid import uuid4

import pytest
from browser_house import House
from furnishing import BAD_NAME, flow, rows
from looking import check
from people import count, heading, state
from playwright.sync_api import Page, expect
from watched_browser import Visits, Watch

pytestmark = pytest.mark.browser

ROWS = 320
LATENCY_SECONDS = 0.1


def new_flow(house: House, *more: str, many: int = ROWS) -> str:
    """A flow from a file of its own into the second vault; gives its name."""
    name = f"import-{uuid4().hex[:6]}"
    house.file(f"{name}.csv", rows(*(f"{name}-{number},v" for number in range(many)), *more))
    moved = flow(name, ("here", f"{name}.csv"), ("narrow", "secrets"), fields=("name", "value"))
    assert house.lab
    vault = next(one for one in house.lab.document["connections"] if one["name"] == "fabrikam")
    narrow = {**vault, "name": "narrow", "limits": {**vault["limits"], "concurrency": 4}}
    house.apply({"version": 1, "connections": [narrow], "flows": [moved]})
    return name


def slow(house: House, seconds: float) -> None:
    assert house.lab
    house.lab.settings(latency_seconds=seconds)


@pytest.mark.parametrize("has_script", [True, False], ids=["with scripts", "without scripts"])
def test_a_run_is_watched_cancelled_and_resumed(house: House, visits: Visits, has_script: bool) -> None:
    name = new_flow(house)
    page = visits.page(house.signed_in["ada"], java_script_enabled=has_script)
    slow(house, LATENCY_SECONDS)
    page.goto(f"/flows/{name}")
    page.get_by_role("button", name="Run now").click()
    expect(state(page)).to_have_text("Running")
    expect(count(page, "Created")).not_to_have_text("0")
    page.get_by_role("button", name="Cancel").click()
    expect(state(page)).to_have_text("Cancelled")
    written = int(str(count(page, "Created").text_content()))
    assert 0 < written < ROWS
    slow(house, 0)
    page.get_by_role("button", name="Resume").click()
    expect(state(page)).to_have_text("Succeeded")
    expect(count(page, "Created")).to_have_text(str(ROWS))


def test_a_run_goes_on_while_nobody_watches_and_is_found_again(page: Page, house: House) -> None:
    name = new_flow(house)
    slow(house, LATENCY_SECONDS)
    page.goto(f"/flows/{name}")
    page.get_by_role("button", name="Run now").click()
    expect(state(page)).to_have_text("Running")
    assert check(page) == []
    page.goto("/")
    expect(page.get_by_role("main").get_by_text(name).first).to_be_visible()
    slow(house, 0)
    page.goto(f"/flows/{name}")
    page.get_by_role("row").nth(1).get_by_role("link").click()
    expect(state(page)).to_have_text("Succeeded")


def test_without_scripts_runs_are_listed_and_what_failed_is_tried_again(house: House, visits: Visits) -> None:
    name = new_flow(house, f"{BAD_NAME},x", many=3)
    page = visits.page(house.signed_in["ada"], java_script_enabled=False)
    page.goto(f"/flows/{name}")
    page.get_by_role("button", name="Run now").click()
    expect(state(page)).to_have_text("Completed with errors")
    page.goto("/runs")
    page.get_by_role("combobox", name="State").select_option(label="Completed with errors")
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("row").filter(has=page.get_by_role("link", name=name)).get_by_role("link").first.click()
    expect(page.get_by_role("main")).to_contain_text(BAD_NAME)
    house.file(f"{name}.csv", rows(f"{name}-0,v", f"{name}-1,v", f"{name}-2,v", f"{name}-mended,x"))
    page.get_by_role("button", name="Retry failed").click()
    expect(state(page)).to_have_text("Succeeded")
    expect(page.get_by_role("main")).to_contain_text("tries again what went wrong in run")


def test_a_flow_whose_connection_waits_for_authorization_says_so_instead_of_running(page: Page, watch: Watch) -> None:
    watch.allow(409)
    page.goto("/flows/waits-for-consent")
    page.get_by_role("button", name="Run now").click()
    heading(page, "waits-for-consent waits for a connection")
    page.get_by_role("link", name="See which connection").click()
    expect(page.get_by_role("link", name="waiting", exact=True)).to_be_visible()
