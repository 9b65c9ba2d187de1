"""Where people are sent: after signing in, after choosing a theme, after a form; never to a place that an address names."""

from __future__ import annotations

from urllib.parse import quote, urljoin, urlsplit

import pytest
from test_access import all_views
from web_house import WebHouse

from integrator.web.entering import local_path

HERE = "https://integrator.test"
ELSEWHERE = [
    "https://evil.test",
    "//evil.test",
    "///evil.test",
    "////evil.test",
    "/\\evil.test",
    "\\/evil.test",
    "\\\\evil.test",
    "/\\/evil.test",
    "/\t/evil.test",
    "/\n/evil.test",
    "/\r\n/evil.test",
    "\t//evil.test",
    " //evil.test",
    "/ /evil.test\\",
    "https:evil.test",
    "https:/evil.test",
    "http:\\\\evil.test",
    "javascript:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,x",
    "//integrator.test@evil.test",
    "@evil.test",
    ".evil.test",
    ":80@evil.test",
    "/\u2028/evil.test",
    "/\x00/evil.test",
    "/\u200b\\evil.test",
    "http://[::1",
    "//%65vil.test",
    "?//evil.test",
    "",
]
HARMLESS = [
    "/%2f%2fevil.test",
    "/%5cevil.test",
    "/..//evil.test",
    "/.//evil.test",
    "/a//evil.test",
    "/#//evil.test",
    "/?u=//evil.test",
    "/\uff0f\uff0fevil.test",
    "/@evil.test",
]
"""They look bad, and stay here."""


def lands(address: str) -> str:
    """The host at which a browser ends that follows this address from a page of ours (WHATWG URL: control characters are
    dropped, backslashes are slashes)."""
    cleaned = "".join(letter for letter in address.strip() if letter not in "\t\r\n").replace("\\", "/")
    while cleaned.startswith("///"):
        cleaned = cleaned[1:]
    return urlsplit(urljoin(f"{HERE}/sign-in", cleaned)).netloc


@pytest.mark.parametrize("address", ELSEWHERE)
def test_what_leads_elsewhere_becomes_the_first_page(address: str) -> None:
    assert local_path(address) == "/"


def test_signing_in_and_the_theme_lead_to_a_page_of_ours(web: WebHouse) -> None:
    browser = web.signed_in()
    proof = web.proof(browser)
    answers = []
    for address in (*ELSEWHERE, *HARMLESS):
        answers.append(browser.get(f"/sign-in?next={quote(address, safe='')}"))
        answers.append(browser.get("/sign-in", query_string={"next": address}))
        answers.append(browser.post("/theme", data={"form": proof, "theme": "dark", "back": address}))
    for answer in answers:
        location = answer.headers["Location"]
        assert location.startswith("/") and lands(location) == "integrator.test", location
        assert "\n" not in location and "\\" not in location


NAMES = ("next", "back", "return_to", "return_url", "redirect", "url", "to", "draft", "typed", "go", "action")


@pytest.mark.parametrize("address", ["https://evil.test/", "//evil.test", "/\\evil.test"])
def test_no_view_sends_anybody_where_a_field_or_an_address_says(web: WebHouse, address: str) -> None:
    headers = {"Referer": "https://evil.test/", "HX-Current-URL": address, "X-Forwarded-Host": "evil.test"}
    browser, names = web.signed_in(), dict.fromkeys(NAMES, address)
    proof = web.proof(browser)
    for view in all_views(web):
        data = {"form": proof, **names} if view.method != "GET" else None
        answer = browser.open(view.path, method=view.method, data=data, query_string=names, headers=headers)
        for header in ("Location", "HX-Redirect", "HX-Location", "HX-Push-Url", "Refresh"):
            assert lands(answer.headers.get(header, "/")) != "evil.test", (view, header)
        answer.close()
        if view.endpoint in ("sign_in.out", "account.out_everywhere"):
            browser = web.signed_in()
            proof = web.proof(browser)


def test_nobody_who_is_sent_to_sign_in_is_sent_elsewhere_afterwards(web: WebHouse) -> None:
    for path in (
        "//evil.test/connections",
        "/connections/..//evil.test",
        "/\\evil.test",
        "/connections?next=//evil.test",
    ):
        for told in ({}, {"HX-Request": "true"}):
            answer = web.browser().get("/", environ_overrides={"PATH_INFO": path.partition("?")[0]}, headers=told)
            location = answer.headers.get("Location") or answer.headers.get("HX-Redirect") or "/"
            assert lands(location) == "integrator.test"
