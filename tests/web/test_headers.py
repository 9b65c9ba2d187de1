"""What every answer says to the browser, whatever it is: a page, a redirect, a refusal, a defect, a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_reader import Page
from test_access import all_views, views
from web_house import WebHouse
from werkzeug.test import TestResponse

from integrator.access import PUBLIC, READER

STRICT = {"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'"}
STRICT |= {"connect-src": "'self'", "frame-ancestors": "'none'", "base-uri": "'none'"}
LEADING_AWAY = {"'self'", "https:"}
"""Where forms may end: at a provider's page too, on the pages from which a consent begins."""


def answers(web: WebHouse) -> Iterator[tuple[str, TestResponse]]:
    """Every view, asked by nobody, a reader and an administrator, with and without a proof; and what is no view."""
    for who, browser in (
        ("nobody", web.browser()),
        ("reader", web.signed_in("ben", READER)),
        ("admin", web.signed_in()),
    ):
        for view in all_views(web):
            if view.endpoint in ("sign_in.out", "account.out_everywhere"):
                continue
            yield f"{who} {view}", browser.open(view.path, method=view.method)
            yield f"{who} {view} put", browser.open(view.path, method="PATCH")
        for path in ("/nothing", "/static/nothing.css", "/connections/none", "/runs/99999999999999999999", "/defect"):
            yield f"{who} {path}", browser.get(path)
        yield f"{who} too much", browser.post("/theme", data={"form": "x" * 70_000})
        yield f"{who} another host", browser.get("/")


def policy_of(answer: TestResponse) -> dict[str, str]:
    return dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))


def test_every_answer_of_every_view_is_protected(web: WebHouse) -> None:
    def defect() -> str:
        raise RuntimeError

    web.app.add_url_rule("/defect", "defect", defect)
    statuses = set()
    for name, answer in answers(web):
        statuses.add(answer.status_code)
        policy = policy_of(answer)
        assert {key: policy.get(key) for key in STRICT} == STRICT, name
        assert policy.keys() <= STRICT.keys() | {"form-action"}, name
        assert set(policy["form-action"].split()) <= LEADING_AWAY, name
        assert "unsafe" not in str(policy) and "*" not in str(policy) and "data:" not in str(policy), name
        told = answer.headers
        assert told["X-Content-Type-Options"] == "nosniff", name
        assert (told["X-Frame-Options"], told["Referrer-Policy"]) == ("DENY", "no-referrer"), name
        assert told["Cross-Origin-Opener-Policy"] == told["Cross-Origin-Resource-Policy"] == "same-origin", name
        assert "static" in name or told["Cache-Control"] == "no-store", name
        assert "Access-Control-Allow-Origin" not in told and "Server" not in told, name
        assert (
            answer.content_type is None
            or answer.status_code in (204, 304)
            or "charset" in answer.content_type
            or (answer.mimetype in ("application/json", "image/svg+xml"))
        ), name
        answer.close()
    assert statuses >= {200, 303, 400, 403, 404, 405, 413, 500}


def test_forms_lead_away_only_where_a_consent_begins(web: WebHouse) -> None:
    browser = web.signed_in()
    away = set()
    for view in views(web):
        if view.method == "GET":
            with browser.get(view.path) as answer:
                away |= {view.endpoint} if "https:" in policy_of(answer)["form-action"] else set()
    assert away <= {"connections.shown", "connections.form.new", "connections.form.edited", "consent.shown"}


def test_a_page_asks_for_files_of_this_server_by_their_content_and_those_are_kept_for_ever(web: WebHouse) -> None:
    browser, asked = web.signed_in(), set()
    for view in views(web):
        if view.method == "GET" and view.endpoint not in PUBLIC and not view.endpoint.endswith((".live", ".events")):
            answer = browser.get(view.path)
            if answer.mimetype == "text/html":
                asked |= {
                    value.partition("#")[0] for name, value in Page(answer.text).addresses() if "/static/" in value
                }
    assert len(asked) > 4
    for address in asked:
        assert re.fullmatch(r"/static/[A-Za-z0-9_./-]+\?v=[0-9a-f]{12}", address), address
        answer = browser.get(address, buffered=True)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
        assert "Set-Cookie" not in answer.headers
        stale = browser.get(re.sub(r"v=.*", "v=000000000000", address), buffered=True)
        assert stale.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "/etc/passwd", "....//app.py", "vendor/../../app.py"]
)
def test_files_are_served_from_their_folder_only(web: WebHouse, path: str) -> None:
    answer = web.browser().get(f"/static/{path}?v=000000000000", buffered=True)
    assert answer.status_code == 404
    assert "def " not in answer.text


def test_nothing_in_the_folder_of_files_runs_by_being_opened(web: WebHouse) -> None:
    """A script that waits in an SVG would run as ours where somebody opens it by itself."""
    for path in (Path(web.app.root_path) / "static").rglob("*.svg"):
        page = Page(path.read_text())
        assert {tag for tag, _ in page.elements} & {"script", "foreignobject", "iframe"} == set(), path
        assert [name for _, attrs in page.elements for name, _ in attrs if name.startswith("on")] == [], path
