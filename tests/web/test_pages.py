"""The pages: what they show of what is stored, however it is called, and how often they ask the database for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, insert, text, update
from sqlalchemy.engine import Engine
from web_house import WebHouse, title
from werkzeug.test import TestResponse

from connectors.azure_key_vault.sandbox import Sandbox
from flows.model import RunStatus
from integrator.store import tables
from integrator.store.account_rows import reading_accounts

POLYGLOTS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "</title></style></textarea></select><svg onload=alert(1)>",
    "--><!-- ]]> <!--",
    "\u202eevil\u2066 \x00\x1b[31m",
    "${7*7}#{7*7}<%= 7*7 %>",
    "a" * 100,
    "jaVasCript:/*-/*`/*\\`/*'/*\"/**/(/* */oNcliCk=alert() )//%0D%0A//</stYle/</titLe/--!>\\x3csVg/<sVg/oNloAd=alert()//>",
]
LISTS = ["/", "/flows", "/runs", "/connections", "/iclients", "/notices?seen=yes", "/audit", "/health", "/search?q=a"]
ALLOWED = {"script": {"src", "defer"}}


class Elements(HTMLParser):
    """Every element and attribute of a page, as a browser reads it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def harmless(answer: TestResponse) -> None:
    """No element, attribute or address on this page came out of a name."""
    for tag, attributes in Elements(answer.text).found:
        assert tag not in ("img", "style", "iframe", "object", "embed", "base") or attributes.get("src", "").startswith(
            "/static/"
        ), tag
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes)
        if tag == "script":
            assert set(attributes) <= ALLOWED["script"]
            assert str(attributes["src"]).startswith("/static/")
        for name in ("href", "src", "action"):
            address = attributes.get(name)
            assert not address or address.startswith(("/", "#", "?")), (tag, name, address)


def seed(web: WebHouse, many: int, *, name: str = "thing", words: str = "", runs: int = 1) -> None:
    """So many of each noun, beside what is there; `words` stand wherever a text of others can."""
    with web.installation.store.database.writing() as db:
        for number in range(many):
            own = f"{name}{number or ''}"[:100]
            iclient = {
                "name": own,
                "provider": "entra",
                "cloud": "lab",
                "tenant": "contoso.test",
                "client_id": words or "c",
                "owner": words or "o",
                "settings": {},
            }
            db.execute(
                insert(tables.iclients).values(
                    name=own, provider="entra", cloud="lab", document=json.dumps({**iclient, "cloud": "lab"})
                )
            )
            connection = {
                "name": own,
                "connector": "files",
                "settings": {"folder": words or "/out"},
                "owner": words or "o",
            }
            state = {"state": "needs authorization", "state_code": words[:100], "state_message": words, "state_at": 1.0}
            db.execute(
                insert(tables.connections).values(
                    name=own, connector="files", iclient=own, document=json.dumps(connection), **state
                )
            )
            rule = {"to": words or "name", "from": "name"}
            flow = {
                "name": own,
                "exports": [{"connection": own, "resource": words or "a.csv", "where": "enabled"}],
                "steps": [{"import": {"connection": own, "resource": words or "b.csv", "mapping": [rule]}}],
            }
            flow_id = db.execute(
                insert(tables.flows)
                .values(name=own, document=json.dumps(flow), paused=words[:100])
                .returning(tables.flows.c.id)
            ).scalar_one()
            for _ in range(runs):
                run_id = db.execute(
                    insert(tables.runs)
                    .values(
                        flow_id=flow_id,
                        status="failed",
                        started_at=1.0,
                        ended_at=2.0,
                        error_code=words[:100],
                        error_message=words,
                        progress=json.dumps({"counts": {"read": 3}, "calls": {words or "list": 1}}),
                    )
                    .returning(tables.runs.c.id)
                ).scalar_one()
                db.execute(
                    insert(tables.outcomes).values(
                        run_id=run_id,
                        key=words or "key",
                        line=1,
                        effect="failed",
                        step=words,
                        code=words[:100],
                        recovery=words[:20],
                        message=words,
                        at=1.0,
                    )
                )
            db.execute(
                insert(tables.audit).values(
                    at=1.0,
                    actor=words[:200],
                    action=words[:100],
                    noun="connection",
                    name=own,
                    detail=json.dumps({words: [words]}),
                )
            )
            db.execute(
                insert(tables.notices).values(
                    at=1.0, owner=words[:200], subject=words[:200] or "s", message=words, key=f"{name} {number}"
                )
            )


@contextmanager
def counted(web: WebHouse) -> Iterator[list[str]]:
    """The statements that are executed in the block."""
    statements: list[str] = []

    def count(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", count)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", count)


