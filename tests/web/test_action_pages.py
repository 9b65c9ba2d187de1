"""Actions in the web UI: the list, the form that a definition makes, and an answer that stands on one page only."""

from __future__ import annotations

import json
import logging
import re
import shlex
import threading
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from page_reader import Page
from planted import Planted
from sqlalchemy import update
from web_house import WebHouse, title
from werkzeug.test import TestResponse

from connectors.actions import Action, Output, Parameter
from connectors.azure_key_vault.sandbox import Sandbox
from iclients.secret import Secret
from integrator.access import READER
from integrator.store import tables
from integrator.turns import GoesOn, TooMany, Turns
from integrator.web import drafts
from integrator.web.forms.action import Typed, command
from integrator.web.forms.action_answer import answer_of
from integrator.web.views import actions

VALUE = "canary-of-a-value-that-was-read"
WRITTEN = "canary-of-a-value-that-was-typed"
LIST = "/connections/contoso/actions"


class Open(WebHouse):
    """An installation whose app comes in by itself."""

    def document(self) -> dict[str, Any]:
        return self.sandbox.document()

    def do(
        self, browser: FlaskClient, action: str, /, go: str = "", sure: str | None = None, **inputs: Any
    ) -> TestResponse:
        """Send the form of this action; a secret's field ends in `.secret`, written `value__secret` here."""
        typed = {f"in.{name.replace('__', '.')}": value for name, value in inputs.items()}
        data = {"form": self.proof(browser), **typed, **({"go": go} if go else {})}
        return browser.post(f"{LIST}/{action}", data=data if sure is None else {**data, "sure": sure})


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Open]:
    """With a sandbox of its own: what is deleted stays deleted for long."""
    with Sandbox.start(vaults={"contoso": 3, "fabrikam": 0}) as sandbox:
        sandbox.vault("contoso").put("planted", VALUE)
        made = Open(sandbox, tmp_path)
        yield made
        made.close()


def test_the_list_has_every_action_of_the_connection_by_what_it_acts_on(house: Open) -> None:
    browser = house.signed_in()
    page = browser.get(LIST)
    assert re.findall(r'<h2 id="group-\d+">(.*?)</h2>', page.text) == ["Certificates", "Keys", "Secrets"]
    assert "Purge deleted secret" in page.text and "Takes something away" in page.text
    assert "Gives a secret" in page.text and "Changes something" in page.text
    assert f'href="{LIST}"' in browser.get("/connections/contoso").text


def test_a_search_finds_by_name_and_by_what_it_does(house: Open) -> None:
    browser = house.signed_in()
    found = browser.get(f"{LIST}?q=rotation").text
    assert "Get key rotation policy" in found and "Get secret" not in found
    assert "No action is called so" in browser.get(f"{LIST}?q=zzz").text


def test_a_connector_without_actions_says_so(house: Open) -> None:
    house.apply(
        {"version": 1, "connections": [{"name": "files", "connector": "files", "settings": {"folder": "/tmp"}}]}
    )
    browser = house.signed_in()
    assert "There is nothing to do by hand here" in browser.get("/connections/files/actions").text
    assert "/connections/files/actions" not in browser.get("/connections/files").text
    assert browser.get("/connections/files/actions/get_secret").status_code == 404
    assert browser.get("/connections/nobody/actions").status_code == 404
    assert browser.get(f"{LIST}/nothing").status_code == 404


def test_each_form_is_made_from_its_definition(house: Open) -> None:
    browser = house.signed_in()
    for action in house.installation.connector("contoso").actions("data"):
        page = browser.get(f"{LIST}/{action.id}")
        assert (page.status_code, title(page)) == (200, action.title)
        fields = {
            name: kind for form in Page(page.text).forms for name, kind, _ in form.fields if name.startswith("in.")
        }
        for one in action.parameters:
            name = f"in.{one.name}{'.secret' if one.is_secret else ''}"
            assert name in fields, (action.id, name)
            assert one.title in page.text
            if one.choices or one.kind == "boolean":
                assert fields[name] == "select"
            assert (f"in.{one.name}.file" in fields) == (one.is_secret or one.kind in ("json", "base64"))
        for permission in action.permissions:
            assert permission.role in page.text and permission.data_action in page.text


