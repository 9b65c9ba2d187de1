"""The callback: who may end a consent, how often, and what the page says however it ends."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from web_house import PUBLIC_URL, WebHouse, title

from connectors.azure_key_vault.sandbox import Sandbox
from iclients.errors import (
    AnswerLost,
    CredentialRefused,
    MalformedAnswer,
    NotAuthorized,
    NotSent,
    Recovery,
    RemoteError,
)
from integrator.consenting import Consenting, NotOnline
from integrator.web import outcomes

CALLBACK = f"{PUBLIC_URL}/callback"


def test_a_consent_that_the_command_line_began_ends_here_in_any_browser(web: WebHouse) -> None:
    consenting = Consenting(web.installation)
    begun = consenting.begin("contoso", CALLBACK)
    answer = web.browser().get(web.visited(begun.address))
    assert title(answer) == "contoso is online"
    done = consenting.outcome("contoso", begun.state)
    assert done is not None
    assert done.account.startswith("ada@")


def test_another_browser_cannot_end_a_consent_and_uses_nothing_up(web: WebHouse) -> None:
    mine, other, stranger = web.browser(), web.browser(), web.browser()
    callback = web.visited(web.sent_away(mine, web.link()))
    web.press(other, web.link("fabrikam"))  # it has a secret of its own
    for browser in (other, stranger):
        answer = browser.get(callback)
        assert (answer.status_code, title(answer)) == (400, "This consent began in another browser")
        assert web.kept() is None
    assert title(mine.get(callback)) == "contoso is online"


def test_a_callback_counts_once(web: WebHouse) -> None:
    browser = web.browser()
    callback = web.visited(web.sent_away(browser, web.link()))
    assert browser.get(callback).status_code == 200
    version = web.kept().version
    again = browser.get(callback)
    assert (again.status_code, title(again)) == (400, "This consent was used already")
    assert web.kept().version == version


def test_of_callbacks_that_come_at_the_same_time_one_counts(web: WebHouse, sandbox: Sandbox) -> None:
    callback = web.visited(Consenting(web.installation).begin("contoso", CALLBACK).address)
    sandbox.reset_calls()
    with ThreadPoolExecutor(5) as pool:
        answers = sorted(pool.map(lambda browser: browser.get(callback).status_code, [web.browser() for _ in range(5)]))
    assert answers == [200, 400, 400, 400, 400]
    assert sandbox.calls()["entra"]["authorization_code"] == 1


def test_whoever_only_looks_uses_nothing_up(web: WebHouse) -> None:
    callback = web.visited(Consenting(web.installation).begin("contoso", CALLBACK).address)
    assert web.browser().head(callback).status_code == 405
    assert web.browser().post(callback).status_code == 405
    assert web.browser().get(callback).status_code == 200


def test_a_state_of_another_connection_brings_its_code_nowhere(web: WebHouse) -> None:
    consenting = Consenting(web.installation)
    of_contoso, of_fabrikam = (consenting.begin(name, CALLBACK) for name in ("contoso", "fabrikam"))
    parameters = parse_qs(urlsplit(web.visited(of_contoso.address)).query)
    swapped = {name: values[0] for name, values in parameters.items()} | {"state": of_fabrikam.state}
    answer = web.browser().get(f"/callback?{urlencode(swapped)}")
    assert "is online" not in title(answer)
    assert web.kept("contoso") is None
    assert web.kept("fabrikam") is None


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=x",
        "state=x",
        "code=x&state=unknown",
        "code=x&code=y&state={state}",
        "code=x&state={state}&state={state}",
        "code=x&error=y&state={state}",
        "code=&state={state}",
        "error=access_denied",
        "code=x&state={state}%00",
        "code=x&state={state}%20",
        "code=x&state={state}%C3%A4",
        "code=x&state={state}" + "&a=b" * 60,
        "code=" + "x" * 17_000 + "&state={state}",
    ],
)
def test_callbacks_that_nobody_waits_for_are_400_and_use_nothing_up(web: WebHouse, query: str) -> None:
    begun = Consenting(web.installation).begin("contoso", CALLBACK)
    answer = web.browser().get(f"/callback?{query.format(state=begun.state)}")
    assert answer.status_code == 400
    assert "What to do next" in answer.text
    assert title(web.browser().get(web.visited(begun.address))) == "contoso is online"


@pytest.mark.parametrize("tail", ["/", "//evil.test", "%2f", ";x", "/../callback"])
def test_a_redirect_uri_with_more_behind_it_is_not_the_callback(web: WebHouse, tail: str) -> None:
    begun = Consenting(web.installation).begin("contoso", CALLBACK)
    callback = web.visited(begun.address).replace("/callback", f"/callback{tail}", 1)
    assert web.browser().get(callback).status_code == 404
    assert web.kept() is None


def test_a_consent_that_was_declined_says_so_and_leads_back(web: WebHouse) -> None:
    browser, link = web.browser(), web.link(return_to="https://portal.test/app/x?y=1")
    answer = browser.get(web.visited(web.sent_away(browser, link), decision="cancel"))
    assert (answer.status_code, title(answer)) == (200, "The consent was declined")
    assert 'href="https://portal.test/app/x?y=1"' in answer.text
    assert "Back to portal.test" in answer.text


def test_a_consent_that_ends_well_goes_where_the_link_says_and_carries_nothing_there(web: WebHouse) -> None:
    browser, link = web.browser(), web.link(return_to="https://portal.test/app/x?y=1")
    answer = browser.get(web.visited(web.sent_away(browser, link)))
    assert (answer.status_code, answer.headers["Location"]) == (303, "https://portal.test/app/x?y=1")
    assert answer.text == ""
    assert web.state() == "online"


def test_a_return_that_is_taken_off_the_list_meanwhile_is_not_followed(web: WebHouse) -> None:
    browser, link = web.browser(), web.link(return_to="https://portal.test/app/x")
    callback = web.visited(web.sent_away(browser, link))
    web.installation.config = replace(web.installation.config, return_urls=())
    assert title(browser.get(callback)) == "contoso is online"


def test_an_expired_consent_says_so(web: WebHouse) -> None:
    begun = Consenting(web.installation).begin("contoso", CALLBACK)
    callback = web.visited(begun.address)
    now = web.installation.clock.now
    web.installation.clock.now = lambda: now() + 601  # type: ignore[method-assign]
    answer = web.browser().get(callback)
    assert (answer.status_code, title(answer)) == (400, "This consent took too long")


def test_a_provider_that_is_down_is_503_and_the_code_is_not_sent_again(web: WebHouse, sandbox: Sandbox) -> None:
    callback = web.visited(Consenting(web.installation).begin("contoso", CALLBACK).address)
    sandbox.faults.add("reset", host="entra", times=20)
    answer = web.browser().get(callback)
    sandbox.faults.clear()
    assert (answer.status_code, title(answer)) == (503, "The provider cannot be asked now")
    assert web.browser().get(callback).status_code == 400
    assert web.kept() is None


def test_a_connection_that_is_gone_meanwhile_is_told(web: WebHouse) -> None:
    callback = web.visited(Consenting(web.installation).begin("contoso", CALLBACK).address)
    with web.installation.store.writing() as stored:
        stored.connections.delete("contoso")
    assert web.browser().get(callback).status_code in (200, 400)


@pytest.mark.parametrize(
    ("error", "description", "status", "heading"),
    [
        (NotAuthorized("x", code="access_denied"), "", 200, "The consent was declined"),
        (NotAuthorized("x", code="access_denied"), "AADSTS65004: no", 200, "The consent was declined"),
        (NotAuthorized("x", code="access_denied"), "AADSTS90094: no", 200, "An administrator must approve this"),
        (NotAuthorized("x", code="consent_required"), "", 200, "An administrator must approve this"),
        (
            NotAuthorized("x", code="access_denied"),
            "AADSTS50020: no",
            200,
            "This account belongs to another organization",
        ),
        (NotAuthorized("x", code="access_denied"), "AADSTS53003: no", 200, "A policy of your organization blocks this"),
        (NotAuthorized("x", code="consent_expired"), "", 200, "This consent took too long"),
        (NotAuthorized("x", code="id_token"), "", 200, "The answer was not trusted"),
        (NotAuthorized("x", code="mix_up"), "", 200, "The answer was not trusted"),
        (CredentialRefused("x", code="invalid_client"), "", 200, "The app is not set up for this"),
        (NotAuthorized("x", code="new_error"), "AADSTS1: no", 200, "The provider refused"),
        (NotSent("x"), "", 503, "The provider cannot be asked now"),
        (AnswerLost("x"), "", 503, "The provider cannot be asked now"),
        (MalformedAnswer("x"), "", 502, "The provider's answer makes no sense"),
    ],
)
def test_each_way_to_fail_has_its_own_words(error: NotAuthorized, description: str, status: int, heading: str) -> None:
    message = outcomes.failed(error, {"error_description": [description]})
    assert (message.status, message.title) == (status, heading)
    assert message.next_step


@pytest.mark.parametrize(
    "error",
    [
        CredentialRefused("It cannot be read from /private/assertion.", code="assertion_unreadable"),
        NotOnline("It is kept, but. The CA file /private/ca.pem cannot be read."),
        NotSent("The CA file /private/ca.pem cannot be read.", code="ca_file", recovery=Recovery.ABORT),
    ],
)
@pytest.mark.parametrize("description", ["", "AADSTS65004: as whoever holds the link may write"])
def test_facts_of_this_machine_are_in_the_log_and_on_the_page_is_their_code(
    error: RemoteError, description: str, caplog: pytest.LogCaptureFixture
) -> None:
    message = outcomes.failed(error, {"error_description": [description]})
    assert "/private" not in f"{message}"
    assert f"(code: {error.code})" in message.sentence
    assert "/private" in caplog.text


def test_what_the_provider_says_to_the_person_is_told_to_them() -> None:
    error = NotAuthorized("The provider refused iClient x: “no guests”", code="access_denied")
    assert "no guests" in outcomes.failed(error, {}).sentence


def test_why_a_connection_cannot_work_is_in_the_log_only(caplog: pytest.LogCaptureFixture) -> None:
    message = outcomes.impossible("settings.folder of connection here cannot be '/private'.\n")
    assert ("/private" in f"{message}", "cannot_run" in message.sentence) == (False, True)
    assert "/private'.\\n" in caplog.text
