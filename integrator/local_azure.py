"""A local Azure beside the server, for whoever wants to try things first: the sandbox as a child process, with vaults, a
folder and a flow that are ready to run.

What says that there is one is the document that it wrote into the data folder, and that its connections are still there:
a server that finds both starts it again on the same ports. It ends with the server, however that ends: the child reads
the pipe that the server holds open. Its vaults are in memory, so what was written into them is gone then.
"""

from __future__ import annotations

import logging
import secrets
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from connectors.errors import SettingsError
from iclients.errors import RemoteError
from integrator import documents
from integrator.bootstrap import Installation
from integrator.errors import UserError, defect_sentence
from integrator.pinging import tested

FOLDER: Final = "local-azure"
VAULTS: Final = {"contoso": 40, "fabrikam": 0}
FILES: Final = "contoso-files"
FLOW: Final = "contoso-to-file"
START_SECONDS: Final = 30.0
END_SECONDS: Final = 5.0
LOG: Final = logging.getLogger("integrator.local_azure")

_PORTS: Final = 2 + len(VAULTS)
_TRIES: Final = 5
_LOWEST_PORT, _HIGHEST_PORT = 20_000, 32_000
_FIELDS: Final = ("name", "value", "content_type", "tags", "enabled", "not_before", "expires")


class Stands(StrEnum):
    """How the local Azure stands."""

    ABSENT = "absent"
    STARTING = "starting"
    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class State:
    """How it stands; where it does not run, why."""

    stands: Stands
    sentence: str = ""