def pages_of(name: str, run_id: int = 1) -> list[str]:
    return [*LISTS, f"/runs/{run_id}", f"/flows/{name}", f"/connections/{name}", f"/iclients/{name}"]


def shown(browser: FlaskClient, path: str) -> TestResponse:
    answer = browser.get(path)
    assert answer.status_code == 200, (path, answer.text)
    return answer


@pytest.mark.parametrize("words", POLYGLOTS)
def test_no_name_and_no_text_of_others_becomes_a_part_of_a_page(web: WebHouse, words: str) -> None:
    browser = web.signed_in()
    seed(web, 2, words=words)
    details = [
        "/connections/thing",
        "/flows/thing",
        "/iclients/thing",
        "/connections/thing/delete",
        "/iclients/thing/delete",
    ]
    for path in [*LISTS, *details, "/runs/1"]:
        harmless(shown(browser, path))
    seed(web, 2, name=words[:90], words=words)  # no document may have such a name, so a list is all that can show it
    for path in [path for path in LISTS if path != "/health"]:
        harmless(shown(browser, path))


@pytest.mark.parametrize("words", POLYGLOTS)
def test_nothing_that_an_address_says_becomes_a_part_of_a_page(web: WebHouse, words: str) -> None:
    browser = web.signed_in()
    seed(web, 1)
    for path in (
        "/search",
        "/connections",
        "/iclients",
        "/flows",
        "/runs",
        "/audit",
        "/notices",
        "/runs/1",
        "/sign-in",
        "/nothing",
    ):
        for key in ("q", "sort", "page", "state", "status", "flow", "connector", "code", "seen", "next"):
            answer = browser.get(path, query_string={key: words})
            assert answer.status_code in (200, 303, 404), (path, key)
            harmless(answer)
    harmless(web.post(web.browser(), "/sign-in", "/sign-in", name=words, password=words, next=words))


def test_no_page_asks_the_database_more_often_because_there_is_more(web: WebHouse) -> None:
    browser = web.signed_in()
    seed(web, 1, name="first")
    paths = pages_of("first")
    for path in paths:
        shown(browser, path)
    few = {path: asked(web, browser, path) for path in paths}
    seed(web, 70, name="more", runs=2)
    many = {path: asked(web, browser, path) for path in paths if path != "/health"}
    grown = {path: (few[path], many[path]) for path in many if many[path] > few[path]}
    assert grown == {}
    assert max(many.values()) <= 25, many


def asked(web: WebHouse, browser: FlaskClient, path: str) -> int:
    with counted(web) as statements:
        shown(browser, path)
    return len(statements)


def test_lists_are_cut_by_the_server_and_say_where_one_is(web: WebHouse) -> None:
    browser = web.signed_in()
    seed(web, 60)
    page = shown(browser, "/flows").text
    assert "1–50 of 60 flows" in page
    assert 'href="?page=2"' in page
    second = shown(browser, "/flows?page=2").text
    assert "51–60 of 60 flows" in second
    assert 'rel="prev" href="/flows"' in second
    assert "Nothing fits" in shown(browser, "/flows?page=7").text
    for page_number in ("0", "-1", "x", "99999999999999999999", "１"):
        assert "1–50 of 60" in shown(browser, f"/flows?page={page_number}").text


def test_a_search_keeps_its_words_and_belongs_to_no_place(web: WebHouse) -> None:
    page = shown(web.signed_in(), "/search?q=con")
    assert 'name="q" value="con"' in page.text
    navigation = page.text.partition('<nav class="side"')[2].partition("</nav>")[0]
    assert 'aria-current="page"' not in navigation


def test_the_audit_names_people_and_acts_in_words(web: WebHouse) -> None:
    browser = web.signed_in()
    with web.installation.store.writing() as stored:
        stored.audit.record("consent ended", "connection", "contoso", {"account": "ada@contoso.test"})
    page = shown(browser, "/audit").text
    assert "came back from a consent" in page
    assert "on the command line" in page


def test_lists_are_sorted_searched_and_filtered_in_the_address(web: WebHouse) -> None:
    browser = web.signed_in()
    seed(web, 3)
    down = shown(browser, "/connections?sort=-name").text
    assert down.index('href="/connections/thing2"') < down.index('href="/connections/contoso"')
    assert 'aria-sort="descending"' in down
    found = shown(browser, "/connections?q=thing1&state=needs+authorization").text
    assert "1–1 of 1 connections" in found
    assert '<option value="needs authorization" selected>' in found
    assert "100%_" not in found and "Nothing fits" in shown(browser, "/connections?q=100%25_").text
    assert "Nothing fits" in shown(browser, "/runs?status=running").text
    assert "1–1 of 1 runs" in shown(browser, "/runs?flow=thing1").text
    assert "1–1 of 1 runs" in shown(browser, "/runs?q=2").text
    assert "1–3 of 3 connections" in shown(browser, "/connections?connector=files").text


