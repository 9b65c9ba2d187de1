"""What the acceptance tests stand on: the command as a process, the sandbox as a process, and vaults read back over HTTP.

Nothing of the product is imported here: everything is judged from outside.
"""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import yaml

COMMAND = Path(sys.executable).with_name("integrator")
API = "api-version=7.4"
TIMEOUT_SECONDS = 100.0
FIELDS = ("name", "value", "content_type", "tags", "enabled", "not_before", "expires")
COUNTS = ("read", "created", "updated", "unchanged", "deleted", "skipped", "conflicts", "failed")
STATUSES = ("waiting", "running", "succeeded", "completed with errors", "failed", "needs authorization", "cancelled")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it said."""

    arguments: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)

    @property
    def last_line(self) -> str:
        """The last line for a person."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""

    @property
    def sentence(self) -> str:
        """The one line that tells the error."""
        lines = [line for line in self.err.splitlines() if line.startswith("Error: ")]
        assert len(lines) == 1, f"one sentence expected: {self.err!r}"
        return lines[0].removeprefix("Error: ")

    def ended(self, code: int) -> Ended:
        """Itself, once it is sure that it ended with this code."""
        assert self.code == code, f"{self.arguments} ended {self.code}, not {code}:\n{self.out[-3000:]}\n{self.err}"
        return self


class House:
    """One installation: a data folder, a folder of files, and the command."""

    def __init__(self, home: Path, files: Path) -> None:
        self.home, self.files = home, files
        self.prefix: tuple[str, ...] = ()
        self.environ: dict[str, str] = {}

    def __call__(self, *arguments: str | Path, code: int | None = 0) -> Ended:
        """Run a command to its end, which must be `code`."""
        ended = finish(self.start(*arguments), arguments)
        return ended if code is None else ended.ended(code)

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start a command."""
        command = [*self.prefix, str(COMMAND), *map(str, arguments)]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment(), cwd=self.files
        )

    def environment(self) -> dict[str, str]:
        """What the command gets: nothing of ours but a data folder of its own, and warnings as errors."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("INTEGRATOR_")}
        return {**kept, "INTEGRATOR_HOME": str(self.home), "PYTHONWARNINGS": "error", **self.environ}

    def run(self, flow: str, code: int = 0) -> dict[str, Any]:
        """Run a flow; gives its document."""
        document: dict[str, Any] = self("flows", "run", flow, "--json", code=code).json
        return check_run(document)

    def apply(self, document: Mapping[str, Any] | str, name: str = "doc.yaml", code: int | None = 0) -> Ended:
        """Apply a document that is written beside the data folder."""
        path = self.home.parent / name
        text = document if isinstance(document, str) else yaml.safe_dump(dict(document), sort_keys=False)
        path.write_text(text)
        return self("apply", path, code=code)

    def file(self, name: str, content: str | bytes) -> Path:
        """A file in the folder."""
        path = self.files / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path


def finish(
    process: subprocess.Popen[str], arguments: tuple[str | Path, ...], timeout: float = TIMEOUT_SECONDS
) -> Ended:
    """Wait for a command; what every command must hold is checked here."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"{arguments} did not end:\n{out}\n{err}") from None
    ended = Ended(tuple(map(str, arguments)), process.returncode, out, err)
    assert "Traceback" not in out + err, f"{arguments}:\n{err}"
    assert "unforeseen" not in out + err, f"{arguments}:\n{err}"
    if "--json" in ended.arguments and process.returncode >= 0 and "--help" not in ended.arguments:
        json.loads(out)
    return ended


def check_run(document: dict[str, Any]) -> dict[str, Any]:
    """A run's document as the contract has it, and every record that was read accounted for."""
    assert list(document)[:6] == ["run", "flow", "status", "counts", "calls", "seconds"]
    more = {"started", "ended", "error", "due", "started_by", "not_before", "retry_of", "retry_only"}
    assert set(document) - more == {"run", "flow", "status", "counts", "calls", "seconds"}
    assert isinstance(document["run"], int)
    assert document["status"] in STATUSES
    counts = document["counts"]
    assert tuple(counts) == COUNTS
    assert sum(counts.values()) - counts["read"] - counts["deleted"] == counts["read"], counts
    assert all(isinstance(number, int) and number > 0 for number in document["calls"].values())
    assert document["seconds"] >= 0
    return document


