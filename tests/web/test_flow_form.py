"""The flow's form, as a person fills it in: both ends, the mapping with its preview, the schedule, and what can be typed wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from web_house import WebHouse, title
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from connectors.azure_key_vault.sandbox import Sandbox
from flows.model import Flow, MappingRule, RunStatus, Schedule
from iclients.testing import MovableClock
from integrator.access import READER
from integrator.store.flows import BY_HAND

NEW = "/new/flow"
CANARY = "v4lue-canary"
POLYGLOT = "\"'><img src=x onerror=alert(1)>{{ 7*7 }}"
AUTUMN_2026 = 1_792_800_000.0
"""24 October 2026: the night before Berlin's clocks go back."""

Typed = dict[str, Any]


class FlowHouse(WebHouse):
    """An installation whose apps come in by themselves, with a folder of files beside the vaults."""

    def document(self) -> dict[str, Any]:
        made = self.sandbox.document()
        files = self.folder / "files"
        files.mkdir(exist_ok=True)
        (files / "in.csv").write_text(f"name,value,owner\nalpha,{CANARY},ada\nbeta,,grace\n")
        made["connections"].append({"name": "exports", "connector": "files", "settings": {"folder": str(files)}})
        return made


@pytest.fixture
def web(sandbox: Sandbox, tmp_path: Path) -> Iterator[FlowHouse]:
    made = FlowHouse(sandbox, tmp_path)
    yield made
    made.close()


def filled(**changes: Any) -> Typed:
    """The form as a person would fill it in: a vault into another one."""
    usual: Typed = {
        "name": "nightly",
        "source.connection": "contoso",
        "source.resource": "secrets",
        "source.values": "yes",
        "target.connection": "fabrikam",
        "target.resource": "secrets",
        "target.operation": "upsert",
        "schedule.preset": "none",
        "schedule.timezone": "Europe/Berlin",
        "schedule.missed": "once",
    }
    return usual | {name.replace("__", "."): value for name, value in changes.items()}


def rows(*told: tuple[str, str, str]) -> Typed:
    """Rows of the mapping: target field, from or template, what it takes."""
    columns = zip(*told, strict=True)
    return dict(zip(("rule.to", "rule.kind", "rule.text"), map(list, columns), strict=True))


def press(web: WebHouse, browser: FlaskClient, typed: Typed, go: str = "save", path: str = NEW) -> TestResponse:
    return browser.post(path, data=MultiDict({"form": web.proof(browser), "go": go, **typed}))


def told(page: TestResponse) -> dict[str, str]:
    """The summary on top: field → sentence."""
    found = re.findall(r'<li><a href="#field-([^"]+)">([^<]+)</a></li>', page.text)
    return {name: unescape(text) for name, text in found}


def stored(web: WebHouse, name: str = "nightly") -> Flow | None:
    with web.installation.store.reading() as there:
        return there.flows.find(name)


def values(page: TestResponse, name: str) -> list[str]:
    """What stands in the inputs of this name."""
    return [unescape(text) for text in re.findall(rf'name="{re.escape(name)}" value="([^"]*)"', page.text)]


NAME_AND_VALUE = rows(("name", "template", "{{ name | lower }}"), ("value", "from", "value"))


def test_what_is_typed_is_kept_as_a_document_would_have_it(web: FlowHouse) -> None:
    typed = filled(source__where=" enabled ", target__operation="add", target__adopt="yes") | NAME_AND_VALUE
    typed |= {"schedule.preset": "weekdays", "schedule.time": "03:05", "schedule.missed": "skip"}
    answer = press(web, web.signed_in(), typed)
    assert answer.headers["Location"] == "/flows/nightly", told(answer)
    kept = stored(web)
    assert kept is not None
    assert (kept.exports[0].connection, kept.exports[0].values, kept.exports[0].where) == ("contoso", True, "enabled")
    step = kept.steps[0]
    assert (step.connection, step.operation, step.adopt, step.plaintext) == ("fabrikam", "add", True, False)
    assert step.mapping == (MappingRule("name", template="{{ name | lower }}"), MappingRule("value", from_="value"))
    assert kept.schedule == Schedule("5 3 * * mon-fri", "Europe/Berlin", "skip")


