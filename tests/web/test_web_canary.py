"""Codes, states, tokens and links are in no log, no page, and no header but the redirect itself."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from test_access import View, views
from web_house import SESSION, WebHouse
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from connectors.azure_key_vault.sandbox import Sandbox
from integrator.access import READER
from integrator.accounts import Accounts
from integrator.web import drafts
from integrator.web.current import STREAMS_KEY
from integrator.web.live import Streams
from integrator.worker import Worker


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


PLANTED = {
    "value in a vault": "canary-of-a-value-in-a-vault",
    "value in a file": "canary-of-a-value-in-a-file",
    "client secret": "canary-of-a-client-secret~8Q",
    "another client secret": "canary-of-another-client-secret~8Q",
    "certificate password": "canary-of-a-certificate-password",
    "password": "canary of a password of hers",
    "wrong password": "canary of a password that is wrong",
}
RULES = [{"to": "name", "from": "name"}, {"to": "value", "from": "value"}]
TYPED_FLOW = {"name": "vaults", "source.connection": "contoso", "source.resource": "secrets", "source.values": "yes"}
TYPED_FLOW |= {"target.connection": "fabrikam", "target.resource": "secrets", "target.operation": "upsert"}
SAID_AGAIN = {"go": "preview", "rule.to": ["name", "value", "content_type"], "rule.kind": ["from", "from", "template"]}
SAID_AGAIN |= {"rule.text": ["name", "value", "{{ value[:30] }} {{ value }}"], "schedule.preset": "none"}


class Furnished(WebHouse):
    """An installation whose apps come in by themselves; a vault and a file hold what must never be seen."""

    def document(self) -> dict[str, Any]:
        made = self.sandbox.document()
        files = self.folder / "files"
        files.mkdir()
        value = PLANTED["value in a file"]
        (files / "in.csv").write_text(f"name,value\nfine,{value}\nno name_at all!,{value}\n")
        made["connections"].append({"name": "files", "connector": "files", "settings": {"folder": str(files)}})
        made["flows"] = [self.flow("vaults", "contoso", "secrets"), self.flow("into", "files", "in.csv")]
        self.sandbox.vault("contoso").put("planted", PLANTED["value in a vault"])
        return made

    def flow(self, name: str, source: str, resource: str) -> dict[str, Any]:
        into = {"connection": "fabrikam", "resource": "secrets", "operation": "upsert", "mapping": RULES}
        export = {"connection": source, "resource": resource, "values": True}
        return {"name": name, "exports": [export], "steps": [{"import": into}]}

    def ran(self, browser: FlaskClient, name: str) -> TestResponse:
        """Run the flow to its end; before that, a stream looks at the run that waits."""
        answer = self.post(browser, f"/flows/{name}/run")
        streamed = browser.get(f"{answer.headers['Location']}/live", buffered=True)
        assert "event: moved" in streamed.text
        worker = Worker(self.installation, threads=0)
        claimed = worker.queue.take()
        assert claimed is not None
        worker.execute(claimed)
        with self.installation.store.reading() as stored:
            assert stored.runs.newest(flow=name)[0].progress.counts["created"] >= 1
        return streamed


@pytest.fixture
def furnished(sandbox: Sandbox, tmp_path: Path) -> Iterator[Furnished]:
    made = Furnished(sandbox, tmp_path)
    made.app.extensions[STREAMS_KEY] = Streams(tick_seconds=0.001, longest_seconds=0.02)
    yield made
    made.close()
    sandbox.vault("contoso").secrets.pop("planted", None)


def test_no_secret_of_any_kind_is_on_a_page_in_a_stream_in_a_log_or_in_a_file(
    furnished: Furnished, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    house, answers, browser = furnished, [], furnished.browser()
    secrets = dict(PLANTED)
    with caplog.at_level(logging.DEBUG):
        link = house.path(Accounts(house.installation).first_link() or "")
        typed = {"name": "ada", "password": secrets["password"], "again": secrets["wrong password"]}
        answers.append(browser.get(link))
        answers.append(house.post(browser, link, link, **typed))
        signed = house.post(browser, link, link, **{**typed, "again": secrets["password"]})
        cookie = browser.get_cookie(SESSION)
        assert signed.status_code == 303 and cookie
        reset = house.path(Accounts(house.installation).add("ben", READER))
        secrets |= {"set-up link": link.removeprefix("/set-up/"), "reset link": reset.removeprefix("/set-up/")}
        secrets |= {"session": cookie.value, "app's secret": house.sandbox.client_secret}
        answers += [browser.get(reset), browser.get(link), browser.post(reset, data={"password": secrets["password"]})]
        wrong = {"name": "ada", "password": secrets["wrong password"], "next": "/runs"}
        answers.append(house.post(house.browser(), "/sign-in", "/sign-in", **wrong))
        answers += typed_secrets(house, browser)
        answers += [house.ran(browser, name) for name in ("vaults", "into")]
        previewed = [
            browser.post(path, data=MultiDict({"form": house.proof(browser), **TYPED_FLOW, **SAID_AGAIN}))
            for path in ("/flows/vaults/preview", "/new/flow/preview", "/new/flow", "/new/flow/check")
        ]
        assert "planted" in previewed[0].text, previewed[0].text
        answers += previewed
        answers += [browser.get(view.path, buffered=True) for view in views(house) if is_page(view)]
        for path in ("/runs/1", "/runs/2", "/flows/vaults", "/iclients/sandbox-app", "/iclients/sandbox-app/edit"):
            answers += [browser.get(f"{path}{tab}") for tab in ("", "?tab=steps", "?tab=events", "?tab=document")]
        answers.append(browser.post("/nothing", data=wrong))
    assert len(answers) > 60
    told = "".join((caplog.text, *capfd.readouterr()))
    assert [name for name, secret in secrets.items() if secret in told] == []
    for answer in answers:
        whole = _without_cookies(answer)
        assert [name for name, secret in secrets.items() if secret in whole] == [], (answer.request.path, whole[:80])
    assert [name for name, secret in secrets.items() if secret in repr(house.app.extensions.get(drafts.KEY))] == []
    for path in (house.folder / "home").rglob("*"):
        held = path.read_bytes() if path.is_file() else b""
        assert [name for name, secret in secrets.items() if secret.encode() in held] == [], path


def typed_secrets(house: Furnished, browser: FlaskClient) -> Iterator[TestResponse]:
    """Secrets that are typed: into forms that keep them, that find a mistake, and that were cut short."""
    kept = {"provider": "entra", "client_id": house.sandbox.client_id, "cloud": "lab", "tenant": house.sandbox.tenant}
    secret = {"credential.kind": "client_secret", "credential.secret": PLANTED["client secret"]}
    yield house.post(browser, "/new/iclient", **kept, **secret, name="another-app")
    yield house.post(browser, "/new/iclient", **kept, **secret, name="not a name!/")
    other = {"next_credential.kind": "client_secret", "next_credential.secret": PLANTED["another client secret"]}
    yield house.post(browser, "/iclients/another-app/edit", **kept, **other, name="another-app")
    file = (BytesIO(b"no certificate"), "app.pfx")
    locked = {"credential.kind": "certificate", "credential.password": PLANTED["certificate password"]}
    data = {"form": house.proof(browser), **kept, **locked, "name": "third-app", "credential.file": file}
    yield browser.post("/new/iclient", data=data)
    again = {"credential_again": PLANTED["client secret"], "connector": "azure-key-vault", "iclient": "another-app"}
    for go in ("test", "close", "http", "iclient-new", "authorize"):
        yield house.post(browser, "/new/connection", **again, name="mine", go=go, api_type="data")
    changed = {"old": PLANTED["wrong password"], "password": PLANTED["client secret"], "again": "another"}
    yield house.post(browser, "/account/password", **changed)


def is_page(view: View) -> bool:
    return view.method == "GET" and view.endpoint != "static"


def _without_cookies(answer: TestResponse) -> str:
    """What scripts and caches may see of it; the address it leads to is the browser's own."""
    kept = [(name, value) for name, value in answer.headers if name != "Set-Cookie"]
    return f"{kept}{answer.text}"