def test_what_an_action_gives_stands_on_the_page_that_answers(house: Open) -> None:
    browser = house.signed_in()
    answer = house.do(browser, "get_secret", secretName="planted")
    assert answer.status_code == 200
    assert VALUE in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert 'value="planted"' in answer.text, "what was typed is there again"
    assert "integrator action contoso get_secret secretName=planted" in answer.text
    values = [value for _, attributes in Page(answer.text).elements for _, value in attributes]
    assert not [value for value in values if VALUE in value], "in no attribute: it unfolds"
    assert re.search(r"<details class=\"reveals\">.*?" + VALUE, answer.text, re.DOTALL)
    assert VALUE not in browser.get(f"{LIST}/get_secret").text


def test_a_value_keeps_its_lines_as_they_are(house: Open) -> None:
    house.sandbox.vault("contoso").put("planted", "\none\r\ntwo <b>&\n")
    answer = house.do(house.signed_in(), "get_secret", secretName="planted")
    assert "<code data-exact>\none&#13;\ntwo &lt;b&gt;&amp;\n</code>" in answer.text


def test_what_is_missing_or_cannot_be_is_told_beside_its_field_before_anything_is_called(house: Open) -> None:
    browser = house.signed_in()
    house.sandbox.reset_calls()
    answer = house.do(browser, "create_secret", secretName="no name!", value__secret=WRITTEN, validityEndTime="soon")
    assert answer.status_code == 422
    assert "Secret name cannot be that" in answer.text
    assert "Valid until is not a moment" in answer.text
    assert 'value="no name!"' in answer.text and WRITTEN not in answer.text
    assert "Secret name is missing: fill it in." in house.do(browser, "get_secret").text
    assert house.sandbox.calls()["contoso"] == {}
    told = house.do(browser, "update_secret", secretName="planted")
    assert told.status_code == 422 and "Nothing to update is named" in told.text


def test_a_change_is_carried_out_once_and_stands_among_the_recent_actions(house: Open) -> None:
    browser = house.signed_in("grace")
    assert "None yet" in browser.get(LIST).text
    form = browser.get(f"{LIST}/create_secret").text
    assert "changes contoso" in form
    answer = house.do(browser, "create_secret", secretName="web-new", value__secret="one\r\ntwo", enabled="true")
    assert answer.status_code == 200, answer.text
    assert house.sandbox.vault("contoso").secrets["web-new"].latest.value == "one\ntwo"
    house.do(browser, "create_secret", secretName="web-new", value__secret=WRITTEN, contentType="x" * 300)
    house.sandbox.faults.add(403, host="contoso", times=9)
    refused = house.do(browser, "create_secret", secretName="web-new", value__secret=WRITTEN)
    house.sandbox.faults.clear()
    assert "Code" in refused.text and WRITTEN not in refused.text
    recent = browser.get(LIST).text.partition("Recent actions")[2]
    assert recent.count('class="deed-head"') == 2, "what could not be was never begun"
    assert "web-new" in recent and "grace" in recent and ">Done<" in recent


def test_what_takes_something_away_asks_first_and_wants_the_name_typed(house: Open) -> None:
    browser, vault = house.signed_in(), house.sandbox.vault("contoso")
    asked = house.do(browser, "delete_secret", secretName="planted")
    assert title(asked) == "Delete secret planted"
    wrong = house.do(browser, "delete_secret", secretName="planted", sure="other")
    assert (wrong.status_code, "This is another name" in wrong.text) == (422, True)
    assert house.do(browser, "delete_secret", secretName="planted", sure="").status_code == 422
    assert "planted" in vault.secrets
    done = house.do(browser, "delete_secret", secretName="planted", sure="planted")
    assert done.status_code == 200 and "Done" in done.text, done.text
    assert house.do(browser, "delete_certificate_contacts").text.count('name="sure" value="yes"') == 1


