"""The options of an import in the flow's form: drawn from the descriptor, kept as they are, told where they cannot be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_flow_form import FlowHouse, filled, press, rows, stored, told

from connectors.azure_key_vault import AzureKeyVault
from connectors.azure_key_vault.sandbox import Sandbox
from connectors.descriptor import ResourceDescriptor, Setting
from connectors.exclusions import Exclusion, choices
from flows.model import Import
from integrator.web.drafts import Sent
from integrator.web.forms import flow_options

SECRETS = AzureKeyVault.descriptor.resource("secrets")
PLUGIN = ResourceDescriptor(
    "things",
    "Things",
    ("upsert",),
    options=(
        Setting("loud", "Loud", "says it aloud.", kind="boolean", default=False),
        Setting("words", "Words", "one a line.", kind="list", default=[]),
        Setting("colour", "Colour", "any colour."),
        Setting("many", "Many", "how many.", kind="integer", default=3),
        Setting("kinds", "Kinds", "which.", kind="list", choices=("a", "b"), default=["a"]),
    ),
)


@pytest.fixture
def web(sandbox: Sandbox, tmp_path: Path) -> Iterator[FlowHouse]:
    made = FlowHouse(sandbox, tmp_path)
    yield made
    made.close()


def options(web: FlowHouse) -> dict[str, Any]:
    flow = stored(web)
    assert flow is not None
    step = flow.steps[-1]
    assert isinstance(step, Import)
    return dict(step.options)


def drawn(page: str) -> dict[str, list[str]]:
    """What the form would send of the options: name → values."""
    part = page.partition('id="import-options"')[2].partition("</details>")[0]
    found: dict[str, list[str]] = {}
    for name, inside in re.findall(
        r'<select[^>]* name="target\.option\.([a-z_]+)"[^>]*>(.*?)</select>', part, re.DOTALL
    ):
        found[name] = re.findall(r'value="([^"]*)" selected', inside)
    for tag in re.findall(r"<input[^>]*>", part):
        name, value = (unescape(re.search(rf'{word}="([^"]*)"', tag)[1]) for word in ("name", "value"))  # type: ignore[index]
        if 'type="checkbox"' not in tag or " checked" in tag:
            found.setdefault(name.removeprefix("target.option."), []).append(value)
    return found


USUAL = {
    "deleted": ["fail"],
    "clear": [""],
    "tags": ["replace"],
    "compare": ["meaning"],
    "newlines": ["exact"],
    "version_budget": ["400"],
}


def sent(**changed: Any) -> dict[str, Any]:
    return {f"target.option.{name}": value for name, value in (USUAL | changed).items()}


def test_options_are_drawn_with_their_help_and_their_defaults(web: FlowHouse) -> None:
    page = press(web, web.signed_in(), filled(), "redraw").text
    assert drawn(page) == USUAL
    assert "<code>recover</code> bring the secret back, then set what differs" in page
    assert "Not together with the same in the mapping." in page
    assert '<details class="advanced" id="import-options">' in page


def test_a_form_that_leaves_them_alone_stores_none(web: FlowHouse) -> None:
    assert press(web, web.signed_in(), filled() | sent()).status_code == 303
    assert options(web) == {}


def test_what_is_chosen_is_stored_and_shown_again_and_goes_again(web: FlowHouse) -> None:
    browser = web.signed_in()
    chosen = sent(deleted="suffix", clear=["", "tags", "expires"], version_budget=" 300 ")
    assert press(web, browser, filled() | chosen).status_code == 303
    assert options(web) == {"deleted": "suffix", "clear": ["tags", "expires"], "version_budget": 300}
    page = browser.get("/flows/nightly/edit").text
    assert '<details class="advanced" id="import-options" open>' in page
    shown = drawn(page)
    assert shown == USUAL | {"deleted": ["suffix"], "clear": ["", "expires", "tags"], "version_budget": ["300"]}
    assert (
        press(web, browser, filled() | sent(clear=[""], version_budget="300"), path="/flows/nightly/edit").status_code
        == 303
    )
    assert options(web) == {"deleted": "fail", "clear": [], "version_budget": 300}


def test_a_form_that_did_not_show_them_keeps_them(web: FlowHouse) -> None:
    browser = web.signed_in()
    press(web, browser, filled() | sent(deleted="skip"))
    press(web, browser, filled(target__adopt="yes"), path="/flows/nightly/edit")
    assert options(web) == {"deleted": "skip"}


def test_options_of_another_resource_do_not_come_along(web: FlowHouse) -> None:
    browser = web.signed_in()
    press(web, browser, filled() | sent(deleted="suffix", tags="merge"))
    typed = filled(target__connection="exports", target__resource="out.csv", target__plaintext="yes")
    typed |= sent(deleted="suffix") | rows(("name", "from", "name"))
    assert press(web, browser, typed, path="/flows/nightly/edit").status_code == 303
    assert options(web) == {}


@pytest.mark.parametrize(
    ("changed", "field", "sentence"),
    [
        ({"deleted": "ignore"}, "deleted", "Where a deleted secret has the name cannot be 'ignore'; it can be: fail,"),
        ({"version_budget": "many"}, "version_budget", "Warn at so many versions is not a whole number."),
        ({"version_budget": "0"}, "version_budget", "Warn at so many versions cannot be 0"),
        ({"clear": ["", "value"]}, "clear", "Clear cannot be 'value'; it can be: content_type,"),
        ({"clear": ["", "tags"], "tags": "merge"}, "clear", "options.clear has tags and options.tags has merge"),
        ({"clear": ["", "content_type"]}, "clear", "options.clear has content_type and the mapping names content_type"),
    ],
)
def test_what_cannot_be_is_told_at_the_option(
    web: FlowHouse, changed: dict[str, Any], field: str, sentence: str
) -> None:
    mapped = rows(("name", "from", "name"), ("value", "from", "value"), ("content_type", "from", "content_type"))
    answer = press(web, web.signed_in(), filled() | mapped | sent(**changed))
    assert answer.status_code == 422
    assert told(answer)[f"target.option.{field}"].startswith(sentence), told(answer)
    assert len(told(answer)) == 1
    assert 'id="import-options" open' in answer.text
    assert f'id="field-target.option.{field}-error"' in answer.text
    assert stored(web) is None


values = st.fixed_dictionaries(
    {},
    optional={
        "loud": st.booleans(),
        "words": st.lists(st.text("abc ", min_size=1).filter(lambda text: text.strip() == text), max_size=3),
        "colour": st.text("abc", min_size=1),
        "many": st.integers(-5, 10**12),
        "kinds": st.lists(st.sampled_from("ab"), unique=True).map(sorted),
    },
)


@given(values)
def test_any_stored_options_survive_the_form_of_any_connector(given_options: dict[str, Any]) -> None:
    step = {"connection": "c", "resource": "things", "options": given_options}
    typed = Sent({"target.connection": "c", "target.resource": "things"})
    flow_options.put(typed, step)
    assert flow_options.document_of(typed, PLUGIN, step) == given_options
    as_sent = Sent({"target.connection": "c", "target.resource": "things"})
    for one in flow_options.told(typed, PLUGIN, {}):
        hidden = [""] if one.kind in ("boxes", "check") else []
        as_sent.setlist(one.name, [*hidden, *(one.values if one.kind in ("boxes", "check") else [one.text])])
    assert flow_options.document_of(as_sent, PLUGIN, step) == given_options
    assert flow_options.wrong(PLUGIN, step) == {}


def test_exclusions_name_what_cannot_be_combined() -> None:
    each = Exclusion("options.clear.*", "mapping.*")
    assert each.problem(choices("upsert", ["a"], {"clear": ["b"]})) == ""
    assert (
        each.problem(choices("upsert", ["a", "b"], {"clear": ["b"]})) == "options.clear has b and the mapping names b"
    )
    one = Exclusion("operation.update", "options.when.always")
    assert one.problem(choices("update", [], {"when": "always"})) == "operation is update and options.when has always"
    assert one.problem(choices("upsert", [], {"when": "always"})) == ""
    assert one.help("when") == "always: not where operation is update."
    assert (each.help("clear"), each.help("tags")) == ("Not together with the same in the mapping.", "")
