"""Codes, states, tokens and links are in no log, no page, and no header but the redirect itself."""

from __future__ import annotations

import logging
from urllib.parse import parse_qs, urlsplit

import pytest
from web_house import WebHouse
from werkzeug.test import TestResponse

from connectors.azure_key_vault.sandbox import Sandbox


def test_what_passes_through_is_nowhere_to_be_found(
    web: WebHouse, sandbox: Sandbox, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    browser, link = web.browser(), web.link(return_to="https://portal.test/app")
    with caplog.at_level(logging.DEBUG):
        shown = browser.get(link)
        sent = web.press(browser, link)
        callback = web.visited(sent.headers["Location"])
        back = browser.get(callback)
        later = [browser.get(link), browser.get(callback), web.browser().get(callback)]
        another, second = web.browser(), web.link()
        declined = web.visited(web.sent_away(another, second), user="ben", decision="cancel")
        later.append(another.get(declined))
    assert [answer.status_code for answer in (shown, sent, back, *later)] == [200, 303, 303, 410, 400, 400, 200]
    asked, returned = (parse_qs(urlsplit(address).query) for address in (sent.headers["Location"], callback))
    tokens = web.kept().consent
    secrets = {
        "link": link.removeprefix("/consent/"),
        "second link": second.removeprefix("/consent/"),
        "state": asked["state"][0],
        "nonce": asked["nonce"][0],
        "code": returned["code"][0],
        "declined state": parse_qs(urlsplit(declined).query)["state"][0],
        "access token": tokens.tokens[0].access_token.reveal(),
        "refresh token": tokens.refresh_token.reveal(),
        "client secret": sandbox.client_secret,
    }
    told = "".join((caplog.text, *capfd.readouterr()))
    assert [name for name, secret in secrets.items() if secret in told] == []
    answers = [_without_address(sent), *map(_whole, (shown, back, *later))]
    assert [name for name, secret in secrets.items() if any(secret in answer for answer in answers)] == []
    for path in web.folder.rglob("*"):
        if path.is_file() and path.name != "document.yaml":
            held = path.read_bytes()
            assert [name for name, secret in secrets.items() if secret.encode() in held] == [], path


def _whole(answer: TestResponse) -> str:
    return f"{answer.headers}{answer.text}"


def _without_address(answer: TestResponse) -> str:
    kept = [(name, value) for name, value in answer.headers if name != "Location"]
    return f"{kept}{answer.text}"
