"""What the browser tests stand on: a sandbox and a server as processes, and people whose accounts the server's own pages made.

Nothing of the product is imported here: there are the pages, the command, and the sandbox's switches.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import yaml

COMMAND = Path(sys.executable).with_name("integrator")
READY, FIRST_LINK = "Integrator is at ", "Make the first account, within a day: "
TIMEOUT_SECONDS = 60.0
SECRETS = 24
USUAL_PORTS = (8080, 8443)
"""Of server and sandbox, for pictures that stay the same."""


class Lab:
    """A sandbox in a process of its own, with its switches."""

    def __init__(self, path: Path) -> None:
        self.document: dict[str, Any] = yaml.safe_load(path.read_text())
        self.cloud = self.document["clouds"][0]
        self.cloud["ca_file"] = str(path.parent / self.cloud["ca_file"])
        self.iclient = self.document["iclients"][0]
        self.authority = str(self.cloud["authority"])
        self.urls = {
            one["name"]: one["settings"]["vault_url"] for one in self.document["connections"] if "settings" in one
        }
        self._context = ssl.create_default_context(cafile=self.cloud["ca_file"])

    @property
    def client_secret(self) -> str:
        return str(self.iclient["credential"]["client_secret"])

    def control(self, method: str, path: str, /, **body: Any) -> Any:
        """One of the sandbox's switches."""
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(f"{self.authority}/sandbox/{path}", data, method=method)
        with urllib.request.urlopen(request, context=self._context, timeout=30) as answer:
            return json.load(answer)

    def fault(self, kind: str | int, **options: Any) -> None:
        """Plant a fault."""
        self.control("POST", "faults", kind=kind, **options)

    def settings(self, **settings: Any) -> None:
        """Turn switches: latency_seconds, throttle, user_consent, …"""
        self.control("POST", "settings", **settings)

    def calm(self) -> None:
        """Nobody has consented; no faults, no latency."""
        self.control("DELETE", "faults")
        self.control("DELETE", "refusals")
        self.control("POST", "consent/remove")
        self.settings(latency_seconds=0, throttle=False, user_consent=True)


class House:
    """One installation that is served: its folder, its server, its sandbox, and who signs in."""

    def __init__(self, folder: Path, lab: Lab | None) -> None:
        self.folder, self.lab = folder, lab
        self.home, self.files = folder / "home", folder / "files"
        self.files.mkdir()
        self.url = self.first_link = ""
        self.signed_in: dict[str, Any] = {}
        """By user: the cookies of a browser in which they are signed in."""
        self.environ: dict[str, str] = {}

    def __call__(self, *arguments: str | Path, codes: tuple[int, ...] = (0,)) -> str:
        """Run a command to its end; gives what it printed."""
        command = [str(COMMAND), *map(str, arguments)]
        ended = subprocess.run(
            command, capture_output=True, text=True, env=self._environment(), timeout=TIMEOUT_SECONDS
        )
        assert ended.returncode in codes, f"{arguments} ended {ended.returncode}:\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    def apply(self, document: Mapping[str, Any]) -> None:
        """Apply a document."""
        path = self.folder / "document.yaml"
        path.write_text(yaml.safe_dump(dict(document), sort_keys=False))
        self("apply", path)

    def link_of(self, user: str, role: str = "administrator") -> str:
        """The link at which a new user chooses a password."""
        return str(json.loads(self("users", "add", user, "--role", role, "--json"))["link"])

    def consent_link(self, connection: str) -> str:
        """A link by which somebody else consents."""
        return str(json.loads(self("connections", "link", connection, "--for", "ada", "--json"))["link"])

    def last_run(self, flow: str) -> int:
        """The number of the flow's last run."""
        return int(json.loads(self("runs", "list", "--flow", flow, "--json"))[0]["run"])

    def file(self, name: str, content: str) -> None:
        """A file in the folder that the connection `here` reads and writes."""
        (self.files / name).write_text(content)

    def make_due(self, flow: str) -> None:
        """The flow is due now. A real process has a real clock, and a cron's next minute is far: so the database says it."""
        self.change("update flows set next_due = ? where name = ?", int(time.time()), flow)

    def grow_old(self, table: str, column: str, seconds: float) -> None:
        """As if so much time had passed for every row of this table."""
        self.change(f"update {table} set {column} = {column} - ?", seconds)

    def change(self, statement: str, *values: Any) -> None:
        """Change the database behind the server's back: what else would take hours."""
        with closing(sqlite3.connect(self.home / "integrator.db", timeout=30)) as connection, connection:
            connection.execute(statement, values)

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("INTEGRATOR_")}
        return {**kept, "INTEGRATOR_HOME": str(self.home), "PYTHONWARNINGS": "error", **self.environ}

    @contextmanager
    def served(self, port: int) -> Iterator[None]:
        """The server runs while the block does, at this port, and nothing that it logs is a defect."""
        self.url = self.environ["INTEGRATOR_PUBLIC_URL"] = f"http://127.0.0.1:{port}"
        log = self.folder / "serve.log"
        with log.open("w") as written:
            process = subprocess.Popen(
                [str(COMMAND), "serve", "--port", str(port)], stdout=written, stderr=written, env=self._environment()
            )
        until(lambda: READY in log.read_text() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        try:
            links = [line for line in log.read_text().splitlines() if line.startswith(FIRST_LINK)]
            self.first_link = links[0].removeprefix(FIRST_LINK) if links else ""
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(TIMEOUT_SECONDS) == 0, log.read_text()
        said = log.read_text()
        assert "Traceback" not in said, said
        assert "unforeseen" not in said, said
        assert " ERROR " not in said, said


@contextmanager
def running_house(folder: Path, *, has_lab: bool = True, usual_ports: bool = False) -> Iterator[House]:
    """A new installation, served, with nothing in it; beside it a sandbox, unless none is wanted."""
    served_at, lab_at = USUAL_PORTS if usual_ports else (_free_port(), 0)
    with ExitStack() as stack:
        house = House(folder, stack.enter_context(_running_lab(folder, lab_at)) if has_lab else None)
        stack.enter_context(house.served(served_at))
        yield house


@contextmanager
def _running_lab(folder: Path, port: int) -> Iterator[Lab]:
    path = folder / "lab.yaml"
    vaults = ("--vault", f"contoso={SECRETS}", "--vault", "fabrikam=0")
    process = subprocess.Popen(
        [str(COMMAND), "sandbox", "--port", str(port), *vaults, "--write", str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert "ready" in process.stdout.readline()
    try:
        yield Lab(path)
    finally:
        process.terminate()
        process.communicate(timeout=TIMEOUT_SECONDS)


def until(holds: Callable[[], Any], seconds: float = TIMEOUT_SECONDS) -> Any:
    """Wait until something holds; gives it."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if found := holds():
            return found
        time.sleep(0.02)
    raise AssertionError("it never came to that")


def _free_port() -> int:
    """One outside the range from which the kernel gives ports to whoever asks for any: nobody takes it in between."""
    for port in random.sample(range(20_000, 30_000), 100):
        with closing(socket.socket()) as found:
            try:
                found.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
