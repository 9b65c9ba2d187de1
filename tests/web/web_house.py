"""What the web tests stand on: the sandbox, an installation whose connections need a person, and browsers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connectors.azure_key_vault.sandbox import Sandbox
from integrator.access import ADMINISTRATOR, User
from integrator.bootstrap import Installation
from integrator.config import Config
from integrator.documents import apply
from integrator.linking import make_link
from integrator.store.account_rows import writing_accounts
from integrator.web.app import create_app

PUBLIC_URL = "http://127.0.0.1:9"
"""Nothing answers there: the tests bring requests in themselves."""

SESSION = "integrator-session"
RETURN_URLS = "https://portal.test/app"
SCOPE = "https://vault.azure.net/user_impersonation"
_FORM = re.compile(r'name="form" value="([0-9a-f]+)"')


class WebHouse:
    """One installation with its application. Every `browser()` is another browser."""

    def __init__(self, sandbox: Sandbox, folder: Path, **environ: str) -> None:
        self.sandbox, self.folder = sandbox, folder
        settings = {"INTEGRATOR_HOME": str(folder / "home"), "INTEGRATOR_PUBLIC_URL": PUBLIC_URL}
        config = Config.from_environment(settings | {"INTEGRATOR_RETURN_URLS": RETURN_URLS} | environ)
        self.installation = Installation(config, waited_for=True)
        self.public_url = str(config.public_url)
        self.apply(self.document())
        self.app = create_app(self.installation)

    def document(self) -> dict[str, Any]:
        made = self.sandbox.document()
        made["iclients"][0]["scopes"] = [SCOPE]
        for connection in made["connections"]:
            if "vault_url" in connection.get("settings", {}):
                connection |= {"auth": "authorization_code", "owner": "grace@contoso.test"}
        return made

    def apply(self, document: dict[str, Any]) -> None:
        path = self.folder / "document.yaml"
        path.write_text(yaml.safe_dump(document))
        apply(path, self.installation.store, {})

    def browser(self) -> FlaskClient:
        return self.app.test_client()

    def user(self, name: str = "ada", role: str = ADMINISTRATOR) -> User:
        """The user of this name, made where there is none; without a password."""
        with writing_accounts(self.installation.store) as rows:
            return rows.users.find(name) or rows.users.add(name, role, self.installation.clock.now())

    def signed_in(self, name: str = "ada", role: str = ADMINISTRATOR) -> FlaskClient:
        """A browser in which this user is signed in."""
        user, browser = self.user(name, role), self.browser()
        with writing_accounts(self.installation.store) as rows:
            token = rows.sessions.begin(user, self.installation.clock.now())
        browser.set_cookie(SESSION, token)
        return browser

    def proof(self, browser: FlaskClient, path: str = "/account") -> str:
        """What the forms of this page hold."""
        shown = browser.get(path)
        found = _FORM.search(shown.text)
        assert found, shown.text
        return found[1]

    def post(self, browser: FlaskClient, path: str, shown_on: str = "/account", **data: str) -> TestResponse:
        """Send a form of ours."""
        return browser.post(path, data={"form": self.proof(browser, shown_on), **data})

    def link(self, name: str = "contoso", return_to: str = "", hours: float = 1) -> str:
        """The path of a new link."""
        address = make_link(self.installation, name, "ada@contoso.test", hours * 3600, return_to)
        return self.path(address)

    def press(self, browser: FlaskClient, link: str) -> TestResponse:
        """Open the link and press the button; where that leads is not followed."""
        shown = browser.get(link)
        found = _FORM.search(shown.text)
        assert found, shown.text
        return browser.post(link, data={"form": found[1]})

    def sent_away(self, browser: FlaskClient, link: str) -> str:
        """The provider's address, once the button was pressed."""
        answer = self.press(browser, link)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["Location"])

    def visited(self, address: str, user: str = "ada", decision: str = "accept") -> str:
        """The path of the callback, once a person went through the provider's pages."""
        return self.path(self.sandbox.consent(address, user, decision))

    def path(self, address: str) -> str:
        """The address without what every browser has in front of it."""
        assert address.startswith(self.public_url)
        parts = urlsplit(address)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    def consented(self, name: str = "contoso", user: str = "ada") -> TestResponse:
        """The last page of a consent."""
        browser = self.browser()
        return browser.get(self.visited(self.sent_away(browser, self.link(name)), user))

    def kept(self, name: str = "contoso") -> Any:
        with self.installation.store.reading() as stored:
            return stored.consents.find(name)

    def state(self, name: str = "contoso") -> str:
        with self.installation.store.reading() as stored:
            return str(stored.connections.state(name).state)

    def close(self) -> None:
        self.installation.close()


def title(answer: TestResponse) -> str:
    """The page's one heading."""
    found = re.findall(r"<h1>(.*?)</h1>", answer.text, re.DOTALL)
    assert len(found) == 1, answer.text
    return re.sub(r"<[^>]+>", "", found[0])