def test_a_list_is_a_table_that_goes_on(house: Open) -> None:
    browser = house.signed_in()
    assert 'name="in.top" value="100"' in browser.get(f"{LIST}/list_secrets").text
    first = house.do(browser, "list_secrets", top="2")
    assert first.text.count("<tr>") == 3 + 2, "two rows, with the heads of both tables and one permission"
    form = next(
        form for form in Page(first.text).forms if ("in.continuationToken", "hidden") in {f[:2] for f in form.fields}
    )
    data = {name: value for name, _, value in form.fields if name}
    second = browser.post(f"{LIST}/list_secrets", data=data)
    assert "on the last page" in second.text and "Next page" not in second.text
    names = re.findall(r"<tr><td><code>([^<]+)</code></td>", first.text + second.text)
    assert len(set(names)) == 4


def test_a_backup_and_a_certificate_are_saved_as_files_and_come_back_from_files(house: Open) -> None:
    browser = house.signed_in()
    kept = house.do(browser, "backup_secret", go="file:backup", secretName="planted")
    assert kept.headers["Content-Disposition"] == 'attachment; filename="planted.backup"'
    assert (kept.mimetype, kept.headers["Cache-Control"]) == ("application/octet-stream", "no-store")
    house.do(browser, "delete_secret", secretName="planted", sure="planted")
    house.do(browser, "purge_secret", secretName="planted", sure="planted")
    restored = house.do(browser, "restore_secret", backup__file=(BytesIO(kept.data), "planted.backup"))
    assert restored.status_code == 200 and "Done" in restored.text, restored.text
    assert "backup=@planted.backup" in restored.text
    assert VALUE in house.do(browser, "get_secret", secretName="planted").text
    policy = json.dumps(
        {"key_props": {"exportable": True}, "x509_props": {"subject": "CN=web"}, "issuer": {"name": "Self"}}
    )
    house.do(browser, "create_certificate", certificateName="web-file", policy=policy)
    pfx = house.do(browser, "download_certificate", go="file:certificate", certificateName="web-file")
    assert pfx.headers["Content-Disposition"] == 'attachment; filename="web-file.pfx"', pfx.text
    assert pfx.data[:1] == b"\x30"


def test_only_a_file_that_the_action_has_is_saved(house: Open) -> None:
    answer = house.do(house.signed_in(), "get_secret", go="file:value", secretName="planted")
    assert answer.mimetype == "text/html"


def test_an_input_that_is_too_large_is_refused_before_it_is_kept_anywhere(house: Open) -> None:
    browser = house.signed_in()
    sent = {"data": b"x" * 600_000, "content_type": "multipart/form-data; boundary=x"}
    assert browser.post(f"{LIST}/create_secret", **sent).status_code == 413
    smaller = house.do(
        house.signed_in(), "create_secret", secretName="web-x", value__file=(BytesIO(b"x" * 100_000), "large")
    )
    assert "25,600 characters" in smaller.text


def test_readers_carry_out_what_only_reads_and_nothing_that_changes_gives_a_secret_or_signs(house: Open) -> None:
    reader = house.signed_in("ben", READER)
    assert "For administrators" in reader.get(LIST).text
    assert house.do(reader, "list_secrets").status_code == 200
    assert house.do(reader, "get_secret_metadata", secretName="planted").status_code == 200
    for action in house.installation.connector("contoso").actions("data"):
        may = not (action.changes or action.gives_secret or action.id == "sign")
        assert (house.do(reader, action.id).status_code != 403) == may, action.id
        page = reader.get(f"{LIST}/{action.id}").text
        assert ("is for administrators" in page) != may
    assert house.do(reader, "nothing").status_code == 403
    assert VALUE not in house.do(reader, "get_secret", secretName="planted").text


