"""A link for somebody else: it tells who asks for what, works once, and only from its own page."""

from __future__ import annotations

import http.client
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Event
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from flask import request
from flask.testing import FlaskClient
from web_house import SCOPE, WebHouse, title

from connectors.azure_key_vault.sandbox import Sandbox
from integrator.cli.connections import connections
from integrator.errors import NotFoundHere
from integrator.linking import revoke_links
from integrator.preflight import refuse_hopeless
from integrator.reaching import PATH as PROOF_PATH
from integrator.web.server import THREADS


def asked(
    served: WebHouse, method: str, path: str, body: str | None = None, **headers: str
) -> http.client.HTTPResponse:
    """What the server answers; its text is read and kept as `text`."""
    connection = http.client.HTTPConnection(str(urlsplit(served.public_url).netloc), timeout=60)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.text = answer.read().decode()  # type: ignore[attr-defined]
        return answer
    finally:
        connection.close()


def opened(served: WebHouse, link: str) -> tuple[str, str]:
    """The cookie and the form that the link's page gives."""
    answer = asked(served, "GET", link)
    found = re.search(r'name="form" value="([0-9a-f]+)"', answer.text)  # type: ignore[attr-defined]
    assert found
    return answer.headers["Set-Cookie"].partition(";")[0], found[1]


def posted(served: WebHouse, link: str, cookie: str, form: str) -> http.client.HTTPResponse:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return asked(served, "POST", link, f"form={form}", Cookie=cookie, **kind)


def test_the_page_says_who_asks_for_what_and_until_when(web: WebHouse, sandbox: Sandbox) -> None:
    text = web.browser().get(web.link()).text
    told = ("grace@contoso.test", "ada@contoso.test", "contoso", "Azure Key Vault at 127.0.0.1", SCOPE, "UTC")
    assert [one for one in told if one not in text] == []
    assert "act for you at vault.azure.net, with your own rights" in text
    assert f"Continue to {sandbox.authority.removeprefix('https://')}" in text


def test_the_button_leads_to_the_provider_and_the_consent_ends_well(web: WebHouse) -> None:
    answer = web.consented()
    assert (answer.status_code, title(answer)) == (200, "contoso is online")
    assert "ada@" in answer.text
    assert web.state() == "online"
    assert web.kept().consent.account.startswith("ada@")


def test_the_form_may_be_followed_to_the_provider_and_back_and_over_plain_http_nowhere_else(web: WebHouse) -> None:
    policy = web.browser().get(web.link()).headers["Content-Security-Policy"]
    assert "form-action 'self' https:;" in policy
    web.installation.config = replace(web.installation.config, return_urls=("http://localhost:3000",))
    policy = web.browser().get(web.link(return_to="http://localhost:3000/x")).headers["Content-Security-Policy"]
    assert "form-action 'self' https: http://localhost:3000;" in policy


def test_looking_uses_nothing_up(web: WebHouse) -> None:
    link = web.link()
    for _ in range(3):
        assert web.browser().get(link).status_code == 200
    assert web.browser().head(link).status_code == 200
    assert web.press(web.browser(), link).status_code == 303


def test_a_used_link_says_so(web: WebHouse) -> None:
    browser, link = web.browser(), web.link()
    web.sent_away(browser, link)
    again = browser.get(link)
    assert (again.status_code, title(again)) == (410, "This link does not work any more")
    assert "used already" in again.text


def test_an_unknown_link_says_so(web: WebHouse) -> None:
    assert "not known here" in web.browser().get("/consent/" + "x" * 43).text


def test_an_expired_link_says_so(web: WebHouse) -> None:
    assert "has expired" in web.browser().get(web.link(hours=-1)).text


def test_of_many_who_press_at_the_same_time_one_goes_on(web: WebHouse) -> None:
    link, number = web.link(), 6
    together = Barrier(number)

    def press(browser: FlaskClient) -> int:
        form = browser.get(link).text.partition('name="form" value="')[2].partition('"')[0]
        together.wait()
        return browser.post(link, data={"form": form}).status_code

    with ThreadPoolExecutor(number) as pool:
        answers = sorted(pool.map(press, [web.browser() for _ in range(number)]))
    assert answers[0] == 303
    assert set(answers[1:]) <= {410, 503}


