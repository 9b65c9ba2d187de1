"""What the demo does, step by step, with the same parts that every command uses."""

from __future__ import annotations

import select
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from integrator import documents
from integrator.bootstrap import Installation
from integrator.config import KEY_NAME, Config
from integrator.demo.proof import Proof, prove
from integrator.errors import UserError
from integrator.store.runs import Run

SECRETS: Final = 500
START_SECONDS: Final = 30.0
END_SECONDS: Final = 5.0
FILE_NAME: Final = "contoso.csv"

_FIELDS: Final = ("name", "value", "content_type", "tags", "enabled", "not_before", "expires")

RunFlow = Callable[[Installation, str], Run]
Say = Callable[[str], None]


def tell(say: Say, run_flow: RunFlow) -> list[Run]:
    """Tell the whole story; gives its runs. Raises UserError where a step does not end as it should."""
    with tempfile.TemporaryDirectory(prefix="integrator-demo-") as folder, _sandbox(Path(folder)) as lab:
        say(f"A local Azure runs on 127.0.0.1: vault contoso with {SECRETS} secrets, vault fabrikam with none.")
        home = Path(folder) / "home"
        home.mkdir(mode=0o700)
        config = Config(home=home, key_file=home / KEY_NAME, database_url=None)  # nobody's own installation is touched
        document = _document(Path(folder), lab)
        with Installation(config) as installation:
            documents.apply(document, installation.store)
            say(f"Applied {document.name}: one iClient, three connections, two flows.")
            runs = [
                _told(installation, "vault-to-file", "Export: contoso → contoso.csv", say, run_flow),
                _told(installation, "file-to-vault", "Import: contoso.csv → fabrikam", say, run_flow),
                _told(installation, "file-to-vault", "Import again: nothing may be written", say, run_flow),
            ]
        _check_second_import(runs[-1])
        proof = prove(lab, "contoso", "fabrikam")
        _check(proof)
        say(
            f"Proof, read back over HTTP without Integrator: all {proof.compared} enabled secrets of contoso are in "
            "fabrikam with the same value, tags, content type and dates."
        )
    return runs


@contextmanager
def _sandbox(folder: Path) -> Iterator[dict[str, Any]]:
    """A sandbox in a process of its own; gives the document that it wrote."""
    path = folder / "lab.yaml"
    command = [sys.executable, "-m", "integrator", "sandbox", "--write", str(path)]
    vaults = ["--vault", f"contoso={SECRETS}", "--vault", "fabrikam=0"]
    process = subprocess.Popen([*command, *vaults], stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own command
    try:
        if not _is_ready(process):
            raise UserError("The sandbox did not start: run `integrator sandbox` to see why.")
        yield documents.read(path.name, path.read_bytes()).data
    finally:
        _end(process)


def _is_ready(process: subprocess.Popen[str]) -> bool:
    """Whether it says so in time."""
    if process.stdout is None or not select.select([process.stdout], [], [], START_SECONDS)[0]:
        return False
    return bool(process.stdout.readline())


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _document(folder: Path, lab: dict[str, Any]) -> Path:
    """The sandbox's document, with a folder to keep a file in and two flows."""
    vaults = [connection for connection in lab["connections"] if connection["api_type"] == "data"]
    here = {"name": "here", "connector": "files", "settings": {"folder": "files"}}
    lab["clouds"][0]["ca_file"] = str(folder / lab["clouds"][0]["ca_file"])
    path = folder / "demo.yaml"
    path.write_text(documents.text({**lab, "connections": [*vaults, here], "flows": _flows()}), "utf-8")
    path.chmod(0o600)
    (folder / "files").mkdir()
    return path


def _flows() -> list[dict[str, Any]]:
    mapping = [{"to": field, "from": field} for field in _FIELDS]
    return [
        {
            "name": "vault-to-file",
            "exports": [{"connection": "contoso", "resource": "secrets", "values": True, "where": "enabled"}],
            "steps": [{"import": {"connection": "here", "resource": FILE_NAME, "plaintext": True, "mapping": mapping}}],
        },
        {
            "name": "file-to-vault",
            "exports": [{"connection": "here", "resource": FILE_NAME, "values": True}],
            "steps": [{"import": {"connection": "fabrikam", "resource": "secrets", "mapping": mapping}}],
        },
    ]


def _told(installation: Installation, flow: str, title: str, say: Say, run_flow: RunFlow) -> Run:
    say(f"\n{title}")
    run = run_flow(installation, flow)
    if run.status != "succeeded":
        raise UserError(f"Run {run.id} of {flow} ended as {run.status}: {run.error_message or 'see its errors'}")
    return run


def _check_second_import(run: Run) -> None:
    calls = run.progress.calls
    if set(calls) - {"list"}:
        raise UserError(f"The second import made calls other than list: {dict(calls)}.")


def _check(proof: Proof) -> None:
    if proof.differences:
        name, what = proof.differences[0]
        raise UserError(f"{len(proof.differences)} secrets differ; the first is {name}, in its {what}.")