class Lab:
    """A sandbox in a process of its own: its switches, and its vaults over plain HTTP."""

    def __init__(self, process: subprocess.Popen[str], path: Path) -> None:
        self.process, self.path = process, path
        self.document: dict[str, Any] = yaml.safe_load(path.read_text())
        self.cloud = self.document["clouds"][0]
        self.cloud["ca_file"] = str(path.parent / self.cloud["ca_file"])
        self.iclient = self.document["iclients"][0]
        self.urls = {
            item["name"]: item["settings"]["vault_url"] for item in self.document["connections"] if "settings" in item
        }
        self._context = ssl.create_default_context(cafile=self.cloud["ca_file"])
        self._connections: dict[str, HTTPSConnection] = {}
        self._token = ""

    @property
    def client_secret(self) -> str:
        return str(self.iclient["credential"]["client_secret"])

    def control(self, method: str, path: str, /, **body: Any) -> Any:
        """One of the sandbox's switches."""
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(f"{self.cloud['authority']}/sandbox/{path}", data, method=method)
        with urllib.request.urlopen(request, context=self._context, timeout=30) as answer:
            return json.load(answer)

    def fault(self, kind: str | int, **options: Any) -> None:
        """Plant a fault."""
        self.control("POST", "faults", kind=kind, **options)

    def deny(self, vault: str, *permissions: str) -> None:
        """Deny exactly these permissions."""
        self.control("POST", "permissions", vault=vault, deny=list(permissions))

    def settings(self, **settings: Any) -> None:
        """Turn switches: latency_seconds, throttle, …"""
        self.control("POST", "settings", **settings)

    def calls(self, host: str) -> dict[str, int]:
        """How often each kind of call came, but for our own."""
        found: dict[str, int] = self.control("GET", "calls")[host]
        return found

    def calm(self) -> None:
        """Everything as it was: no faults, no latency, no counts, every permission."""
        self.control("DELETE", "faults")
        self.settings(latency_seconds=0, throttle=False, settle_seconds=0, rbac=True, firewall=False)
        for vault in self.urls:
            self.deny(vault)
        self.control("POST", "calls/reset")

    def secrets(self, vault: str) -> dict[str, dict[str, Any]]:
        """Every secret of a vault with its value, without what differs between a secret and its copy."""
        names = self.names(vault)
        return {name: self.secret(vault, name) if enabled else {"enabled": False} for name, enabled in names.items()}

    def secret(self, vault: str, name: str) -> dict[str, Any]:
        """Value, content type, tags and attributes of a secret."""
        answer = self.request("GET", vault, f"secrets/{name}")
        attributes = {key: answer["attributes"].get(key) for key in ("enabled", "nbf", "exp")}
        content_type, tags = answer.get("contentType") or None, answer.get("tags") or {}
        return {"value": answer["value"], "contentType": content_type, "tags": tags, **attributes}

    def names(self, vault: str) -> dict[str, bool]:
        """Every name, and whether it is enabled."""
        return {item["id"].rsplit("/", 1)[1]: item["attributes"]["enabled"] for item in self._pages(vault, "secrets")}

    def versions(self, vault: str, name: str) -> int:
        """How many versions a secret has."""
        return sum(1 for _ in self._pages(vault, f"secrets/{name}/versions"))

    def put(self, vault: str, name: str, value: str, **parameters: Any) -> None:
        """Plant a secret."""
        self.request("PUT", vault, f"secrets/{name}", {"value": value, **parameters})

    def delete(self, vault: str, name: str, purge: bool = True) -> None:
        """Take a secret away."""
        self.request("DELETE", vault, f"secrets/{name}")
        if purge:
            self.request("DELETE", vault, f"deletedsecrets/{name}")

    def empty(self, vault: str) -> None:
        """Take every secret away, deleted ones too."""
        for name in self.names(vault):
            self.delete(vault, name)
        for item in [*self._pages(vault, "deletedsecrets")]:
            self.request("DELETE", vault, f"deletedsecrets/{item['id'].rsplit('/', 1)[1]}")

    def request(self, method: str, vault: str, path: str, body: Any = None) -> Any:
        """One call to a vault, with a token of our own."""
        return self._send(method, f"{self.urls[vault]}/{path}?{API}", body)

    def _pages(self, vault: str, path: str) -> Iterator[dict[str, Any]]:
        link = f"{self.urls[vault]}/{path}?{API}"
        while link:
            page = self._send("GET", link)
            yield from page["value"] or ()
            link = page.get("nextLink")

    def _send(self, method: str, url: str, body: Any = None) -> Any:
        parts = urllib.parse.urlsplit(url)
        host = parts.netloc
        if host not in self._connections:
            self._connections[host] = HTTPSConnection(host, context=self._context, timeout=30)
        self._token = self._token or self._ask_token()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        data = json.dumps(body) if body is not None else None
        self._connections[host].request(method, f"{parts.path}?{parts.query}", data, headers)
        answer = self._connections[host].getresponse()
        content = answer.read()
        assert answer.status < 300, f"{method} {url}: {answer.status} {content[:300]!r}"
        return json.loads(content) if content else None

    def _ask_token(self) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.iclient["client_id"],
            "client_secret": self.client_secret,
            "scope": f"{self.cloud['vault_audience']}/.default",
        }
        url = f"{self.cloud['authority']}/{self.iclient['tenant']}/oauth2/v2.0/token"
        with urllib.request.urlopen(url, urllib.parse.urlencode(form).encode(), context=self._context) as answer:
            return str(json.load(answer)["access_token"])

    def close(self) -> None:
        """Close our connections and end the sandbox."""
        for connection in self._connections.values():
            connection.close()
        self.process.terminate()
        self.process.communicate(timeout=20)