def test_who_presses_again_while_the_provider_is_asked_is_told_to_wait_and_holds_nobody_up(
    served: WebHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking, go_on = Event(), Event()

    def slowly(*arguments: Any, **options: Any) -> None:
        asking.set()
        go_on.wait(30)
        refuse_hopeless(*arguments, **options)

    monkeypatch.setattr("integrator.web.views.consent.refuse_hopeless", slowly)
    link, other = served.link(), served.link("fabrikam")
    cookie, form = opened(served, link)
    with ThreadPoolExecutor(THREADS * 3) as pool:
        first = pool.submit(posted, served, link, cookie, form)
        assert asking.wait(30)
        others = list(pool.map(lambda _: posted(served, link, cookie, form), range(THREADS * 3 - 1)))
        assert asked(served, "GET", "/health/live").status == 200
        assert {answer.status for answer in others} == {503}
        assert {answer.headers["Retry-After"] for answer in others} == {"15"}
        go_on.set()
        assert first.result().status == 303
    assert posted(served, link, cookie, form).status == 410
    assert posted(served, other, *opened(served, other)).status == 303


def test_many_who_press_leave_the_server_answering(served: WebHouse, sandbox: Sandbox) -> None:
    proofs: list[str] = []

    @served.app.before_request
    def note() -> None:
        proofs.extend(filter(lambda path: path == PROOF_PATH, (request.path,)))

    link = served.link()
    cookie, form = opened(served, link)
    proofs.clear()  # making the link has asked for one
    with ThreadPoolExecutor(THREADS * 3) as pool:
        answers = list(pool.map(lambda _: posted(served, link, cookie, form).status, range(THREADS * 3)))
    assert answers.count(303) == 1
    assert set(answers) <= {303, 410, 503}
    assert proofs == []  # a thread that waits for another thread's answer is one too many


def test_who_came_by_the_public_url_shows_that_it_is_reached(sandbox: Sandbox, tmp_path: Path) -> None:
    web = WebHouse(sandbox, tmp_path, INTEGRATOR_PUBLIC_URL="https://integrator.test")
    uris = list(sandbox.application.redirect_uris)
    sandbox.application.redirect_uris.append("https://integrator.test/callback")
    with web.installation.store.writing() as stored:
        now = web.installation.clock.now()
        token = stored.consent_links.make("contoso", made_for="", return_to="", now=now, lifetime_seconds=60)
    link, browser = f"https://integrator.test/consent/{token}", web.browser()
    try:
        assert web.press(browser, link).status_code == 303
    finally:
        sandbox.application.redirect_uris[:] = uris
        web.close()


def test_a_form_from_elsewhere_is_refused_and_uses_nothing_up(web: WebHouse) -> None:
    link, other = web.link(), web.browser()
    strange = other.get(link).text.partition('name="form" value="')[2].partition('"')[0]
    mine = web.browser()
    for data in ({}, {"form": ""}, {"form": "0" * 64}, {"form": strange}, {"form": "ü"}):
        answer = mine.post(link, data=data)
        assert (answer.status_code, title(answer)) == (400, "This form did not come from our page")
    mine.get(link)
    assert mine.post(link, data={"form": strange}).status_code == 400
    of_another_link = mine.get(web.link()).text.partition('name="form" value="')[2].partition('"')[0]
    assert mine.post(link, data={"form": of_another_link}).status_code == 400
    assert web.press(mine, link).status_code == 303


def test_a_planted_cookie_that_is_no_secret_of_ours_counts_as_none(web: WebHouse) -> None:
    link, browser = web.link(), web.browser()
    browser.set_cookie("integrator-browser", "planted")
    browser.get(link)
    assert web.press(browser, link).status_code == 303
    cookie = browser.get_cookie("integrator-browser")
    assert cookie is not None
    assert len(cookie.value) == 43


def test_a_consent_that_could_not_end_well_is_told_and_the_link_stays(web: WebHouse, sandbox: Sandbox) -> None:
    link, browser = web.link(), web.browser()
    uris = list(sandbox.application.redirect_uris)
    sandbox.application.redirect_uris[:] = ["https://elsewhere.test/callback"]
    try:
        answer = web.press(browser, link)
    finally:
        sandbox.application.redirect_uris[:] = uris
    assert (answer.status_code, title(answer)) == (200, "This consent could not end well")
    assert web.press(browser, link).status_code == 303


def test_a_provider_that_cannot_be_asked_is_told_and_the_link_stays(web: WebHouse, sandbox: Sandbox) -> None:
    link, browser = web.link(), web.browser()
    form = browser.get(link).text.partition('name="form" value="')[2].partition('"')[0]
    sandbox.faults.add("reset", host="entra", times=20)
    answer = browser.post(link, data={"form": form})
    sandbox.faults.clear()
    assert answer.status_code in (200, 503), answer.text
    assert "Location" not in answer.headers
    assert browser.post(link, data={"form": form}).status_code == 303


def test_a_connection_that_needs_no_consent_any_more_is_told(web: WebHouse, sandbox: Sandbox) -> None:
    link = web.link()
    web.apply(sandbox.document())
    answer = web.press(web.browser(), link)
    assert (title(answer), "cannot_run" in answer.text) == ("This consent could not end well", True)


def test_the_page_tells_the_code_and_the_log_the_reason(web: WebHouse, caplog: pytest.LogCaptureFixture) -> None:
    link, document = web.link(), web.document()
    document["clouds"][0]["ca_file"] = "/private/ca.pem"
    document["iclients"][0]["credential"] = {"client_secret": "typed again"}
    web.apply(document)
    answer = web.press(web.browser(), link)
    assert (answer.status_code, title(answer)) == (200, "This consent could not end well")
    assert ("consent_cannot_end" in answer.text, "/private" in answer.text) == (True, False)
    assert "The CA file /private/ca.pem cannot be read" in caplog.text


def test_links_that_were_taken_back_serve_no_more(web: WebHouse) -> None:
    used, links, other = web.link(), [web.link(), web.link(), web.link(hours=-1)], web.link("fabrikam")
    browser = web.browser()
    form = browser.get(links[0]).text.partition('name="form" value="')[2].partition('"')[0]
    web.press(web.browser(), used)
    assert revoke_links(web.installation, "contoso") == 2
    assert [web.browser().get(link).status_code for link in links] == [410] * 3
    assert browser.post(links[0], data={"form": form}).status_code == 410
    assert "used already" in web.browser().get(used).text
    assert web.browser().get(other).status_code == 200
    with web.installation.store.reading() as stored:
        row = stored.audit.list(1)[0]
    assert (row.action, row.noun, row.name, row.detail) == ("links revoked", "connection", "contoso", {"links": 2})


def test_where_no_link_serves_none_is_taken_back(web: WebHouse) -> None:
    assert revoke_links(web.installation, "contoso") == 0
    with web.installation.store.reading() as stored:
        assert "links revoked" not in [row.action for row in stored.audit.list()]
    with pytest.raises(NotFoundHere):
        revoke_links(web.installation, "nobody")


@pytest.mark.parametrize(("options", "told"), [((), "contoso: 1 link taken back.\n"), (("--json",), None)])
def test_the_command_line_takes_links_back(web: WebHouse, options: tuple[str, ...], told: str | None) -> None:
    link = web.link()
    environ = {"INTEGRATOR_HOME": str(web.folder / "home")}
    done = CliRunner(env=environ).invoke(connections, ["link", "contoso", "--revoke", *options])
    assert done.exit_code == 0, done.output
    assert done.output == told or json.loads(done.output) == {"connection": "contoso", "links_revoked": 1}
    assert web.browser().get(link).status_code == 410


def test_a_link_of_a_connection_that_was_deleted_is_gone(web: WebHouse) -> None:
    link = web.link()
    with web.installation.store.writing() as stored:
        stored.connections.delete("contoso")
    assert web.browser().get(link).status_code == 410


@pytest.mark.parametrize("return_to", ["https://evil.test/", "https://portal.test/app/../x", "https://portal.test"])
def test_a_link_that_was_made_for_an_address_that_is_not_allowed_goes_nowhere_else(
    web: WebHouse, return_to: str
) -> None:
    with web.installation.store.writing() as stored:
        token = stored.consent_links.make(
            "contoso", made_for="", return_to=return_to, now=web.installation.clock.now(), lifetime_seconds=60
        )
    browser = web.browser()
    last = browser.get(web.visited(web.sent_away(browser, f"/consent/{token}")))
    assert (last.status_code, title(last)) == (200, "contoso is online")
    assert "Location" not in last.headers
    assert "Back to" not in last.text
