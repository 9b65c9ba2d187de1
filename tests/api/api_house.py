"""What the tests of the API stand on: the sandbox, an installation, tokens, and programs that call."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from werkzeug.test import TestResponse

from connectors.azure_key_vault.sandbox import Sandbox
from iclients.testing import MovableClock
from integrator.access import ADMINISTRATOR, API, User
from integrator.bootstrap import Installation
from integrator.config import Config
from integrator.documents import apply
from integrator.store.account_rows import writing_accounts
from integrator.store.audit import AuditRow
from integrator.web.app import create_app

PUBLIC_URL = "https://integrator.test"
LIST = "/api/v1/connections/contoso/actions"
OPENAPI = "/api/v1/openapi.json"
VALUE = "canary-of-a-value-that-was-read"
WRITTEN = "canary-of-a-value-that-was-written"
SAMPLES = {"name": "contoso", "action_id": "get_secret"}


class ApiHouse:
    """One installation with its application, behind a public URL with TLS."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder
        settings = {"INTEGRATOR_HOME": str(folder / "home"), "INTEGRATOR_PUBLIC_URL": PUBLIC_URL}
        self.installation = Installation(Config.from_environment(settings), waited_for=True)
        sandbox.vault("contoso").put("planted", VALUE)
        self.apply(sandbox.document())
        self.app = create_app(self.installation)

    def apply(self, document: dict[str, Any]) -> None:
        path = self.folder / "document.yaml"
        path.write_text(yaml.safe_dump(document))
        apply(path, self.installation.store, {})

    def user(self, name: str = "ada", role: str = ADMINISTRATOR) -> User:
        with writing_accounts(self.installation.store) as rows:
            return rows.users.find(name) or rows.users.add(name, role, self.installation.clock.now())

    def token(self, name: str = "ada", role: str = ADMINISTRATOR, days: int = 90, use: str = "") -> str:
        """A new token of this user."""
        user = self.user(name, role)
        with writing_accounts(self.installation.store) as rows:
            made = rows.tokens.make(user, use or f"t{len(rows.tokens.of(user))}", days, self.installation.clock.now())
        return made.reveal()

    def call(self, path: str, token: str = "", /, method: str = "GET", **more: Any) -> TestResponse:
        """What a program gets that has no cookies; with `json=…` it sends that."""
        headers = {"Host": "integrator.test"} | ({"Authorization": f"Bearer {token}"} if token else {})
        program = self.app.test_client(use_cookies=False)
        return program.open(path, method=method, headers=headers | more.pop("headers", {}), buffered=True, **more)

    def act(self, token: str, action: str, /, **inputs: Any) -> TestResponse:
        return self.call(f"{LIST}/{action}", token, method="POST", json=inputs)

    def moved_clock(self) -> MovableClock:
        made = MovableClock(self.installation.clock.now())
        self.installation.clock = self.installation.store.clock = made
        return made

    def audit(self) -> list[AuditRow]:
        """The newest first."""
        with self.installation.store.reading() as stored:
            return [*stored.audit.list()]

    def views(self) -> Iterator[tuple[str, str]]:
        """Method and path of every view of the API."""
        for rule in self.app.url_map.iter_rules():
            if rule.endpoint.partition(".")[0] == API:
                path = re.sub(r"<([^>]+)>", lambda found: SAMPLES[found[1]], rule.rule)
                yield from ((method, path) for method in (rule.methods or set()) - {"HEAD"})

    def close(self) -> None:
        self.installation.close()


def error(answer: TestResponse) -> dict[str, Any]:
    """What an answer tells that is a mistake: one object, with what every mistake has."""
    assert answer.mimetype == "application/json", answer.text
    document = json.loads(answer.text)
    assert document.keys() == {"error"}
    assert {"code", "message", "recovery"} <= document["error"].keys() <= {"code", "message", "recovery", "parameter"}
    assert document["error"]["recovery"] in ("retry", "reauthorize", "skip", "abort")
    assert re.fullmatch(r"\w.*[.…]", document["error"]["message"], re.DOTALL), document
    return dict(document["error"])