def test_what_is_not_authorized_leads_to_a_new_consent(web: WebHouse) -> None:
    browser = web.signed_in()
    data = {"form": web.proof(browser), "in.secretName": "x"}
    answer = browser.post(f"{LIST}/get_secret", data=data)
    assert 'action="/connections/contoso/authorize"' in answer.text and "Authorize again" in answer.text


def test_a_missing_right_names_the_smallest_role(house: Open) -> None:
    house.sandbox.faults.add(403, host="contoso", times=9)
    answer = house.do(house.signed_in(), "get_secret", secretName="planted")
    assert "smallest role that is enough: Key Vault Secrets User" in answer.text


def test_a_slow_system_holds_few_threads_and_nobody_waits_for_ever() -> None:
    places, may_end = Turns(2, "things"), threading.Event()
    for _ in range(2):
        with pytest.raises(GoesOn):
            places.take(may_end.wait, 0.01)
    with pytest.raises(TooMany, match="As many things"):
        places.take(may_end.wait, 0.01)
    may_end.set()
    while True:
        try:
            assert places.take(lambda: "free again", 5) == "free again"
            break
        except TooMany:
            continue
    with pytest.raises(KeyError):
        places.take(lambda: {}["nothing"], 5)


def test_an_action_that_takes_too_long_is_no_longer_waited_for(house: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "DEADLINE_SECONDS", 0.0)
    answer = house.do(house.signed_in(), "create_secret", secretName="web-slow", value__secret=WRITTEN)
    assert "goes on by itself" in answer.text and "See among the recent actions" in answer.text
    monkeypatch.setattr(actions, "DEADLINE_SECONDS", 30.0)
    monkeypatch.setattr(actions, "TURNS", Turns(0, "actions"))
    assert "try again in a moment" in house.do(house.signed_in(), "list_secrets").text