@contextmanager
def running_lab(folder: Path, **vaults: int) -> Iterator[Lab]:
    """A sandbox with these vaults, ready."""
    path = folder / "lab.yaml"
    named = [part for name, count in vaults.items() for part in ("--vault", f"{name}={count}")]
    process = subprocess.Popen(
        [str(COMMAND), "sandbox", *named, "--write", str(path)], stdout=subprocess.PIPE, stderr=None, text=True
    )
    assert process.stdout
    assert "ready" in process.stdout.readline()
    lab = Lab(process, path)
    try:
        yield lab
    finally:
        lab.close()


def rules(*names: str) -> list[dict[str, str]]:
    """A mapping that takes these fields as they are."""
    return [{"to": name, "from": name} for name in names]


def flow(name: str, origin: tuple[str, str], destination: tuple[str, str], **more: Any) -> dict[str, Any]:
    """A flow with values; `fields`, `where` and what the import takes come by name."""
    export: dict[str, Any] = {"connection": origin[0], "resource": origin[1], "values": more.pop("values", True)}
    if where := more.pop("where", None):
        export["where"] = where
    fields = more.pop("fields", FIELDS)
    step = {"connection": destination[0], "resource": destination[1], "mapping": rules(*fields), **more}
    return {"name": name, "exports": [export], "steps": [{"import": step}]}


def standard(lab: Lab, files: Path) -> dict[str, Any]:
    """The sandbox's document, a folder, and the flows that most tests use."""
    vault, copy = ("contoso", "secrets"), ("fabrikam", "secrets")
    here = {"name": "here", "connector": "files", "settings": {"folder": str(files)}}
    narrow = {
        "name": "narrow",
        "connector": "azure-key-vault",
        "api_type": "data",
        "iclient": lab.iclient["name"],
        "settings": {"vault_url": lab.urls["contoso"]},
        "limits": {"concurrency": 2},
    }
    narrow_copy = {**narrow, "name": "narrow-copy", "settings": {"vault_url": lab.urls["fabrikam"]}}
    flows = [
        flow("slow-csv", ("narrow", "secrets"), ("here", "slow.csv"), where="enabled", plaintext=True),
        flow("slow-import", ("here", "out.csv"), ("narrow-copy", "secrets")),
        flow("export-csv", vault, ("here", "out.csv"), where="enabled", plaintext=True),
        flow("export-jsonl", vault, ("here", "out.jsonl"), where="enabled", plaintext=True),
        flow("export-names", vault, ("here", "names.csv"), fields=("name", "updated"), values=False),
        flow("export-unsaid", vault, ("here", "unsaid.csv"), where="enabled"),
        flow("import-csv", ("here", "in.csv"), copy, fields=("name", "value")),
        flow("import-jsonl", ("here", "in.jsonl"), copy, fields=("name", "value")),
        flow("back-csv", ("here", "out.csv"), copy),
        flow("back-jsonl", ("here", "out.jsonl"), copy),
        flow("copy", vault, copy, where="enabled"),
    ]
    return {**lab.document, "connections": [*lab.document["connections"], narrow, narrow_copy, here], "flows": flows}


def furnished(lab: Lab, folder: Path) -> House:
    """A house to copy for every test: the standard document is applied in it."""
    files = folder / "files"
    files.mkdir()
    house = House(folder / "home", files)
    house.apply(standard(lab, files))
    return house


def copied(pattern: House, folder: Path) -> House:
    """The same house for one test, with an empty folder of files."""
    for path in pattern.files.iterdir():
        path.unlink()
    return House(Path(shutil.copytree(pattern.home, folder / "home")), pattern.files)


def undisturbed(house: House) -> bytes:
    """The file of an export that nobody disturbs."""
    house.run("export-csv")
    return (house.files / "out.csv").read_bytes()


def until(holds: Callable[[], Any], seconds: float = 20.0, every: float = 0.005) -> Any:
    """Wait until something holds; gives it."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if found := holds():
            return found
        time.sleep(every)
    raise AssertionError("it never came to that")


def csv_text(*rows: str, head: str = "name,value") -> str:
    """A CSV file."""
    return "".join(f"{row}\n" for row in (head, *rows))
