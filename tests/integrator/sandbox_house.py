"""What tests of consents, slots and standings stand on: the sandbox, and installations that reach it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from connectors.azure_key_vault.sandbox import Sandbox
from connectors.azure_key_vault.sandbox.tls import make_certificates, server_context
from iclients.consented import Kept
from iclients.testing import MovableClock
from integrator import documents
from integrator.admission import Sessions
from integrator.bootstrap import Installation
from integrator.config import Config
from integrator.consenting import Authorized, Begun, Consenting

REDIRECT_URI = "http://127.0.0.1/callback"
PERSONS = ("https://vault.azure.net/user_impersonation",)
APPS = ("https://vault.azure.net/.default",)
OWNER = "grace@contoso.test"

Callback = dict[str, list[str]]


class SandboxHouse:
    """One installation whose connection `contoso` reaches the sandbox. Its clock stands still until it is moved."""

    def __init__(self, sandbox: Sandbox, folder: Path, **environ: str) -> None:
        self.sandbox, self.folder = sandbox, folder
        self.config = Config.from_environment({"INTEGRATOR_HOME": str(folder / "home")} | environ)
        self.installation = Installation(self.config, waited_for=True)
        self.clock = MovableClock(time.time())
        self.installation.clock = self.clock  # type: ignore[assignment]
        self.consenting = Consenting(self.installation)
        self.files = folder / "files"
        self.files.mkdir()

    def document(self, auth: str = "client_credentials", **iclient: Any) -> dict[str, Any]:
        """The sandbox's document; the vaults' connections have this `auth`, the iClient these members but for None."""
        made = self.sandbox.document()
        scopes = APPS if auth == "client_credentials" else PERSONS
        whole = {**made["iclients"][0], "scopes": list(scopes), "owner": OWNER, **iclient}
        made["iclients"][0] = {key: value for key, value in whole.items() if value is not None}
        made["connections"] = [one for one in made["connections"] if one["api_type"] == "data"]
        for connection in made["connections"]:
            connection["auth"] = auth
        return made

    def apply(self, document: dict[str, Any]) -> None:
        path = self.folder / "document.yaml"
        path.write_text(yaml.safe_dump(document))
        documents.apply(path, self.installation.store, {})

    def begin(self, name: str = "contoso", **options: Any) -> Begun:
        return self.consenting.begin(name, REDIRECT_URI, **options)

    def visited(self, begun: Begun, user: str = "ada", decision: str = "accept") -> Callback:
        """What comes back once a person has gone through the provider's pages."""
        return parameters(self.sandbox.consent(begun.address, user, decision))

    def authorize(self, name: str = "contoso", user: str = "ada") -> Authorized:
        return self.consenting.finish(self.visited(self.begin(name), user))

    def kept(self, name: str = "contoso") -> Kept | None:
        with self.installation.store.reading() as stored:
            return stored.consents.find(name)

    def ask(self, name: str = "contoso", scopes: tuple[str, ...] = PERSONS) -> str:
        """A token of this connection, as a process gets it that begins now."""
        self.installation._sessions = Sessions()
        return self.installation.admission(name).session(scopes).token().access_token.reveal()

    def expire(self, name: str = "contoso") -> None:
        """As if an hour had passed: the kept access tokens have ended, the refresh token has not."""
        keeper = self.installation.admission(name).keeper
        kept = keeper.get()
        assert kept is not None
        ended = tuple(replace(token, expires_at=0.0, replace_at=0.0) for token in kept.consent.tokens)
        keeper.save(replace(kept.consent, tokens=ended), None)
        self.installation._sessions = Sessions()

    def revoke_at_the_provider(self, user: str = "ada") -> None:
        """The person's sessions and refresh tokens end, and the kept access tokens are over."""
        self.sandbox.entra.revoke(user)
        self.sandbox.clock.advance(1)
        self.expire()

    def state(self, name: str = "contoso") -> str:
        with self.installation.store.reading() as stored:
            return stored.connections.state(name).state

    def paused(self) -> dict[str, str]:
        with self.installation.store.reading() as stored:
            return stored.flows.paused()

    def notices(self) -> list[tuple[str, str]]:
        """Whom what was told about."""
        with self.installation.store.reading() as stored:
            return [(notice.owner, notice.subject) for notice in stored.notices.list()]

    def actions(self, name: str) -> list[str]:
        """What was done to the noun of this name, the oldest first."""
        with self.installation.store.reading() as stored:
            return [row.action for row in reversed(stored.audit.list(1000)) if row.name == name]

    def asked(self) -> int:
        """How many token requests the provider has had."""
        return self.sandbox.calls()["entra"].get("token", 0)

    def close(self) -> None:
        self.installation.close()


def parameters(address: str) -> Callback:
    """The query of an address, as a callback brings it."""
    return parse_qs(urlsplit(address).query)


@contextmanager
def as_it_was(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The sandbox for one test: whatever the test turns is turned back."""
    application = sandbox.application
    secrets, uris, certificates = [*application.secrets], [*application.redirect_uris], [*application.certificates]
    sandbox.reset_calls()
    try:
        yield sandbox
    finally:
        application.secrets[:], application.redirect_uris[:] = secrets, uris
        application.certificates[:] = certificates
        application.enabled = True
        sandbox.entra.remove_consent(None, None)
        sandbox.entra.refusals.clear()
        sandbox.entra.require_mfa("ada", False)
        sandbox.faults.clear()


class TokenServer:
    """An authorization server that gives what a test says, with an access token that the sandbox's vaults take."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.answer: dict[str, Any] = {"refresh_token": "refresh"}
        self.keys: dict[str, Any] = {"keys": []}
        self.forms: list[tuple[str, Callback]] = []
        self.revoking_status = 200
        self._sandbox = sandbox
        certificates = make_certificates()
        self.ca_file = folder / "token-server-ca.pem"
        self.ca_file.write_bytes(certificates.authority)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._answering())
        self._server.socket = server_context(certificates).wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def iclient(self, **settings: Any) -> dict[str, Any]:
        """What a document says to reach it."""
        where = {"authorization_endpoint": f"{self.url}/authorize", "token_endpoint": f"{self.url}/token"}
        return {"provider": "generic", "settings": {**where, "ca_file": str(self.ca_file), **settings}}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def given(self) -> dict[str, Any]:
        token, seconds, _ = self._sandbox.entra.home.issue(self._sandbox.application, "https://vault.azure.net")
        return {"access_token": token, "token_type": "Bearer", "expires_in": seconds, **self.answer}

    def _answering(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(200, server.keys)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                server.forms.append((self.path, parse_qs(body)))
                is_token = self.path == "/token"
                self._send(200 if is_token else server.revoking_status, server.given() if is_token else {})

            def _send(self, status: int, document: dict[str, Any]) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        return Answering


def finish_in_this_process(home: Path, callback: Callback) -> None:
    """Ends a consent: for a process that is killed meanwhile."""
    with Installation(Config.from_environment({"INTEGRATOR_HOME": str(home)})) as installation:
        Consenting(installation).finish(callback)