class LocalAzure:
    """The sandbox of one server. Start it with `begin`, or with `resume` where it was there before; `close` ends it."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._folder = installation.config.home / FOLDER
        self._lock = threading.Lock()
        self._child: subprocess.Popen[str] | None = None
        self._starting: threading.Thread | None = None
        self._sentence = ""
        self._read: tuple[Path | None, dict[str, Any]] = None, {}

    def state(self) -> State:
        """How it stands now. Where all its connections were deleted, it ends, and is not there any more."""
        if self._starting is not None and self._starting.is_alive():
            return State(Stands.STARTING)
        if self._note() is None or not self.connections():
            self._end()
            self._forget()
            return State(Stands.ABSENT, self._sentence)
        if self._child is not None and self._child.poll() is None:
            return State(Stands.RUNNING)
        return State(
            Stands.STOPPED, self._sentence or "It has ended: its connections reach nothing until it runs again."
        )

    def connections(self) -> list[str]:
        """Its connections that are still stored: vaults first, then its folder."""
        with self._installation.store.reading() as stored:
            there = {name: stored.connections.find(name) for name in (*VAULTS, FILES)}
        ours = {str(self._files), *_addresses(self._document())}
        return [name for name, one in there.items() if one and ours & {str(place) for place in one.settings.values()}]

    def begin(self, installation: Installation) -> None:
        """Start it, in the background, for whoever acts in this installation; where it starts or runs, nothing."""
        with self._lock:
            if self.state().stands in (Stands.STARTING, Stands.RUNNING):
                return
            self._sentence = ""
            self._starting = threading.Thread(target=self._started, args=(installation,), name="local-azure")
            self._starting.start()

    def resume(self) -> None:
        """Start it where it was there before and its connections still are."""
        if self.state().stands is Stands.STOPPED:
            self.begin(self._installation)

    def wait(self) -> None:
        """Until it has started, or has not."""
        if self._starting is not None:
            self._starting.join()

    def close(self) -> None:
        """End it; its connections stay, and so does what the next server starts it from."""
        self.wait()
        self._end()

    @contextmanager
    def kept(self, is_alone: bool) -> Iterator[None]:
        """While the block runs, what was there before runs, unless another server on this database has it."""
        if is_alone:
            self.resume()
        try:
            yield
        finally:
            self.close()

    @property
    def _files(self) -> Path:
        return self._folder / "files"

    def _started(self, installation: Installation) -> None:
        try:
            self._start(installation)
        except (UserError, OSError) as error:
            self._sentence = str(error)
        except Exception as error:  # noqa: BLE001 - the thread's boundary: whoever looks at the first page is told
            self._sentence = defect_sentence(error)
        if self._sentence:
            self._end()
            LOG.error("the local Azure did not start: %s", self._sentence)

    def _start(self, installation: Installation) -> None:
        self._end()  # of one that ended by itself, what it held
        before = self._document()
        self._files.mkdir(mode=0o700, parents=True, exist_ok=True)
        written = self._folder / f"azure-{secrets.token_hex(4)}.yaml"
        self._child = self._spawned(written, _port_of(before))
        made = documents.read(written.name, written.read_bytes()).data
        applied = _whole(made, self._files) if not before else _renewed(made)
        self._apply(installation, applied)
        for older in self._folder.glob("azure-*"):
            if not older.name.startswith(written.stem):
                older.unlink(missing_ok=True)
        for name in self.connections():
            with suppress(RemoteError, SettingsError, UserError):  # its page tells how it stands
                tested(installation, name)

    def _spawned(self, written: Path, port: int | None) -> subprocess.Popen[str]:
        """The child, once it answers. Raises UserError with what it said where it does not."""
        for _ in range(_TRIES):
            child = _spawn(written, port or _free_ports(), self._folder / "log.txt")
            if _is_ready(child):
                return child
            _end(child)
            if port is not None:
                break
        raise UserError(f"The local Azure did not start: {_last_line(self._folder / 'log.txt') or 'it said nothing'}")

    def _apply(self, installation: Installation, document: dict[str, Any]) -> None:
        path = self._folder / "applied.yaml"
        path.touch(mode=0o600)
        try:
            path.write_text(documents.text(document), "utf-8")
            documents.apply(path, installation.store)
        finally:
            path.unlink()

    def _note(self) -> Path | None:
        return max(self._folder.glob("azure-*.yaml"), key=lambda path: path.stat().st_mtime_ns, default=None)

    def _document(self) -> dict[str, Any]:
        """What the sandbox wrote when it began last; empty where it never has."""
        note = self._note()
        if note is None:
            return {}
        if note != self._read[0]:
            self._read = note, documents.read(note.name, note.read_bytes()).data
        return self._read[1]

    def _forget(self) -> None:
        for path in self._folder.glob("azure-*"):
            path.unlink(missing_ok=True)

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            _end(child)


def _spawn(written: Path, port: int, log: Path) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "integrator",
        "sandbox",
        "--until-closed",
        "--port",
        str(port),
        "--write",
        str(written),
    ]
    vaults = [option for name, count in VAULTS.items() for option in ("--vault", f"{name}={count}")]
    with log.open("w", encoding="utf-8") as errors:
        return subprocess.Popen(  # noqa: S603 - our own command
            [*command, *vaults],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C in a terminal is for the server, which ends it in order
        )


def _is_ready(child: subprocess.Popen[str]) -> bool:
    """Whether it says so in time."""
    if child.stdout is None or not select.select([child.stdout], [], [], START_SECONDS)[0]:
        return False
    return bool(child.stdout.readline())


def _end(child: subprocess.Popen[str]) -> None:
    child.terminate()
    try:
        child.communicate(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()


def _whole(made: dict[str, Any], files: Path) -> dict[str, Any]:
    """What the sandbox wrote, with a folder and a flow into it."""
    vaults = [one for one in made["connections"] if one["name"] in VAULTS]
    folder = {"name": FILES, "connector": "files", "settings": {"folder": str(files)}}
    return {**made, "connections": [*vaults, folder], "flows": [_flow()]}


def _renewed(made: dict[str, Any]) -> dict[str, Any]:
    """What is another one each time: its certificate and its credential. What people have changed since stays."""
    return {"version": made["version"], "clouds": made["clouds"], "iclients": made["iclients"]}


def _flow() -> dict[str, Any]:
    mapping = [{"to": name, "from": name} for name in _FIELDS]
    export = {"connection": "contoso", "resource": "secrets", "values": True, "where": "enabled"}
    into = {"connection": FILES, "resource": "contoso.csv", "plaintext": True, "mapping": mapping}
    return {"name": FLOW, "exports": [export], "steps": [{"import": into}]}


def _addresses(document: dict[str, Any]) -> Sequence[str]:
    settings = (one.get("settings", {}) for one in document.get("connections", []))
    return [one["vault_url"] for one in settings if "vault_url" in one]


def _port_of(document: dict[str, Any]) -> int | None:
    return urlsplit(document["clouds"][0]["authority"]).port if document else None


def _free_ports() -> int:
    """The first of as many ports in a row as the sandbox listens at, all free a moment ago."""
    for _ in range(1_000):
        first = _LOWEST_PORT + secrets.randbelow(_HIGHEST_PORT - _LOWEST_PORT)
        if all(_is_free(port) for port in range(first, first + _PORTS)):
            return first
    raise UserError("The local Azure finds no free ports on this machine: end what listens there.")


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").strip().splitlines() if log.is_file() else []
    return lines[-1].removeprefix("Error: ") if lines else ""
