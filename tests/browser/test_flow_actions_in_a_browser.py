"""Actions as steps of a flow, as people add them: chosen, filled in, previewed, saved and run."""

from __future__ import annotations

from uuid import uuid4

import pytest
from browser_house import House
from furnishing import rows
from looking import check, sideways
from people import count, field, state
from playwright.sync_api import Page, expect
from watched_browser import Visits

pytestmark = pytest.mark.browser

ENCRYPTION = "RSA-OAEP-256"


def open_part(page: Page, name: str, *, has_script: bool) -> None:
    """Without a script every part is open."""
    if has_script:
        page.get_by_role("navigation", name="Parts of the flow").get_by_role("link", name=name).click()


@pytest.mark.parametrize("has_script", [True, False], ids=["with scripts", "without scripts"])
def test_a_column_is_encrypted_by_a_flow_that_was_made_in_the_browser(
    house: House, visits: Visits, has_script: bool
) -> None:
    key = f"column-{uuid4().hex[:6]}"
    house("action", "contoso", "create_key", f"keyName={key}", "keyType=RSA")
    house.file(f"{key}.csv", rows("alpha,one", "beta,two"))
    page = visits.page(house.signed_in["ada"], java_script_enabled=has_script)
    page.goto("/new/flow")
    page.get_by_label("Name your flow").fill(key)
    source = page.get_by_role("region", name="Source")
    field(source, "Connection").select_option("here")
    if not has_script:
        source.get_by_role("button", name="Show what it has").click()
    expect(source.get_by_text("*.jsonl")).to_be_visible()
    field(source, "Resource").fill(f"{key}.csv")
    open_part(page, "Actions", has_script=has_script)
    page.get_by_role("button", name="Add action").click()
    step = page.get_by_role("group", name="Action 1")
    field(step, "Connection").select_option("contoso")
    if not has_script:
        step.get_by_role("button", name="Show what it takes").click()
    expect(field(step, "Action").locator("option[value='encrypt']")).to_have_count(1)
    field(step, "Action").select_option("encrypt")
    if not has_script:
        step.get_by_role("button", name="Show what it takes").click()
    expect(field(step, "Raw data")).to_be_visible()
    step.get_by_label("What Key name is made by").select_option("template")
    field(step, "Key name").fill(key)
    field(step, "Algorithm").fill(ENCRYPTION)
    field(step, "Raw data").fill("value")
    step.get_by_label("Field for what it gives").fill("sealed")
    if has_script:  # axe is a script
        assert check(page) == []
        assert sideways(page) == 0
    open_part(page, "Destination", has_script=has_script)
    target = page.get_by_role("region", name="Destination")
    field(target, "Connection").select_option("here")
    if not has_script:
        target.get_by_role("button", name="Show what it has").click()
    expect(target.get_by_text("*.jsonl")).to_be_visible()
    field(target, "Resource").fill(f"{key}-sealed.csv")
    open_part(page, "Mapping", has_script=has_script)
    for number, (to, text) in enumerate((("name", "name"), ("cipher", "sealed.encryptedData"))):
        page.get_by_role("button", name="Add row").click()
        page.get_by_label(f"Target field of row {number + 1}").fill(to)
        page.get_by_label(f"Field, expression or template of row {number + 1}").fill(text)
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("made when the flow runs").first).to_be_visible()
    page.get_by_role("button", name="Save flow").click()
    expect(page.get_by_text("encrypt, into sealed", exact=False).first).to_be_visible()
    if has_script:
        assert check(page) == []
    page.get_by_role("button", name="Run now").click()
    expect(state(page)).to_have_text("Succeeded")
    expect(count(page, "Created")).to_have_text("2")
    page.get_by_role("link", name="Steps").click()
    expect(page.get_by_text("encrypt on contoso")).to_be_visible()
