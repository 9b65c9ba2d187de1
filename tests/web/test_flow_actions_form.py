"""Actions in the form of a flow: steps are added, chosen, filled in, moved and kept, with and without a script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_flow_form import FlowHouse, filled, press, rows, stored, told, values

from connectors.azure_key_vault.sandbox import Sandbox
from flows.model import ActionStep, Import, MappingRule
from integrator.runner import Runner

CHECK = "/new/flow/part/actions"


@pytest.fixture
def web(sandbox: Sandbox, tmp_path: Path) -> Iterator[FlowHouse]:
    made = FlowHouse(sandbox, tmp_path)
    yield made
    made.close()


def acts(*steps: dict[str, str]) -> dict[str, Any]:
    """Steps as the form sends them."""
    typed: dict[str, Any] = {"act": [str(number) for number in range(len(steps))]}
    for number, step in enumerate(steps):
        typed |= {f"act.{number}.{name}": value for name, value in step.items()}
    return typed


ENCRYPT = {
    "connection": "contoso",
    "action": "encrypt",
    "into": "sealed",
    "in.keyName": "mail",
    "kind.keyName": "template",
    "in.algorithm": "RSA-OAEP-256",
    "kind.algorithm": "template",
    "in.rawData": "value",
    "kind.rawData": "from",
    "in.rawDataEncoding": "",
    "kind.rawDataEncoding": "from",
}
PURGE = {"connection": "contoso", "action": "purge_secret", "in.secretName": "name", "kind.secretName": "from"}
TO_FILE = {
    "source.connection": "exports",
    "source.resource": "in.csv",
    "target.connection": "exports",
    "target.resource": "out.csv",
}
CIPHER = rows(("name", "from", "name"), ("cipher", "from", "sealed.encryptedData"))
KEPT = ActionStep(
    "contoso",
    "encrypt",
    (
        MappingRule("keyName", template="mail"),
        MappingRule("algorithm", template="RSA-OAEP-256"),
        MappingRule("rawData", from_="value"),
    ),
    "sealed",
)


def test_a_step_is_kept_as_a_document_would_have_it(web: FlowHouse) -> None:
    answer = press(web, web.signed_in(), filled() | TO_FILE | acts(ENCRYPT) | CIPHER)
    assert answer.headers.get("Location") == "/flows/nightly", told(answer)
    kept = stored(web)
    assert kept is not None
    assert kept.steps[0] == KEPT
    assert isinstance(kept.steps[1], Import)
    assert kept.steps[1].mapping[1] == MappingRule("cipher", from_="sealed.encryptedData")


def test_a_flow_may_end_in_its_last_action(web: FlowHouse) -> None:
    typed = filled(source__resource="deleted_secrets", source__values="no", target__connection="-") | acts(PURGE)
    answer = press(web, web.signed_in(), typed)
    assert answer.headers.get("Location") == "/flows/nightly", told(answer)
    kept = stored(web)
    assert kept is not None
    assert kept.steps == (ActionStep("contoso", "purge_secret", (MappingRule("secretName", from_="name"),)),)
    page = web.signed_in().get("/flows/nightly")
    assert "purge_secret" in page.text
    assert "leaves the same when it is repeated" in page.text


def test_editing_shows_what_is_stored_and_saving_it_changes_nothing(web: FlowHouse) -> None:
    browser = web.signed_in()
    press(web, browser, filled() | TO_FILE | acts(ENCRYPT, {**ENCRYPT, "into": "twice"}) | CIPHER)
    before = stored(web)
    page = browser.get("/flows/nightly/edit")
    assert values(page, "act") == ["0", "1"]
    assert (values(page, "act.0.in.keyName"), values(page, "act.1.into")) == (["mail"], ["twice"])
    press(
        web,
        browser,
        filled() | TO_FILE | acts(ENCRYPT, {**ENCRYPT, "into": "twice"}) | CIPHER,
        path="/flows/nightly/edit",
    )
    assert stored(web) == before


def test_a_step_is_added_moved_and_removed_without_a_script(web: FlowHouse) -> None:
    browser = web.signed_in()
    page = press(web, browser, filled(), "act-add")
    assert values(page, "act") == ["0"]
    assert "contoso (Azure Key Vault)" in page.text
    second = {**ENCRYPT, "into": "second"}
    moved = press(web, browser, filled() | acts(ENCRYPT, second), "act-up-1")
    assert (values(moved, "act.0.into"), values(moved, "act.1.into")) == (["second"], ["sealed"])
    left = press(web, browser, filled() | acts(ENCRYPT, second), "act-remove-0")
    assert values(left, "act.0.into") == ["second"]
    assert values(left, "act") == ["0"]


def test_an_action_that_is_chosen_brings_a_row_for_each_parameter(web: FlowHouse) -> None:
    chosen = {"connection": "contoso", "action": "sign"}
    for path, go in ((CHECK, ""), ("/new/flow", "redraw")):
        page = press(web, web.signed_in(), filled() | acts(chosen), go, path)
        for name in ("keyName", "keyVersion", "algorithm", "digest"):
            assert f'name="act.0.in.{name}"' in page.text
        assert "sign.signature" in page.text
        assert page.text.count('aria-required="true"') >= 3


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"in.keyName": ""}, "act.0.in.keyName", "Key name of action 1 is missing"),
        ({"in.rawData": "value ||"}, "act.0.in.rawData", "Raw data of action 1 cannot work"),
        ({"in.algorithm": "RSA-1"}, "act.0.in.algorithm", "algorithm is none of"),
        ({"into": "two words"}, "act.0.into", "is not a word"),
        ({"action": "nothing"}, "act.0.action", "is not chosen"),
        ({"connection": ""}, "act.0.connection", "Connection of action 1 is not chosen"),
        ({"in.rawData": "other"}, "act.0.action", "takes other, which the source does not have"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_step_is_told_beside_its_field(
    changes: dict[str, str], field: str, said: str, web: FlowHouse
) -> None:
    answer = press(web, web.signed_in(), filled() | TO_FILE | acts({**ENCRYPT, **changes}) | CIPHER)
    assert answer.status_code == 422
    assert said in told(answer).get(field, ""), told(answer)
    assert 'data-part="actions"' in answer.text
    assert stored(web) is None


def test_what_does_harm_twice_is_accepted_in_the_form_or_refused(web: FlowHouse) -> None:
    rotate = {"connection": "contoso", "action": "rotate_key", "in.keyName": "name", "kind.keyName": "from"}
    typed = filled(source__resource="keys", source__values="no", target__connection="-")
    refused = press(web, web.signed_in(), typed | acts(rotate))
    assert "does harm when it is carried out twice" in told(refused)["act.0.repeat"]
    assert press(web, web.signed_in(), typed | acts({**rotate, "repeat": "yes"})).status_code == 303
    kept = stored(web)
    assert kept is not None
    assert isinstance(kept.steps[0], ActionStep)
    assert kept.steps[0].repeat == "accept"


def test_rows_are_refused_where_the_flow_ends_in_an_action(web: FlowHouse) -> None:
    typed = filled(source__resource="deleted_secrets", target__connection="-") | acts(PURGE) | CIPHER
    assert "ends in its last action" in told(press(web, web.signed_in(), typed))["rules"]


def test_without_actions_a_flow_needs_a_destination(web: FlowHouse) -> None:
    assert "not chosen" in told(press(web, web.signed_in(), filled(target__connection="-")))["target.connection"]


def test_an_import_behind_actions_needs_rows(web: FlowHouse) -> None:
    assert "mapping" in told(press(web, web.signed_in(), filled() | acts(ENCRYPT)))["rules"]


def test_a_preview_in_the_form_says_what_is_made_later(web: FlowHouse) -> None:
    page = press(web, web.signed_in(), filled() | TO_FILE | acts(ENCRYPT) | CIPHER, "preview")
    assert "made when the flow runs" in page.text


def test_the_page_of_a_run_counts_what_failed_at_each_action(web: FlowHouse) -> None:
    browser = web.signed_in()
    press(web, browser, filled() | TO_FILE | acts(ENCRYPT) | CIPHER)
    run = Runner(web.installation).run("nightly")
    assert run.progress.counts["failed"] == 2  # there is no key of that name
    page = browser.get(f"/runs/{run.id}?tab=steps")
    assert page.text.index("encrypt on contoso") < page.text.index("upsert into exports/out.csv")
    action = page.text[page.text.index("encrypt on contoso") : page.text.index("upsert into exports/out.csv")]
    assert re.findall(r">([0-9]+)<", action)[:2] == ["2", "2"]
    assert "action contoso/encrypt" in browser.get(f"/runs/{run.id}").text
