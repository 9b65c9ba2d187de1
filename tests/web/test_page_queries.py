"""Every page asks the database as often for many rows as for few: what a page costs does not grow with what is stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import Connection, Table, event, insert, update
from sqlalchemy.engine import Engine
from web_house import WebHouse

from iclients.credentials import ClientSecret
from iclients.model import IClient
from iclients.secret import Secret
from integrator.store import tables

FEW, MANY = 60, 400
"""More than a page of a list both times: of fewer it need not be counted how many there are."""
MOST = 30
"""So many statements a page has at most, those of session and navigation with it."""

FIRST, SHARED, RUN = "first", "shared", 1
PAGES = {
    "home.shown": ["/"],
    "home.searched": ["/search?q=thing"],
    "flows.listed": ["/flows", "/flows?q=thing", "/flows?state=paused", "/flows?sort=-name"],
    "flows.shown": [f"/flows/{FIRST}"],
    "flows.form.new": ["/new/flow"],
    "flows.form.edited": [f"/flows/{FIRST}/edit"],
    "flows.form.asked_to_delete": [f"/flows/{FIRST}/delete"],
    "runs.listed": ["/runs", "/runs?status=failed", f"/runs?flow={FIRST}", "/runs?q=thing", "/runs?sort=started"],
    "runs.shown": [f"/runs/{RUN}", f"/runs/{RUN}?code=forbidden", f"/runs/{RUN}?q=key"],
    "runs.live": [f"/runs/{RUN}/live"],
    "connections.listed": ["/connections", "/connections?q=thing", "/connections?state=needs+authorization"],
    "connections.shown": [f"/connections/{FIRST}", f"/connections/{SHARED}"],
    "connections.asked_to_delete": [f"/connections/{SHARED}/delete"],
    "connections.form.new": ["/new/connection", "/new/connection?connector=azure-key-vault"],
    "connections.actions.listed": ["/connections/contoso/actions"],
    "connections.actions.shown": ["/connections/contoso/actions/get_secret"],
    "connections.inviting.form": ["/connections/contoso/link"],
    "connections.form.edited": ["/connections/contoso/edit"],
    "connections.picker.vault_url": ["/new/connection/vault-url?vault_url=https://contoso.vault.azure.net"],
    "iclients.listed": ["/iclients", "/iclients?q=thing", "/iclients?sort=expires"],
    "iclients.shown": [f"/iclients/{FIRST}", "/iclients/sandbox-app"],
    "iclients.asked_to_delete": [f"/iclients/{FIRST}/delete"],
    "iclients.form.new": ["/new/iclient", "/new/iclient?provider=entra"],
    "iclients.form.edited": [f"/iclients/{FIRST}/edit"],
    "notices.listed": ["/notices", "/notices?seen=yes"],
    "audit.listed": ["/audit", "/audit?noun=connection", "/audit?q=ada"],
    "health.shown": ["/health"],
    "health.checked": ["/health/checks"],
    "account.shown": ["/account"],
}
WITHOUT_ROWS = {
    "static",
    "sign_in.form",
    "setting_up.form",
    "callback.ended",
    "consent.shown",
    "health.live",
    "health.ready",
    "health.proven",
    "flows.runs_of",
    "iclients.form.redirect_uri_tested",
    "api.described",
    "api.listed",
    "api.shown",
}
"""Views that show nobody's rows: files, doors, probes, and addresses that only lead elsewhere or ask another one. Those of
the API are counted in `tests/api`."""


def seed(web: WebHouse, first: int, end: int) -> None:
    """So many of everything; all flows use one connection, and the first run has as many errors as there are rows."""
    with web.installation.store.writing() as stored:
        for number in range(first, end):
            own = FIRST if number == 0 else f"thing{number}"
            stored.iclients.save(IClient(own, "entra", "c", "lab", "contoso.test", ClientSecret(Secret("made up"))))
    with web.installation.store.database.writing() as db:
        if first == 0:
            db.execute(insert(tables.connections).values(_connection(SHARED)))
        for number in range(first, end):
            own = FIRST if number == 0 else f"thing{number}"
            db.execute(insert(tables.connections).values(_connection(own)))
            flow = _added(db, tables.flows, _flow(own, number))
            run = _added(db, tables.runs, _run(flow, number))
            db.execute(insert(tables.outcomes), [_error(RUN, number), _error(run, -1 - number)])
            db.execute(insert(tables.run_events).values(run_id=RUN, at=1.0, event="started"))
            row = {"at": 1.0, "actor": "web:ada", "action": "created", "noun": "connection", "name": own}
            db.execute(insert(tables.audit).values(row))
            seen = 1.0 if number % 2 else None
            told = {"owner": "ada", "subject": f"About {own}", "message": "Look.", "key": own, "seen_at": seen}
            db.execute(insert(tables.notices).values(at=1.0, **told))
            db.execute(insert(tables.moved_by_hour).values(hour=490_000 + number, moved=1))


def _connection(name: str) -> dict[str, Any]:
    document = {"name": name, "connector": "files", "settings": {"folder": "/out"}, "owner": "ada"}
    state = {"state": "needs authorization", "state_message": "Authorize it.", "state_at": 1.0}
    iclient = None if name == SHARED else FIRST
    return {"name": name, "connector": "files", "iclient": iclient, "document": json.dumps(document), **state}


def _flow(name: str, number: int) -> dict[str, Any]:
    rule = {"to": "name", "from": "name"}
    document = {
        "name": name,
        "exports": [{"connection": name, "resource": "a.csv"}],
        "steps": [{"import": {"connection": SHARED, "resource": "b.csv", "mapping": [rule]}}],
        "schedule": {"cron": "0 3 * * *", "timezone": "UTC"},
    }
    paused = "paused by a person" if number % 2 else ""
    return {
        "name": name,
        "document": json.dumps(document),
        "scheduled": True,
        "next_due": 4_000_000_000 + number,
        "paused": paused,
    }


def _run(flow: int, number: int) -> dict[str, Any]:
    status = ("failed", "running", "completed with errors")[number % 3]
    ended = None if status == "running" else 2.0
    progress = json.dumps({"counts": {"read": 3, "failed": 2}, "calls": {"list": 1}})
    return {"flow_id": flow, "status": status, "started_at": 1.0, "ended_at": ended, "progress": progress}


def _error(run: int, number: int) -> dict[str, Any]:
    told = {"code": "forbidden" if number % 2 else "bad_name", "recovery": "fix", "message": "It was refused."}
    return {"run_id": run, "key": f"key{number}", "line": 1, "effect": "failed", "step": "import 1", "at": 1.0, **told}


def _added(db: Connection, table: Table, row: dict[str, Any]) -> int:
    return int(db.execute(insert(table).values(row).returning(table.c.id)).scalar_one())


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that are executed in the block."""
    statements: list[str] = []

    def count(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", count)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", count)