def test_a_flow_needs_no_rows_where_the_destination_needs_none(web: FlowHouse) -> None:
    assert press(web, web.signed_in(), filled()).status_code == 303
    assert stored(web) is not None


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"name": ""}, "name", "Name your flow: type a name."),
        ({"name": "-x"}, "name", "The name is not a name: begin with a letter"),
        ({"source.connection": ""}, "source.connection", "Connection of the source is not chosen: choose one."),
        ({"source.connection": "gone"}, "source.connection", "There is no connection gone any more"),
        ({"source.resource": "wings"}, "source.resource", "contoso has no resource wings; it has: "),
        ({"source.where": "lower(name"}, "source.where", "Filter cannot be used: 'lower(name' is not JMESPath"),
        ({"source.where": "value"}, "source.where", "where cannot use value: filters run before any value is read."),
        ({"target.connection": ""}, "target.connection", "Connection of the destination is not chosen"),
        ({"target.operation": "delete"}, "target.operation", "Operation delete cannot be: Azure Key Vault does not"),
        ({"target.operation": "other"}, "target.operation", "Operation is not one of: add, update, upsert, delete."),
        (rows(("nme", "from", "name")), "rule.0.to", "Row 1 names nme, which Secrets does not take; it takes: name, value"),
        (rows(("name", "from", "")), "rule.0.text", "Row 1 has nothing to take"),
        (rows(("", "from", "name")), "rule.0.to", "Row 1 has no target field"),
        (rows(("name", "from", "name"), ("name", "from", "id")), "rule.1.to", "Row 2 names name, which has a row already"),
        (rows(("name", "template", "{{ name")), "rule.0.text", "Row 1 cannot work: '{{ name' is not a template"),
        (rows(("name", "from", "name")), "rules", "The destination needs value: add a row for value."),
        (rows(("name", "from", "value"), ("value", "from", "value")), "rules", "The mapping to name takes a field"),
        ({"schedule.preset": "daily", "schedule.time": "25:00"}, "schedule.time", "Time is not a time such as 03:00."),
        ({"schedule.preset": "hourly", "schedule.minute": "60"}, "schedule.minute", "Minute is not a number from 0 to 59."),
        ({"schedule.preset": "monthly", "schedule.time": "3:00", "schedule.day": "0"}, "schedule.day", "Day of the month"),
        ({"schedule.preset": "cron", "schedule.cron": ""}, "schedule.cron", "Cron is missing: write five fields"),
        ({"schedule.preset": "cron", "schedule.cron": "0 3 30 2 *"}, "schedule.cron", "Cron never comes"),
        ({"schedule.preset": "quarter", "schedule.timezone": "Mars/Base"}, "schedule.timezone", "Time zone is not one"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_beside_its_field_and_on_top(
    web: FlowHouse, changes: Typed, field: str, sentence: str
) -> None:
    answer = press(web, web.signed_in(), filled() | changes)
    assert answer.status_code == 422
    assert sentence in told(answer).get(field, ""), told(answer)
    assert len(told(answer)) == 1
    assert f'id="field-{field}"' in answer.text
    assert stored(web, str(changes.get("name", "nightly")) or "nightly") is None


def test_nothing_that_was_typed_is_lost_by_an_error(web: FlowHouse) -> None:
    typed = filled(name=POLYGLOT, source__where=POLYGLOT) | rows((POLYGLOT, "template", POLYGLOT), ("", "from", ""))
    typed |= {"schedule.preset": "cron", "schedule.cron": POLYGLOT, "schedule.timezone": POLYGLOT}
    answer = press(web, web.signed_in(), typed)
    assert answer.status_code == 422
    for name in ("name", "source.where", "rule.to", "rule.text", "schedule.cron", "schedule.timezone"):
        assert values(answer, name)[0] == POLYGLOT, name
    assert "<img src=x" not in answer.text


def test_the_part_with_the_first_error_is_open(web: FlowHouse) -> None:
    answer = press(web, web.signed_in(), filled(target__connection="", part="schedule"))
    assert 'data-part="destination"' in answer.text


def test_a_csv_file_needs_rows_and_an_operation_that_it_takes(web: FlowHouse) -> None:
    browser, csv = web.signed_in(), filled(target__connection="exports", target__resource="out.csv")
    assert "CSV file needs a mapping" in told(press(web, browser, csv))["rules"]
    refused = told(press(web, browser, csv | NAME_AND_VALUE | {"target.operation": "update"}))
    assert "Not for CSV file, which takes: add and update, only add." in refused["target.operation"]
    assert press(web, browser, csv | NAME_AND_VALUE | {"target.plaintext": "yes"}).status_code == 303


def test_a_file_is_not_read_and_replaced_at_once(web: FlowHouse) -> None:
    ends = {
        f"{end}.{part}": text
        for end in ("source", "target")
        for part, text in (("connection", "exports"), ("resource", "in.csv"))
    }
    answer = press(web, web.signed_in(), filled() | ends | NAME_AND_VALUE)
    assert "write to another name" in told(answer)["target.resource"]


def test_a_new_flow_never_replaces_another_one(web: FlowHouse) -> None:
    browser = web.signed_in()
    assert press(web, browser, filled()).status_code == 303
    again = press(web, browser, filled(source__connection="fabrikam", target__connection="contoso"))
    assert told(again) == {"name": "There is already flow nightly: choose another name."}
    kept = stored(web)
    assert kept is not None
    assert kept.exports[0].connection == "contoso"


def test_what_the_engine_refuses_today_is_said_and_cannot_be_chosen(web: FlowHouse) -> None:
    page = web.signed_in().get(f"{NEW}?target=fabrikam").text
    assert "Azure Key Vault does not take this in this version." in page
    assert re.search(r'name="target.operation" value="delete" disabled', page)


# The mapping's rows, without a script


def test_rows_are_added_moved_and_removed_by_plain_buttons(web: FlowHouse) -> None:
    browser, typed = web.signed_in(), filled() | rows(("a", "from", "1"), ("b", "template", "2"), ("c", "from", "3"))
    assert values(press(web, browser, typed, "row-add"), "rule.to") == ["a", "b", "c", ""]
    assert values(press(web, browser, typed, "row-up-1"), "rule.to") == ["b", "a", "c"]
    moved = press(web, browser, typed, "row-down-1")
    assert (values(moved, "rule.to"), values(moved, "rule.text")) == (["a", "c", "b"], ["1", "3", "2"])
    assert values(press(web, browser, typed, "row-remove-0"), "rule.to") == ["b", "c"]
    for odd in ("row-up-9", "row-remove-x", "row-", "row-down-2", "row-up-0"):
        assert values(press(web, browser, typed, odd), "rule.to") == ["a", "b", "c"], odd
    assert 'data-part="mapping"' in moved.text
    assert stored(web) is None


def test_the_focus_goes_with_the_row_that_is_moved(web: FlowHouse) -> None:
    browser, typed = web.signed_in(), filled() | rows(("a", "from", "1"), ("b", "from", "2"), ("c", "from", "3"))

    def focused(go: str) -> str:
        found = re.findall(r'(?:value|id)="([^"]+)"[^<>]* autofocus', press(web, browser, typed, go).text)
        return " ".join(found)

    assert focused("row-up-2") == "row-up-1"
    assert focused("row-up-1") == "row-down-0"
    assert focused("row-remove-2") == "row-remove-1"
    assert "field-rule.3.to" in focused("row-add")


def test_same_fields_makes_a_row_for_each_field_that_both_ends_have(web: FlowHouse) -> None:
    browser = web.signed_in()
    both = press(web, browser, filled() | rows(("tags", "from", "{team: 'x'}")), "row-same")
    assert values(both, "rule.to") == [
        "tags",
        "name",
        "value",
        "content_type",
        "enabled",
        "not_before",
        "expires",
        "original_name",
    ]
    assert values(both, "rule.text")[0] == "{team: 'x'}"
    to_file = filled(target__connection="exports", target__resource="out.csv")
    assert "tags" in values(press(web, browser, to_file, "row-same"), "rule.to")
    from_file = filled(
        source__connection="exports",
        source__resource="in.csv",
        target__connection="exports",
        target__resource="out.csv",
    )
    assert values(press(web, browser, from_file, "row-same"), "rule.to") == ["name", "value", "owner"]


# What is told while it is typed


def checked(web: WebHouse, typed: Typed, path: str = f"{NEW}/check") -> str:
    browser = web.signed_in()
    answer = browser.post(path, data=MultiDict({"form": web.proof(browser), **typed}))
    assert answer.status_code == 200
    return unescape(answer.text)


def test_errors_are_told_as_they_are_typed(web: FlowHouse) -> None:
    text = checked(web, filled(source__where="lower(") | rows(("nme", "from", "nam"), ("name", "from", "nam")))
    assert 'id="told-where" hx-swap-oob' in text
    assert "Filter cannot be used: 'lower(' is not JMESPath" in text
    assert "Row 1 names nme, which Secrets does not take" in text
    assert "Secrets has no field nam; it has: name, value" in text
    assert "The destination needs value" in text


def test_the_cards_say_in_words_what_is_typed(web: FlowHouse) -> None:
    text = checked(web, filled(source__where="enabled") | NAME_AND_VALUE)
    assert "all enabled secrets, with values" in text
    assert "2 fields" in text
    assert "upsert into secrets" in text


def test_a_value_that_is_not_read_is_told_beside_the_row_that_takes_it(web: FlowHouse) -> None:
    text = checked(web, filled(source__values="no") | NAME_AND_VALUE)
    assert "value stays empty: the source is read without values." in text


def test_readable_values_that_are_not_allowed_are_told(web: FlowHouse) -> None:
    csv = filled(target__connection="exports", target__resource="out.csv") | NAME_AND_VALUE
    assert "A run that meets a secret value stops here" in checked(web, csv)
    assert "A run that meets" not in checked(web, csv | {"target.plaintext": "yes"})


def test_another_connection_brings_its_own_choices(web: FlowHouse) -> None:
    part = f"{NEW}/part/destination"
    vault = checked(web, filled(target__resource=""), part)
    assert '<option value="secrets" selected>Secrets</option>' in vault
    assert 'id="part-mapping" hx-swap-oob' in vault
    files = checked(web, filled(target__connection="exports", target__resource="out.csv"), part)
    assert 'name="target.resource" value="out.csv"' in files
    assert "Each run replaces the file whole" in files


# The preview


def previewed(web: WebHouse, typed: Typed) -> str:
    return checked(web, typed, f"{NEW}/preview")


def test_the_preview_shows_the_first_records_and_no_value(web: FlowHouse, sandbox: Sandbox) -> None:
    sandbox.reset_calls()
    mapping = rows(
        ("name", "template", "{{ name | upper }}!"), ("value", "from", "value"), ("tags", "template", "{{ value[:3] }}")
    )
    text = previewed(web, filled() | mapping)
    names = re.findall(r"<code>([^<]+)</code>", text)
    assert len(names) == 3
    assert all(f"{name.upper()}!" in text for name in names)
    assert text.count("••••") == 6
    assert "get" not in sandbox.calls()["contoso"]


def test_a_value_of_a_file_never_reaches_the_page_under_any_name(web: FlowHouse) -> None:
    source = filled(
        source__connection="exports",
        source__resource="in.csv",
        target__connection="exports",
        target__resource="o.jsonl",
    )
    sly = [
        ("copy", "from", "value"),
        ("cut", "template", "{{ value[:6] }}"),
        ("all", "from", "@"),
        ("kind", "from", "values(@)[1]"),
    ]
    sly += [
        ("list", "from", "[value, name]"),
        ("joined", "from", "join('', [name, value])"),
        ("turned", "from", "reverse(value)"),
    ]
    for typed in (
        source,
        source | rows(*sly),
        source | rows(("owner", "from", "owner")),
        source | {"source.where": f"value == '{CANARY}'"},
    ):
        browser = web.signed_in()
        for page in (previewed(web, typed), unescape(press(web, browser, typed, "preview").text)):
            shown = page.replace(f"value == '{CANARY}'", "")  # whoever typed it sees it
            assert CANARY[:6] not in shown
            assert CANARY[::-1] not in shown
    assert "ada" in previewed(web, source | rows(("owner", "from", "owner")))


def test_a_preview_that_cannot_be_says_why_in_the_page(web: FlowHouse) -> None:
    text = previewed(web, filled(source__connection="exports", source__resource="gone.csv"))
    assert "There is no file gone.csv" in text
    assert "Choose a source first" in previewed(web, filled(source__connection=""))


def test_the_first_paint_asks_no_system(web: FlowHouse, sandbox: Sandbox) -> None:
    browser = web.signed_in()
    assert press(web, browser, filled()).status_code == 303
    sandbox.reset_calls()
    page = browser.get("/flows/nightly/edit")
    assert 'hx-trigger="load, change from' in page.text
    assert sum(sum(calls.values()) for calls in sandbox.calls().values()) == 0


# The schedule


@pytest.mark.parametrize(
    ("typed", "cron"),
    [
        ({"preset": "quarter"}, "*/15 * * * *"),
        ({"preset": "hourly", "minute": "07"}, "7 * * * *"),
        ({"preset": "daily", "time": "03:00"}, "0 3 * * *"),
        ({"preset": "weekdays", "time": "9:30"}, "30 9 * * mon-fri"),
        ({"preset": "weekly", "time": "22:15", "weekday": "sun"}, "15 22 * * sun"),
        ({"preset": "monthly", "time": "00:00", "day": "31"}, "0 0 31 * *"),
        ({"preset": "cron", "cron": " 5 4  * * 1,3 "}, "5 4 * * 1,3"),
    ],
)
def test_a_picked_schedule_is_one_line_of_cron_and_comes_back_as_it_was_picked(
    web: FlowHouse, typed: dict[str, str], cron: str
) -> None:
    browser = web.signed_in()
    answer = press(web, browser, filled() | {f"schedule.{name}": text for name, text in typed.items()})
    assert answer.status_code == 303, told(answer)
    kept = stored(web)
    assert kept is not None
    assert kept.schedule is not None
    assert kept.schedule.cron == cron
    page = browser.get("/flows/nightly/edit").text
    assert re.search(rf'value="{typed["preset"]}" checked', page)


def test_the_next_runs_are_told_and_a_change_of_the_clock_is_marked(web: FlowHouse) -> None:
    web.installation.clock = MovableClock(AUTUMN_2026)  # type: ignore[assignment]
    text = checked(web, filled() | {"schedule.preset": "daily", "schedule.time": "03:00"})
    assert "At 03:00, every day (Europe/Berlin)" in text
    assert len(re.findall(r'class="run-day"', text)) == 5
    assert text.count("The clock goes back 1 h before this run: CEST (UTC+2) becomes CET (UTC+1).") == 1
    spring = {"schedule.preset": "cron", "schedule.cron": "30 2 28 3 *"}
    assert "Its usual time does not exist on that day, so it runs at 03:30." in checked(web, filled() | spring)


def test_a_new_schedule_is_meant_in_the_browsers_zone(web: FlowHouse) -> None:
    browser = web.signed_in()
    browser.set_cookie("zone", "America/New_York")
    assert values(browser.get(NEW), "schedule.timezone") == ["America/New_York"]


def test_another_schedule_plans_the_flow_anew(web: FlowHouse) -> None:
    browser, store = web.signed_in(), web.installation.store
    press(web, browser, filled() | {"schedule.preset": "daily", "schedule.time": "03:00"})

    def due() -> int | None:
        with store.reading() as there:
            return there.flows.next_due().get("nightly")

    first = due()
    press(web, browser, filled() | {"schedule.preset": "daily", "schedule.time": "03:01"}, path="/flows/nightly/edit")
    second = due()
    assert first is not None
    assert second is not None
    assert (second - first) % 86_400 == 60
    press(web, browser, filled(), path="/flows/nightly/edit")
    assert due() is None


# Changing, cloning, deleting


def by_hand(web: WebHouse) -> None:
    step = {
        "connection": "exports",
        "resource": "o.csv",
        "plaintext": True,
        "mapping": [{"to": "name", "from": "name"}],
    }
    flow: dict[str, Any] = {
        "name": "nightly",
        "exports": [{"connection": "contoso", "resource": "secrets", "type": "all", "where": "enabled"}],
    }
    flow |= {
        "steps": [{"import": step}],
        "schedule": {"cron": "0 3 * * 1-5", "timezone": "Europe/Berlin", "missed": "skip"},
    }
    web.apply({"version": 1, "flows": [flow]})


def typed_in(page: TestResponse) -> Typed:
    """The form as a browser would send it back."""
    typed: Typed = {
        name: value
        for name, value in re.findall(r'<input[^>]* name="([^"]+)" value="([^"]*)"', page.text)
        if "." in name
    }
    typed |= dict(re.findall(r'<input type="(?:radio|checkbox)"[^>]*name="([^"]+)" value="([^"]*)" checked', page.text))
    for block in re.findall(r"<select.*?</select>", page.text, re.DOTALL):
        names, chosen = re.findall(r' name="([^"]+)"', block), re.findall(r'value="([^"]*)" selected', block)
        typed[names[0]] = chosen[0] if chosen else ""
    typed |= {"target.plaintext": "yes"} if 'name="target.plaintext" value="yes" checked' in page.text else {}
    typed |= {column: values(page, column) for column in ("rule.to", "rule.text")}
    typed["rule.kind"] = ["from"] * len(typed["rule.to"])
    return {name: value for name, value in typed.items() if name != "target.adopt"}


def test_a_flow_that_was_written_by_hand_stays_as_it_was_where_nothing_is_changed(web: FlowHouse) -> None:
    by_hand(web)
    browser, before = web.signed_in(), stored(web)
    page = browser.get("/flows/nightly/edit")
    typed = typed_in(page) | {"schedule.preset": "weekdays"}
    answer = press(web, browser, typed, path="/flows/nightly/edit")
    assert answer.status_code == 303, told(answer)
    assert stored(web) == before


def test_a_name_stays_whatever_is_sent(web: FlowHouse) -> None:
    browser = web.signed_in()
    press(web, browser, filled())
    press(web, browser, filled(name="other", source__where="enabled"), path="/flows/nightly/edit")
    kept = stored(web)
    assert kept is not None
    assert kept.exports[0].where == "enabled"
    assert stored(web, "other") is None


def test_a_clone_is_the_same_under_no_name_yet(web: FlowHouse) -> None:
    by_hand(web)
    page = web.signed_in().get(f"{NEW}?clone=nightly")
    assert 'name="name" value=""' in page.text
    assert values(page, "source.where") == ["enabled"]
    assert re.search(r'value="weekdays" checked', page.text)
    assert web.signed_in().get(f"{NEW}?clone=nobody").status_code == 404


def test_a_change_keeps_the_pause_of_a_person_and_ends_one_that_waits_for_nothing(web: FlowHouse) -> None:
    browser, store = web.signed_in(), web.installation.store
    press(web, browser, filled())
    for code, stays in ((BY_HAND, True), ("needs authorization", False)):
        with store.writing() as there:
            there.flows.resume("nightly")
            there.flows.pause("nightly", code, 1.0)
        where = f"enabled && '{code}'"
        assert press(web, browser, filled(source__where=where), path="/flows/nightly/edit").status_code == 303
        with store.reading() as there:
            assert ("nightly" in there.flows.paused()) is stays


def test_deleting_wants_the_name_typed(web: FlowHouse) -> None:
    browser = web.signed_in()
    press(web, browser, filled())
    assert title(browser.get("/flows/nightly/delete")) == "Delete nightly"
    wrong = web.post(browser, "/flows/nightly/delete", name="nightl")
    assert wrong.status_code == 422
    assert "This is another name" in wrong.text
    assert web.post(browser, "/flows/nightly/delete", name="nightly").headers["Location"] == "/flows"
    assert stored(web) is None
    assert browser.get("/flows/nightly/delete").status_code == 404


def test_a_flow_whose_run_is_not_over_is_not_deleted(web: FlowHouse) -> None:
    browser, store = web.signed_in(), web.installation.store
    press(web, browser, filled())
    with store.writing() as there:
        run = there.runs.start("nightly", "ada")
    refused = web.post(browser, "/flows/nightly/delete", name="nightly")
    assert refused.status_code == 409
    assert "a run of it is not over" in refused.text
    with store.writing() as there:
        claim = there.runs.claim(run.id)
        there.runs.end(run.id, claim.fence, RunStatus.CANCELLED)
    assert web.post(browser, "/flows/nightly/delete", name="nightly").status_code == 303


# Who, and with nothing there


def test_readers_see_no_form_and_change_nothing(web: FlowHouse) -> None:
    press(web, web.signed_in(), filled())
    browser = web.signed_in("rita", READER)
    for path in (NEW, "/flows/nightly/edit"):
        assert browser.get(path).status_code == 403
    for path in (
        NEW,
        f"{NEW}/check",
        f"{NEW}/preview",
        f"{NEW}/part/source",
        "/flows/nightly/edit",
        "/flows/nightly/delete",
    ):
        assert web.post(browser, path, name="nightly").status_code == 403, path
    assert stored(web) is not None


def test_without_a_connection_the_page_leads_to_making_one(sandbox: Sandbox, tmp_path: Path) -> None:
    class Bare(WebHouse):
        def document(self) -> dict[str, Any]:
            return {"version": 1}

    web = Bare(sandbox, tmp_path)
    page = web.signed_in().get(NEW)
    assert "A flow needs connections" in page.text
    assert 'href="/new/connection"' in page.text
    web.close()