def test_no_value_is_anywhere_but_on_the_page_that_answers(
    house: Open, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    browser = house.signed_in()
    raw = urlsafe_b64encode(VALUE.encode()).decode().rstrip("=")
    with caplog.at_level(logging.DEBUG):
        answer = house.do(browser, "get_secret", secretName="planted")
        made = house.do(browser, "create_secret", secretName="web-canary", value__secret=WRITTEN)
        house.do(browser, "create_secret", secretName="not a name", value__secret=WRITTEN)
        house.do(browser, "create_secret", secretName="web-canary", value__file=(BytesIO(WRITTEN.encode()), "f"))
        house.do(browser, "delete_secret", secretName="web-canary")
        house.sandbox.faults.add(500, host="contoso", times=99)
        house.do(browser, "create_secret", secretName="web-canary", value__secret=WRITTEN)
        house.sandbox.faults.clear()
        ended = browser.post(f"{LIST}/create_secret", data={"in.secretName": "x", "in.value.secret": WRITTEN})
        pages = [
            browser.get(path) for path in (LIST, f"{LIST}/get_secret", "/audit", "/", "/account", "/health/checks")
        ]
    assert VALUE in answer.text
    told = "".join((caplog.text, *capfd.readouterr(), repr(house.app.extensions.get(drafts.KEY)), str(answer.headers)))
    told += "".join(f"{page.headers}{page.text}" for page in (made, ended, *pages))
    for path in house.folder.rglob("*"):
        told += path.read_bytes().decode("latin-1") if path.is_file() else ""
    assert [secret for secret in (VALUE, WRITTEN, raw) if secret in told] == []


def test_what_was_typed_outlives_the_session_but_for_what_is_secret(house: Open) -> None:
    browser = house.signed_in()
    proof = house.proof(browser)
    with house.installation.store.database.writing() as db:
        db.execute(update(tables.web_sessions).values(seen_at=tables.web_sessions.c.seen_at - 10**6))
    typed = {"form": proof, "in.secretName": "kept-name", "in.value.secret": WRITTEN}
    answer = browser.post(f"{LIST}/create_secret", data=typed, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 303
    kept = repr(vars(house.app.extensions[drafts.KEY]))
    assert "kept-name" in kept and WRITTEN not in kept


def test_hostile_names_values_and_words_of_a_definition_are_text(
    house: Open,
) -> None:
    hostile = "<img src=x onerror=alert(1)>\"'"
    house.sandbox.vault("contoso").put("planted", hostile, content_type=hostile, tags={hostile: hostile})
    browser = house.signed_in()
    for answer in (
        house.do(browser, "get_secret", secretName="planted"),
        house.do(browser, "list_secrets"),
        house.do(browser, "get_secret", secretName=hostile),
        house.do(browser, "delete_secret", secretName=hostile),
    ):
        assert "onerror" not in {name for _, attributes in Page(answer.text).elements for name, _ in attributes}
        assert "".join(hostile.split()) in "".join(Page(answer.text).shown().split())


NAMES = st.text(max_size=40)


@settings(max_examples=200, deadline=None)
@given(name=NAMES, value=NAMES, other=NAMES)
def test_a_command_line_gives_back_what_was_typed_and_never_a_secret(name: str, value: str, other: str) -> None:
    takes = (
        Parameter("a", "A", "h"),
        Parameter("b", "B", "h", is_secret=True),
        Parameter("c", "C", "h", "secret", is_secret=True),
    )
    action = Action("do", "Do", "It does.", None, takes, ())
    typed = Typed({"a": name, "b": Secret("zz" + value), "c": Secret("zz" + other)})
    words = shlex.split(command("contoso", action, typed))
    assert words[:4] == ["integrator", "action", "contoso", "do"]
    assert words[4] == f"a={'@' if name.startswith('@') else ''}{name}"
    assert words[5:] == ["b=-", "c=@FILE"]


@settings(max_examples=200, deadline=None)
@given(
    given=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda one: st.lists(one) | st.dictionaries(st.text(), one),
        max_leaves=8,
    )
)
def test_whatever_a_connector_gives_can_be_shown(given: Any) -> None:
    kinds = ("text", "time", "boolean", "list", "json", "base64", "integer")
    outputs = tuple(Output(kind, kind, kind) for kind in kinds)
    items = Output("items", "Items", "list", columns=outputs)
    action = Action("do", "Do", "It does.", None, (), (*outputs, items))
    shown = answer_of(action, {**dict.fromkeys(kinds, given), "items": [dict.fromkeys(kinds, given)]})
    assert [one.name for one in shown.given] == list(kinds)
    assert shown.table is not None and len(shown.table.rows) == 1


def test_an_answer_that_is_printed_shows_no_value() -> None:
    action = Action("do", "Do", "It does.", None, (), (Output("value", "Value", is_secret=True),))
    assert VALUE not in repr(answer_of(action, {"value": Secret(VALUE)}))


def test_a_page_of_a_house_full_of_hostile_names_leads_nowhere_else(
    web: WebHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = Planted(web, "<script>alert(1)</script>", monkeypatch)
    page = planted.browser.get(f"/connections/{planted.path('connections', 'contoso')}/actions")
    assert page.status_code == 200
    assert "<script>alert" not in page.text


def test_a_form_that_changes_something_is_sent_once_however_often_its_answer_is_loaded(house: Open) -> None:
    browser = house.signed_in()
    mark = re.search(r'name="once" value="([^"]+)"', browser.get(f"{LIST}/create_secret").text)
    assert mark
    typed = {"form": house.proof(browser), "once": mark[1], "in.secretName": "uisec", "in.value.secret": "v"}
    assert browser.post(f"{LIST}/create_secret", data=typed).status_code == 200
    again = browser.post(f"{LIST}/create_secret", data=typed)
    assert (again.status_code, "That was done already" in again.text) == (409, True)
    assert len(house.sandbox.vault("contoso").secrets["uisec"].versions) == 1