def asked(browser: FlaskClient) -> dict[str, list[str]]:
    """The statements of every page, once each page has been shown: nothing more is learned then."""
    found = {}
    for path in [path for paths in PAGES.values() for path in paths]:
        browser.get(path)
        with counted() as statements:
            answer = browser.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        found[path] = statements
    return found


def test_no_page_asks_more_often_because_there_is_more(web: WebHouse) -> None:
    browser = web.signed_in()
    seed(web, 0, FEW)
    few = asked(browser)
    seed(web, FEW, MANY)
    many = asked(browser)
    other = {path: (len(few[path]), len(many[path])) for path in many if len(many[path]) != len(few[path])}
    assert other == {}
    assert {path: len(told) for path, told in many.items() if len(told) > MOST} == {}


def test_no_page_writes(web: WebHouse) -> None:
    """A page that only shows takes no lock that a worker could wait for, nor waits for one."""
    browser = web.signed_in()
    seed(web, 0, FEW)
    wrote = ("begin immediate", "insert", "update", "delete")
    found = {path: [one for one in told if one.lower().startswith(wrote)] for path, told in asked(browser).items()}
    assert {path: told for path, told in found.items() if told} == {}


def test_every_page_is_shown_while_somebody_writes(web: WebHouse) -> None:
    browser = web.signed_in()
    seed(web, 0, 2)
    with web.installation.store.database.writing() as db:
        asked(browser)
        db.execute(
            update(tables.web_sessions).values(seen_at=tables.web_sessions.c.seen_at - 3600, toast="It is done.")
        )
    with web.installation.store.database.writing():  # what would be noted beside the page is left for the next one
        assert "It is done." in browser.get("/account").text
    assert "It is done." in browser.get("/account").text
    assert "It is done." not in browser.get("/account").text


def test_every_page_of_the_application_is_counted(web: WebHouse) -> None:
    pages = {rule.endpoint for rule in web.app.url_map.iter_rules() if "GET" in (rule.methods or ())}
    assert pages - WITHOUT_ROWS - PAGES.keys() == set(), "give each of these an entry in PAGES"
    assert (WITHOUT_ROWS | PAGES.keys()) - pages == set()