@pytest.mark.parametrize(
    ("path", "words"),
    [("/flows", "No flow yet"), ("/runs", "Nothing has run yet"), ("/notices", "Nothing needs you")],
)
def test_an_empty_list_says_what_it_is_for(web: WebHouse, path: str, words: str) -> None:
    page = shown(web.signed_in(), path).text
    assert words in page
    assert "<table" not in page


def test_the_first_page_leads_a_newcomer_and_then_tells_what_needs_somebody(web: WebHouse) -> None:
    browser = web.signed_in()
    with web.installation.store.writing() as stored:
        for name in stored.connections.names():
            stored.connections.delete(name)
    assert "three steps" in shown(browser, "/").text
    seed(web, 2)
    page = shown(browser, "/").text
    assert "three steps" not in page
    assert "thing1" in page
    assert "Needs authorization" in page


def test_a_connection_is_tested_and_says_how_it_stands(web: WebHouse, sandbox: Sandbox) -> None:
    browser = web.signed_in()
    answer = web.post(browser, "/connections/contoso/test")
    assert (answer.status_code, title(answer)) == (200, "The test did not succeed")
    assert web.state() == "needs authorization"
    page = shown(browser, "/connections/contoso").text
    assert "What to do next" in page
    assert "Authorize" in page


def test_a_test_that_fails_tells_each_thing_that_it_looked_at(web: WebHouse, sandbox: Sandbox) -> None:
    browser = web.signed_in()
    browser.get(web.visited(web.post(browser, "/connections/contoso/authorize").headers["Location"]))
    sandbox.vault("contoso").deny("list", "get")
    try:
        answer = web.post(browser, "/connections/contoso/test")
    finally:
        sandbox.vault("contoso").allow()
    assert title(answer) == "The test did not succeed"
    assert "Token ✓" in answer.text
    assert "✗" in answer.text
    assert "Key Vault" in answer.text


def test_a_consent_begins_and_ends_in_this_browsers_session(web: WebHouse) -> None:
    browser, other = web.signed_in(), web.signed_in("eve")
    sent = web.post(browser, "/connections/contoso/authorize")
    assert sent.status_code == 303, sent.text
    callback = web.visited(sent.headers["Location"])
    assert title(other.get(callback)) == "This consent began in another browser"
    done = browser.get(callback)
    assert title(done) == "contoso is online"
    assert 'href="/connections/contoso"' in done.text
    page = shown(browser, "/connections/contoso").text
    assert "ada@" in page
    assert "Online" in page
    tested = web.post(browser, "/connections/contoso/test")
    assert tested.headers["Location"] == "/connections/contoso"
    assert 'class="toast-note"' in shown(browser, "/connections/contoso").text
    assert 'class="toast-note"' not in shown(browser, "/connections/contoso").text
    with web.installation.store.reading() as stored:
        assert "web:ada" in {row.actor for row in stored.audit.list() if row.action == "consented"}


def test_a_consent_that_waits_when_one_signs_out_cannot_be_ended_any_more(web: WebHouse) -> None:
    browser = web.signed_in()
    callback = web.visited(web.post(browser, "/connections/contoso/authorize").headers["Location"])
    web.post(browser, "/sign-out")
    assert title(browser.get(callback)) == "This consent began in another browser"


def test_a_consent_that_could_not_end_well_does_not_begin(web: WebHouse, sandbox: Sandbox) -> None:
    sandbox.faults.add("reset", host="entra", times=20)
    answer = web.post(web.signed_in(), "/connections/contoso/authorize")
    sandbox.faults.clear()
    assert (answer.status_code, title(answer)) == (200, "A consent could not end well now")


@pytest.mark.parametrize("noun", ["connections", "iclients"])
def test_deleting_wants_the_name_and_is_refused_while_something_uses_it(web: WebHouse, noun: str) -> None:
    browser = web.signed_in()
    seed(web, 1)
    used = shown(browser, f"/{noun}/thing/delete").text
    assert "cannot be deleted" in used
    assert 'name="name"' not in used
    assert web.post(browser, f"/{noun}/thing/delete", name="thing").status_code == 409
    with web.installation.store.database.writing() as db:
        db.execute(text("delete from flows"))
        if noun == "iclients":
            db.execute(text("delete from connections"))
    assert web.post(browser, f"/{noun}/thing/delete", name="other").status_code == 422
    answer = web.post(browser, f"/{noun}/thing/delete", name="thing")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/{noun}")
    assert browser.get(f"/{noun}/thing").status_code == 404


