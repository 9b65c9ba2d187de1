"""Actions as people carry them out: a secret is revealed and copied, a change is seen among the recent ones, and each works
without scripts and from the keyboard."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from browser_house import House
from looking import check
from people import consent, heading
from playwright.sync_api import Page, expect
from watched_browser import Visits, Watch

pytestmark = pytest.mark.browser

LIST = "/connections/contoso/actions"
VALUE = "what-nobody-else-may-see"


@pytest.fixture
def secret(house: House) -> str:
    """The name of a secret that only this test knows."""
    name = f"seen-{uuid4().hex[:6]}"
    house("action", "contoso", "create_secret", f"secretName={name}", f"value={VALUE}")
    return name


def test_an_action_is_found_carried_out_and_its_secret_revealed_hidden_and_copied(page: Page, secret: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/connections/contoso")
    page.get_by_role("link", name="Actions", exact=True).click()
    page.get_by_role("searchbox", name="Search actions").fill("get secret")
    page.get_by_role("link", name="Get secret", exact=True).click()
    heading(page, "Get secret")
    page.get_by_label("Secret name").fill(secret)
    page.get_by_role("button", name="Get secret").click()
    answer = page.get_by_role("region", name="What it gave")
    expect(answer).to_be_visible()
    value = answer.get_by_text(VALUE)
    expect(value).to_be_hidden()
    answer.get_by_role("button", name="Copy").click()
    expect(answer.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == VALUE
    expect(value).to_be_hidden()
    answer.get_by_text("Reveal").click()
    expect(value).to_be_visible()
    assert check(page) == []
    answer.get_by_text("Hide").click()
    expect(value).to_be_hidden()
    assert VALUE not in page.url
    assert VALUE not in page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")


@pytest.mark.parametrize("has_script", [True, False], ids=["with scripts", "without scripts"])
def test_a_secret_is_made_from_a_file_and_deleted_after_a_question(
    house: House, visits: Visits, watch: Watch, has_script: bool
) -> None:
    name = f"made-{uuid4().hex[:6]}"
    page = visits.page(house.signed_in["ada"], java_script_enabled=has_script)
    watch.allow(422)
    page.goto(f"{LIST}/create_secret")
    page.get_by_label("Secret name").fill(name)
    page.get_by_role("button", name="Create secret").click()
    expect(page.get_by_role("alert")).to_contain_text("Value is missing")
    expect(page.get_by_label("Secret name")).to_have_value(name)
    file = {"name": "value.txt", "mimeType": "text/plain", "buffer": b"from a file\n"}
    page.get_by_label("Value, from a file").set_input_files(file)
    page.get_by_role("button", name="Create secret").click()
    expect(page.get_by_role("region", name="Done")).to_contain_text(name)
    assert json.loads(house("action", "contoso", "get_secret", f"secretName={name}"))["value"] == "from a file"
    page.goto(f"{LIST}/delete_secret")
    page.get_by_label("Secret name").fill(name)
    page.get_by_role("button", name="Delete secret").click()
    heading(page, f"Delete secret {name}")
    page.get_by_role("button", name=f"Delete secret {name}").click()
    expect(page.get_by_role("alert")).to_contain_text("This is another name")
    page.get_by_label("to go on").fill(name)
    page.get_by_role("button", name=f"Delete secret {name}").click()
    expect(page.get_by_role("region", name="Done")).to_contain_text(name)
    page.goto(LIST)
    recent = page.get_by_role("region", name="Recent actions")
    expect(recent.get_by_role("listitem").first).to_contain_text(name)
    expect(recent.get_by_role("listitem").first).to_contain_text("Done")


def test_without_scripts_a_secret_unfolds_and_a_list_goes_on(house: House, visits: Visits, secret: str) -> None:
    page = visits.page(house.signed_in["ada"], java_script_enabled=False)
    page.goto(f"{LIST}/get_secret")
    page.get_by_label("Secret name").fill(secret)
    page.get_by_role("button", name="Get secret").click()
    expect(page.get_by_text(VALUE)).to_be_hidden()
    page.get_by_text("Reveal").click()
    expect(page.get_by_text(VALUE)).to_be_visible()
    page.goto(f"{LIST}/list_secrets")
    page.get_by_label("At most").fill("10")
    page.get_by_role("button", name="List secrets").click()
    found = page.get_by_role("region", name="What was found")
    first = found.get_by_role("row").nth(1).text_content()
    page.get_by_role("button", name="Next page").click()
    expect(found.get_by_role("row").nth(1)).not_to_have_text(str(first))


def test_a_backup_is_saved_as_a_file(page: Page, watch: Watch, secret: str) -> None:
    page.goto(f"{LIST}/backup_secret")
    page.get_by_label("Secret name").fill(secret)
    page.get_by_role("button", name="Back up secret").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as a file").click()
    assert saved.value.suggested_filename == f"{secret}.backup"
    assert saved.value.path().stat().st_size > 50
    watch.wrong = [one for one in watch.wrong if not one.endswith("backup_secret: net::ERR_ABORTED")]  # a file, no page


def test_an_action_is_carried_out_from_the_keyboard_alone(page: Page, secret: str) -> None:
    page.goto(f"{LIST}/get_secret")
    page.get_by_label("Secret name").focus()
    page.keyboard.type(secret)
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="What it gave")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text(VALUE)).to_be_visible()


def test_what_is_not_authorized_leads_to_the_consent(page: Page) -> None:
    page.goto("/connections/ada-vault/actions/list_secrets")
    page.get_by_role("button", name="List secrets").click()
    expect(page.get_by_role("main")).to_contain_text("Authorize")
    page.get_by_role("button", name="Authorize again").click()
    consent(page)
    heading(page, "ada-vault is online")


def test_what_there_is_to_choose_from_is_looked_up(page: Page) -> None:
    page.goto("/connections/arm/edit")
    page.get_by_label("Owner").evaluate("field => field.value = 'ada'")
    page.get_by_role("button", name="Look up Subscription").click()
    choice = page.get_by_role("combobox", name="Subscription")
    expect(choice).to_be_focused()
    assert choice.get_by_role("option").count() > 1
    assert check(page) == []
