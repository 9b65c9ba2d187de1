"""Nobody comes in by default: every view wants somebody who is signed in, and every change a proof and a role."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask.testing import FlaskClient
from web_house import WebHouse, title
from werkzeug.routing import Rule

from integrator.access import API, PUBLIC, READER, ROLES, User, may
from integrator.web.entering import OWN_PROOF

SAMPLES = {
    "name": "contoso",
    "run_id": "1",
    "notice_id": "1",
    "action_id": "get_secret",
    "token": "x" * 43,
    "filename": "mark.svg",
}


@dataclass(frozen=True)
class View:
    endpoint: str
    method: str
    path: str


def views(web: WebHouse) -> Iterator[View]:
    """Every view for people. Those of the API let in by a token: `tests/api` asks them the same."""
    for view in all_views(web):
        if view.endpoint.partition(".")[0] != API:
            yield view


def all_views(web: WebHouse) -> Iterator[View]:
    for rule in web.app.url_map.iter_rules():
        for method in (rule.methods or set()) & {"GET", "POST", "PUT", "PATCH", "DELETE"}:
            yield View(rule.endpoint, method, path_of(rule))


def path_of(rule: Rule) -> str:
    """The path with a sample of each argument: of one that is new, any number."""
    return re.sub(r"<(?:[^:>]+:)?([^>]+)>", lambda found: SAMPLES.get(found[1], "1"), rule.rule)


def sent(browser: FlaskClient, view: View, **data: str) -> int:
    return browser.open(view.path, method=view.method, data=data, buffered=True).status_code


def test_who_has_not_signed_in_is_sent_to_sign_in_from_every_view_but_the_public_ones(web: WebHouse) -> None:
    browser = web.browser()
    closed = [view for view in views(web) if view.endpoint not in PUBLIC]
    assert len(closed) > 25
    for view in closed:
        answer = browser.open(view.path, method=view.method)
        assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, "/sign-in"), view


def test_the_public_views_are_those_that_exist_and_no_more(web: WebHouse) -> None:
    assert {view.endpoint for view in views(web)} >= PUBLIC
    assert {name.partition(".")[0] for name in PUBLIC} == {
        "static",
        "sign_in",
        "setting_up",
        "callback",
        "consent",
        "health",
    }


def test_a_view_that_nobody_has_thought_about_is_closed(web: WebHouse) -> None:
    web.app.add_url_rule("/forgotten", "forgotten", lambda: "open", methods=["GET", "POST"])
    assert web.browser().get("/forgotten").status_code == 303
    assert web.browser().post("/forgotten").status_code == 303
    assert web.signed_in().post("/forgotten").status_code == 400
    reader = web.signed_in("ben", READER)
    assert reader.get("/forgotten").text == "open"
    assert web.post(reader, "/forgotten").status_code == 403


def test_every_change_wants_a_proof_that_a_page_of_ours_sent_it(web: WebHouse) -> None:
    browser, stranger = web.signed_in(), web.signed_in("eve")
    others = web.proof(stranger)
    changes = [view for view in views(web) if view.method != "GET" and view.endpoint not in OWN_PROOF]
    assert len(changes) > 12
    for view in changes:
        assert sent(browser, view) == 400, view
        assert sent(browser, view, form="0" * 64) == 400, view
        assert sent(browser, view, form=others) == 400, view
    assert title(browser.post("/theme")) == "This form did not come from our page"


def test_a_proof_counts_in_a_header_too_and_not_from_another_site(web: WebHouse) -> None:
    browser = web.signed_in()
    proof = {"X-Integrator-Form": web.proof(browser)}
    assert browser.post("/theme", headers=proof).status_code == 303
    for site in ("cross-site", "same-site"):
        assert browser.post("/theme", headers={**proof, "Sec-Fetch-Site": site}).status_code == 400


def test_a_proof_from_before_signing_in_serves_no_more(web: WebHouse) -> None:
    browser = web.browser()
    before = web.proof(browser, "/sign-in")
    for cookie in web.signed_in()._cookies.values():
        browser.set_cookie(cookie.key, cookie.value)
    assert browser.post("/theme", data={"form": before}).status_code == 400


def test_readers_read_everything_and_change_nothing_but_what_is_theirs(web: WebHouse) -> None:
    reader = web.signed_in("ben", READER)
    proof = web.proof(reader)
    for view in views(web):
        if view.endpoint in PUBLIC or view.method == "GET":
            continue
        status = sent(reader, view, form=proof)
        own = view.endpoint.partition(".")[0] in ("account", "theme", "sign_in")
        assert (status != 403) if own else (status == 403), view
        if view.endpoint in ("sign_in.out", "account.out_everywhere"):
            reader = web.signed_in("ben", READER)
            proof = web.proof(reader)
    assert title(web.post(reader, "/connections/contoso/test")) == "You may not do this"


def test_every_page_answers_an_administrator(web: WebHouse) -> None:
    browser = web.signed_in()
    for view in views(web):
        if view.method == "GET" and view.endpoint not in PUBLIC:
            assert sent(browser, view) in (200, 303, 404), view


def test_a_part_of_a_page_that_is_asked_for_by_itself_is_told_to_sign_in(web: WebHouse) -> None:
    answer = web.browser().get("/runs?page=2", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/sign-in?next=/runs%3Fpage%3D2")


@pytest.mark.parametrize("verb", ["read", "change", "own", "anything else"])
def test_a_role_that_is_not_known_may_nothing(verb: str) -> None:
    assert not may(User(1, "x", "owner of everything"), verb, "connections")
    assert {role for role in ROLES if may(User(1, "x", role), "change", "connections")} == {"administrator"}


def test_what_somebody_does_in_the_browser_is_theirs_in_the_audit(web: WebHouse) -> None:
    browser = web.signed_in("grace")
    assert web.post(browser, "/connections/fabrikam/delete", name="fabrikam").status_code == 303
    with web.installation.store.reading() as stored:
        newest = stored.audit.list(limit=1)[0]
    assert (newest.actor, newest.action, newest.name) == ("web:grace", "deleted", "fabrikam")
    assert not web.installation.store.actor.startswith("web:")