def test_a_flow_is_paused_and_resumed(web: WebHouse) -> None:
    browser = web.signed_in()
    seed(web, 1)
    assert web.post(browser, "/flows/thing/pause").status_code == 303
    assert "This flow is paused" in shown(browser, "/flows/thing").text
    assert "Paused" in shown(browser, "/flows?state=paused").text
    assert web.post(browser, "/flows/thing/resume").status_code == 303
    assert "This flow is paused" not in shown(browser, "/flows/thing").text


def test_a_run_that_is_not_over_asks_for_itself_again_and_can_be_cancelled(web: WebHouse) -> None:
    browser = web.signed_in()
    seed(web, 1)
    assert 'http-equiv="refresh"' not in shown(browser, "/runs/1").text
    with web.installation.store.database.writing() as db:
        db.execute(update(tables.runs).values(status=RunStatus.RUNNING.value, ended_at=None))
    assert 'http-equiv="refresh"' in shown(browser, "/runs/1").text
    assert web.post(browser, "/runs/1/cancel").headers["Location"] == "/runs/1"
    with web.installation.store.reading() as stored:
        assert stored.runs.get(1).cancel
    for path in ("/runs/99", "/runs/99999999999999999999999", "/runs/x"):
        assert browser.get(path).status_code == 404
        assert web.post(browser, f"{path}/cancel").status_code == 404


def test_a_notice_that_was_seen_leaves_the_list(web: WebHouse) -> None:
    browser = web.signed_in()
    seed(web, 1, words="look here")
    assert "look here" in shown(browser, "/notices").text
    assert web.post(browser, "/notices/1/seen").status_code == 303
    assert "look here" not in shown(browser, "/notices").text
    assert "look here" in shown(browser, "/notices?seen=yes").text
    assert web.post(browser, "/notices/77/seen").status_code == 404


def test_times_are_told_in_the_zone_of_whoever_looks(web: WebHouse) -> None:
    browser = web.signed_in()
    seed(web, 1)
    with web.installation.store.database.writing() as db:
        db.execute(update(tables.runs).values(started_at=1_793_000_000.0, ended_at=1_793_000_060.0))
    assert "26 Oct 2026, 07:33:20 UTC" in shown(browser, "/runs").text
    browser.set_cookie("zone", "Europe%2FBerlin", path="/")
    browser.set_cookie("zone", "Europe/Berlin")
    assert "26 Oct 2026, 08:33:20 CET" in shown(browser, "/runs").text
    for zone in ("../../etc/passwd", "/etc/passwd", "Nowhere/Town", "a" * 500, "<b>"):
        browser.set_cookie("zone", zone)
        assert "07:33:20 UTC" in shown(browser, "/runs").text


def test_the_theme_is_remembered_and_the_system_counts_until_then(web: WebHouse) -> None:
    browser = web.signed_in()
    assert "data-theme" not in shown(browser, "/").text
    assert web.post(browser, "/theme", theme="dark", back="/runs").headers["Location"] == "/runs"
    assert '<html lang="en" data-theme="dark">' in shown(browser, "/runs").text
    web.post(browser, "/theme", theme='"><script>', back="/")
    assert "data-theme" not in shown(browser, "/").text


def test_no_page_shows_a_credential(web: WebHouse, sandbox: Sandbox) -> None:
    browser = web.signed_in()
    callback = web.visited(web.post(browser, "/connections/contoso/authorize").headers["Location"])
    pages = [browser.get(callback)]
    with reading_accounts(web.installation.store) as rows:
        assert rows.users.count() == 1
    for path in [*LISTS, "/connections/contoso", "/iclients/sandbox-app", "/account"]:
        pages.append(shown(browser, path))
    consent = web.kept().consent
    secrets = [sandbox.client_secret, consent.tokens[0].access_token.reveal(), consent.refresh_token.reveal()]
    session = browser.get_cookie("integrator-session")
    assert session
    for page in pages:
        told = page.text + str([(name, value) for name, value in page.headers if name != "Set-Cookie"])
        assert [secret for secret in (*secrets, session.value) if secret in told] == []


def test_a_database_that_fails_tells_so_without_the_frame(web: WebHouse) -> None:
    browser = web.signed_in()
    path = web.folder / "home" / "integrator.db"
    web.installation.store.close()
    for sibling in path.parent.glob("integrator.db*"):
        if sibling.is_file():
            sibling.write_bytes(b"not a database at all" * 100)
    answer = browser.get("/connections")
    assert (answer.status_code, title(answer)) == (503, "Integrator cannot read its database now")
