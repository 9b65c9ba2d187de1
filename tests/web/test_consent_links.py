"""A link for somebody else: it tells who asks for what, works once, and only from its own page."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from flask.testing import FlaskClient
from web_house import SCOPE, WebHouse, title

from connectors.azure_key_vault.sandbox import Sandbox


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
    assert answers == [303] + [410] * (number - 1)


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
    assert "for which nobody consents" in answer.text


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
