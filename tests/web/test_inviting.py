"""Somebody else is invited to consent: the link is made, shown once, and taken back; a consent is given back."""

from __future__ import annotations

import html
import re
from urllib.parse import urlsplit

from web_house import WebHouse

from integrator.access import READER
from integrator.consenting import Consenting

PAGE = "/connections/contoso/link"
LINK = re.compile(r'value="(http://[^"]+/consent/[^"]+)"')


def made_link(served: WebHouse, **typed: str) -> str:
    answer = served.post(served.signed_in(), PAGE, **{"for": "grace@contoso.test", "hours": "72"} | typed)
    assert answer.status_code == 200, answer.text
    found = LINK.search(answer.text)
    assert found, answer.text
    return html.unescape(found[1])


def test_the_link_that_is_made_leads_somebody_else_to_the_consent(served: WebHouse) -> None:
    link = made_link(served)
    assert link.startswith(served.public_url)
    shown = served.browser().get(urlsplit(link).path)
    assert shown.status_code == 200
    assert "grace@contoso.test" in shown.text


def test_a_link_to_this_machine_says_that_nobody_else_can_open_it(served: WebHouse) -> None:
    answer = served.post(served.signed_in(), PAGE, **{"for": "grace@contoso.test", "hours": "72"})
    assert "It works in browsers on this machine only." in answer.text


def test_the_link_is_shown_once(served: WebHouse) -> None:
    token = made_link(served).rpartition("/")[2]
    browser = served.signed_in()
    for path in (PAGE, "/connections/contoso", "/audit"):
        assert token not in browser.get(path).text


def test_links_that_are_out_are_taken_back(served: WebHouse) -> None:
    link, browser = made_link(served), served.signed_in()
    answer = served.post(browser, f"{PAGE}/take-back")
    assert (answer.status_code, answer.headers["Location"]) == (303, PAGE)
    assert "1 link of contoso taken back" in browser.get(PAGE).text
    assert served.browser().get(urlsplit(link).path).status_code == 410


def test_a_form_without_a_person_or_with_another_time_is_shown_again(served: WebHouse) -> None:
    answer = served.post(served.signed_in(), PAGE, **{"for": " ", "hours": "100000"})
    assert answer.status_code == 422
    assert "For whom is missing" in answer.text
    assert "Valid for is none of these" in answer.text


def test_where_nobody_needs_to_consent_the_page_says_so(web: WebHouse) -> None:
    answer = web.post(web.signed_in(), "/connections/arm/link", **{"for": "grace", "hours": "24"})
    assert answer.status_code == 409
    assert "Nothing was changed" in answer.text


def test_a_consent_is_given_back(web: WebHouse) -> None:
    browser = web.signed_in()
    refused = web.post(browser, "/connections/contoso/consent/give-back")
    assert (refused.status_code, "has no consent to revoke" in refused.text) == (409, True)
    begun = Consenting(web.installation).begin("contoso", f"{web.public_url}/callback")
    assert web.browser().get(web.visited(begun.address)).status_code == 200
    assert "ada@" in browser.get(PAGE).text
    given_back = web.post(browser, "/connections/contoso/consent/give-back")
    assert (given_back.status_code, given_back.headers["Location"]) == (303, "/connections/contoso")
    assert "is given back" in browser.get("/connections/contoso").text
    with web.installation.store.reading() as stored:
        assert stored.consents.find("contoso") is None


def test_a_reader_makes_no_link(served: WebHouse) -> None:
    reader = served.signed_in("rita", READER)
    assert served.post(reader, PAGE, **{"for": "x", "hours": "24"}).status_code == 403
