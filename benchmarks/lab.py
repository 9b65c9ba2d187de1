"""A sandbox in a process of its own, and an Integrator home whose flows move its secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measure import Figures, measure

INTEGRATOR = (sys.executable, "-m", "integrator")
FIELDS = ("name", "value", "content_type", "tags")


@dataclass(frozen=True)
class Lab:
    """One sandbox and one home."""

    folder: Path
    document: Path
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"INTEGRATOR_HOME": str(self.home)}

    def integrator(self, *arguments: str) -> Any:
        """A command that is not measured; gives its JSON."""
        command = [*INTEGRATOR, *arguments, "--json"]
        done = subprocess.run(command, env={**os.environ, **self.environment}, capture_output=True, text=True)
        if done.returncode not in (0, 3):
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    def run_flow(self, name: str) -> tuple[Figures, dict[str, Any]]:
        """A measured run, and its document."""
        figures = measure(
            [*INTEGRATOR, "flows", "run", name, "--json"], self.folder / "log", self.environment, ok=(0, 3)
        )
        return figures, self.integrator("runs", "list", "--limit", "1")[0]

    def contender(self, name: str, vault: str, threads: int) -> Figures:
        """A measured run of one of the contenders."""
        script = Path(__file__).with_name("contenders") / f"{name}.py"
        output = self.folder / "contender.jsonl"
        command = [sys.executable, str(script), str(self.document), vault, str(output), str(threads)]
        return measure(command, self.folder / "log")


@contextmanager
def lab(folder: Path, vaults: dict[str, int], *options: str) -> Iterator[Lab]:
    """Start a sandbox with these vaults, and apply its document and a flow for each pair."""
    folder.mkdir()
    document = folder / "lab.yaml"
    arguments = [f"--vault={name}={count}" for name, count in vaults.items()]
    command = [*INTEGRATOR, "sandbox", "--write", str(document), *arguments, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sandbox:
        try:
            if not sandbox.stdout or not sandbox.stdout.readline():
                raise SystemExit("The sandbox did not start.")
            made = Lab(folder, document, folder / "home")
            made.integrator("apply", str(document))
            flows = folder / "flows.yaml"
            flows.write_text(yaml.safe_dump(_flows(vaults)))
            made.integrator("apply", str(flows))
            yield made
        finally:
            sandbox.terminate()


def _flows(vaults: Sequence[str] | dict[str, int]) -> dict[str, Any]:
    """For each vault an export to `<vault>.jsonl`, and imports of every such file into every vault."""
    mapping = [{"to": field, "from": field} for field in FIELDS]
    here = {"name": "here", "connector": "files", "settings": {"folder": "files"}}
    exports = [
        {
            "name": f"export-{vault}",
            "exports": [{"connection": vault, "resource": "secrets", "values": True, "where": "enabled"}],
            "steps": [
                {"import": {"connection": "here", "resource": f"{vault}.jsonl", "plaintext": True, "mapping": mapping}}
            ],
        }
        for vault in vaults
    ]
    imports = [
        {
            "name": f"import-{origin}-{vault}",
            "exports": [{"connection": "here", "resource": f"{origin}.jsonl"}],
            "steps": [{"import": {"connection": vault, "resource": "secrets", "mapping": mapping}}],
        }
        for vault in vaults
        for origin in vaults
        if origin != vault
    ]
    return {"version": 1, "connections": [here], "flows": exports + imports}
